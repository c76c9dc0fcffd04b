from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from studio import document_file, journal
from studio.differences import differences
from studio.document import Document
from studio.document_file import ChangedOnDisk, InUse
from studio.journal import Journal, Leftover
from tests.studio.editing import chain, text


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "DELAY_MS", 20)


@pytest.fixture
def document(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[Document]:
    made = Document(workspace)
    made.set_specs(recorded_catalog.nodes)
    yield made
    made.close()


@pytest.fixture
def saved(document: Document, tmp_path: Path) -> Path:
    chain(document)
    document.save_as(tmp_path / "mine.json")
    return tmp_path / "mine.json"


def written(workspace: Workspace) -> list[Path]:
    return sorted((workspace.root / "journal").glob("*.json"))


def lost(document: Document) -> Leftover:
    """End a window as a crash does, and return what it leaves."""
    document.close(keep=True)
    (leftover,) = Journal.leftovers(document._workspace)
    return leftover


# -- writing -------------------------------------------------------------------------------------


def test_edits_are_written_soon_and_not_in_the_users_folder(
    document, saved, workspace, qtbot
) -> None:
    before = saved.read_bytes()
    assert written(workspace) == []
    document.set("q", bits=4)
    document.set_seed(3)
    qtbot.waitUntil(lambda: len(written(workspace)) == 1)
    (file,) = written(workspace)
    assert json.loads(file.read_text())["graph"] == document.graph.to_json()
    document.set_seed(4)
    qtbot.waitUntil(lambda: json.loads(file.read_text())["graph"]["seed"] == 4)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["mine.json"]


def test_endless_typing_is_written_too(document, saved, workspace, qtbot) -> None:
    seeds = iter(range(1, 10_000))

    def typed() -> bool:
        document.set_seed(next(seeds))
        return bool(written(workspace))

    qtbot.waitUntil(typed)


@pytest.mark.parametrize("end", ["save", "undo", "revert", "new", "close", "save_as"])
def test_nothing_is_kept_when_nothing_is_unsaved(document, saved, workspace, tmp_path, end) -> None:
    document.set("q", bits=4)
    document._journal.flush()
    assert len(written(workspace)) == 1
    if end == "save_as":
        document.save_as(tmp_path / "other.json")
    elif end == "undo":
        document.stack.undo()
    else:
        getattr(document, end)()
    assert written(workspace) == []
    assert list((workspace.root / "journal").iterdir()) == []
    assert Journal.leftovers(workspace) == []


def test_moving_alone_is_not_worth_a_recovery(document, saved, workspace) -> None:
    document.move({"q": (9, 9)})
    document._journal.flush()
    assert written(workspace) == []


# -- finding -------------------------------------------------------------------------------------


def test_a_window_that_lives_leaves_nothing_over(document, saved, workspace) -> None:
    document.set("q", bits=4)
    document._journal.flush()
    assert len(written(workspace)) == 1
    assert Journal.leftovers(workspace) == []
    assert len(written(workspace)) == 1
    document.close(keep=True)
    assert len(Journal.leftovers(workspace)) == 1


def test_what_the_file_holds_is_not_lost(document, saved, workspace) -> None:
    document.set("q", bits=4)
    state = document.graph.copy()
    document.close(keep=True)
    state.layout = {}
    state.save(saved)
    assert Journal.leftovers(workspace) == []
    assert written(workspace) == []


def test_an_untitled_document_is_kept_and_an_empty_one_is_not(document, workspace) -> None:
    document.add("data.digits", name="a")
    document.stack.undo()
    document.set_seed(4)
    document.set_seed(0)
    document.close(keep=True)
    assert Journal.leftovers(workspace) == []
    again = Document(workspace)
    again.add("data.digits", name="a")
    leftover = lost(again)
    assert leftover.name == "untitled"
    assert leftover.differences() == ["Added a (data.digits)."]


def test_show_says_what_would_come_back(document, saved) -> None:
    document.set("q", bits=4, clip=True)
    document.reset("q", "clip")
    document.set_seed(8)
    document.remove(["net"])
    document.add("quantize.po2", name="po2", link=("train.classifier", "model"))
    document.bypass("train", True)
    document.add_note((0, 0, 1, 1), "x")
    leftover = lost(document)
    assert leftover.name == "mine.json"
    assert leftover.differences() == [
        "The seed is 8, not 0.",
        "train is bypassed.",
        "q: bits is 4.",
        "Added po2 (quantize.po2).",
        "Removed net (model.resnet).",
        "Linked train.classifier to po2.model.",
        "Unlinked data.data to net.data.",
        "Unlinked net.classifier to train.model.",
        "Notes and frames: 1, were 0.",
    ]
    back = differences(leftover.entry.graph, Graph.load(saved))
    assert "q: bits has its default again, was 4." in back


def test_damaged_and_foreign_files_are_passed_over_and_left(document, saved, workspace) -> None:
    document.set("q", bits=4)
    document.close(keep=True)
    (good,) = written(workspace)
    folder = good.parent
    whole = json.loads(good.read_text())
    for name, content in {
        "a": "",
        "b": good.read_text()[:200],
        "c": "[]",
        "d": json.dumps({**whole, "schema_version": 2}),
        "e": json.dumps({**whole, "graph": None}),
        "f": json.dumps({**whole, "written": "yesterday"}),
        "g": json.dumps({**whole, "path": 3}),
    }.items():
        (folder / f"{name}.json").write_text(content)
    assert [leftover.file for leftover in Journal.leftovers(workspace)] == [good]
    assert len(written(workspace)) == 8


# -- restoring -----------------------------------------------------------------------------------


def test_restore_goes_on_where_it_ended(document, saved, workspace) -> None:
    document.set("q", bits=4)
    before, leftover = text(document), lost(document)
    with Window(workspace) as other:
        other.restore(leftover)
        assert text(other) == before
        assert other.path == saved
        assert other.is_modified
        assert not other.is_saved
        assert len(written(workspace)) == 1, "the new window keeps it now"
        assert not leftover.file.exists()
        assert Journal.leftovers(workspace) == []
        other.save()
        assert written(workspace) == []
    assert Graph.load(saved).nodes["q"].params == {"bits": 4}


def test_restore_does_not_overwrite_what_came_after(document, saved, workspace) -> None:
    document.set("q", bits=4)
    leftover = lost(document)
    Graph("later").save(saved)
    with Window(workspace) as other:
        other.restore(leftover)
        with pytest.raises(ChangedOnDisk):
            other.save()
    assert Graph.load(saved).name == "later"


def test_restore_while_another_window_has_the_file(document, saved, workspace) -> None:
    document.set("q", bits=4)
    leftover = lost(document)
    with Window(workspace) as holder, Window(workspace) as other:
        holder.open(saved)
        with pytest.raises(InUse):
            other.restore(leftover)
        assert leftover.file.exists()
        other.restore(leftover, as_copy=True)
        assert other.path is None
        assert other.graph.nodes["q"].params == {"bits": 4}


def test_a_folder_that_is_read_only_loses_no_work(document, saved, workspace, monkeypatch) -> None:
    def fail(path: Path, data: object) -> None:
        raise PermissionError(13, "Permission denied")

    document.set("q", bits=4)
    monkeypatch.setattr(document_file.graph_file, "write", fail)
    with pytest.raises(DocumentError, match="the folder is read-only"):
        document.save()
    assert lost(document).differences() == ["q: bits is 4."]


def test_discard_forgets_for_good(document, saved, workspace) -> None:
    document.set("q", bits=4)
    lost(document).discard()
    assert Journal.leftovers(workspace) == []
    assert list((workspace.root / "journal").iterdir()) == []


def test_a_journal_that_cannot_be_written_is_told_and_loses_no_leftover(
    document, saved, workspace, qtbot
) -> None:
    document.set("q", bits=4)
    leftover = lost(document)
    elsewhere = Workspace(saved.parent / "no" / "such")
    (saved.parent / "no").write_text("in the way")
    with Window(elsewhere) as other, qtbot.waitSignal(other.told) as told:
        other.restore(leftover)
    assert "cannot be kept safe" in told.args[0]
    assert leftover.file.exists()


class Window(Document):
    """A document that is closed at the end of a block."""

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- killed --------------------------------------------------------------------------------------

BETWEEN_EDITS = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from backend.core.workspace import Workspace
from studio.document import Document
app = QCoreApplication(sys.argv)
document = Document(Workspace.current())
document.open(sys.argv[1])
document.set("q", bits=3)
document.set_seed(99)
def look():
    if list((Workspace.current().root / "journal").glob("*.json")):
        print("written", flush=True)
timer = QTimer()
timer.timeout.connect(look)
timer.start(10)
app.exec()
"""

IN_SAVE = """
import os, sys, time
from PySide6.QtCore import QCoreApplication
from backend.core import files
from backend.core.workspace import Workspace
from studio.document import Document
app = QCoreApplication(sys.argv)
document = Document(Workspace.current())
document.open(sys.argv[1])
document.set("q", bits=3)
document.set_seed(99)
document._journal.flush()
replace = files.replace
def hang(source, target):
    if target.name != "mine.json":
        return replace(source, target)
    if sys.argv[2] == "after":
        replace(source, target)
    print("written", flush=True)
    time.sleep(600)
files.replace = hang
document.save()
"""


def killed(code: str, *arguments: object) -> None:
    """Run a window in a process of its own and kill it when it says that it is ready."""
    window = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert window.stdout is not None
    try:
        assert window.stdout.readline() == "written\n"
        # While it lives, nobody else may take what it writes.
        assert Journal.leftovers(Workspace.current()) == []
    finally:
        window.send_signal(signal.SIGKILL)
        window.wait()
        window.stdout.close()


def test_killed_between_edits(document, saved, workspace) -> None:
    document.close()
    before = saved.read_bytes()
    killed(BETWEEN_EDITS, saved)
    assert saved.read_bytes() == before
    (leftover,) = Journal.leftovers(workspace)
    assert leftover.differences() == ["The seed is 99, not 0.", "q: bits is 3."]
    with Window(workspace) as again:
        again.restore(leftover)  # the claim on the file died with the window
        again.save()
    assert Graph.load(saved).seed == 99


def test_killed_before_a_save_is_in_place(document, saved, workspace) -> None:
    document.close()
    before = saved.read_bytes()
    killed(IN_SAVE, saved, "before")
    assert saved.read_bytes() == before
    (leftover,) = Journal.leftovers(workspace)
    assert leftover.entry.graph.seed == 99


def test_killed_after_a_save_is_in_place_nothing_is_offered(document, saved, workspace) -> None:
    document.close()
    killed(IN_SAVE, saved, "after")
    assert Graph.load(saved).seed == 99
    assert len(written(workspace)) == 1
    assert Journal.leftovers(workspace) == []
    assert written(workspace) == []


def test_a_restored_document_refuses_like_any_other(document, saved, workspace) -> None:
    document.set("q", bits=4)
    leftover = lost(document)
    with Window(workspace) as other:
        other.restore(leftover)
        with pytest.raises(DocumentError, match="no node"):
            other.set("nobody", x=1)
