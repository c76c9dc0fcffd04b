"""Runs are started, followed, stopped and found again; what computes is the command line."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from backend.core import catalog as catalogs
from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio import run_process, run_tail
from studio.event_reader import EventReader
from studio.run_watch import quick_state
from studio.runner import Runner
from tests.fakes import PLUGINS, with_toy_nodes
from tests.studio.toy import growing

LONG = 20_000


@pytest.fixture(scope="module")
def toy_catalog() -> Catalog:
    with_toy_nodes()
    return catalogs.build()


@pytest.fixture
def runner(
    workspace: Workspace, toy_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runner]:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    made = Runner(workspace)
    made.set_specs(toy_catalog.nodes)
    yield made
    for name in [*made.queued, *made.active]:
        _end(made.open(name))
    made.close()
    made.deleteLater()


def _end(run: Run) -> None:
    run.request_stop()
    process = run_process.process_of(run)
    if process is not None:
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()


@pytest.fixture
def until(runner: Runner, qtbot: QtBot) -> Callable[..., None]:
    def wait(name: str, *states: str) -> None:
        qtbot.waitUntil(lambda: runner.state(name) in states, timeout=30_000)

    return wait


def write(workspace: Workspace, name: str, lines: list[ev.Event], status: str = "") -> Run:
    run = Run.create(Graph(name), workspace)
    (run.path / "events.jsonl").write_text("".join(f"{ev.to_line(e)}\n" for e in lines))
    if status:
        (run.path / "result.json").write_text(json.dumps({"status": status}))
    return run


def metrics(count: int, node: str = "a") -> list[ev.Event]:
    return [
        ev.Metric(node=node, step=i, seq=i + 1, values={"loss": 1 / (i + 1)}) for i in range(count)
    ]


def test_a_run_from_start_to_end(runner: Runner, until, qtbot: QtBot) -> None:
    heard: list[ev.Event] = []
    runner.batch.connect(lambda found: heard.extend(found[1]))
    name = runner.start(growing(steps=4))
    assert runner.queued == [name]
    assert runner.state(name) == "queued"
    until(name, "finished")
    fold = runner.watch(name).fold
    qtbot.waitUntil(lambda: not runner.watch(name).is_unfinished and fold.status == "finished")
    assert list(fold.series["grow", "x"].steps) == [0, 1, 2, 3]
    assert {n: r.state for n, r in fold.nodes.items()} == {"start": "done", "grow": "done"}
    assert isinstance(heard[0], ev.RunStarted)
    assert isinstance(heard[-1], ev.RunFinished)
    assert runner.active == runner.queued == []
    qtbot.waitUntil(lambda: not runner._tail.is_active, timeout=3_000)
    settings = runner.watch(name).run.settings
    assert settings["threads"] == max(1, (os.cpu_count() or 2) - 1)
    output = runner.open(name).path / "output.txt"
    qtbot.waitUntil(lambda: output.read_text().startswith(name), timeout=20_000)  # after its report


def test_run_selected_and_a_sweep(runner: Runner, until, workspace: Workspace) -> None:
    some = runner.start(growing("some"), only=["start"], force=["start"])
    until(some, "finished")
    assert list(runner.watch(some).fold.nodes) == ["start"]
    first = runner.start(growing("many"), sweep={"grow.steps": [2, 3]})
    names = sorted(p.name for p in workspace.runs.glob("*many*"))
    assert names[0] == first
    for name in names:
        until(name, "finished")
    settings = [Run(workspace.runs / name).settings for name in names]
    assert [s["set"]["grow.steps"] for s in settings] == [2, 3]
    assert len({s["sweep"] for s in settings}) == 1


def test_queue_reorder_stop_resume(runner: Runner, until, qtbot: QtBot) -> None:
    a = runner.start(growing("a", LONG, 0.01))
    until(a, "running")
    b, c = runner.start(growing("b", 2)), runner.start(growing("c", LONG, 0.01))
    qtbot.waitUntil(lambda: sorted(runner.queue.order()) == sorted([b, c]), timeout=20_000)
    runner.reorder([c, b])
    assert runner.queued == [c, b]
    runner.stop(a)
    assert runner.state(a) in ("cancelling", "cancelled")
    assert not runner.can_kill(a)
    until(a, "cancelled")
    until(c, "running")
    node = runner.watch(a).fold.nodes["grow"]
    qtbot.waitUntil(lambda: node.state == "cancelled")
    with pytest.raises(DocumentError, match="already"):
        runner.resume(c)
    runner.resume(a)
    qtbot.waitUntil(lambda: runner.queue.order() == [b, a], timeout=20_000)
    assert runner.queued == [b, a]
    assert Run(runner.open(a).path).state() == "queued", "although it has events"
    runner.cancel_queued(a)
    until(a, "cancelled")
    assert runner.open(a).result["status"] == "cancelled"
    runner.stop(c)
    until(b, "finished")
    with pytest.raises(DocumentError, match="is finished"):
        runner.resume(b)
    runner.stop(b)
    assert runner.state(b) == "finished"


def test_a_paused_queue_starts_nothing(runner: Runner, until, qtbot: QtBot) -> None:
    runner.pause_queue(True)
    name = runner.start(growing())
    qtbot.waitUntil(lambda: runner.queue.order() == [name], timeout=20_000)
    assert runner.is_paused
    assert runner.state(name) == "queued"
    runner.pause_queue(False)
    until(name, "finished")


@pytest.mark.skipif(os.name == "nt", reason="no stopped processes there")
def test_kill_ends_a_run_that_does_not_obey_and_starts_the_rest_anew(
    runner: Runner, until, workspace: Workspace, qtbot: QtBot
) -> None:
    first = runner.start(growing("sweep", LONG, 0.01), sweep={"grow.every": [4, 5]})
    second = next(p.name for p in workspace.runs.glob("*sweep*") if p.name != first)
    until(first, "running")
    process = run_process.process_of(runner.open(first))
    assert process is not None
    assert os.getsid(process.pid) != os.getsid(0)
    process.suspend()
    runner.stop(first)
    assert not runner.can_kill(first)
    old = time.time() - 6
    with qtbot.waitSignal(runner.changed, timeout=10_000):  # a button appears
        os.utime(runner.open(first).path / "stop", (old, old))
    assert runner.can_kill(first)
    runner.kill(first)
    until(first, "cancelled")
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    until(second, "running")
    runner.stop(second)
    until(second, "cancelled")


def test_nothing_is_killed_by_a_stale_id(runner: Runner, workspace: Workspace) -> None:
    run = write(workspace, "old", metrics(2))
    me = psutil.Process()
    for started in (me.create_time() - 100, "x"):
        record = {"pid": me.pid, "started": started}
        (run.path / "process.json").write_text(json.dumps(record))
        assert run_process.process_of(run) is None
    (run.path / "process.json").write_text(json.dumps({"pid": me.pid, "started": me.create_time()}))
    with pytest.raises(DocumentError, match="nothing was killed"):
        runner.kill(run.name)
    lock = run.lock()
    (run.path / "process.json").write_text(json.dumps({"pid": os.getppid(), "started": 1.0}))
    with pytest.raises(DocumentError, match="nothing was killed"):
        runner.kill(run.name)
    lock.release()


def test_a_process_that_fails_to_start_is_told_in_words(
    runner: Runner, until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "__init__.py").write_text("raise ImportError('no torch today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    name = runner.start(growing())
    until(name, "failed")
    assert "no torch today" in runner.watch(name).error
    assert "before it began" in runner.open(name).result["error"]


def test_a_run_that_the_engine_refuses_says_why(runner: Runner, until) -> None:
    name = runner.start(growing(), device="cuda:7" if not os.path.exists("/dev/nvidia0") else "x")
    until(name, "failed")
    assert "cannot be used" in runner.watch(name).error


def test_bad_documents_start_nothing(runner: Runner, workspace: Workspace) -> None:
    graph = growing()
    graph.set("grow", steps=0)
    with pytest.raises(DocumentError, match=r"cannot run yet.*at least 1"):
        runner.start(graph)
    assert runner.start(graph, target="start"), "what it does not need does not matter"
    for wrong, words in [
        (Graph("empty"), "nothing to run"),
        (growing(), "no node"),
    ]:
        with pytest.raises(DocumentError, match=words):
            runner.start(wrong, only=["grew"] if wrong.nodes else None)
    with pytest.raises(DocumentError, match="0 runs"):
        runner.start(growing(), sweep={"grow.steps": []})
    assert len(list(workspace.runs.iterdir())) == 1


def test_old_parameters_are_left_to_the_engine(runner: Runner, until) -> None:
    graph = Graph("old")
    graph.add("toy.start", "start", version=1)
    graph.add("toy.grow", "grow", {"rounds": 2}, version=1)
    graph.connect("start.count", "grow.number")
    name = runner.start(graph)
    until(name, "finished")
    assert len(runner.watch(name).fold.series["grow", "x"]) == 2


def test_files_are_named_in_full(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = growing()
    graph.set("start", file="here.txt")
    name = runner.start(graph)
    assert runner.open(name).graph().nodes["start"].params["file"] == str(tmp_path / "here.txt")
    assert graph.nodes["start"].params["file"] == "here.txt"


def test_a_workspace_that_cannot_be_written_to_is_a_sentence(
    toy_catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    runner = Runner(Workspace(tmp_path / "file" / "home"))
    runner.set_specs(toy_catalog.nodes)
    with pytest.raises(DocumentError, match="FRETSAW_HOME"):
        runner.start(growing())
    runner.close()


def test_runs_of_others_are_found(
    runner: Runner, workspace: Workspace, until, qtbot: QtBot
) -> None:
    alive = write(workspace, "alive", metrics(3))
    lock = alive.lock()
    waiting = write(workspace, "waiting", metrics(2), "cancelled")
    runner.queue.join(waiting)
    write(workspace, "done", metrics(2), "finished")
    write(workspace, "dead", metrics(2))
    (workspace.runs / "foreign").mkdir()
    half = write(workspace, "half", metrics(2))
    (half.path / "graph.json").unlink()
    runner.scan()
    qtbot.waitUntil(lambda: runner.active == [alive.name], timeout=5_000)
    assert runner.queued == [waiting.name]
    qtbot.waitUntil(lambda: len(runner.watch(alive.name).fold.series) == 1)
    with pytest.raises(DocumentError, match="part of it was deleted"):
        runner.watch(half.name)
    with pytest.raises(DocumentError, match="There is no run"):
        runner.watch("never")
    lock.release()
    runner.queue.leave(waiting)
    until(alive.name, "crashed")
    until(waiting.name, "cancelled")
    qtbot.waitUntil(lambda: runner.index.is_loaded)
    assert set(runner.index.left_out) == {"foreign", half.name}


def test_a_run_whose_folder_goes_away_does_not_raise(
    runner: Runner, workspace: Workspace, until
) -> None:
    run = write(workspace, "gone", metrics(3))
    lock = run.lock()
    watch = runner.watch(run.name)
    assert watch.state == "running"
    lock.release()
    shutil.rmtree(run.path)
    until(run.name, "crashed")


def test_many_runs_share_a_tick(
    runner: Runner, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time at all each tick still serves one, and every run has its turn."""
    runs = [write(workspace, f"r{i}", metrics(5), "finished") for i in range(6)]
    watches = [runner.watch(run.name) for run in runs]
    runner._tail.set_visible(False)
    monkeypatch.setattr(run_tail, "PARSE_SECONDS", 0.0)
    for _ in runs:
        runner._tail.tick()
    assert all(len(w.fold.series["a", "loss"]) >= 1 for w in watches)


def test_the_timer_is_slow_when_hidden(runner: Runner, workspace: Workspace, qtbot: QtBot) -> None:
    run = write(workspace, "live", metrics(3))
    lock = run.lock()
    watch = runner.watch(run.name)
    assert runner._tail.is_active
    runner.set_visible(False)
    assert runner._tail.is_active, "that it ended is told all the same"
    assert runner._tail.interval_ms == run_tail.HIDDEN_MS
    runner._tail.tick()
    runner.set_visible(True)
    assert runner._tail.interval_ms == run_tail.TICK_MS
    qtbot.waitUntil(lambda: len(watch.fold.series) == 1)
    lock.release()


def test_long_files_are_read_in_pieces(workspace: Workspace) -> None:
    lines = metrics(4_000)
    lines[::2] = [ev.Progress(node="a", done=i, total=9) for i in range(2_000)]
    run = write(workspace, "long", lines)
    reader = EventReader(run.path / "events.jsonl")
    found = reader.read(0.0)
    assert len(found) == 1
    assert reader.has_more
    while reader.has_more:
        found += reader.read(0.0)
    assert found == run.tail()[0]
    assert reader.read(1.0) == []
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b"torn\n" + ev.to_line(lines[1]).encode())
        file.flush()
        assert reader.read(1.0) == []
        file.write(b"\n")
    assert reader.read(1.0) == [lines[1]]


def test_a_file_that_was_replaced_is_read_anew(
    runner: Runner, workspace: Workspace, qtbot: QtBot
) -> None:
    run = write(workspace, "again", metrics(30))
    watch = runner.watch(run.name)
    lock = run.lock()
    watch.set_state("running")
    qtbot.waitUntil(lambda: watch.is_caught_up)
    assert len(watch.fold.series["a", "loss"]) == 30
    with qtbot.waitSignal(watch.restarted, timeout=5_000):
        (run.path / "events.jsonl").write_text(f"{ev.to_line(metrics(1)[0])}\n")
    qtbot.waitUntil(lambda: len(watch.fold.series["a", "loss"]) == 1)
    lock.release()


def test_quick_states(workspace: Workspace) -> None:
    run = write(workspace, "x", metrics(1))
    assert quick_state(run) == "crashed"
    (run.path / "events.jsonl").unlink()
    assert quick_state(run) == "queued"
    os.utime(run.path / "graph.json", (0, 0))
    assert quick_state(run) == "crashed", "whoever made it never began it"
    lock = run.lock()
    assert quick_state(run) == "running"
    run.request_stop()
    assert quick_state(run) == "cancelling"
    lock.release()


def test_why_a_result_is_stale(runner: Runner, until, qtbot: QtBot) -> None:
    graph = growing("why", 3)
    assert runner.stale(graph) == {}
    with qtbot.waitSignal(runner.stale_changed, timeout=30_000):
        pass
    assert {s.state for s in runner.stale(graph).values()} == {"new"}
    name = runner.start(graph)
    until(name, "finished")
    qtbot.waitUntil(lambda: runner.stale(graph) == {}, timeout=5_000)
    states = {"start": "cached", "grow": "cached"}
    qtbot.waitUntil(
        lambda: {n: s.state for n, s in runner.stale(graph).items()} == states, timeout=30_000
    )
    graph.set("grow", steps=5)
    qtbot.waitUntil(lambda: len(runner.stale(graph)) == 1, timeout=5_000)
    assert runner.stale(graph)["start"].state == "cached", "it did not change"
    qtbot.waitUntil(lambda: "grow" in runner.stale(graph), timeout=30_000)
    assert runner.stale(graph)["grow"].state == "stale"
    assert runner.stale(graph)["grow"].why == "steps is 5 now; it was 3."
