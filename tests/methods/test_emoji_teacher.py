"""The kept teacher of emoji: what it says of itself, and the first steps of its training again."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import torch

from backend.bench.cat import EMOJI_TEACHER
from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from backend.data import emoji
from backend.engine import launch
from backend.values import Generator
from tests.requirements import require

ABOUT = json.loads((EMOJI_TEACHER / "about.json").read_text())


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in EMOJI_TEACHER.iterdir()) <= 3_000_000
    graph = Graph.load(EMOJI_TEACHER / "graph.json")
    assert graph.seed == ABOUT["seed"]
    assert ABOUT["data"] == {package.archive: package.sha256 for package in emoji.PACKAGES}
    facts = Generator.load(EMOJI_TEACHER).facts
    assert facts["epochs"] == graph.nodes["train"].params["epochs"]
    assert facts["val_psnr"] > facts["val_psnr_identity"] + 1


def test_its_scales_are_those_of_a_trained_network() -> None:
    model = Generator.load(EMOJI_TEACHER)
    norms = [p for p in model.module.modules() if isinstance(p, torch.nn.BatchNorm2d)]
    scales = np.concatenate([norm.weight.detach().abs().numpy() for norm in norms])
    assert scales.std() > 0.02, "new ones have a deviation of 0.02"


def test_the_first_steps_of_its_training_give_the_same_figures() -> None:
    require("emoji")
    folder = os.environ["FRETSAW_EMOJI"]
    for package in emoji.PACKAGES:
        with open(os.path.join(folder, package.archive), "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == package.sha256
    graph = Graph.load(EMOJI_TEACHER / "graph.json")
    graph.set("emoji", folder=folder)
    run = launch.create(graph, Workspace.current(), threads=1)
    wanted, found = ABOUT["first_steps"], []

    def look(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.node == "train" and "loss" in event.values:
            found.append(event.values)
            if len(found) == len(wanted):
                run.request_stop()

    launch.execute(run, on_event=look)
    assert run.state() == "cancelled"
    assert len(wanted) >= 5
    for mine, kept in zip(found, wanted, strict=False):
        assert {name: mine[name] for name in kept} == pytest.approx(kept, rel=1e-3, abs=1e-4)
