from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.data.manifest import DataError
from backend.data.pair_folder import pair_folder
from backend.data.pairs import PairsManifest, open_pairs
from tests.methods.graphs import write_pairs

SPLITS = ("train", "val", "test")


def side_by_side(folder: Path, count: int = 6) -> Path:
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 32, 3), dtype=np.uint8)
        pixels[:, 16:] = 255 - pixels[:, :16]
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def listed(folder: Path, lines: list[object]) -> Path:
    write_pairs(folder)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "metadata.jsonl").write_text(text)
    return folder


def every_target_inverts_its_source(manifest: PairsManifest) -> int:
    total = 0
    for split in SPLITS:
        pairs = open_pairs(manifest, split)
        source, target = pairs.take(np.arange(len(pairs)))
        assert np.abs(255 - source.astype(int) - target).max() <= 2  # of resampling
        total += len(pairs)
    return total


def test_two_folders_of_equal_names(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "p", count=8)
    Image.open(root / "B" / "3.png").save(root / "B" / "3.webp", lossless=True)
    (root / "B" / "3.png").unlink()  # endings may differ
    made = pair_folder(root, size=12)
    assert made.options["layout"] == "folders"
    assert every_target_inverts_its_source(made) == 8
    assert all(pair.source.path.startswith(str(root)) for pair in made.pairs), "nothing is copied"


def test_pictures_of_one_name_are_paired_by_their_endings(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "p", count=8)
    for side in ("A", "B"):
        Image.open(root / side / "5.png").save(root / side / "3.webp", lossless=True)
    made = pair_folder(root, size=12)
    assert every_target_inverts_its_source(made) == 9
    Image.open(root / "A" / "5.png").save(root / "A" / "3.jpg")
    with pytest.raises(DataError, match=r'3\.jpg" shares its name'):
        pair_folder(root, size=12)
    kept = pair_folder(root, size=12, on_error="skip")
    assert every_target_inverts_its_source(kept) == 9
    assert [Path(path).name for path, _ in kept.options["skipped"]] == ["3.jpg"]


def test_pictures_side_by_side(tmp_path: Path) -> None:
    made = pair_folder(side_by_side(tmp_path / "p"), size=16)
    assert made.options["layout"] == "side by side"
    assert every_target_inverts_its_source(made) == 6


def test_splits_that_are_there_are_kept_and_the_others_cut(tmp_path: Path) -> None:
    side_by_side(tmp_path / "p" / "train", count=5)
    side_by_side(tmp_path / "p" / "val", count=2)
    made = pair_folder(tmp_path / "p", size=16)
    assert {Path(pair.source.path).parent.name for pair in made.pairs if pair.split == "val"} == {
        "val"
    }
    assert [made.count(split) for split in SPLITS] == [4, 2, 1]


def test_a_list_says_concept_prompt_and_split(tmp_path: Path) -> None:
    lines = [
        {
            "source": f"A/{i}.png",
            "target": f"B/{i}.png",
            "concept": "invert",
            "prompt": "turn it",
            "split": "test" if i > 5 else "",
        }
        for i in range(8)
    ]
    made = pair_folder(listed(tmp_path / "p", [*lines, ""]), size=16)
    assert every_target_inverts_its_source(made) == 8
    assert made.count("test") == 2
    assert made.concepts() == ("invert",)
    assert made.pairs[0].prompt == "turn it"


def test_all_edits_of_a_source_are_in_one_split(tmp_path: Path) -> None:
    lines = [
        {"source": f"A/{i}.png", "target": f"B/{i}.png", "concept": name}
        for name in ("one", "two")
        for i in range(8)
    ]
    made = pair_folder(listed(tmp_path / "p", lines), size=16)
    owners = {split: {p.photo for p in made.pairs if p.split == split} for split in SPLITS}
    assert len(made.pairs) == 16
    assert sum(map(len, owners.values())) == 8


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"source": "../../etc/passwd", "target": "B/1.png"}, "outside the folder"),
        ({"source": "/etc/passwd", "target": "B/1.png"}, "outside the folder"),
        ({"source": "A/1.png"}, 'no JSON object with "source" and "target"'),
        ("[1, 2", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ({"source": "A/1.png", "target": "B/99.png"}, "there is no file"),
        ({"source": "A/1.png", "target": "B/1.png", "split": "dev"}, 'has the split "dev"'),
    ],
)
def test_bad_lines_stop_or_are_skipped(tmp_path: Path, line: object, reason: str) -> None:
    good = [{"source": f"A/{i}.png", "target": f"B/{i}.png"} for i in range(2, 8)]
    root = listed(tmp_path / "p", [*good, line])
    with pytest.raises(DataError, match=reason):
        pair_folder(root, size=16)
    made = pair_folder(root, size=16, on_error="skip")
    assert len(made.pairs) == 6
    assert reason in made.options["skipped"][0][1]


def test_pairs_of_unequal_shape_or_without_a_partner_stop_or_are_skipped(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "p", count=6)
    Image.new("RGB", (40, 20), "red").save(root / "B" / "2.png")
    with pytest.raises(DataError, match="24 x 20 pixels but its target 40 x 20: not the same"):
        pair_folder(root, size=16)
    (root / "B" / "4.png").unlink()
    with pytest.raises(DataError, match='has no partner in "B"'):
        pair_folder(root, size=16)
    (root / "A" / "5.png").write_bytes(b"no picture")
    made = pair_folder(root, size=16, on_error="skip")
    assert len(made.pairs) == 3
    assert len(made.options["skipped"]) == 3


def test_a_larger_target_of_the_same_shape_is_scaled(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "p", count=4)
    big = Image.open(root / "B" / "0.png").resize((48, 40), Image.Resampling.NEAREST)
    big.save(root / "B" / "0.png")
    assert len(pair_folder(root, size=16).pairs) == 4


def test_folders_without_pairs_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r'no folders "A" and "B", no metadata\.jsonl'):
        pair_folder(tmp_path / "empty")
    with pytest.raises(DataError, match="There is no folder"):
        pair_folder(tmp_path / "absent")
    (tmp_path / "half" / "A").mkdir(parents=True)
    with pytest.raises(DataError, match='has no folder "B"'):
        pair_folder(tmp_path / "half", layout="folders")
    with pytest.raises(DataError, match="2 usable pairs; training, validation and test"):
        pair_folder(write_pairs(tmp_path / "two", count=2), size=16)
    Image.new("RGB", (31, 16)).save(tmp_path / "empty" / "odd.png")
    with pytest.raises(DataError, match="which has no middle"):
        pair_folder(tmp_path / "empty", layout="side by side")


def test_an_ordinary_photo_is_not_taken_for_two_halves(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="not twice as wide as high"):
        pair_folder(tmp_path)


def test_saved_and_loaded_they_are_told_when_a_file_changes(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "p", count=5)
    made = pair_folder(root, size=16)
    (tmp_path / "store").mkdir()
    made.save(tmp_path / "store")
    assert PairsManifest.load(tmp_path / "store") == made
    assert not (tmp_path / "store" / "pictures").exists()
    (root / "A" / "0.png").unlink()
    with pytest.raises(DataError, match=r"0\.png.* is gone"):
        PairsManifest.load(tmp_path / "store")
