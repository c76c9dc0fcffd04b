"""Emoji pairs from packages of the real layout, made tiny."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.data import emoji
from backend.data.manifest import DataError
from backend.data.pairs import PairsManifest, open_pairs
from tests.maths.data.emoji_package import write_packages

SPLITS = ("train", "val", "test")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packages"
    pins = write_packages(folder)
    monkeypatch.setattr(emoji, "PACKAGES", pins)
    return folder


def test_pairs_have_equal_names_and_lie_on_white(packages: Path, tmp_path: Path) -> None:
    made = emoji.emoji_pairs(tmp_path / "pictures", packages)
    assert len(made.pairs) == 12, "the emoji that one maker lacks is no pair, tones are left out"
    assert made.size == (64, 64)
    sources, targets = open_pairs(made, "train").take(np.arange(2))
    assert sources.shape == (2, 64, 64, 3)
    assert (sources[:, 0] == 255).all(), "transparent is white"
    assert (sources != targets).any()


def test_tones_stay_with_their_emoji_whatever_the_split_seed(
    packages: Path, tmp_path: Path
) -> None:
    for seed in range(5):
        made = emoji.emoji_pairs(tmp_path / "pictures", packages, tones=True, seed=seed)
        assert len(made.pairs) == 12 + 3 * 2
        split_of: dict[int, str] = {}
        for pair in made.pairs:
            assert split_of.setdefault(pair.photo, pair.split) == pair.split
        assert len(split_of) == 12
        assert all(made.count(split) for split in SPLITS)


def test_a_tone_with_another_name_is_found_by_the_list(packages: Path) -> None:
    table = emoji._bases(_member(packages, "package/emoji.json"), None)
    assert emoji._base_of("1f469-1f3fb-200d-1f91d.png", table) == "1f450.png"
    assert emoji._base_of("1f3fc-1f999.png", table) == "1f999.png"


def test_the_manifest_is_saved_and_loaded_whole(packages: Path, tmp_path: Path) -> None:
    made = emoji.emoji_pairs(tmp_path / "pictures", packages)
    (tmp_path / "kept").mkdir()
    made.save(tmp_path / "kept")
    shutil.rmtree(tmp_path / "pictures")
    again = PairsManifest.load(tmp_path / "kept")
    assert [p.source.sha256 for p in again.pairs] == [p.source.sha256 for p in made.pairs]
    for split in SPLITS:
        pairs = open_pairs(again, split)
        pairs.take(np.arange(len(pairs)))


def test_unpacked_packages_give_the_same_pairs(packages: Path, tmp_path: Path) -> None:
    for package in emoji.PACKAGES:
        with tarfile.open(packages / package.archive) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        (tmp_path / "unpacked" / "package").rename(tmp_path / "unpacked" / package.name)
    packed = emoji.emoji_pairs(tmp_path / "one", packages)
    unpacked = emoji.emoji_pairs(tmp_path / "two", tmp_path / "unpacked")
    hashes = [[(p.source.sha256, p.split) for p in m.pairs] for m in (packed, unpacked)]
    assert hashes[0] == hashes[1]


def test_what_is_not_here_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Allow the download \(136 MB\), or .*npm pack"):
        emoji.emoji_pairs(tmp_path / "pictures")
    with pytest.raises(DataError, match="holds neither emoji-datasource-google-16"):
        emoji.emoji_pairs(tmp_path / "pictures", tmp_path)


def test_another_version_is_refused(packages: Path, tmp_path: Path) -> None:
    with (packages / emoji.GOOGLE.archive).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DataError, match=r"is not emoji-datasource-google 16\.0\.0"):
        emoji.emoji_pairs(tmp_path / "pictures", packages)


def test_a_broken_or_odd_picture_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (32, 64)).save(buffer, "PNG")
    for data, words in ((b"nonsense", "cannot be read"), (buffer.getvalue(), "32 x 64 pixels")):
        pins = write_packages(tmp_path / words[:3], spoilt=data)
        monkeypatch.setattr(emoji, "PACKAGES", pins)
        with pytest.raises(DataError, match=rf"1f450\.png.*{words}"):
            emoji.emoji_pairs(tmp_path / "pictures", tmp_path / words[:3])


def test_names_in_an_archive_cannot_leave_the_folder(tmp_path: Path) -> None:
    path = tmp_path / emoji.GOOGLE.archive
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../../evil.png", "package/img/google/64/../../../1f400.png", "/1f400.png"):
            archive.addfile(tarfile.TarInfo(name))
    pinned = replace(emoji.GOOGLE, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert emoji._from_archive(pinned, path) == {}


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", json.dumps([{"image": "a"}, {}]).encode()])
def test_a_damaged_list_is_said(data: bytes) -> None:
    with pytest.raises(DataError, match=r"emoji\.json"):
        emoji._bases(data, None)


def _member(folder: Path, name: str) -> bytes:
    with tarfile.open(folder / emoji.GOOGLE.archive) as archive:
        content = archive.extractfile(name)
        assert content is not None
        return content.read()
