"""Bad runs, a backend that does not start, 2,000 runs and 1,000 nodes, through the window."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QTimer

from backend.core import events as ev
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from studio import catalog as studio_catalog
from studio.catalog import CatalogModel
from studio.event_reader import EventReader
from studio.run_row import read_row
from studio.run_watch import quick_state
from studio.session import Session
from studio.words import duration
from tests.studio.bad_world import DATA, PIPELINE, RUN, Told, copied_run, see_all_docks, settled

NAN, INF = float("nan"), float("inf")
POSIX = pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")


@pytest.fixture
def told(session: Session) -> Told:
    return Told(session)


@pytest.fixture
def run(workspace) -> Path:
    return copied_run(workspace)


def _line(kind: str, /, **values: object) -> bytes:
    return json.dumps({"kind": kind, "t": 1.0, "node": "f8net", **values}).encode()


def _view(kind: str, name: str = "x", /, **values: object) -> bytes:
    return _line("view", view=kind, name=name, seq=1, **values)


def _drawn(kind: str, name: str = "x", /, **data: object) -> bytes:
    return _view(kind, name, data={"kind": kind, **data})


HUGE = 10**400
EVENTS = {
    "binary": [os.urandom(300_000), b"\0" * 1000, b'{"kind":"log"', b"[1]", b"[" * 100_000],
    "times": [_line("log", t=t, text="x") for t in (1e300, -1e300, NAN, INF, -1e12)],
    "counts": [
        _line("metric", step=HUGE, values={"loss": 1.0}),
        _line("metric", step=1, seq=2**63, values={"loss": 1.0}),
        _line("progress", done=HUGE, total=HUGE + 1),
        _line("resumed", step=HUGE, seq=HUGE),
    ],
    "values": [
        _line("metric", step=n, values={"loss": v, "top1": v, "x" * 300: NAN})
        for n, v in enumerate([NAN, INF, -INF, 1e308, -1e308, 1e-320] * 5)
    ],
    "seconds": [
        _line("progress", done=1, total=2, eta=NAN),
        _line("progress", done=-1, total=-2, eta=1e300),
        _line("node_finished", seconds=NAN),
        _line("node_finished", node="train", seconds=1e300),
        _line("run_finished", status="finished", seconds=INF),
    ],
    "views": [
        _drawn("lines", log_x=True, log_y=True, series=[{"name": "a", "x": [0, NAN], "y": [1]}]),
        _drawn("bars", labels=["a"], groups={"g": [1, 2], "h": [], "i": [NAN]}),
        _drawn("strip", low=NAN, high=NAN, labels=["a"], values=[]),
        _drawn("histogram", edges=[1], counts=[1, 2], marks={"m": NAN}),
        _drawn("histogram", "y", edges=[0, 0], counts=[-1]),
        _drawn("heatmap", rows=["a"], columns=["b"], values=[[], [1, 2]]),
        _drawn("table", columns=[], rows=[[1], [None], ["x" * 3000]]),
        _view("of the future", path="events.jsonl"),
    ],
    "names": [
        _line("metric", node=name, step=1, values={name: 1.0, "": 2.0})
        for name in ("", "../x", "a.b", "\u202e\U0001f600", "<b>x</b>")
    ],
}


@pytest.mark.parametrize("what", EVENTS)
def test_events_gone_wrong_hide_nothing_else(window, told, run, qtbot, what) -> None:
    sound = len([line for line in (run / "events.jsonl").read_bytes().split(b"\n") if line])
    with open(run / "events.jsonl", "ab") as file:
        file.write(b"\n".join(EVENTS[what]) + b"\n")
    settled(qtbot, window)
    fold = window.session.focus.fold
    assert len(fold.series["train", "loss"]) > 5
    assert sound > 100
    see_all_docks(window)
    window.session.mark(RUN)
    window.set_workspace("Compare")
    window.grab()
    told.nothing()


def test_a_line_without_an_end_is_not_kept_in_memory(tmp_path) -> None:
    path = tmp_path / "events.jsonl"
    good = ev.to_line(ev.Log(text="hello")).encode()
    path.write_bytes(b"x" * 9_000_000 + b"\n" + good + b"\n" + b"y" * 9_000_000)
    reader, found = EventReader(path), []
    while not found or reader.has_more:
        found += reader.read(0.01)
    assert [event.text for event in found] == ["hello"]
    assert len(reader._rest) <= 5_000_000


PATHS = [
    "../../../../../etc/passwd",
    "/etc/passwd",
    "nodes",
    "nope.png",
    "page.png",
    "a\0b.png",
    "",
]


def test_paths_that_climb_and_pictures_that_are_none(window, told, run, qtbot) -> None:
    (run / "page.png").write_text("<html>not a picture</html>")
    lines = [_view("heatmap", str(n), path=path) for n, path in enumerate(PATHS)]
    lines += [_line("image", name=f"bad/{n}", path=path) for n, path in enumerate(PATHS)]
    with open(run / "events.jsonl", "ab") as file:
        file.write(b"\n".join(lines) + b"\n")
    settled(qtbot, window)
    for name in ("images", "views"):
        window.show_dock(name)
        qtbot.wait(50)
        window.grab()
    told.nothing()


RESULTS = ["[1]", "[" * 100_000, '{"status": ["finished"]}', '{"seconds": "NaN", "error": 5}']
RESULTS += ['{"status": "failed", "seconds": NaN, "error": "<b>x</b>"}']
RESULTS += ['{"status": "finished", "seconds": 1e300, "metrics": {"a": {"loss": {"last": NaN}}}}']


@pytest.mark.parametrize("text", RESULTS)
@pytest.mark.parametrize("name", ["result.json", "run.json", "studio.json"])
def test_small_files_gone_wrong(window, told, run, qtbot, name, text) -> None:
    (run / name).write_text(text)
    row = read_row(run)
    assert not isinstance(row, str), row
    settled(qtbot, window)
    window.session.runner.scan()
    window.show_dock("runs")
    qtbot.waitUntil(lambda: window.session.runner.index.is_loaded, timeout=20_000)
    window.grab()
    assert window.session.runner.index.row(RUN) is not None
    told.nothing()


@pytest.mark.parametrize(("seconds", "said"), [(NAN, "unknown time"), (1e300, "unknown time")])
def test_lengths_that_cannot_be_told(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_half_a_run_is_told_with_what_to_do(window, told, run, qtbot) -> None:
    (run / "graph.json").unlink()
    window.act("open_run", run=RUN)
    told.one("bad", RUN, "lacks its file graph.json", "Delete the rest, or put the file back.")
    assert window.session.focus is None
    shutil.copy(DATA / "run" / "graph.json", run)
    for name in ("events.jsonl", "result.json", "log.txt"):
        (run / name).unlink()
    shutil.rmtree(run / "nodes")
    window.session.set_focus(RUN)
    see_all_docks(window)
    told.nothing()
    shutil.rmtree(run)
    window.act("open_run", run="gone")
    told.one("bad", 'There is no run "gone" any more.')


def test_python_that_is_not_there_leaves_no_ghost(window, told, workspace, monkeypatch) -> None:
    window.act("open_pipeline", path=PIPELINE.name)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    window.act("run")
    told.one("bad", 'Python could not be started with "/nonexistent/python".', "Check that")
    assert list(workspace.runs.iterdir()) == []
    assert window.session.runner.queued == []
    window.act("new_window")
    told.one("bad", 'Python could not be started with "/nonexistent/python".', "Check that")


@POSIX
def test_a_process_that_dies_at_once_is_a_failed_run(window, told, tmp_path, monkeypatch, qtbot):
    window.act("open_pipeline", path=PIPELINE.name)
    monkeypatch.setattr(sys, "executable", _script(tmp_path, "echo no module backend >&2; exit 1"))
    window.act("run")
    told.nothing()
    name = window.session.focus.name
    qtbot.waitUntil(lambda: window.session.runner.state(name) == "failed", timeout=20_000)
    row = read_row(window.session.workspace.runs / name)
    assert (
        row.error == "The process that should compute it ended before it began: no module backend"
    )
    qtbot.waitUntil(lambda: bool(told.messages), timeout=5_000)
    told.messages.clear()


def _script(folder: Path, text: str) -> str:
    path = folder / "python.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@POSIX
def test_a_catalogue_of_garbage_or_none(workspace, tmp_path, monkeypatch, qtbot) -> None:
    model = CatalogModel(workspace)
    monkeypatch.setattr(sys, "executable", _script(tmp_path, "echo garbage; echo oops >&2"))
    model.refresh()
    qtbot.waitUntil(lambda: not model.is_building, timeout=10_000)
    assert model.error == "The list of nodes could not be made (oops). Reload it to try again."
    monkeypatch.setattr(studio_catalog, "_PATIENCE_MS", 100)
    monkeypatch.setattr(sys, "executable", _script(tmp_path, "exec sleep 100"))
    model.refresh()
    qtbot.waitUntil(lambda: not model.is_building, timeout=10_000)
    assert "was given up" in model.error
    assert model.error.endswith("Reload the list to try again.")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    model.refresh()
    qtbot.waitUntil(lambda: not model.is_building, timeout=10_000)
    assert model.error.startswith("Python could not be started")
    model.close()


# -- many ------------------------------------------------------------------------------------------


def test_two_thousand_runs(window, told, workspace, qtbot) -> None:
    """All are listed; while they are read, the event loop goes on turning."""
    graph, events = (DATA / "run" / "graph.json").read_bytes(), _line("log", text="x") + b"\n"
    workspace.runs.mkdir(parents=True, exist_ok=True)
    for n in range(2_000):
        folder = workspace.runs / f"2026-11-24_09-00_many-{n:04}"
        folder.mkdir()
        (folder / "graph.json").write_bytes(graph)
        (folder / "events.jsonl").write_bytes(events)
        result = {"status": "finished", "seconds": n, "metrics": {"a": {"loss": _of(n / 2_000)}}}
        (folder / "result.json").write_text(json.dumps(result) if n % 10 else "[")
    turns: list[int] = []
    index = window.session.runner.index
    beat = QTimer()
    beat.timeout.connect(lambda: turns.append(1) if not index.is_loaded else None)
    beat.start(0)
    window.act("new")
    window.show_dock("runs")
    window.session.runner.scan()
    qtbot.waitUntil(lambda: index.is_loaded, timeout=30_000)
    beat.stop()
    assert len(turns) > 50
    assert len(index.rows) == 2_000
    assert sum(row.state == "crashed" for row in index.rows) == 200
    window.grab()
    model = window.dock_widget("runs").model
    assert model.rowCount() == 2_000
    index.set_star("2026-11-24_09-00_many-1999", True)
    assert index.row("2026-11-24_09-00_many-1999").star
    told.nothing()


def _of(value: float) -> dict[str, float]:
    return {"min": value, "max": value, "last": value}


def test_a_graph_of_a_thousand_nodes(window, told, tmp_path) -> None:
    graph = Graph("many")
    for n in range(500):
        graph.add("data.digits", f"data{n}", at=(n % 25 * 440.0, n // 25 * 160.0))
        graph.add("model.resnet", f"net{n}", at=(n % 25 * 440.0 + 220, n // 25 * 160.0))
        graph.connect(f"data{n}.data", f"net{n}.data")
    path = tmp_path / "many.json"
    graph.save(path)
    before = path.read_bytes()
    window.act("open_file", path=path)
    QCoreApplication.processEvents()
    document, scene = window.session.document, window.view.scene()
    assert len(scene.node_items) == 1_000
    assert len(scene.link_items) == 500
    window.grab()
    document.set("net7", depth=20)
    document.remove([f"data{n}" for n in range(0, 500, 2)])
    assert len(scene.node_items) == 750
    window.act("arrange")
    for _ in range(3):
        window.act("undo")
    assert not document.is_modified
    assert len(scene.node_items) == 1_000
    assert len(scene.link_items) == 500
    document.set("net7", depth=20)
    window.act("undo")
    with pytest.raises(DocumentError, match="has no input"):
        document.connect("net1.classifier", "data1.data")
    assert path.read_bytes() == before
    told.nothing()


def test_a_run_that_died_is_crashed_and_can_go_on(window, told, run) -> None:
    (run / "result.json").unlink()
    (run / "process.json").write_text('{"pid": 99999999999999999999, "started": NaN}')
    window.session.set_focus(RUN)
    assert quick_state(window.session.focus.run) == "crashed"
    with pytest.raises(DocumentError, match="nothing was killed"):
        window.session.runner.kill(RUN)
    window.show_dock("runs")
    window.refresh()
    assert window.actions_by_id["resume"].isEnabled()
    told.nothing()
