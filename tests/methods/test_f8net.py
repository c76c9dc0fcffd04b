"""The published recipes of F8Net through its node."""

from __future__ import annotations

import json
import time

import torch

from backend.core import events as ev
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from backend.engine.store import Store
from backend.quant.f8net import F8Net
from tests.methods.graphs import graph_of


def network_of(run: Run) -> F8Net:
    link = json.loads((run.node_folder("it") / "outputs.json").read_text())
    module = Store(Workspace.current().store).load(link["fingerprint"], "classifier").module
    assert isinstance(module, F8Net)
    return module


def test_clip_only_training_comes_first_and_stops_and_resumes_equal(files) -> None:
    graph = graph_of("quantize.f8net", files, clip_only_epochs=2, epochs=2)
    plain = launch.run(graph, threads=1, force=["it"])
    expected = network_of(plain).state_dict()
    run = launch.create(graph, Workspace.current(), threads=1, settings={"force": ["it"]})

    def stop_in_the_second(event: ev.Event) -> None:
        is_there = isinstance(event, ev.Metric) and event.stage == "fixed point" and event.step >= 3
        if is_there and not run.stop_requested():
            run.request_stop()
            time.sleep(0.3)  # a stop is looked for four times a second; few steps are left

    launch.execute(run, force=["it"], on_event=stop_in_the_second)
    assert run.state() == "cancelled"
    assert launch.resume(run) == "finished"
    found = network_of(run).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    stages = {e.stage for e in run.events() if isinstance(e, ev.Metric) and e.node == "it"}
    assert stages == {"clip only", "fixed point"}
    assert network_of(run).mode == "quantize"


def test_a_learning_rate_of_zero_moves_statistics_and_formats_only(files) -> None:
    graph = graph_of("quantize.f8net", files, lr=0, mode="fine_tune", keep="last")
    trained = network_of(launch.run(graph, threads=1))
    graph.set("it", epochs=0, bn_calibration=1)
    calibrated = network_of(launch.run(graph, threads=1))
    pairs = zip(trained.named_parameters(), calibrated.parameters(), strict=True)
    assert all(torch.equal(one, two) for (_, one), two in pairs)
    buffers = zip(trained.buffers(), calibrated.buffers(), strict=True)
    assert any(not torch.equal(one, two) for one, two in buffers)


def test_options_reach_the_network(files) -> None:
    graph = graph_of("quantize.f8net", files, bits=4, fl_range="legal", octaves=False)
    network = network_of(launch.run(graph, threads=1))
    assert network.options.fl_range == "legal"
    assert all(float(network.quantizer(name).octave) == 0 for name in network.readers)
    for row in network.formats():
        assert 0 <= row["weight"]["fraction"] <= 3
