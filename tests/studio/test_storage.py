"""What the workspace takes on the disk, and how it is freed by the real command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.core.workspace import Workspace
from studio.disk import PARTS, measure
from studio.storage_page import StoragePage


@pytest.fixture
def page(qtbot: Any, session: Any) -> StoragePage:
    made = StoragePage(session)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close_down()


def stored(workspace: Workspace, fingerprint: str, size: int) -> Path:
    folder = workspace.store / fingerprint
    folder.mkdir(parents=True)
    record = folder / "node.json"
    record.write_text("{}")
    os.utime(record, (1, 1))  # what was touched just now is not freed
    (folder / "weights.safetensors").write_bytes(bytes(size))
    return folder


def test_sizes_are_those_of_the_files(workspace: Workspace) -> None:
    (workspace.root / "cache" / "deep").mkdir(parents=True)
    (workspace.root / "cache" / "deep" / "a").write_bytes(bytes(1000))
    (workspace.root / "cache" / "b").write_bytes(bytes(24))
    found = measure(workspace, lambda: False)
    assert set(found.bytes) == set(PARTS)
    assert (found.bytes["cache"], found.files["cache"]) == (1024, 2)
    assert found.bytes["runs"] == 0
    assert 0 < found.free <= found.total
    assert found.is_whole


def test_links_are_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big").write_bytes(bytes(5000))
    workspace.store.mkdir(parents=True)
    (workspace.store / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (workspace.store / "round").symlink_to(workspace.store, target_is_directory=True)
    assert measure(workspace, lambda: False).bytes["store"] == 0


def test_a_count_that_is_stopped_says_so(workspace: Workspace) -> None:
    for number in range(20):
        (workspace.runs / str(number)).mkdir(parents=True)
        (workspace.runs / str(number) / "file").write_bytes(bytes(10))
    looks = iter(range(1000))
    found = measure(workspace, lambda: next(looks) >= 5)
    assert not found.is_whole
    assert found.files["runs"] < 20


def test_what_no_run_refers_to_is_told_and_freed(
    qtbot: Any, page: StoragePage, session: Any, recorded_run: Path
) -> None:
    workspace = session.workspace
    used = json.loads((recorded_run / "nodes" / "data" / "outputs.json").read_text())
    kept = stored(workspace, used["fingerprint"], 10)
    unused = stored(workspace, "0" * 32, 3_000_000)
    page.measure()
    qtbot.waitUntil(page.free.isEnabled, timeout=30_000)
    assert page.outcome.text() == "1 stored result that no run refers to take 3.0 MB."
    assert unused.exists()
    heard: list[Any] = []
    session.told.connect(heard.append)
    QTest.mouseClick(page.free, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(heard), timeout=30_000)
    assert heard[0].text == "3.0 MB freed."
    assert not unused.exists()
    assert kept.exists()


def test_counting_fills_the_rows(qtbot: Any, page: StoragePage, recorded_run: Path) -> None:
    page.measure()
    qtbot.waitUntil(lambda: page.sizes is not None, timeout=30_000)
    assert "files" in page._rows["runs"][1].text()
    assert "free on this disk" in page.said.text()
    assert page.count.text() == "Count again"


def test_a_refusal_of_the_command_is_told_as_it_is(page: StoragePage) -> None:
    page._freed(6, "", 'The run "x" is being computed. Try again when it has finished.\n')
    assert page.outcome.text().startswith('The run "x" is being computed.')
    assert page.free.isEnabled()


def test_hiding_the_page_ends_what_it_asked(qtbot: Any, page: StoragePage) -> None:
    page.measure()
    page.hide()
    assert not page._look.is_running
    assert page._stop.is_set()
