"""CIFAR-10 and CIFAR-100 from the "python version" of their authors, which the user has on disk.

Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from backend.data.manifest import DataError, FileEntry, Manifest
from backend.data.splits import Pixels, split_options

_TEN = tuple(f"data_batch_{i}" for i in range(1, 6))
_BATCHES = {  # classes: folder, file of names, training files, test file
    10: ("cifar-10-batches-py", "batches.meta", _TEN, "test_batch"),
    100: ("cifar-100-python", "meta", ("train",), "test"),
}
_NAMES = {10: b"label_names", 100: b"fine_label_names"}
_LABELS = {10: b"labels", 100: b"fine_labels"}
_SHAPE = (3, 32, 32)


def cifar(folder: Path | str, **options: Any) -> Manifest:
    """Return the manifest of CIFAR-10 or CIFAR-100, whichever ``folder`` holds.

    Args:
        folder: the unpacked ``cifar-10-batches-py`` or ``cifar-100-python``, or the one around it.
        options: those of :func:`backend.data.splits.split_options`.

    Raises:
        DataError: a file is missing, or is no CIFAR batch.
    """
    given = Path(folder).expanduser().absolute()
    if given.is_file():
        raise DataError(f'"{given}" is a file; unpack the archive and choose the folder it makes.')
    kind, root = _find(given)
    _, meta, train, test = _BATCHES[kind]
    for name in (*train, test):
        if not (root / name).is_file():
            raise DataError(f'The folder "{root}" has no file "{name}"; unpack it again.')
    names = load_batch(root / meta).get(_NAMES[kind])
    if not isinstance(names, list) or len(names) != kind:
        raise DataError(f'The file "{root / meta}" does not name {kind} classes; unpack it again.')
    return Manifest(
        kind="cifar",
        title=f"CIFAR-{kind}",
        classes=tuple(_text(name) for name in names),
        files=tuple(FileEntry.of(root / name, digest=True) for name in (*train, test)),
        options=split_options(("train", "test"), **options),
    )


def read(manifest: Manifest, part: str) -> Pixels:
    """Return all pictures of a part, ``train`` or ``test``: uint8 (N, 32, 32, 3).

    Raises:
        DataError: a file is no CIFAR batch.
    """
    files = manifest.files[-1:] if part == "test" else manifest.files[:-1]
    batches = [_pictures(Path(entry.path), len(manifest.classes)) for entry in files]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    return Pixels(pixels, np.concatenate([labels for _, labels in batches]))


def load_batch(path: Path) -> dict[bytes, Any]:
    """Return the dictionary in a CIFAR file; its arrays are numpy arrays of uint8.

    This is the one place that reads a pickle, since the authors publish nothing else. The strict
    reader below never runs what a file names: it knows three names and answers each with a passive
    record of its own, so that not even numpy's own unpickling code sees the file.

    Raises:
        DataError: the file names anything else, is damaged, or holds no dictionary.
    """
    try:
        loaded = _StrictUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        if not isinstance(loaded, dict):
            raise ValueError(f"it holds a {type(loaded).__name__}")
        return {k: v.pixels() if isinstance(v, _Array) else v for k, v in loaded.items()}
    except DataError as error:
        raise DataError(f'The file "{path}" is refused: {error}') from error
    # A damaged pickle can raise almost anything, as the documentation of the module says.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f'The file "{path}" is no CIFAR batch ({reason}); unpack the archive again.'
        ) from error


class _Dtype:
    """What a file says about the type of an array; only the bytes of pictures are accepted."""

    __slots__ = ("code",)

    def __init__(self, code: bytes, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment: one byte has neither."""


class _Array:
    """What a file says about an array; also stands for numpy's class and constructor."""

    __slots__ = ("state",)

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        """Keep what the file says, to be checked by ``pixels``."""
        self.state = state

    def pixels(self) -> np.ndarray:
        """Return the array, uint8, of the shape the file says."""
        _, shape, dtype, fortran, raw = self.state
        if not isinstance(dtype, _Dtype) or _text(dtype.code) not in ("u1", "|u1"):
            raise ValueError("its array is not of unsigned bytes")
        if not isinstance(raw, bytes) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("its array is malformed")
        return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _StrictUnpickler(pickle.Unpickler):
    """Reads plain data and byte arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> type:
        """Return our record for one of the three names of a CIFAR file.

        Raises:
            DataError: any other name.
        """
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(
                f'it asks for "{module}.{name}", which no CIFAR file needs. It may run code; '
                "do not use it."
            ) from None


def _find(given: Path) -> tuple[int, Path]:
    for kind, (name, meta, _, test) in _BATCHES.items():
        for root in (given, given / name):
            if (root / meta).is_file() and (root / test).is_file():
                return kind, root
    raise DataError(
        f'The folder "{given}" holds no CIFAR batches; choose the unpacked "cifar-10-batches-py" '
        'or "cifar-100-python" (the archives of the python version).'
    )


def _pictures(path: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    batch = load_batch(path)
    data, labels = batch.get(b"data"), batch.get(_LABELS[classes])
    if not isinstance(data, np.ndarray) or data.shape[1:] != (np.prod(_SHAPE),):
        raise DataError(f'The file "{path}" holds no 32x32 colour pictures; unpack it again.')
    if not isinstance(labels, list) or len(labels) != len(data):
        raise DataError(f'The file "{path}" does not have one label a picture; unpack it again.')
    if not all(type(label) is int and 0 <= label < classes for label in labels):
        raise DataError(f'The file "{path}" has a label outside 0 to {classes - 1}.')
    pixels = data.reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), np.array(labels)


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
