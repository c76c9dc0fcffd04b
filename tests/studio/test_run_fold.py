"""The fold keeps what counts: the same as the core's own rule, in bounded space."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core import events as ev
from backend.core.run import Run
from studio.run_fold import MOST_LOGS, MOST_VIEWS, RunFold

DATA = Path(__file__).parent.parent / "data"
nodes = st.sampled_from(["a", "b"])
seqs = st.integers(0, 12)
numbers = st.floats(-5, 5)
events = st.one_of(
    st.builds(
        ev.Metric,
        node=nodes,
        seq=seqs,
        step=st.integers(0, 9),
        values=st.dictionaries(st.sampled_from(["x", "y"]), numbers, max_size=2),
        stage=st.sampled_from(["", "round0"]),
    ),
    st.builds(
        ev.View,
        node=nodes,
        seq=seqs,
        view=st.sampled_from(["lines", "bars"]),
        name=st.sampled_from(["", "n"]),
        step=st.integers(0, 9),
    ),
    st.builds(ev.Image, node=nodes, seq=seqs, name=st.just("i"), path=st.just("p")),
    st.builds(ev.Snapshot, node=nodes, seq=seqs, path=st.just("p"), step=st.integers(0, 9)),
    st.builds(
        ev.Log,
        node=st.sampled_from(["", "a", "b"]),
        seq=seqs,
        level=st.sampled_from(["info", "warning"]),
        text=st.sampled_from(["one", "two"]),
    ),
    st.builds(ev.Resumed, node=nodes, step=st.integers(0, 9), seq=seqs),
    st.builds(ev.Progress, node=nodes, done=st.integers(0, 9), total=st.just(9)),
    st.builds(ev.NodeStarted, node=nodes),
    st.builds(ev.NodeFinished, node=nodes, seconds=st.just(1.0), cached=st.booleans()),
    st.builds(ev.NodeFailed, node=nodes, error=st.just("no")),
    st.builds(
        ev.RunStarted,
        seed=st.just(0),
        device=st.just("cpu"),
        threads=st.just(1),
        nodes=st.just(["a", "b"]),
    ),
    st.builds(ev.RunFinished, status=st.sampled_from(["finished", "failed", "cancelled"])),
)


@given(st.lists(events, max_size=60), st.integers(1, 7))
def test_keeps_exactly_what_counts(happened: list[ev.Event], piece: int) -> None:
    fold = RunFold()
    for start in range(0, len(happened), piece):
        fold.feed(happened[start : start + piece])
    series, views = defaultdict(list), defaultdict(list)
    kept = ev.without_undone(happened)
    for event in kept:
        if isinstance(event, ev.Metric):
            for name, value in event.values.items():
                key = (event.node, f"{event.stage}/{name}" if event.stage else name)
                series[key].append((event.step, value))
        elif isinstance(event, ev.View):
            views[event.node, event.view, event.name].append(event)
    folded = {k: list(zip(p.steps, p.values, strict=True)) for k, p in fold.series.items()}
    assert {key: points for key, points in folded.items() if points} == series
    assert fold.views == views
    assert fold.images == [e for e in kept if isinstance(e, ev.Image)]
    assert fold.logs == [e for e in kept if isinstance(e, ev.Log)]
    for name, node in fold.nodes.items():
        warned = [e.text for e in fold.logs if e.node == name and e.level == "warning"]
        assert node.warnings == warned


@given(
    st.lists(events, max_size=40),
    st.sampled_from(["queued", "running", "cancelling", "finished", "failed", "cancelled"]),
)
def test_node_states_agree_with_that_of_the_run(happened: list[ev.Event], state: str) -> None:
    fold = RunFold()
    fold.set_state(state)
    fold.feed(happened)
    states = {node.state for node in fold.nodes.values()}
    ended = {"done", "cached", "warning", "failed"}
    possible = {
        "queued": {"queued"},
        "running": {"idle", "queued", "running", "cancelled"},
        "cancelling": {"idle", "queued", "cancelling", "cancelled"},
        "finished": {"idle", "cancelled"},
        "failed": {"idle", "cancelled"},
        "cancelled": {"idle", "cancelled"},
    }
    assert states <= ended | possible[state]


def test_a_real_run() -> None:
    happened = Run(DATA / "run").tail()[0]
    fold = RunFold()
    fold.feed(happened)
    fold.set_state("finished")
    assert fold.status == "finished"
    assert fold.fraction == 1.0
    assert fold.current == ""
    assert set(fold.nodes["train"].__dict__) >= {"state", "done", "total", "eta", "stage"}
    assert (fold.nodes["train"].state, fold.nodes["train"].percent) == ("done", 100.0)
    warned = {e.node for e in happened if isinstance(e, ev.Log) and e.level == "warning"}
    for name, node in fold.nodes.items():
        assert node.state == ("warning" if name in warned else "done"), name
    assert len(fold.series["train", "loss"]) == len(
        [
            e
            for e in happened
            if isinstance(e, ev.Metric) and e.node == "train" and "loss" in e.values
        ]
    )
    result = Run(DATA / "run").result
    last = result["metrics"]["train"]["val_top1"]["last"]
    assert fold.series["train", "val_top1"].at(1e9) == last
    assert fold.series["train", "val_top1"].at(-1) is None
    assert fold.seconds == pytest.approx(result["seconds"], abs=0.01)
    assert fold.versions["torch"].startswith("2.")


def test_a_crash_and_what_follows() -> None:
    begun = [
        ev.RunStarted(t=10, seed=3, device="cpu", threads=2, nodes=["a", "b", "c"]),
        ev.NodeFinished(t=11, node="a", seconds=1, cached=True),
        ev.NodeStarted(t=11, node="b"),
        ev.Progress(t=12, node="b", done=3, total=6, eta=4.0, stage="round0"),
    ]
    fold = RunFold()
    fold.set_state("running")
    fold.feed(begun)
    assert [n.state for n in fold.nodes.values()] == ["cached", "running", "queued"]
    assert (fold.nodes["b"].percent, fold.nodes["b"].eta) == (50.0, 4.0)
    assert fold.current == "b"
    fold.set_state("cancelling")
    assert fold.nodes["b"].state == "cancelling"
    fold.set_state("crashed")
    assert [n.state for n in fold.nodes.values()] == ["cached", "crashed", "idle"]
    fold.set_state("queued")
    assert [n.state for n in fold.nodes.values()] == ["cached", "queued", "queued"]
    fold.set_state("running")
    fold.feed([ev.RunStarted(t=20, seed=3, device="cpu", threads=2, nodes=["a", "b", "c"])])
    assert {n.state for n in fold.nodes.values()} == {"queued"}
    fold.feed([ev.NodeStarted(t=21, node="b"), ev.NodeFailed(t=22, node="b", error="No.")])
    fold.feed([ev.RunFinished(t=23, status="failed", seconds=3)])
    assert fold.error == "b: No."
    assert (fold.attempts, fold.nodes["b"].attempt, fold.seconds, fold.started) == (2, 2, 3, 10)


def test_it_stays_small() -> None:
    fold = RunFold()
    views = [ev.View(node="a", view="lines", seq=i, step=i) for i in range(5_000)]
    fold.feed(views)
    kept = fold.views["a", "lines", ""]
    assert len(kept) <= MOST_VIEWS
    assert (kept[0], kept[-1]) == (views[0], views[-1])
    assert kept == sorted(kept, key=lambda view: view.seq)
    fold.feed([ev.Log(text=str(i)) for i in range(2 * MOST_LOGS)])
    assert len(fold.logs) <= MOST_LOGS
    assert fold.logs[-1].text == str(2 * MOST_LOGS - 1)


def test_whoever_holds_the_arrays_sees_them_cut() -> None:
    fold = RunFold()
    fold.feed([ev.Metric(node="a", step=i, seq=i, values={"x": i}) for i in range(5)])
    points = fold.series["a", "x"]
    steps = points.steps
    fold.feed([ev.Resumed(node="a", step=2, seq=2)])
    assert list(steps) == [0, 1, 2]
    assert fold.series["a", "x"] is points
    assert points.cuts == 1


def test_a_file_gone_wrong_stops_nothing() -> None:
    fold = RunFold()
    for step, seq in ((10**400, 0), (1, 10**30)):  # no such event can be read or made
        line = f'{{"kind":"metric","node":"a","step":{step},"seq":{seq},"values":{{"x":1.0}}}}'
        assert ev.parse_line(line) is None
        odd = {"node": "a", "step": step, "seq": seq, "values": {"x": 1.0}, "stage": "", "t": 0.0}
        fold.feed([ev.Metric.model_construct(**odd)])
    fold.feed([ev.Metric(node="a", step=2, seq=1, values={"x": float("nan")})])
    assert list(fold.series["a", "x"].steps) == [2]
