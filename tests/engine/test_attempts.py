"""Several attempts at one run, and what goes on around it."""

from __future__ import annotations

import json
import shutil

import pytest

from backend.core import events as ev
from backend.core.catalog import current
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import fingerprint, launch
from tests.engine.test_execute import cached, events_of, output, small

pytestmark = pytest.mark.usefixtures("toy")


def stopped_at(step: int, **more: object) -> Run:
    run = launch.create(small(steps=30, pause=0.02, **more), Workspace.current())

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.step == step:
            run.request_stop()

    launch.execute(run, on_event=stop)
    assert run.state() == "cancelled"
    return run


def test_a_stop_always_leaves_a_checkpoint_of_the_last_step() -> None:
    run = stopped_at(4, every=100_000)
    done = max(e.step for e in events_of(run, ev.Metric)) + 1
    assert launch.resume(run) == "finished"
    (resumed,) = events_of(run, ev.Resumed)
    assert resumed.step == done


def test_a_checkpoint_of_other_code_is_not_gone_on_from(monkeypatch) -> None:
    run = stopped_at(10)
    monkeypatch.setattr(fingerprint, "source_hash", lambda module: "edited since")
    assert launch.resume(run) == "finished"
    assert [e.step for e in events_of(run, ev.Resumed) if e.node == "grow"] == [0]
    assert [e.step for e in events_of(run, ev.Metric)] == list(range(30))


def test_an_earlier_result_does_not_outlive_a_new_attempt() -> None:
    run = launch.run(small())
    assert run.state() == "finished"
    seen = []
    launch.execute(run, force=["grow"], on_event=lambda event: seen.append(run.result))
    assert seen[0] == {}
    assert run.state() == "finished"


def test_a_listener_that_fails_does_not_disturb_the_run() -> None:
    def listener(event: ev.Event) -> None:
        raise RuntimeError("a bug of the notebook")

    run = launch.run(small(), on_event=listener)
    assert run.state() == "finished"
    assert "a bug of the notebook" in (run.path / "log.txt").read_text()


def test_a_loop_in_a_loop_is_refused_in_words() -> None:
    graph = Graph()
    graph.add("toy.start", "start")
    graph.add("toy.nested", "nested")
    graph.connect("start.count", "nested.number")
    run = launch.run(graph)
    assert "runs inside another one" in run.result["error"]


def test_forced_nodes_are_checked_kept_and_not_computed_twice() -> None:
    launch.run(small())
    with pytest.raises(DocumentError, match='Did you mean "grow"'):
        launch.run(small(), force=["grwo"])
    run = launch.run(small(), force=["grow"])
    assert run.settings["force"] == ["grow"]
    assert cached(run)["grow"] is False
    launch.resume(run)
    assert [e.cached for e in events_of(run, ev.NodeFinished)][-1] is True


def test_paths_are_kept_absolute_so_that_any_folder_will_do(tmp_path, monkeypatch) -> None:
    (tmp_path / "x.txt").write_text("7")
    monkeypatch.chdir(tmp_path)
    graph = small()
    graph.set("start", file="x.txt")
    run = launch.create(graph, Workspace.current())
    assert run.graph().nodes["start"].params["file"] == str(tmp_path / "x.txt")
    monkeypatch.chdir("/")
    assert launch.resume(run) == "finished"
    assert output(run, "start", "count") == 7


def test_names_that_are_one_folder_on_some_systems() -> None:
    graph = Graph()
    graph.add("toy.start", "Start")
    with pytest.raises(DocumentError, match='already a node "Start"'):
        graph.add("toy.start", "start")
    with pytest.raises(DocumentError, match="cannot be the name"):
        graph.add("toy.start", "aux")


@pytest.mark.parametrize("init", ["def broken(:\n", "raise RuntimeError('no')\n", None])
def test_an_entry_point_that_leads_nowhere_disturbs_nothing(init, tmp_path, monkeypatch) -> None:
    info = tmp_path / "stale_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stale-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fretsaw.nodes]\nstale = stale_plugin.a.b\n")
    if init is not None:
        (tmp_path / "stale_plugin").mkdir()
        (tmp_path / "stale_plugin" / "__init__.py").write_text(init)
    monkeypatch.syspath_prepend(str(tmp_path))
    catalog = current()
    assert [b.module for b in catalog.broken] == ["stale_plugin.a.b"]
    assert launch.run(small()).state() == "finished"
    shutil.rmtree(info)
    assert current().broken == []


def test_gc_lets_no_run_begin_meanwhile(monkeypatch) -> None:
    from filelock import FileLock

    from backend.core.errors import BusyError
    from backend.engine import store
    from backend.engine.gc import collect

    monkeypatch.setattr(store, "_TOUCHED_RECENTLY", -1.0)
    workspace = Workspace.current()
    run = launch.run(small())
    shutil.rmtree(launch.run(small(x=7)).path)
    with FileLock(workspace.queue_lock), pytest.raises(BusyError, match="Try again"):
        collect(workspace)
    assert json.loads((run.path / "result.json").read_text())["status"] == "finished"
    assert (collect(workspace).results, collect(workspace).results) == (2, 0)
