from __future__ import annotations

import io
import shutil
import stat
import subprocess

import numpy as np
import pytest

import assets
from backend.data import fashion_mnist as module
from backend.data.idx import read_idx, write_idx
from backend.data.manifest import DataError, Manifest, workspace
from backend.data.vision import digits, fashion_mnist, open_split
from tests.requirements import require

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_small(folder, *, train=40, test=20, side=28, suffix=""):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, n in (("train", train), ("t10k", test)):
        pixels = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
        write_idx(folder / f"{stem}-images-idx3-ubyte{suffix}", pixels)
        labels = (np.arange(n) % 10).astype(np.uint8)
        write_idx(folder / f"{stem}-labels-idx1-ubyte{suffix}", labels)
    return folder


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No Debian package installed."""
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path / "usr" / "none")


def test_the_sample_is_balanced_and_small():
    manifest = fashion_mnist("sample")
    assert sum(entry.size for entry in manifest.files) < 6_000_000
    train, val, test = (open_split(manifest, split) for split in ("train", "val", "test"))
    assert np.bincount(train.labels).tolist() == [720] * 10
    assert np.bincount(val.labels).tolist() == [80] * 10
    assert np.bincount(test.labels).tolist() == [200] * 10
    assert train.shape == (28, 28, 1)
    assert train.take(np.array([5, 1])).shape == (2, 28, 28, 1)
    assert train.take(np.array([0])).dtype == np.uint8
    assert "sample" in manifest.title


def test_the_sample_holds_pictures_of_the_full_set():
    require("fashion-mnist")
    for part in ("train", "test"):
        full = module.read(fashion_mnist("debian"), part)
        part_of = module.read(fashion_mnist("sample"), part)
        keys = {row.tobytes(): label for row, label in zip(full.pixels, full.labels, strict=True)}
        assert all(
            keys[row.tobytes()] == label
            for row, label in zip(part_of.pixels, part_of.labels, strict=True)
        )


def test_the_debian_package_is_read_and_preferred():
    require("fashion-mnist")
    manifest = fashion_mnist("auto", train_limit=1000)
    assert str(module.DEBIAN_FOLDER) in manifest.files[0].path
    assert "60,000 + 10,000" in manifest.title
    assert len(open_split(manifest, "train")) == 900
    assert len(open_split(manifest, "test")) == 10_000


def test_auto_falls_back_to_the_sample(nowhere):
    assert str(assets.sample("fashion_mnist")) in fashion_mnist("auto").files[0].path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files(tmp_path, suffix):
    folder = write_small(tmp_path / "idx", suffix=suffix)
    manifest = Manifest.from_json(fashion_mnist("folder", folder, val_fraction=0.25).to_json())
    train = open_split(manifest, "train")
    assert (len(train), len(open_split(manifest, "val"))) == (30, 10)
    original = read_idx(folder / f"train-images-idx3-ubyte{suffix}")
    assert np.array_equal(train.take(np.arange(30))[..., 0], original[train.indices])


def test_a_split_that_is_not_known_gets_a_sentence(tmp_path):
    manifest = fashion_mnist("folder", write_small(tmp_path))
    with pytest.raises(DataError, match="choose train, val or test"):
        open_split(manifest, "dev")


def test_the_test_files_are_touched_only_for_the_test_split(tmp_path, monkeypatch):
    manifest = fashion_mnist("folder", write_small(tmp_path))
    seen = []
    monkeypatch.setattr(module, "read_idx", lambda path: seen.append(path.name) or read_idx(path))
    open_split(manifest, "train")
    open_split(manifest, "val")
    assert seen
    assert not [name for name in seen if name.startswith("t10k")]
    open_split(manifest, "test")
    assert [name for name in seen if name.startswith("t10k")]


def test_a_changed_file_is_refused(tmp_path):
    manifest = fashion_mnist("folder", write_small(tmp_path))
    write_small(tmp_path, train=50)
    with pytest.raises(DataError, match="has changed"):
        open_split(manifest, "train")


def _missing(folder):
    (folder / NAMES[1]).unlink()


def _uneven(folder):
    write_idx(folder / NAMES[1], np.zeros(39, np.uint8))


def _sizes(folder):
    write_idx(folder / NAMES[2], np.zeros((20, 8, 8), np.uint8))


def _swapped(folder):
    shutil.copy(folder / NAMES[1], folder / NAMES[0])


def _pictures_as_labels(folder):
    shutil.copy(folder / NAMES[0], folder / NAMES[1])


def _magic(folder):
    (folder / NAMES[0]).write_bytes(b"PK\x03\x04")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_missing, 'has no file "train-labels-idx1-ubyte"'),
        (_uneven, "40 pictures but .* has 39 labels"),
        (_sizes, "differ in size"),
        (_swapped, "holds no pictures"),
        (_pictures_as_labels, "holds no labels"),
        (_magic, "not an IDX file"),
    ],
)
def test_files_that_do_not_fit_are_refused_at_once(tmp_path, spoil, words):
    folder = write_small(tmp_path)
    spoil(folder)
    with pytest.raises(DataError, match=words):
        fashion_mnist("folder", folder)


def test_labels_beyond_the_classes_are_refused(tmp_path):
    folder = write_small(tmp_path)
    write_idx(folder / NAMES[1], np.full(40, 10, np.uint8))
    with pytest.raises(DataError, match="has the label 10, but there are only 10 classes"):
        open_split(fashion_mnist("folder", folder), "train")


def test_a_truncated_file_is_refused_when_opened(tmp_path):
    folder = write_small(tmp_path, suffix=".gz")
    path = folder / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged or truncated"):
        open_split(fashion_mnist("folder", folder), "train")


def test_unknown_source_and_missing_folder_get_a_sentence(tmp_path):
    with pytest.raises(DataError, match='no source "torchvision"'):
        fashion_mnist("torchvision")
    with pytest.raises(DataError, match="Give the folder"):
        fashion_mnist("folder")
    with pytest.raises(DataError, match="has no file"):
        fashion_mnist("folder", tmp_path / "none")


def _script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def fake_apt(tmp_path, monkeypatch):
    """A program named apt-get, first on the path; ``fake_apt(text)`` says what it does."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    return lambda text: _script(bin_folder / "apt-get", text)


def test_the_debian_package_is_fetched_without_root(tmp_path, monkeypatch, fake_apt):
    require("dpkg-deb")
    root = tmp_path / "package"
    inside = "usr/share/datasets/not-installed"
    monkeypatch.setattr(module, "DEBIAN_FOLDER", module.Path("/") / inside)
    write_small(root / inside, suffix=".gz")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: none\n"
    )
    package = tmp_path / "dataset-fashion-mnist_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", root, package], check=True, capture_output=True)
    fake_apt(f'[ "$1 $2" = "download dataset-fashion-mnist" ] && cp "{package}" .')
    manifest = fashion_mnist("debian")
    assert len(open_split(manifest, "test")) == 20
    assert str(workspace()) in manifest.files[0].path
    assert [p.name for p in (workspace() / "cache").iterdir()] == ["fashion-mnist-debian"]
    fake_apt("exit 1")  # not asked again
    assert fashion_mnist("debian") == manifest
    assert fashion_mnist("auto") == manifest


def test_a_failed_fetch_says_why_and_leaves_nothing(nowhere, fake_apt):
    require("dpkg-deb")
    fake_apt('echo "E: Unable to locate package dataset-fashion-mnist" >&2; exit 100')
    with pytest.raises(DataError, match=r"Unable to locate package .*apt-get install"):
        fashion_mnist("debian")
    assert list((workspace() / "cache").iterdir()) == []


def test_other_systems_are_told_so(nowhere, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="no Debian packages; choose the source"):
        fashion_mnist("debian")


def test_the_hub_offline_says_what_to_do():
    require("huggingface_hub")
    require("pyarrow")
    with pytest.raises(DataError, match=r"neither cached nor reachable .* choose the source"):
        fashion_mnist("hub")


def test_the_hub_without_its_packages_names_them(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(DataError, match="pip install huggingface_hub pyarrow"):
        fashion_mnist("hub")


def test_the_hub_files_are_read(tmp_path, monkeypatch):
    require("huggingface_hub")
    require("pyarrow")
    import huggingface_hub
    import pyarrow as pa
    from PIL import Image
    from pyarrow import parquet

    rng = np.random.default_rng(1)
    originals = {}
    for part, n in (("train", 30), ("test", 10)):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        rows = []
        for row in pixels:
            buffer = io.BytesIO()
            Image.fromarray(row).save(buffer, "PNG")
            rows.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"image": rows, "label": [i % 10 for i in range(n)]})
        parquet.write_table(table, tmp_path / f"{part}.parquet")
        originals[part] = pixels

    def download(repo, name, *, repo_type, revision):
        assert (repo, repo_type) == ("zalando-datasets/fashion_mnist", "dataset")
        return str(tmp_path / f"{name.split('/')[1]}.parquet")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    manifest = fashion_mnist("hub")
    test = open_split(manifest, "test")
    assert np.array_equal(test.take(np.arange(10))[..., 0], originals["test"])
    assert test.labels.tolist() == list(range(10))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)  # not asked again
    assert fashion_mnist("hub") == manifest


def test_a_hub_table_of_another_kind_gets_a_sentence():
    with pytest.raises(DataError, match="not Fashion-MNIST as the hub lays it out"):
        module._from_table({"text": ["a"]}, "x.parquet")
    with pytest.raises(DataError, match="not Fashion-MNIST"):
        module._from_table({"image": [{"bytes": b"no"}], "label": [1]}, "x.parquet")


def test_digits_are_those_of_scikit_learn():
    require("sklearn")
    from sklearn.datasets import load_digits

    manifest = digits(seed=3)
    whole = load_digits()
    parts = [open_split(manifest, split) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == 1797
    for part in parts:
        pixels = part.take(np.arange(len(part)))[..., 0]
        assert np.array_equal(pixels, np.rint(whole.images[part.indices] * 255 / 16))
        assert np.array_equal(part.labels, whole.target[part.indices])


def test_digits_without_scikit_learn_name_the_package(monkeypatch):
    monkeypatch.setattr("backend.data.digits.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        digits()
