"""The pair folder looks at what it is given: mixed-up and shifted pairs are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.data.photos import photos
from backend.data.vision import open_split
from backend.methods.pairs import PairFolderParams, pairs_folder


class Listening(QuietContext):
    """Keeps the warnings."""

    def __init__(self) -> None:
        super().__init__(0)
        self.warnings: list[str] = []

    def log(self, text: str, level: str = "info") -> None:
        if level == "warning":
            self.warnings.append(text)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    manifest = photos("bundled", size=64, crops=4, train_limit=None)
    sets = [open_split(manifest, split) for split in ("train", "val", "test")]
    return np.concatenate([one.take(np.arange(len(one))) for one in sets])


def written(folder: Path, sources: np.ndarray, targets: np.ndarray) -> Path:
    for side, pictures in (("A", sources), ("B", targets)):
        (folder / side).mkdir(parents=True)
        for i, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(folder / side / f"{i:02d}.png")
    return folder


def warnings(folder: Path, **more: object) -> list[str]:
    ctx = Listening()
    pairs_folder(ctx, PairFolderParams(folder=folder, size=64, **more))
    return ctx.warnings


def test_right_pairs_are_taken_without_a_word(crops: np.ndarray, tmp_path: Path) -> None:
    edited = (255 - crops[..., ::-1] * 0.7).astype(np.uint8)
    assert warnings(written(tmp_path / "p", crops, edited)) == []
    assert warnings(tmp_path / "p", unaligned="stop") == []


def test_mixed_up_pairs_are_named_and_can_be_refused(crops: np.ndarray, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(crops))
    folder = written(tmp_path / "p", crops, 255 - crops[order])
    said = warnings(folder)
    assert len(said) == 1
    assert "The pairs in p do not belong together" in said[0]
    assert "pairs looked at; worst: " in said[0]
    assert said[0].count(".png") == 5
    with pytest.raises(FretsawError, match=r"do not belong together.*train a CycleGAN"):
        warnings(folder, unaligned="stop")
    assert warnings(folder, unaligned="off") == []


def test_shifted_pairs_are_told_by_how_much(crops: np.ndarray, tmp_path: Path) -> None:
    folder = written(tmp_path / "p", crops[:, :44], 255 - crops[:, 20:])
    with pytest.raises(FretsawError, match=r"are shifted: the targets lie about -\d+ px down"):
        warnings(folder, unaligned="stop", fit="stretch")


def test_one_wrong_pair_is_found_among_the_others(crops: np.ndarray, tmp_path: Path) -> None:
    targets = 255 - crops
    wrong = np.random.default_rng(2).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    targets[5] = np.kron(wrong, np.ones((8, 8, 1), np.uint8))
    folder = written(tmp_path / "p", crops, targets)
    said = warnings(folder, val_fraction=0.05, test_fraction=0.05)
    assert len(said) == 1
    assert "pairs looked at may be of two pictures each" in said[0]
    assert '"05.png"' in said[0]


def test_how_much_is_asked_for_is_open(crops: np.ndarray, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(crops))
    folder = written(tmp_path / "p", crops, 255 - crops[order])
    assert warnings(folder, alignment=0.3) == []
