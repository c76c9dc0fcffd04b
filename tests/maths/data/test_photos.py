from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.data import gcompris
from backend.data.manifest import DataError, Manifest
from backend.data.photos import chosen, crop_box, photos, recoloured
from backend.data.vision import open_split
from tests.maths.data.rcc import write_rcc
from tests.requirements import require

SPLITS = ("train", "val", "test")


def write_photos(folder: Path, count: int = 6, size: tuple[int, int] = (48, 32)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(0)
    for i in range(count):
        pixels = dice.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return folder


def test_the_bundled_photos_are_nine_and_every_crop_is_in_the_split_of_its_photo() -> None:
    made = photos("bundled", size=32)
    assert len(made.files) == 9
    assert all(made.options["licences"])
    sets = {split: open_split(made, split) for split in SPLITS}
    assert {split: len(images) for split, images in sets.items()} == {
        "train": 6 * 24,
        "val": 24,
        "test": 2 * 24,
    }
    owners = [set(images.photos.tolist()) for images in sets.values()]
    assert sorted(photo for split in owners for photo in split) == list(range(9))
    pictures = sets["train"].take(np.arange(3))
    assert pictures.shape == (3, 32, 32, 3)
    assert pictures.dtype == np.uint8
    assert not np.array_equal(pictures[0], pictures[1])


def test_the_same_seed_gives_the_same_crops_and_another_seed_others(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p")

    def all_of(seed: int) -> np.ndarray:
        images = open_split(photos("folder", root, size=16, crops=3, seed=seed), "train")
        return images.take(np.arange(len(images)))

    assert np.array_equal(all_of(1), all_of(1))
    assert not np.array_equal(all_of(1), all_of(2))
    one = open_split(photos("folder", root, size=16, crops=3, seed=1), "train")
    assert np.array_equal(one.take(np.array([4]))[0], all_of(1)[4]), "the order of taking is free"


@given(
    st.tuples(st.integers(16, 900), st.integers(16, 900)),
    st.integers(0, 40),
    st.integers(0, 5),
    st.integers(8, 300),
)
def test_crops_are_squares_inside_the_photo_and_no_smaller_than_needed(
    size: tuple[int, int], photo: int, place: int, wanted: int
) -> None:
    options = {"fit": "crop", "seed": 3, "size": wanted}
    left, top, right, bottom = crop_box(size, options, photo, place)
    assert left >= -1e-9
    assert top >= -1e-9
    assert right <= size[0] + 1e-6
    assert bottom <= size[1] + 1e-6
    assert right - left == pytest.approx(bottom - top)
    assert right - left >= min(wanted, min(size)) - 1e-6
    if place == 0:
        assert right - left == min(size)
        assert left + right == pytest.approx(size[0])


def test_only_training_crops_after_the_first_are_recoloured() -> None:
    def pixels(split, **more) -> np.ndarray:
        images = open_split(photos("bundled", size=24, crops=3, **more), split)
        return images.take(np.arange(len(images)))

    plain, changed = pixels("train"), pixels("train", recolour=0.5)
    assert np.array_equal(plain[::3], changed[::3])
    assert all(not np.array_equal(plain[i::3], changed[i::3]) for i in (1, 2))
    assert np.array_equal(changed, pixels("train", recolour=0.5))
    for split in ("val", "test"):
        assert np.array_equal(pixels(split), pixels(split, recolour=0.5))


def test_recolouring_turns_hues_about_the_greys() -> None:
    colours = np.array([[[200, 40, 40], [90, 90, 90], [10, 60, 230]]], np.uint8)
    assert np.array_equal(recoloured(colours, np.zeros(6), 1.0), colours)
    draws = np.array([2 / 3, 0, 0, 0, 0, 0])  # a third of a circle: red to green
    assert recoloured(colours, draws, 1.0).tolist() == [[[40, 200, 40], [90] * 3, [230, 10, 60]]]
    assert np.array_equal(recoloured(colours, draws * 2, 0.5), recoloured(colours, draws, 1.0))
    grey = recoloured(colours, np.array([0, -1, 0, 0, 0, 0]), 1.0).astype(int)
    assert np.ptp(grey[0, 0]) == round(160 * np.exp(-0.7)), "less saturated"
    assert (recoloured(colours, np.array([0, 0, 0, 0, 0, -1]), 1.0) > colours).all(), "brighter"


def test_a_photo_is_upright_by_its_exif(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p", count=3)
    tall = np.zeros((32, 64, 3), np.uint8)
    tall[:, :32] = 255  # the left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise: white is on top
    Image.fromarray(tall).save(root / "00.png", exif=exif)
    made = photos("folder", root, size=32, fit="stretch")
    split = next(s for s in SPLITS if 0 in chosen(made, s))
    images = open_split(made, split)
    picture = images.take(np.flatnonzero(images.photos == 0))[0]
    assert picture[4].min() > 250
    assert picture[-4].max() < 5


def test_a_large_jpeg_is_read_smaller_and_gives_the_same_crops(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p", count=3)
    coarse = np.random.default_rng(4).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((1800, 1200), Image.Resampling.BICUBIC)
    large.save(root / "90.jpg", quality=95)
    large.save(root / "91.png")
    for name in ("90.jpg", "91.png"):
        (tmp_path / name[:2]).mkdir()
        for other in root.glob("0*.png"):
            os.link(other, tmp_path / name[:2] / other.name)
        os.link(root / name, tmp_path / name[:2] / f"99{name[2:]}")
    crops = []
    for folder in ("90", "91"):
        made = photos("folder", tmp_path / folder, size=16, crops=4)
        split = next(s for s in SPLITS if 3 in chosen(made, s))
        images = open_split(made, split)
        crops.append(images.take(np.flatnonzero(images.photos == 3)).astype(int))
    assert images._photo(3).size == (1800, 1200)
    assert open_split(photos("folder", tmp_path / "90", size=16), split)._photo(3).width < 900
    assert np.abs(crops[0] - crops[1]).mean() < 3


def test_a_mode_with_transparency_or_grey_becomes_colour(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p", count=3)
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(root / "10.png")
    Image.new("L", (32, 32), 7).save(root / "11.png")
    made = photos("folder", root, size=16)
    for split in SPLITS:
        assert open_split(made, split).take(np.array([0])).shape == (1, 16, 16, 3)


def test_a_broken_picture_stops_or_is_skipped(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p")
    (root / "sub").mkdir()
    (root / "sub" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(DataError, match=r"bad\.jpg.* cannot be read .* skip"):
        photos("folder", root, size=16)
    made = photos("folder", root, size=16, on_error="skip")
    assert len(made.files) == 6
    assert made.options["skipped"][0][0].endswith("bad.jpg")


def test_a_picture_that_is_too_small_stops_or_is_skipped(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p")
    with pytest.raises(DataError, match="only 48 x 32 pixels, less than half of 128"):
        photos("folder", root, size=128)
    with pytest.raises(DataError, match="None of the 6 pictures can be used"):
        photos("folder", root, size=128, on_error="skip")
    assert photos("folder", root, size=64).options["skipped"] == []


def test_of_photos_that_show_the_same_one_is_used(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p")
    photo = Image.open(photos("bundled", size=16).files[1].path)
    photo.save(root / "20.png")
    photo.resize((200, 160)).save(root / "21.jpg", quality=70)
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "22.png")
    made = photos("folder", root, size=16)
    assert len(made.files) == 8
    assert made.options["skipped"][0][0].endswith("21.jpg")
    assert "shows the same as" in made.options["skipped"][0][1]


def test_flat_photos_are_not_taken_for_one(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p", count=3)
    for i, level in enumerate((0, 0, 200)):
        Image.new("RGB", (32, 32), (level,) * 3).save(root / f"flat{i}.png")
    assert len(photos("folder", root, size=16).files) == 6


def test_empty_missing_and_small_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r'empty" holds no pictures; bmp, .*webp are read'):
        photos("folder", tmp_path / "empty")
    with pytest.raises(DataError, match="There is no folder"):
        photos("folder", tmp_path / "absent")
    with pytest.raises(DataError, match="Give the folder"):
        photos("folder")
    with pytest.raises(DataError, match=r"There are 2 usable photos; .* at least one each"):
        photos("folder", write_photos(tmp_path / "two", count=2), size=16)
    with pytest.raises(DataError, match='no source "web"'):
        photos("web")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [3, 4, 5, 6, 11])
def test_few_photos_still_give_one_a_split(tmp_path: Path, count: int) -> None:
    made = photos("folder", write_photos(tmp_path / "p", count=count), size=16)
    found = [set(chosen(made, split).tolist()) for split in SPLITS]
    assert all(found)
    assert sum(map(len, found)) == count
    assert set.union(*found) == set(range(count))


def test_a_photo_that_changed_or_vanished_is_told(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "p")
    made = Manifest.from_json(photos("folder", root, size=16).to_json())
    os.remove(root / "03.png")
    with pytest.raises(DataError, match=r"03\.png.* is gone"):
        open_split(made, "train")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch) -> None:
    monkeypatch.setattr("backend.data.photos.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"astronaut\.png comes with .* pip install scikit-image"):
        photos("bundled")


# -- the archives of GCompris --------------------------------------------------------------------


def webp(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP")
    return buffer.getvalue()


def write_archives(folder: Path) -> Path:
    folder.mkdir(parents=True)
    base = "/gcompris/src/activities"
    for i, (name, inside) in enumerate(gcompris._PHOTOS.items()):
        files = {
            f"{base}/{inside}fishes/fish{i}.webp": webp(i),
            f"{base}/{inside}red_panda.webp": webp(10 + i),
            f"{base}/{name}/notes.qml": b"text " * 50,
        }
        if name == "categorization":
            files[f"{base}/{inside}numbers/numbers.webp"] = webp(99)
        write_rcc(folder / f"{name}.rcc", files)
    return folder


def test_archives_that_are_here_are_read_and_drawings_left_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gcompris, "INSTALLED", write_archives(tmp_path / "rcc"))
    found = gcompris.photos()
    assert len(found) == 10
    assert {caption for _, caption, _ in found} == {"fish", "fish, fishes", "red panda"}
    made = photos("auto", size=16)
    assert made.options["source"] == "gcompris"
    assert made.title == "GCompris (10 photos)"
    assert gcompris.photos() == found


def test_without_them_auto_is_bundled_and_the_remedy_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gcompris, "INSTALLED", tmp_path / "absent")
    assert photos("auto", size=16, crops=1).options["source"] == "bundled"
    with pytest.raises(DataError, match=r"Allow the download \(44 MB\).* apt-get install"):
        photos("gcompris")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="This system has no Debian packages"):
        photos("gcompris", download=True)


def test_a_download_fetches_and_keeps_the_archives(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gcompris, "INSTALLED", Path("/usr/share/absent/rcc"))
    programs = tmp_path / "bin"
    programs.mkdir()
    archives = write_archives(tmp_path / "rcc")
    write = "#!/bin/sh\n"
    (programs / "apt-get").write_text(write + "touch gcompris-qt-data_3.1-2_all.deb\n")
    (programs / "dpkg-deb").write_text(
        write + f'mkdir -p "$3/usr/share/absent"\ncp -r "{archives}" "$3/usr/share/absent/rcc"\n'
    )
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert len(photos("gcompris", size=16, download=True).files) == 10
    (programs / "apt-get").write_text(write + "exit 1\n")
    assert len(photos("gcompris", size=16).files) == 10, "it is kept"


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_gives_back_what_was_put_in(tmp_path: Path, packed: bool) -> None:
    files = {"/a/b/one.webp": b"1" * 100, "/a/two": b"\0\1\2", "/three": b"x", "/a/b/ä": b"y" * 9}
    path = write_rcc(tmp_path / "x.rcc", files, packed=packed)
    assert dict(gcompris.read_rcc(path)) == files


def test_an_archive_cannot_name_a_file_outside_or_be_read_with_zstd(tmp_path: Path) -> None:
    for name in ("/../../evil.webp", "/a\\b.webp", "/c:evil"):
        path = write_rcc(tmp_path / "x.rcc", {name: b"x"})
        with pytest.raises(DataError, match="no file name"):
            list(gcompris.read_rcc(path))
    path = write_rcc(tmp_path / "z.rcc", {"/a.webp": b"x"}, packed=True, flag=4)
    with pytest.raises(DataError, match="zstd"):
        list(gcompris.read_rcc(path))
    with pytest.raises(DataError, match="cannot be read"):
        list(gcompris.read_rcc(tmp_path / "absent.rcc"))


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_a_damaged_archive_is_refused_or_read_but_never_a_crash(
    place: int, other: bytes, cut: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_rcc(
            Path(folder, "x.rcc"), {"/a/b.webp": b"12345" * 20, "/c.webp": b"6"}, packed=True
        )
        data = bytearray(path.read_bytes())
        data[place % len(data) : place % len(data) + len(other)] = other
        path.write_bytes(data[: max(0, len(data) - cut)])
        with contextlib.suppress(DataError):
            for name, content in gcompris.read_rcc(path):
                assert name.startswith("/")
                assert len(content) < 1000


def test_the_real_package_has_246_photographs() -> None:
    require("gcompris")
    found = gcompris.photos()
    assert len(found) == 246
    captions = {caption for _, caption, _ in found}
    assert {"gorilla", "red panda", "taj mahal", "eiffel tower, france", "fish"} <= captions
    made = photos("gcompris", size=256)
    skipped = [reason for _, reason in made.options["skipped"]]
    assert sum("less than half" in reason for reason in skipped) == 4
    assert sum("shows the same" in reason for reason in skipped) == 3
    assert len(made.files) == 239
    assert len(open_split(made, "train")) + len(open_split(made, "val")) == 191
