"""Kill the process at random moments: nothing is lost and the result is equal, bit for bit."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest

from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from tests.fakes import backend, call

pytestmark = pytest.mark.usefixtures("toy")


def training(pause: float) -> Graph:
    graph = Graph("kill")
    graph.add("toy.train", "train", steps=60, every=7, pause=pause)
    return graph


def outcome(run: Run) -> tuple[dict, list]:
    key = json.loads((run.node_folder("train") / "outputs.json").read_text())["fingerprint"]
    folder = Workspace.current().store / key / "weights"
    weights = json.loads((folder / "weights.json").read_text())
    metrics = [(e.step, e.values["loss"]) for e in run.events() if isinstance(e, ev.Metric)]
    return weights, metrics


def wait_for_step(run: Run, step: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(isinstance(e, ev.Metric) and e.step >= step for e in run.tail()[0]):
            return
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not reached")


def test_killed_training_resumes_bit_equal() -> None:
    plain = launch.run(training(0.0), threads=1)
    run = launch.create(training(0.01), Workspace.current(), threads=1)
    dice = random.Random(3)
    kills = 0
    for low in (2, 20, 40):
        process = backend("run", str(run.path))
        wait_for_step(run, low + dice.randrange(12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        assert run.state() == "crashed"
    code, _, err = call("resume", run.name)
    assert code == 0, err
    assert kills == 3
    assert outcome(run) == outcome(plain)


def test_interrupt_stops_with_a_checkpoint_and_says_how_to_go_on() -> None:
    run = launch.create(training(0.05), Workspace.current())
    # What a shell starts in the background ignores interrupts, and hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = backend("run", str(run.path))
    signal.signal(signal.SIGINT, before)
    wait_for_step(run, 3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 5
    assert "resume" in out
    assert run.state() == "cancelled"
    assert call("resume", "last", "--quiet")[0] == 0
    assert outcome(run)[1][-1][0] == 59


def test_two_processes_on_one_run_and_the_queue() -> None:
    run = launch.create(training(0.3), Workspace.current())
    process = backend("run", str(run.path))
    wait_for_step(run, 1)
    with pytest.raises(Exception, match="already being computed"):
        run.lock()
    other = launch.create(training(0.04), Workspace.current())
    second = backend("run", str(other.path))
    time.sleep(2)
    assert not other.is_alive(), "it queues behind the first"
    other.request_stop()
    second.communicate(timeout=30)
    assert second.returncode == 5
    assert other.state() == "cancelled"
    call("stop", run.name)
    process.communicate(timeout=30)
    assert run.state() == "cancelled"
