from __future__ import annotations

import json

import pytest

from backend.core import events as ev
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from backend.engine.gc import collect
from backend.engine.store import Store

pytestmark = pytest.mark.usefixtures("toy")


def small(x: float = 2, steps: int = 4, **more: object) -> Graph:
    graph = Graph("small")
    graph.add("toy.start", "start", x=x)
    graph.add("toy.grow", "grow", steps=steps, **more)
    graph.connect("start.count", "grow.number")
    return graph


def events_of(run: Run, kind: type) -> list:
    return [e for e in run.events() if isinstance(e, kind)]


def cached(run: Run) -> dict[str, bool]:
    return {e.node: e.cached for e in events_of(run, ev.NodeFinished)}


def output(run: Run, node: str, port: str = "number") -> float:
    key = json.loads((run.node_folder(node) / "outputs.json").read_text())["fingerprint"]
    return Store(Workspace.current().store).load(key, port).x


def test_a_run_computes_and_a_second_one_takes_the_results() -> None:
    first, second = launch.run(small()), launch.run(small())
    assert cached(first) == {"start": False, "grow": False}
    assert cached(second) == {"start": True, "grow": True}
    assert output(first, "grow") == output(second, "grow")
    assert first.state() == second.state() == "finished"


def test_a_cached_node_shows_what_it_showed_before() -> None:
    first, second = launch.run(small()), launch.run(small())
    for kind in (ev.Metric, ev.View):
        shown = [[e.model_dump() for e in events_of(r, kind)] for r in (first, second)]
        assert shown[0] == shown[1]
        assert shown[0]


def test_only_what_changed_is_computed_again() -> None:
    launch.run(small())
    assert cached(launch.run(small(steps=5))) == {"start": True, "grow": False}
    assert cached(launch.run(small(x=3))) == {"start": False, "grow": False}
    assert cached(launch.run(small(), force=["grow"])) == {"start": True, "grow": False}
    assert cached(launch.run(small(), seed=1)) == {"start": False, "grow": False}


def test_the_content_of_a_file_is_part_of_the_fingerprint(tmp_path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("5")
    graph = small(file=None)
    graph.reset("grow", "file")
    graph.set("start", file=str(file))
    assert cached(launch.run(graph))["start"] is False
    assert cached(launch.run(graph))["start"] is True
    file.write_text("6")
    run = launch.run(graph)
    assert cached(run)["start"] is False
    assert output(run, "start", "count") == 6


def test_the_source_of_a_node_is_part_of_the_fingerprint(monkeypatch) -> None:
    from backend.engine import fingerprint

    launch.run(small())
    monkeypatch.setattr(fingerprint, "source_hash", lambda module: "edited")
    assert cached(launch.run(small())) == {"start": False, "grow": False}


def test_uncached_nodes_are_computed_in_each_run_and_once_in_it() -> None:
    graph = small()
    graph.add("toy.clock", "clock")
    graph.connect("grow.number", "clock.number")
    first, second = launch.run(graph), launch.run(graph)
    assert cached(second) == {"start": True, "grow": True, "clock": False}
    assert output(first, "clock") != output(second, "clock")
    launch.resume(second)
    assert output(second, "clock") == output(second, "clock")
    assert [e.cached for e in events_of(second, ev.NodeFinished)][-1] is True


def test_target_runs_only_what_it_needs() -> None:
    graph = small()
    graph.add("toy.fail", "never")
    graph.connect("grow.number", "never.number")
    run = launch.run(graph, target="grow")
    assert list(cached(run)) == ["start", "grow"]
    assert run.state() == "finished"


def test_many_and_optional_inputs_arrive_in_order() -> None:
    graph = Graph()
    for i in range(3):
        graph.add("toy.start", f"s{i}", x=10**i)
        graph.connect(f"s{i}.count", "sum.numbers") if "sum" in graph.nodes else None
    graph.add("toy.sum", "sum")
    for i in (2, 0):
        graph.connect(f"s{i}.count", "sum.numbers")
    graph.connect("s1.count", "sum.extra")
    run = launch.run(graph)
    assert output(run, "sum", "total") == 111


def test_a_bypassed_node_hands_on_what_it_gets() -> None:
    graph = small()
    graph.add("toy.same", "same")
    graph.connect("grow.number", "same.number")
    graph.bypass("grow")
    run = launch.run(graph)
    assert output(run, "same") == 2
    assert "grow" not in cached(run)


def test_a_bypass_without_stand_in_is_a_problem() -> None:
    graph = small()
    graph.bypass("start")
    with pytest.raises(DocumentError, match="no input can stand in"):
        launch.run(graph)


def test_problems_are_all_told_and_no_run_is_made() -> None:
    graph = small(steps=0)
    graph.set("start", y=1)
    with pytest.raises(DocumentError) as caught:
        launch.run(graph)
    assert 'no parameter "y"' in str(caught.value)
    assert "at least 1" in str(caught.value)
    assert not Workspace.current().runs.exists()


def test_a_rule_between_parameters_is_checked_before_the_run() -> None:
    graph = small()
    graph.add("toy.fail", "fail", how="none", batch=3)
    graph.connect("grow.number", "fail.number")
    with pytest.raises(DocumentError, match="batch must be even, so that pairs fit"):
        launch.run(graph)


def test_older_parameters_are_migrated() -> None:
    graph = small()
    old = graph.to_json()
    old["nodes"]["grow"] = {"type": "toy.grow", "version": 1, "params": {"rounds": 2}}
    run = launch.run(Graph.from_json(old))
    assert run.graph().nodes["grow"].params == {"steps": 2}
    assert run.graph().nodes["grow"].version == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("user", "The cheese is gone. Buy cheese."),
        ("bug", "An unexpected KeyError occurred: 'inner'."),
        ("memory", "8.0 GiB more were needed"),
        ("memory", "set batch to 32"),
        ("disk", "The disk is full at"),
        ("permission", 'No permission to write or read at "some file"'),
        ("import", "python -m pip install fretsaw_not_there"),
    ],
)
def test_a_failing_node_gets_one_sentence_and_the_rest_is_kept(how: str, words: str) -> None:
    graph = small()
    graph.add("toy.fail", "fail", how=how)
    graph.connect("grow.number", "fail.number")
    run = launch.run(graph)
    (failed,) = events_of(run, ev.NodeFailed)
    assert words in failed.error
    assert "\n" not in failed.error
    assert "Traceback" in (run.path / "log.txt").read_text()
    assert run.state() == "failed"
    assert run.result["error"].startswith("fail: ")
    assert cached(run) == {"start": False, "grow": False}
    graph.set("fail", how="none")
    again = launch.run(graph)
    assert cached(again) == {"start": True, "grow": True, "fail": False}


def test_a_stop_keeps_a_checkpoint_and_resume_ends_equal() -> None:
    plain = launch.run(small(steps=30))
    graph = small(steps=30, pause=0.02)
    run = launch.create(graph, Workspace.current())

    def stop_at_ten(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.step == 10:
            run.request_stop()

    launch.execute(run, on_event=stop_at_ten)
    assert run.state() == "cancelled"
    assert len(events_of(run, ev.Metric)) < 30
    assert launch.resume(run) == "finished"
    assert output(run, "grow") == output(plain, "grow")
    steps = [e.step for e in events_of(run, ev.Metric)]
    assert steps == list(range(30))


def test_stop_takes_effect_within_a_second() -> None:
    run = launch.create(small(steps=1000, pause=0.05), Workspace.current())
    asked = []

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and not asked:
            asked.append(event.t)
            run.request_stop()

    launch.execute(run, on_event=stop)
    (finished,) = events_of(run, ev.RunFinished)
    assert finished.status == "cancelled"
    assert finished.t - asked[0] < 1.5


def test_a_loop_that_is_over_is_not_repeated_after_a_stop() -> None:
    graph = Graph()
    graph.add("toy.start", "start")
    graph.add("toy.two_loops", "two", steps=8, pause=0.02)
    graph.connect("start.count", "two.number")
    run = launch.create(graph, Workspace.current())

    def stop_in_second(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.stage == "round1" and event.step == 1:
            run.request_stop()

    launch.execute(run, on_event=stop_in_second)
    assert launch.resume(run) == "finished"
    assert output(run, "two") == 17
    metrics = [(e.stage, e.step, e.values["x"]) for e in events_of(run, ev.Metric)]
    assert metrics == [(f"round{r}", i, 2 + 8 * r + i) for r in range(2) for i in range(8)]
    assert len(events_of(run, ev.Log)) == 2


def test_the_event_budget_holds_and_the_last_figure_survives() -> None:
    run = launch.run(small(steps=3000, mode="plus", every=100_000))
    metrics = events_of(run, ev.Metric)
    assert len(metrics) < 1000
    assert metrics[-1].step == 2999


def test_a_sweep_makes_the_product_of_the_values() -> None:
    graph = small()
    settings = launch.assignments(graph, ["grow.steps=2,4", "start.x=1.5", "grow.mode=plus,times"])
    named = [n for _, n in launch.variants(graph, settings)]
    assert len(named) == 4
    assert named[0] == {"grow.steps": 2, "start.x": 1.5, "grow.mode": "plus"}
    assert launch.assignments(graph, ["grow.steps=[1,2]"])[0][2] == [[1, 2]]
    quoted = launch.assignments(graph, ['start.x="a, b"', "start.x=zoo:net(a=1, b=2),zoo:net(a=2)"])
    assert [values for _, _, values in quoted] == [["a, b"], ["zoo:net(a=1, b=2)", "zoo:net(a=2)"]]
    with pytest.raises(DocumentError, match=r"node\.param=value"):
        launch.assignments(graph, ["grow=3"])
    with pytest.raises(DocumentError, match='Did you mean "grow"'):
        launch.assignments(graph, ["grew.steps=3"])


def test_gc_keeps_what_runs_use(monkeypatch) -> None:
    import shutil

    from backend.engine import store

    run = launch.run(small())
    gone = launch.run(small(x=7))
    shutil.rmtree(gone.path)
    assert collect().results == 0, "results of the last minutes stay"
    monkeypatch.setattr(store, "_TOUCHED_RECENTLY", -1.0)
    assert collect(dry_run=True).results == 2
    freed = collect()
    assert (freed.results, freed.kept) == (2, 2)
    assert freed.bytes > 0
    assert cached(launch.run(small())) == {"start": True, "grow": True}
    assert output(run, "grow") > 0
