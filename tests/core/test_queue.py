"""The line of waiting runs: who is first, who is dead, who was called off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.core.errors import BusyError, Stopped
from backend.core.graph import Graph
from backend.core.queue import Queue
from backend.core.run import Run
from backend.core.workspace import Workspace

HOLD = """
import sys, time
from backend.core.run import Run
run = Run(sys.argv[1])
run.wait()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.current()


@pytest.fixture
def queue(workspace: Workspace) -> Queue:
    return Queue(workspace)


@pytest.fixture
def runs(workspace: Workspace) -> list[Run]:
    return [Run.create(Graph(name), workspace) for name in ("a", "b", "c")]


def names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs]


def waiting_elsewhere(run: Run) -> subprocess.Popen[str]:
    """Let another process wait with ``run``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_first_to_join_is_the_first(queue: Queue, runs: list[Run]) -> None:
    for run in runs:
        queue.join(run)
    assert queue.order() == names(runs)
    queue.join(runs[0])
    assert queue.order() == names(runs), "who joins twice keeps the place"
    queue.leave(runs[1])
    assert queue.order() == [runs[0].name, runs[2].name]
    queue.leave(runs[1])
    assert runs[1].state() == "queued", "nobody has begun it"


def test_places_can_be_changed(queue: Queue, runs: list[Run]) -> None:
    for run in runs:
        queue.join(run)
    a, b, c = names(runs)
    queue.move(c, 0)
    assert queue.order() == [c, a, b]
    queue.move("no such run", 0)
    queue.reorder([b, "no such run", b])
    assert queue.order() == [b, c, a]


def test_the_turn_is_that_of_the_first_one(queue: Queue, runs: list[Run]) -> None:
    told = []
    with queue.turn(runs, lambda: told.append("waits")) as first:
        assert first is runs[0]
        assert queue.order() == names(runs[1:]), "who computes waits no more"
        queue.reorder([runs[2].name])
    with queue.turn(runs[1:]) as second:
        assert second is runs[2]
    assert told == []


def test_who_waits_in_another_process_comes_first(queue: Queue, runs: list[Run]) -> None:
    process = waiting_elsewhere(runs[0])
    queue.path.write_text(json.dumps([runs[0].name]))
    told = []

    def end() -> None:
        told.append(queue.order())
        process.kill()
        process.wait()

    with queue.turn([runs[1]], end) as found:
        assert found is runs[1]
    assert told == [names(runs[:2])]
    assert queue.names() == [], "the dead one was dropped"


def test_two_processes_cannot_wait_with_one_run(queue: Queue, runs: list[Run]) -> None:
    process = waiting_elsewhere(runs[0])
    try:
        assert Run(runs[0].path).state() == "queued"
        with pytest.raises(BusyError, match="already"):
            queue.join(runs[0])
    finally:
        process.kill()
        process.wait()


def test_called_off_while_it_waits(queue: Queue, runs: list[Run]) -> None:
    other = Queue(queue.workspace)
    with (
        queue.turn(runs[:1]),
        pytest.raises(Stopped),
        other.turn(runs[1:2], lambda: queue.cancel(runs[1])),
    ):
        raise AssertionError("its turn never comes")
    assert runs[1].state() == "cancelled"
    assert runs[1].result["status"] == "cancelled"
    assert queue.order() == []


def test_one_of_a_sweep_called_off_leaves_the_others(queue: Queue, runs: list[Run]) -> None:
    runs[0].request_stop()
    with queue.turn(runs) as found:
        assert found is runs[1]
    assert runs[0].state() == "cancelled"
    assert runs[2].state() == "queued"


def test_a_resumed_run_that_waits_is_queued_and_keeps_its_figures(
    queue: Queue, runs: list[Run]
) -> None:
    run = runs[0]
    (run.path / "events.jsonl").write_text("")
    result = {"status": "failed", "error": "x: no", "metrics": {"x": {}}, "seconds": 3.0}
    (run.path / "result.json").write_text(json.dumps(result))
    assert run.state() == "failed"
    queue.join(run)
    assert Run(run.path).state() == "queued"
    queue.cancel(Run(run.path))
    assert Run(run.path).state() == "cancelling"
    with pytest.raises(Stopped), queue.turn([run]):
        raise AssertionError("its turn never comes")
    assert run.result == {**result, "status": "cancelled", "error": ""}


def test_a_run_without_process_is_cancelled_at_once_but_not_a_finished_one(
    queue: Queue, runs: list[Run]
) -> None:
    queue.cancel(runs[0])
    assert runs[0].state() == "cancelled"
    (runs[1].path / "result.json").write_text('{"status": "finished"}')
    queue.cancel(runs[1])
    assert runs[1].state() == "finished"


def test_nothing_starts_while_the_queue_is_paused(queue: Queue, runs: list[Run]) -> None:
    queue.pause()
    assert queue.is_paused
    told = []

    def go_on() -> None:
        told.append(queue.order())
        queue.resume()

    with queue.turn(runs[:1], go_on):
        assert told == [names(runs[:1])]
    queue.resume()
    assert not queue.is_paused


@pytest.mark.parametrize("content", ["", "{}", '["a", 3, "a"]', "[", "\x00"])
def test_a_damaged_file_loses_no_run(queue: Queue, runs: list[Run], content: str) -> None:
    queue.join(runs[0])
    queue.path.write_text(content)
    with queue.turn(runs[:1]) as found:
        assert found is runs[0]


def test_a_run_from_elsewhere_waits_like_any_other(
    queue: Queue, runs: list[Run], tmp_path: Path
) -> None:
    elsewhere = Run.create(Graph("far"), Workspace(tmp_path / "other"))
    queue.join(elsewhere)
    queue.join(runs[0])
    assert queue.order() == [str(elsewhere.path), runs[0].name]


def test_the_lock_of_the_run_ends_the_waiting(queue: Queue, runs: list[Run]) -> None:
    with queue.turn(runs[:1]) as run:
        assert Run(run.path).state() == "queued"
        lock = run.lock()
        assert Run(run.path).state() == "running"
        lock.release()
        assert Run(run.path).state() == "queued", "no events and no result"
    assert not run.is_waiting()
