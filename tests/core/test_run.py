from __future__ import annotations

import math
import multiprocessing
import time

import pytest

from backend.core import events as ev
from backend.core.errors import BusyError, DocumentError
from backend.core.graph import Graph
from backend.core.run import Run, all_runs
from backend.core.views import Bars, parse_payload, read_payload, write_payload


@pytest.fixture
def run() -> Run:
    return Run.create(Graph("My graph!"))


def test_names_never_collide() -> None:
    names = {Run.create(Graph("a b")).name for _ in range(3)}
    assert len(names) == 3
    assert {r.name for r in all_runs()} == names


def test_events_round_trip_with_odd_numbers(run) -> None:
    values = {"a": 0.1 + 0.2, "b": math.inf, "c": math.nan}
    run.append(ev.Metric(node="n", step=3, values=values))
    run.append(ev.View(node="n", view="bars", data=Bars(labels=["x"], groups={"g": [1.5]})))
    metric, view = run.events()
    assert metric.values["a"] == 0.1 + 0.2
    assert metric.values["b"] == math.inf
    assert math.isnan(metric.values["c"])
    assert view.data.groups == {"g": [1.5]}


def test_tail_leaves_half_a_line_for_later(run) -> None:
    run.append(ev.Log(text="one"))
    whole = ev.to_line(ev.Log(text="two")).encode()
    path = run.path / "events.jsonl"
    with open(path, "ab") as file:
        file.write(whole[:10])
    found, seen = run.tail()
    assert [e.text for e in found] == ["one"]
    with open(path, "ab") as file:
        file.write(whole[10:] + b"\n")
    found, seen = run.tail(seen)
    assert [e.text for e in found] == ["two"]
    assert run.tail(seen) == ([], seen)


def test_a_torn_line_and_a_foreign_one_are_skipped(run) -> None:
    run.append(ev.Log(text="one"))
    run.close()
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"kind":"from_the_future","x":1}\n{"kind":"log","te')
    again = Run(run.path)
    again.append(ev.Log(text="two"))
    assert [e.text for e in again.events()] == ["one", "two"]


def test_a_resume_undoes_what_came_after_the_checkpoint(run) -> None:
    for seq in range(1, 6):
        run.append(ev.Metric(node="a", step=seq, values={"x": seq}, seq=seq))
    run.append(ev.Metric(node="b", step=9, values={"x": 9}, seq=9))
    run.append(ev.Resumed(node="a", step=3, seq=3))
    run.append(ev.Metric(node="a", step=4, values={"x": 40}, seq=4))
    kept = [(e.node, e.values["x"]) for e in run.events() if isinstance(e, ev.Metric)]
    assert kept == [("a", 1), ("a", 2), ("a", 3), ("b", 9), ("a", 40)]


def test_open_finds_by_part_of_the_name_and_last(run) -> None:
    other = Run.create(Graph("second"))
    assert Run.open("my-graph").path == run.path
    assert Run.open("last").path == other.path
    assert Run.open(run.path).path == run.path
    with pytest.raises(DocumentError, match="no run"):
        Run.open("nothing")
    Run.create(Graph("second"))
    with pytest.raises(DocumentError, match="could be any of"):
        Run.open("second")


def _hold(path: str, ready, release) -> None:
    lock = Run(path).lock()
    ready.set()
    release.wait(30)
    lock.release()


def test_liveness_is_the_lock_and_dies_with_the_process(run) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(run.path), ready, release))
    process.start()
    assert ready.wait(30)
    assert run.is_alive()
    assert run.state() == "running"
    run.request_stop()
    assert run.state() == "cancelling"
    with pytest.raises(BusyError, match="another process"):
        run.lock()
    process.kill()
    process.join()
    assert not run.is_alive()
    run.append(ev.Log(text="x"))
    assert run.state() == "crashed"
    run.lock().release()


def test_twenty_thousand_events_read_back(run) -> None:
    lines = [
        ev.to_line(ev.Metric(node="n", step=i, values={"loss": 1 / (i + 1), "lr": 0.1}, seq=i))
        for i in range(20_000)
    ]
    (run.path / "events.jsonl").write_text("\n".join(lines) + "\n")
    began = time.perf_counter()
    events = run.events()
    print(f"{time.perf_counter() - began:.3f} s")
    assert len(events) == 20_000
    assert events[-1].step == 19_999


def test_payloads_are_checked_by_kind(tmp_path) -> None:
    with pytest.raises(ValueError, match="kind"):
        parse_payload({"kind": "unheard", "x": 1})
    with pytest.raises(ValueError, match="labels"):
        parse_payload({"kind": "bars", "groups": {}})
    payload = Bars(labels=["a"] * 5000, groups={"g": [math.pi] * 5000})
    write_payload(tmp_path / "v" / "x.json.gz", payload)
    assert read_payload(tmp_path / "v" / "x.json.gz") == payload
