"""Label maps from a folder: their numbers, their sizes, and what is no label map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.data.label_pairs import (
    classes_of,
    doubt_of,
    label_folder,
    read_labels,
    resized,
)
from backend.data.manifest import DataError
from backend.data.pair_folder import pair_folder
from backend.data.pairs import open_pairs
from backend.data.photos import photos
from backend.data.vision import open_split


def posterised(pixels: np.ndarray, levels: int = 4) -> np.ndarray:
    """Label maps of pictures (N, H, W, 3): their brightness in equal steps."""
    grey = pixels.mean(3)
    return np.minimum((grey * levels / 256).astype(np.int64), levels - 1).astype(np.uint8)


def write_labels(folder: Path, *, size: int = 32, crops: int = 2, levels: int = 4) -> Path:
    """Write ``A`` (paletted) and ``B`` of the bundled photos."""
    manifest = photos("bundled", size=size, crops=crops)
    images = open_split(manifest, "train")
    pixels = images.take(np.arange(len(images)))
    for side in ("A", "B"):
        (folder / side).mkdir(parents=True)
    for i, (labels, picture) in enumerate(zip(posterised(pixels, levels), pixels, strict=True)):
        image = Image.fromarray(labels, "L").convert("L")
        image.putpalette([v for c in range(256) for v in ((c * 97) % 256, 255 - c, c)])
        image.save(folder / "A" / f"{i:02d}.png")
        Image.fromarray(picture).save(folder / "B" / f"{i:02d}.png")
    return folder


def sides(folder: Path, labels: np.ndarray, picture: np.ndarray, count: int = 4) -> Path:
    for side, pixels in (("A", labels), ("B", picture)):
        (folder / side).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(pixels).save(folder / side / f"{i}.png")
    return folder


def taken(folder: Path, target: Path, **more: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    manifest = label_folder(folder, target, **more)
    train = open_pairs(manifest, "train")
    return (*train.take(np.arange(len(train))), manifest)


def test_maps_of_real_photos_keep_their_classes(tmp_path: Path) -> None:
    labels, pictures, manifest = taken(write_labels(tmp_path / "p"), tmp_path / "made", size=32)
    assert classes_of(manifest) == 4
    step = 255 // 3
    assert set(np.unique(labels)) <= {0, step, 2 * step, 3 * step}
    assert np.array_equal(labels[..., 0], labels[..., 2])
    assert np.array_equal(labels[..., 0] // step, posterised(pictures))
    assert open_pairs(manifest, "train").are_labels
    assert manifest.count("val")
    assert manifest.count("test")


def test_a_map_is_cut_as_its_picture_and_never_mixed(tmp_path: Path) -> None:
    labels = np.zeros((60, 90), np.uint8)
    labels[:, 45:] = 7
    labels[:10] = 3
    picture = np.where(labels[..., None] == 7, 200, 20).astype(np.uint8).repeat(3, 2)
    folder = sides(tmp_path / "p", labels, picture)
    found, pictures, _ = taken(folder, tmp_path / "made", size=20)
    step = 255 // 7
    assert set(np.unique(found)) <= {0, 3 * step, 7 * step}
    there = found[0, 8:, :, 0] == 7 * step
    assert np.array_equal(there[:, [0, 8, 11, 19]].any(0), [False, False, True, True])
    assert (np.abs(pictures[0, 8:, :, 0].astype(int) - np.where(there, 200, 20)) < 100).all()


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_resizing_takes_the_nearest_pixel(fit: str) -> None:
    labels = np.arange(48).reshape(6, 8)
    found = resized(labels, (3, 4), fit)
    assert found.shape == (3, 4)
    assert set(found.flatten()) <= set(range(48))
    assert np.array_equal(resized(labels, (6, 8), fit), labels)


def test_pixels_of_no_class_become_the_last_one(tmp_path: Path) -> None:
    labels = np.zeros((16, 16), np.uint8)
    labels[4:8] = 2
    labels[12:] = 255
    folder = sides(tmp_path / "p", labels, np.zeros((16, 16, 3), np.uint8))
    found, _, manifest = taken(folder, tmp_path / "made", size=16)
    assert manifest.options["labels"] == {"classes": 4, "ignored": True, "used": 3}
    assert "Only 3 of the 4 classes occur" in doubt_of(manifest)
    assert (found[0, 12:, :, 0] == 3 * 85).all()


def refused(folder: Path, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        label_folder(folder, folder / "made", size=16, **more)
    return str(caught.value)


def test_what_is_no_label_map_is_named(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    photo = dice.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    four = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    colours = np.zeros((32, 32, 3), np.uint8)
    for name, maps, words in (
        ("photo", photo, "swap them"),
        ("coded", four[dice.integers(0, 4, (32, 32))], "(4 of them)"),
        ("one", np.zeros((32, 32), np.uint8), "have the number 0, which leaves"),
        ("many", np.arange(1024, dtype=np.uint16).reshape(32, 32), "1,024 classes, 0 to 1023"),
    ):
        assert words in refused(sides(tmp_path / name, maps, colours)), name
    folder = sides(tmp_path / "nine", np.full((32, 32), 9, np.uint8), colours)
    assert "has the class 9, but there are 5 classes" in refused(folder, classes=5)
    assert "the class 9" in refused(folder, classes=5, on_error="skip"), "says why all are left out"
    with pytest.raises(DataError, match="not label maps"):
        classes_of(pair_folder(folder, size=16))
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(__file__)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "x.jpg")
    with pytest.raises(DataError, match=r"JPEG.*save maps as PNG"):
        read_labels(tmp_path / "x.jpg")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8), "RGBA").save(tmp_path / "x.png")
    with pytest.raises(DataError, match="transparent"):
        read_labels(tmp_path / "x.png")


def test_grey_maps_saved_with_three_channels_are_read(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(grey).convert("RGBA").save(tmp_path / "x.png")
    assert np.array_equal(read_labels(tmp_path / "x.png"), grey)


def test_one_bad_map_among_good_ones_is_left_out_if_asked(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 4, (32, 32)).astype(np.uint8)
    folder = sides(tmp_path / "p", maps, np.zeros((32, 32, 3), np.uint8), count=6)
    (folder / "A" / "notes.txt").write_text("no picture")
    Image.fromarray(np.arange(3072, dtype=np.uint16).astype(np.uint8).reshape(32, 32, 3)).save(
        folder / "A" / "3.png"
    )
    assert "colours" in refused(folder)
    manifest = label_folder(folder, tmp_path / "made", size=16, on_error="skip")
    assert len(manifest.pairs) == 5
    assert [Path(path).name for path, _ in manifest.options["skipped"]] == ["3.png"]


def test_grey_photos_as_maps_are_doubted(tmp_path: Path) -> None:
    grey = np.arange(255, dtype=np.uint8).repeat(4).reshape(30, 34)
    folder = sides(tmp_path / "p", grey, np.zeros((30, 34, 3), np.uint8))
    assert "255 classes are many" in doubt_of(label_folder(folder, tmp_path / "made", size=32))
