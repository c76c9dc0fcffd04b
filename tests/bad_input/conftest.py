from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.bad_input.told import mounted
from tests.fakes import call, with_toy_nodes


@pytest.fixture(autouse=True)
def _toy_nodes() -> None:
    with_toy_nodes()


@pytest.fixture
def home() -> Path:
    """The workspace of this test."""
    return Path(os.environ["FRETSAW_HOME"])


@pytest.fixture(scope="session")
def catalog_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue, so that not every new process makes one."""
    folder = tmp_path_factory.mktemp("catalog")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRETSAW_HOME", str(folder))
        assert call("catalog")[0] == 0
    return folder / "cache" / "catalog.json"


@pytest.fixture
def known(home: Path, catalog_file: Path) -> Path:
    """The workspace of this test with a catalogue in it: new processes start sooner."""
    (home / "cache").mkdir(parents=True)
    shutil.copy(catalog_file, home / "cache" / "catalog.json")
    return home


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Contents of files that are not what their names will say."""
    folder = tmp_path_factory.mktemp("foreign")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    np.savez(folder / "a.npz", a=np.zeros(3))
    return {
        "png": (folder / "a.png").read_bytes(),
        "npz": (folder / "a.npz").read_bytes(),
        "text": b"Dear reader, this is no model.\n",
        "graph": b'{"format": "fretsaw.graph", "schema_version": 1, "nodes": {}, "links": []}',
        "empty": b"",
    }


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """3 classes of 12 small pictures."""
    dice = np.random.default_rng(0)
    for name in ("ant", "bee", "cat"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            pixels = dice.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def save_classifier(folder: Path, *, channels: int = 1, classes: int = 10) -> Path:
    """Save an untrained classifier of 8 x 8 pictures, as ``Model.save`` does."""
    from backend.data.preprocess import ImageInput
    from backend.models.recipe import Recipe, build
    from backend.values import Classifier

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    recipe = Recipe(f"zoo:resnet(depth=8, width=4, in_channels={channels}, classes={classes})")
    image = ImageInput(channels, 8, 8, (0.0,) * channels, (1.0,) * channels)
    names = tuple(f"kind {i}" for i in range(classes))
    Classifier(recipe, build(recipe, meta=False), image, "saved", classes=names).save(folder)
    return folder


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a saved network."""
    return save_classifier(tmp_path / "saved")


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A workspace on a disk of its own, of 1 MiB; the function mounts it anew with options."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs Linux and root")
    folder = tmp_path / "disk"
    folder.mkdir()
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("this machine does not let root mount")
    monkeypatch.setenv("FRETSAW_HOME", str(folder))
    with mounted(folder, "1m") as remount:
        yield folder, remount
