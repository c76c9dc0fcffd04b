from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.data.image_folder import decode
from backend.data.manifest import DataError, Manifest
from backend.data.vision import image_folder, open_split

RED, BLUE = (255, 0, 0), (0, 0, 255)


def fill(folder, n=5, colour=RED, size=(20, 16), suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.new("RGB", size, colour).save(folder / f"{i}{suffix}")
    return folder


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "red", 20)
    fill(tmp_path / "blue" / "deeper", 20, BLUE, suffix=".jpg")
    (tmp_path / "red" / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_a_folder_with_one_folder_a_class(folder):
    manifest = image_folder(folder, size=8)
    manifest = Manifest.from_json(manifest.to_json())
    assert manifest.classes == ("blue", "red")
    assert len(manifest.files) == 40
    parts = [open_split(manifest, split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [29, 3, 8]
    for part in parts:
        pixels = part.take(np.arange(len(part)))
        assert pixels.shape == (len(part), 8, 8, 3)
        assert pixels.dtype == np.uint8
        # Red has its first channel bright, blue its last: label 1 and label 0.
        assert np.array_equal(pixels[:, 4, 4, 0] > 128, part.labels == 1)


def test_given_splits_are_used_and_missing_ones_cut(tmp_path):
    for split, n in (("train", 10), ("val", 3)):
        fill(tmp_path / split / "a", n)
        fill(tmp_path / split / "b", n, BLUE)
    manifest = image_folder(tmp_path, size=8)
    sizes = [len(open_split(manifest, split)) for split in ("train", "val", "test")]
    assert sizes == [16, 6, 4]


def test_pictures_are_decoded_when_taken_and_only_once(folder, monkeypatch):
    import backend.data.image_folder as module

    train = open_split(image_folder(folder, size=8), "train")
    seen = []

    def spy(path, *rest):
        seen.append(path)
        return decode(path, *rest)

    monkeypatch.setattr(module, "decode", spy)
    first = train.take(np.array([2, 4, 2]))
    assert len(seen) == 2
    assert np.array_equal(train.take(np.array([2, 4, 2])), first)
    assert len(seen) == 2
    monkeypatch.setattr(module, "_KEEP_BYTES", 10)
    train = open_split(image_folder(folder, size=8, check=False), "train")
    assert np.array_equal(train.take(np.array([2, 4, 2])), first)


def test_exif_rotation_is_honoured(tmp_path):
    image = Image.new("RGB", (8, 8), RED)
    image.paste(BLUE, (0, 0, 8, 4))  # blue above red
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the top goes to the right
    image.save(tmp_path / "x.png", exif=exif)
    pixels = decode(tmp_path / "x.png", (8, 8, 3))
    assert pixels[0, 0].tolist() == list(RED)
    assert pixels[0, 7].tolist() == list(BLUE)
    assert pixels[7, 7].tolist() == list(BLUE)


def test_crop_keeps_shapes_and_stretch_keeps_edges(tmp_path):
    image = Image.new("RGB", (40, 10), RED)
    image.paste(BLUE, (15, 0, 25, 10))  # the middle square
    image.save(tmp_path / "x.png")
    assert (decode(tmp_path / "x.png", (10, 10, 3), "crop") == BLUE).all()
    stretched = decode(tmp_path / "x.png", (10, 10, 3), "stretch")
    assert stretched[5, 0].tolist() == list(RED)
    assert stretched[5, 5].tolist() == list(BLUE)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (4, 4), 77), 77),
        (Image.new("1", (4, 4), 1), 255),
        (Image.fromarray(np.full((4, 4), 77 * 257, np.uint16)), 77),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 255),
        (Image.new("RGBA", (4, 4), (77, 77, 77, 255)), 77),
        (Image.new("LA", (4, 4), (9, 0)), 255),
        (Image.new("P", (4, 4), 0), 0),
    ],
    ids=["L", "1", "I;16", "clear", "opaque", "LA", "P"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_modes(tmp_path, image, expected, channels):
    image.save(tmp_path / "x.png")
    pixels = decode(tmp_path / "x.png", (4, 4, channels))
    assert pixels.shape == (4, 4, channels)
    assert (pixels == expected).all()


def _truncate(path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])


BROKEN = {
    "text.png": lambda path: path.write_text("not a picture"),
    "empty.jpg": lambda path: path.write_bytes(b""),
    "short.jpg": _truncate,
    "short.png": _truncate,
    "float.tiff": lambda path: Image.new("F", (4, 4), 0.5).save(path),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_named_and_stops(folder, name):
    path = folder / "red" / name
    BROKEN[name](path)
    with pytest.raises(DataError, match='on_error "skip"') as caught:
        image_folder(folder, size=8)
    assert str(caught.value).count(str(path)) == 1


def test_broken_pictures_are_skipped_and_listed(folder):
    for name, spoil in BROKEN.items():
        spoil(folder / "red" / name)
    manifest = image_folder(folder, size=8, on_error="skip")
    assert len(manifest.files) == 40
    skipped = dict(manifest.options["skipped"])
    assert sorted(skipped) == sorted(str(folder / "red" / name) for name in BROKEN)
    assert all(skipped.values())


def test_unchecked_a_broken_picture_stops_whoever_takes_it(folder):
    (folder / "red" / "0.png").write_text("not a picture")
    manifest = image_folder(folder, size=8, check=False)
    parts = [open_split(manifest, split) for split in ("train", "val", "test")]

    def take_all():
        return [part.take(np.arange(len(part))) for part in parts]

    with pytest.raises(DataError, match=r"0\.png.* cannot be read .* repair or remove it"):
        take_all()


def test_what_is_no_data_folder_gets_one_sentence(tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        image_folder(tmp_path / "none")
    with pytest.raises(DataError, match="has 0 class folders"):
        image_folder(tmp_path)
    fill(tmp_path / "a")
    with pytest.raises(DataError, match="has 1 class folders"):
        image_folder(tmp_path)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r'The class folder ".*b" has no pictures'):
        image_folder(tmp_path)
    (tmp_path / "b" / "x.png").write_text("no")
    with pytest.raises(DataError, match=r'The class folder ".*b" has no readable pictures'):
        image_folder(tmp_path, on_error="skip")
    with pytest.raises(DataError, match="picture size is 0"):
        image_folder(tmp_path, size=0)


def test_splits_with_other_classes_are_refused(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/c"):
        fill(tmp_path / name)
    with pytest.raises(DataError, match='class folder "b" is not in both'):
        image_folder(tmp_path)


def test_a_changed_picture_is_refused(folder):
    manifest = image_folder(folder, size=8)
    Image.new("RGB", (9, 9)).save(folder / "red" / "3.png")
    with pytest.raises(DataError, match=r"3\.png"):
        open_split(manifest, "train")
