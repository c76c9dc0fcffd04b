"""A tiny graph around each node: what it needs, with parameters that make it quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.core.graph import Graph

DIGITS = {"train_limit": 300}
NET = {"depth": 8, "width": 4}
TRAIN = {"epochs": 1, "batch": 32, "flip": False, "shift": 1}


@dataclass(frozen=True)
class Case:
    """How to try one kind of node."""

    params: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """For each input port, ``node.port`` of the base graph."""
    trains: bool = False
    """Has a loop of steps that can be stopped and resumed."""


DATA, NETWORK, TRAINED = "data.data", "net.classifier", "train.classifier"
QUANTIZED, FILE = "f8net.classifier", "onnx.artifact"
BOTH = {"model": TRAINED, "data": DATA}

CASES: dict[str, Case] = {
    "cost.macs": Case(links={"model": NETWORK}),
    "cost.ort": Case({"seconds": 0.01}, {"model": NETWORK}),
    "data.cifar": Case({"folder": "{cifar}", "val_fraction": 0.2}),
    "data.digits": Case(DIGITS),
    "data.fashion_mnist": Case({"source": "sample", "train_limit": 200}),
    "data.image_folder": Case({"folder": "{pictures}", "size": 16}),
    "evaluate.artifact": Case(links={"artifact": FILE, "data": DATA}),
    "evaluate.classifier": Case(links=BOTH),
    "export.onnx": Case({"checked": 16}, BOTH),
    "export.qdq": Case({"checked": 16}, {"model": QUANTIZED, "data": DATA}),
    "model.load": Case(
        {"file": "{weights}", "builder": "zoo:resnet(depth=8, width=4, in_channels=1)"},
        {"data": DATA},
    ),
    "model.mobilenet": Case({"width": 0.25}, {"data": DATA}),
    "model.onnx": Case({"file": "{onnx}"}, {"data": DATA}),
    "model.pretrained": Case({"source": "{hub}", "size": 32}, {"data": DATA}),
    "model.python": Case({"file": "{python}", "arguments": '{"width": 3}'}, {"data": DATA}),
    "model.resnet": Case(NET, {"data": DATA}),
    "model.vgg": Case({"channels": 1, "size": 32}),
    "profile": Case({"seconds": 0.05}, {"model": TRAINED}),
    "quantize.f8net": Case({"epochs": 1, "batch": 32}, BOTH, trains=True),
    "quantize.po2": Case({}, BOTH),
    "report.compare": Case(links={"reports": "eval.report"}),
    "train.classifier": Case(TRAIN, {"model": NETWORK, "data": DATA}, trains=True),
}

_BASE = {
    "data": ("data.digits", DIGITS, {}),
    "net": ("model.resnet", NET, {"data": DATA}),
    "train": ("train.classifier", TRAIN, {"model": NETWORK, "data": DATA}),
    "f8net": ("quantize.f8net", {"epochs": 1, "batch": 32}, BOTH),
    "onnx": ("export.onnx", {"checked": 16}, BOTH),
    "eval": ("evaluate.classifier", {}, BOTH),
}


def graph_of(kind: str, files: dict[str, str], **more: Any) -> Graph:
    """Return a graph with a node ``it`` of the kind, and what it needs."""
    graph = Graph(kind)
    case = CASES[kind]
    params = {key: _filled(value, files) for key, value in case.params.items()}
    graph.add(kind, "it", {**params, **more})
    for port, source in case.links.items():
        _need(graph, source.partition(".")[0])
        graph.connect(source, f"it.{port}")
    return graph


def _need(graph: Graph, name: str) -> None:
    if name in graph.nodes:
        return
    kind, params, links = _BASE[name]
    graph.add(kind, name, params)
    for port, source in links.items():
        _need(graph, source.partition(".")[0])
        graph.connect(source, f"{name}.{port}")


def _filled(value: Any, files: dict[str, str]) -> Any:
    """Put a path in the place of ``{name}``; other braces, as in JSON, are left alone."""
    if isinstance(value, str) and value.strip("{}") in files:
        return files[value.strip("{}")]
    return value


def write_pictures(folder: Path) -> None:
    """Write 3 classes of 8 small pictures."""
    dice = np.random.default_rng(0)
    for name in ("ant", "bee", "cat"):
        (folder / name).mkdir(parents=True)
        for i in range(8):
            pixels = dice.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


PYTHON_NETWORK = '''"""A network of my own."""

from torch import nn


def make_network(width: int) -> nn.Module:
    """Return a small network."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * width, 10)
    )
'''
