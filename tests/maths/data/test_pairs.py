from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.data.manifest import DataError, FileEntry
from backend.data.pair_filters import Bounds, change, reason_against, structure
from backend.data.pairs import (
    Pair,
    PairsManifest,
    find_picture,
    fitted,
    open_pairs,
    write_picture,
)


def noise(seed: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def made_pairs(folder: Path, count: int = 5) -> PairsManifest:
    inside = folder / "pictures"
    pairs = tuple(
        Pair(
            write_picture(noise(i), inside),
            write_picture(noise(100 + i), inside),
            "train" if i < count - 2 else ("val", "test")[i - count + 2],
            seed=i,
            prompt="p",
            concept="paint",
            photo=i,
        )
        for i in range(count)
    )
    return PairsManifest("Painted", (16, 16), pairs, {"note": "x"})


def kept(manifest: PairsManifest, folder: Path) -> PairsManifest:
    folder.mkdir()
    manifest.save(folder)
    return PairsManifest.load(folder)


def test_pairs_are_whole_after_the_folder_they_were_made_in_is_gone(tmp_path: Path) -> None:
    made = made_pairs(tmp_path / "run")
    again = kept(made, tmp_path / "store")
    shutil.rmtree(tmp_path / "run")
    sources, targets = open_pairs(again, "train").take(np.array([2, 0]))
    assert np.array_equal(sources, np.stack([noise(2), noise(0)]))
    assert np.array_equal(targets, np.stack([noise(102), noise(100)]))
    assert again.title == "Painted"
    assert again.options == {"note": "x"}
    assert again.pairs[1].seed == 1
    assert again.concepts() == ("paint",)
    assert [again.count(split) for split in ("train", "val", "test")] == [3, 1, 1]


def test_saving_what_was_loaded_gives_the_same_files_and_no_time_or_place(tmp_path: Path) -> None:
    first = kept(made_pairs(tmp_path / "run"), tmp_path / "one")
    kept(first, tmp_path / "two")
    names = sorted(str(p.relative_to(tmp_path / "one")) for p in (tmp_path / "one").rglob("*"))
    assert names == sorted(
        str(p.relative_to(tmp_path / "two")) for p in (tmp_path / "two").rglob("*")
    )
    text = (tmp_path / "one" / "pairs.json").read_text()
    assert text == (tmp_path / "two" / "pairs.json").read_text()
    assert str(tmp_path) not in text
    assert "mtime" not in text


def test_a_source_of_two_edits_is_kept_once(tmp_path: Path) -> None:
    made = made_pairs(tmp_path / "run")
    first = made.pairs[0]
    both = replace(made, pairs=(first, replace(made.pairs[1], source=first.source)))
    kept(both, tmp_path / "store")
    assert len(list((tmp_path / "store" / "pictures").iterdir())) == 3


def test_a_picture_that_changed_or_vanished_is_told(tmp_path: Path) -> None:
    again = kept(made_pairs(tmp_path / "run"), tmp_path / "store")
    shutil.rmtree(tmp_path / "run")
    victim = Path(again.pairs[0].target.path)
    other = bytearray(victim.read_bytes())
    other[-20] ^= 1
    victim.write_bytes(other)
    pairs = open_pairs(PairsManifest.load(tmp_path / "store"), "train")
    pairs.take(np.array([1, 1]))
    with pytest.raises(DataError, match="has changed since the pairs were made"):
        pairs.take(np.array([0]))
    victim.write_bytes(other + b"0")
    with pytest.raises(DataError, match="has changed"):
        PairsManifest.load(tmp_path / "store")
    victim.unlink()
    with pytest.raises(DataError, match="is gone"):
        PairsManifest.load(tmp_path / "store")
    with pytest.raises(DataError, match="is gone"):
        pairs.take(np.array([0]))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a" * 64 + "/../x", "", "A" * 64]
)
def test_a_manifest_cannot_name_a_file_outside_its_folder(tmp_path: Path, name: str) -> None:
    kept(made_pairs(tmp_path / "run"), tmp_path / "store")
    path = tmp_path / "store" / "pairs.json"
    record = json.loads(path.read_text())
    record["pairs"][0]["source"] = {"sha256": name, "size": 1}
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"damaged|is gone"):
        PairsManifest.load(tmp_path / "store")


def test_damaged_manifests_are_told(tmp_path: Path) -> None:
    kept(made_pairs(tmp_path / "run"), tmp_path / "store")
    path = tmp_path / "store" / "pairs.json"
    whole = json.loads(path.read_text())
    for text in ("{", "[]", "null", json.dumps({**whole, "size": 3}), json.dumps({"pairs": [{}]})):
        path.write_text(text)
        with pytest.raises(DataError, match="are damaged"):
            PairsManifest.load(tmp_path / "store")


def test_splits_that_are_empty_or_unknown_are_named(tmp_path: Path) -> None:
    made = made_pairs(tmp_path / "run", count=2)
    with pytest.raises(DataError, match='no pairs in the "train" split of Painted'):
        open_pairs(made, "train")
    with pytest.raises(DataError, match='no split "all"'):
        open_pairs(made, "all")  # type: ignore[arg-type]


def test_the_shape_is_that_of_the_contract(tmp_path: Path) -> None:
    pairs = open_pairs(made_pairs(tmp_path / "run"), "train")
    assert len(pairs) == 3
    assert pairs.shape == (16, 16, 3)
    source, target = pairs.take(np.array([0, 1, 2]))
    assert source.shape == target.shape == (3, 16, 16, 3)
    assert source.dtype == target.dtype == np.uint8


def test_too_many_to_keep_in_memory_are_the_same(tmp_path: Path, monkeypatch) -> None:
    made = made_pairs(tmp_path / "run")
    kept_in_memory = open_pairs(made, "train").take(np.array([1, 0, 1]))
    monkeypatch.setattr("backend.data.pairs._KEEP_BYTES", 100)
    read_again = open_pairs(made, "train").take(np.array([1, 0, 1]))
    for one, other in zip(kept_in_memory, read_again, strict=True):
        assert np.array_equal(one, other)
    kept_in_memory[0][:] = 0
    assert open_pairs(made, "train").take(np.array([1]))[0].any()


def test_pictures_are_named_by_content_and_found_only_when_whole(tmp_path: Path) -> None:
    one, again = write_picture(noise(1), tmp_path), write_picture(noise(1), tmp_path)
    assert one.sha256 == again.sha256
    assert one == FileEntry.of(Path(one.path), digest=True)
    assert find_picture(one.sha256, tmp_path) == one
    Path(one.path).write_bytes(Path(one.path).read_bytes()[:-1])
    assert find_picture(one.sha256, tmp_path) is None
    assert find_picture("../x", tmp_path) is None
    assert write_picture(noise(1), tmp_path) == FileEntry.of(Path(one.path), digest=True)
    assert find_picture(one.sha256, tmp_path) is not None, "a picture cut short is written again"


def test_fitting_cuts_the_middle_or_bends() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    image = Image.fromarray(wide)
    assert fitted(image, (10, 10)).min() == 255
    bent = fitted(image, (10, 10), "stretch")
    assert bent.min() == 0
    assert bent.max() == 255
    assert fitted(image, (10, 30)).tolist() == wide.tolist()
    assert fitted(image, (5, 15)).shape == (5, 15, 3)


# -- filters -------------------------------------------------------------------------------------


def test_reasons_against_pairs_with_known_figures() -> None:
    flat, source = np.full((16, 16, 3), 90, np.uint8), noise(1)
    assert reason_against(source, source, Bounds()) == ("unchanged", 0.0)
    assert reason_against(source, flat, Bounds())[0] == "flat"
    lifted = np.clip(source.astype(int) + 3, 0, 255).astype(np.uint8)
    reason, changed = reason_against(source, lifted, Bounds(least_change=2))
    assert reason == ""
    assert changed == pytest.approx(float(np.abs(lifted.astype(int) - source).mean()))
    assert reason_against(source, lifted, Bounds(least_change=3.01))[0] == "unchanged"
    assert reason_against(source, 255 - source, Bounds(most_change=100))[0] == "too different"
    assert reason_against(source, noise(2), Bounds(structure=0.3))[0] == "structure"
    assert reason_against(source, 255 - source, Bounds(structure=0.99))[0] == "", "edges stay"


@given(st.integers(0, 50), st.integers(0, 50))
def test_figures_are_symmetric_and_bounded(one: int, other: int) -> None:
    a, b = noise(one, 32), noise(other, 32)
    assert change(a, b) == change(b, a)
    assert -1 <= structure(a, b) <= 1 + 1e-6
    assert structure(a, a) == pytest.approx(1, abs=1e-5)
    assert structure(a, np.zeros_like(a)) == 0
