from __future__ import annotations

from pathlib import Path

import pytest

from backend.core.workspace import Workspace
from studio.recent import MOST, SAMPLES, RecentFiles


@pytest.fixture
def recent(workspace: Workspace) -> RecentFiles:
    return RecentFiles(workspace)


def made(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.json" for name in names]
    for path in paths:
        path.write_text("{}")
    return paths


def test_newest_first_once_each_numbered_ten_at_most(recent, tmp_path) -> None:
    paths = made(tmp_path, *"abcdefghijkl")
    for path in paths:
        recent.add(path)
    recent.add(tmp_path / "." / "e.json")
    assert [file.name for file in recent.files] == list("elkjihgfdc")
    assert [file.number for file in recent.files] == list(range(1, MOST + 1))
    assert recent.files[0].opened >= recent.files[1].opened


def test_a_missing_file_is_marked_and_stays(recent, tmp_path) -> None:
    one, two = made(tmp_path, "one", "two")
    recent.add(one)
    recent.add(two)
    one.unlink()
    assert [(file.name, file.is_missing) for file in recent.files] == [
        ("two", False),
        ("one", True),
    ]
    recent.remove(one)
    assert [file.name for file in recent.files] == ["two"]


def test_bundled_samples_are_left_out(recent) -> None:
    sample = SAMPLES / "pipelines" / "quantize_classifier.json"
    assert sample.is_file()
    recent.add(sample)
    assert recent.files == []


def test_another_window_sees_the_same_list(recent, workspace, tmp_path, qtbot) -> None:
    one, two = made(tmp_path, "one", "two")
    with qtbot.waitSignal(recent.changed):
        recent.add(one)
    other = RecentFiles(workspace)
    other.add(two)
    assert [file.name for file in recent.files] == ["two", "one"]
    recent.clear()
    assert other.files == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"files": 3}', b'{"files": [{"path": "a"}]}', b"[" * 100_000],
)
def test_a_damaged_list_is_begun_anew(recent, workspace, tmp_path, content: bytes) -> None:
    (workspace.root / "recent.json").write_bytes(content)
    assert recent.files == []
    recent.add(*made(tmp_path, "one"))
    assert [file.name for file in recent.files] == ["one"]


def test_a_workspace_that_cannot_be_written_is_no_failure(tmp_path) -> None:
    (tmp_path / "home").write_text("a file")
    recent = RecentFiles(Workspace(tmp_path / "home"))
    recent.add(*made(tmp_path, "one"))
    recent.clear()
    assert recent.files == []
