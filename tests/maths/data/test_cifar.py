from __future__ import annotations

import os
import pickle
import struct
import warnings

import numpy as np
import pytest

from backend.data.cifar import cifar, load_batch
from backend.data.manifest import DataError
from backend.data.vision import open_split


def _bytes(text: bytes) -> bytes:
    """A string as Python 2 pickled it: BINSTRING, read as bytes."""
    return b"T" + struct.pack("<i", len(text)) + text


def _int(n: int) -> bytes:
    return b"J" + struct.pack("<i", n)


def _list(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def _array(values: np.ndarray, dtype: bytes = b"u1") -> bytes:
    """An array as numpy under Python 2 pickled it, opcode by opcode."""
    kind = b"cnumpy\ndtype\n(" + _bytes(dtype) + _int(0) + _int(1) + b"tR("
    kind += _int(3) + _bytes(b"|") + b"NNN" + _int(-1) + _int(-1) + _int(0) + b"tb"
    shape = b"(" + b"".join(_int(n) for n in values.shape) + b"t"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + _int(0) + b"t"
    empty += _bytes(b"b") + b"tR"
    return empty + b"(" + _int(1) + shape + kind + b"\x89" + _bytes(values.tobytes()) + b"tb"


def _batch(**items: bytes) -> bytes:
    pairs = b"".join(_bytes(key.encode()) + value for key, value in items.items())
    return b"\x80\x02}(" + pairs + b"u."


def write_ten(folder, per_batch=4):
    rng = np.random.default_rng(0)
    root = folder / "cifar-10-batches-py"
    root.mkdir(parents=True)
    names = _list([_bytes(b"class %d" % i) for i in range(10)])
    (root / "batches.meta").write_bytes(_batch(label_names=names, num_vis=_int(3072)))
    pixels, labels = [], []
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        values = rng.integers(0, 256, (per_batch, 3072), dtype=np.uint8)
        numbers = rng.integers(0, 10, per_batch).tolist()
        (root / name).write_bytes(
            _batch(
                data=_array(values),
                labels=_list([_int(n) for n in numbers]),
                batch_label=_bytes(b"training batch 1 of 5"),
                filenames=_list([_bytes(b"x.png")] * per_batch),
            )
        )
        pixels.append(values)
        labels += numbers
    return root, np.concatenate(pixels), np.array(labels)


def test_ten_classes_in_the_authors_format(tmp_path):
    root, pixels, labels = write_ten(tmp_path)
    manifest = cifar(root, val_fraction=0.2)
    assert cifar(tmp_path, val_fraction=0.2) == manifest  # the folder around it will do
    assert manifest.classes == tuple(f"class {i}" for i in range(10))
    test = open_split(manifest, "test")
    assert test.shape == (32, 32, 3)
    assert test.labels.tolist() == labels[20:].tolist()
    expected = pixels[20:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(test.take(np.arange(4)), expected)
    train = open_split(manifest, "train")
    assert (len(train), len(open_split(manifest, "val"))) == (16, 4)
    assert train.labels.tolist() == labels[train.indices].tolist()


def test_a_hundred_classes(tmp_path):
    names = _list([_bytes(b"c%d" % i) for i in range(100)])
    (tmp_path / "meta").write_bytes(_batch(fine_label_names=names, coarse_label_names=_list([])))
    for name in ("train", "test"):
        values = np.full((20, 3072), 7, np.uint8)
        fine = _list([_int(90 + n % 10) for n in range(20)])
        (tmp_path / name).write_bytes(_batch(data=_array(values), fine_labels=fine))
    manifest = cifar(tmp_path)
    assert manifest.title == "CIFAR-100"
    assert open_split(manifest, "test").labels.max() == 99


def test_our_hand_written_stream_is_what_a_full_unpickler_reads():
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    stream = _batch(data=_array(values), labels=_list([_int(4)]))
    # Only on bytes made right here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy has moved the module
        found = pickle.loads(stream, encoding="bytes")
    assert np.array_equal(found[b"data"], values)
    assert found[b"labels"] == [4]


class _Runs:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.mkdir, "mkdir"), (eval, "eval"), (getattr, "getattr"), (np.load, "load")],
)
def test_a_pickle_that_would_run_code_is_refused(tmp_path, protocol, function, name):
    target = tmp_path / "was-here"
    args = {os.mkdir: (str(target),), eval: (f"__import__('os').mkdir({str(target)!r})",)}
    path = tmp_path / "data_batch_1"
    evil = _Runs(function, *args.get(function, (str(target), "x")))
    path.write_bytes(pickle.dumps({"data": evil}, protocol))
    with pytest.raises(DataError, match=rf"is refused: .*{name}.* may run code"):
        load_batch(path)
    assert not target.exists()


def test_the_whole_reader_refuses_it_too(tmp_path):
    root, _, _ = write_ten(tmp_path)
    target = tmp_path / "was-here"
    (root / "data_batch_3").write_bytes(pickle.dumps(_Runs(os.mkdir, str(target)), 2))
    with pytest.raises(DataError, match=r"data_batch_3.* is refused"):
        open_split(cifar(root), "train")
    assert not target.exists()


# Each uses only allowed names, in ways that no CIFAR file does.
ABUSES = {
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__class__\x93.",
    "state onto a class": b"\x80\x02cnumpy\ndtype\n}(" + _bytes(b"x") + _int(1) + b"ub.",
    "slots onto a class": b"\x80\x02cnumpy\nndarray\n(N}(" + _bytes(b"pixels") + _int(1) + b"utb.",
    "object array": _batch(data=_array(np.zeros((1, 8), np.uint8), b"O8")),
    "float array": _batch(data=_array(np.zeros((1, 8), np.uint8), b"f8")),
    "wrong size": _batch(data=_array(np.zeros((2, 3), np.uint8)).replace(_int(3), _int(9), 1)),
    "no state": b"\x80\x02}" + _bytes(b"data") + b"cnumpy\nndarray\n)Rs.",
    "odd state": b"\x80\x02}" + _bytes(b"data") + b"cnumpy\nndarray\n)R" + _int(3) + b"bs.",
    "persistent id": b"\x80\x02" + _bytes(b"x") + b"Q.",
    "extension": b"\x80\x02\x82\x01.",
    "no dictionary": b"\x80\x02](e.",
    "truncated": _batch(data=_array(np.zeros((2, 3), np.uint8)))[:-20],
    "text": b"hello",
    "empty": b"",
    "archive": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("name", ABUSES)
def test_abuse_and_damage_get_one_sentence(tmp_path, name):
    path = tmp_path / "data_batch_1"
    path.write_bytes(ABUSES[name])
    with pytest.raises(DataError, match=r"is no CIFAR batch|is refused"):
        load_batch(path)
    # What was tried must not have changed the reader.
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    path.write_bytes(_batch(data=_array(values)))
    assert np.array_equal(load_batch(path)[b"data"], values)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (_batch(labels=_list([])), "no 32x32 colour pictures"),
        (_batch(data=_array(np.zeros((2, 100), np.uint8))), "no 32x32 colour pictures"),
        (_batch(data=_array(np.zeros((2, 3072), np.uint8))), "one label a picture"),
        (
            _batch(data=_array(np.zeros((1, 3072), np.uint8)), labels=_list([_int(10)])),
            "label outside 0 to 9",
        ),
        (
            _batch(data=_array(np.zeros((1, 3072), np.uint8)), labels=_list([_bytes(b"1")])),
            "label outside 0 to 9",
        ),
    ],
)
def test_batches_that_do_not_fit_get_one_sentence(tmp_path, batch, words):
    root, _, _ = write_ten(tmp_path)
    (root / "test_batch").write_bytes(batch)
    with pytest.raises(DataError, match=words):
        open_split(cifar(root), "test")


def test_missing_files_get_one_sentence(tmp_path):
    with pytest.raises(DataError, match="holds no CIFAR batches"):
        cifar(tmp_path)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x")
    with pytest.raises(DataError, match="is a file; unpack the archive"):
        cifar(tmp_path / "cifar-10-python.tar.gz")
    root, _, _ = write_ten(tmp_path)
    (root / "batches.meta").write_bytes(_batch(label_names=_list([_bytes(b"a")])))
    with pytest.raises(DataError, match="does not name 10 classes"):
        cifar(root)
    (root / "data_batch_4").unlink()
    with pytest.raises(DataError, match='has no file "data_batch_4"'):
        cifar(root)
