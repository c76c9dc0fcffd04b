"""A tiny graph around each node: what it needs, with parameters that make it quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.core.graph import Graph
from tests.requirements import require

DIGITS = {"train_limit": 300}
NET = {"depth": 8, "width": 4}
EDIT = {
    "epochs": 1,
    "batch": 2,
    "crops": 4,
    "crop": 16,
    "adversarial": 1.0,
    "disc_layers": 1,
    "disc_width": 4,
}
GENERATE = {
    "preset": "resnet",
    "size": 32,
    "width": 4,
    "blocks": 1,
    "norm": "batch",
    "halvings": 1,
    "shuffle": 2,
}
TRAIN = {"epochs": 1, "batch": 32, "flip": False, "shift": 1}


@dataclass(frozen=True)
class Case:
    """How to try one kind of node."""

    params: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """For each input port, ``node.port`` of the base graph."""
    trains: bool = False
    """Has a loop of steps that can be stopped and resumed."""
    requires: str = ""
    """A component without which it is skipped, see :mod:`tests.requirements`."""


DATA, NETWORK, TRAINED = "data.data", "net.classifier", "train.classifier"
QUANTIZED, FILE = "f8net.classifier", "onnx.artifact"
PHOTOS = "photos.data"
GENERATOR, PAIRS = "generator.generator", "pairs.pairs"
BOTH = {"model": TRAINED, "data": DATA}

CAT = {
    "size": 32, "width": 4, "blocks": 1, "reduction": 2,
    "residual_kernels": "1,3", "depthwise_kernels": "3",
}  # fmt: skip
CAT_TEACHER = "cat_teacher.generator"

SPADE = {
    "width": 1, "upsampling": "normal", "reduction": 2, "spade_width": 8,
    "residual_kernels": "1", "depthwise_kernels": "",
}  # fmt: skip

E2GAN = {"preset": "own", "width": 2, "heads": 2, "size": 32}
E2GAN_EDIT = {**EDIT, "crops": 2, "small": 0.0, "shown": 1}
E2GAN_ADAPT = {**E2GAN_EDIT, "meter": False}
BASE, CONCEPTS, CONCEPT_PAIRS = "base.base", "concepts.concepts", "painted.pairs"

CASES: dict[str, Case] = {
    "cat.distill": Case(
        EDIT,
        {"student": "cat_shrink.generator", "teacher": CAT_TEACHER, "pairs": PAIRS},
        trains=True,
    ),
    "cat.plan": Case({"ratio": 0.5, "lower": 2}, {"model": CAT_TEACHER}),
    "cat.shrink": Case(links={"model": CAT_TEACHER, "plan": "cat_plan.plan"}),
    "cat.spade_teacher": Case(SPADE, {"pairs": "maps.pairs"}),
    "cat.teacher": Case(CAT),
    "cost.macs": Case(links={"model": NETWORK}),
    "cost.ort": Case({"seconds": 0.01}, {"model": NETWORK}),
    "cost.phone": Case({"file": "{phone}", "edit": "starry"}, {"artifact": FILE}),
    "data.cifar": Case({"folder": "{cifar}", "val_fraction": 0.2}),
    "data.digits": Case(DIGITS),
    "data.emoji": Case({"folder": "{emoji}"}),
    "data.fashion_mnist": Case({"source": "sample", "train_limit": 200}),
    "data.image_folder": Case({"folder": "{pictures}", "size": 16}),
    "data.label_pairs": Case({"folder": "{labels}", "size": 32}),
    "data.pairs": Case({"limit": 4}, {"photos": PHOTOS, "teacher": "style.generator"}),
    "data.pairs_by_prompt": Case(
        {"limit": 2, "structure": None, "prompts": "paint: make it a painting; night: at night"},
        {"photos": PHOTOS, "diffuser": "pipeline.diffuser"},
    ),
    "data.pairs_folder": Case({"folder": "{pairs}", "size": 16}),
    "data.photos": Case({"source": "bundled", "size": 32, "crops": 2}),
    "e2gan.adapt": Case(
        E2GAN_ADAPT,
        {"base": BASE, "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
        trains=True,
        requires="minilm",
    ),
    "e2gan.adapter": Case(),
    "e2gan.base": Case(
        E2GAN_EDIT,
        {"base": "e2gan.conceptbase", "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
        trains=True,
        requires="minilm",
    ),
    "e2gan.blend": Case(
        links={"first": "adapted.adapter", "second": "adapted.adapter"}, requires="minilm"
    ),
    "e2gan.concepts": Case(
        {"prompts": "snow: make it snow; snowy: let it snow; night: at night", "count": 2},
        requires="minilm",
    ),
    "e2gan.crucial": Case(
        {**E2GAN_EDIT, "crops": 1, "alone": False},
        {"base": BASE, "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
        trains=True,
        requires="minilm",
    ),
    "e2gan.generator": Case(E2GAN),
    "e2gan.load": Case({"preset": "folder", "folder": "{concept_base}"}),
    "e2gan.merge": Case(links={"base": BASE, "adapter": "adapted.adapter"}, requires="minilm"),
    "e2gan.ranks": Case(
        {**E2GAN_EDIT, "crops": 1, "budget_percent": 40.0, "most": 2, "parts": "up", "warm": True},
        {"base": BASE, "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
        trains=True,
        requires="minilm",
    ),
    "e2gan.subset": Case({"features": "pixels"}, {"pairs": PAIRS}),
    "e2gan.subset_photos": Case({"features": "pixels", "count": 4}, {"photos": PHOTOS}),
    "e2gan.tune": Case(
        {**E2GAN_EDIT, "begin": "scratch"},
        {"base": BASE, "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS, "goal": "adapted.adapter"},
        requires="minilm",
    ),
    "evaluate.artifact": Case(links={"artifact": FILE, "data": DATA}),
    "evaluate.classifier": Case(links=BOTH),
    "evaluate.images": Case({"kid": "off"}, {"model": GENERATOR, "pairs": PAIRS}),
    "evaluate.images_artifact": Case({"kid": "off"}, {"artifact": "edit.artifact", "pairs": PAIRS}),
    "export.concepts": Case(links={"base": BASE, "adapters": "adapted.adapter"}, requires="minilm"),
    "export.onnx": Case({"checked": 16}, BOTH),
    "export.qdq": Case({"checked": 16}, {"model": QUANTIZED, "data": DATA}),
    "model.generator": Case({"size": 32}),
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
    "teacher.diffusers": Case({"source": "{pipeline}", "steps": 2}),
    "teacher.onnx": Case({"file": "{image_onnx}"}),
    "teacher.style": Case({"style": 3}),
    "teacher.torch": Case(
        {"file": "{image_weights}", "builder": "zoo:cyclegan_generator(width=4, blocks=1)"}
    ),
    "teacher.vintagify": Case(requires="vintagify"),
    "train.classifier": Case(TRAIN, {"model": NETWORK, "data": DATA}, trains=True),
    "train.cyclegan": Case(
        {"epochs": 1, "batch": 2, "disc_layers": 1, "disc_width": 4, "pool": 3, "kid": "off"},
        {"model": GENERATOR, "a": PHOTOS, "b": PHOTOS},
        trains=True,
    ),
    "train.image_to_image": Case(EDIT, {"model": GENERATOR, "pairs": PAIRS}, trains=True),
    "train.spade": Case(
        {"epochs": 1, "batch": 2, "disc_layers": 1, "disc_width": 4},
        {"model": "spade.generator", "pairs": "maps.pairs"},
        trains=True,
    ),
}

_BASE = {
    "data": ("data.digits", DIGITS, {}),
    "net": ("model.resnet", NET, {"data": DATA}),
    "train": ("train.classifier", TRAIN, {"model": NETWORK, "data": DATA}),
    "f8net": ("quantize.f8net", {"epochs": 1, "batch": 32}, BOTH),
    "onnx": ("export.onnx", {"checked": 16}, BOTH),
    "generator": ("model.generator", GENERATE, {}),
    "pairs": ("data.pairs_folder", {"folder": "{pairs}", "size": 32}, {}),
    "maps": ("data.label_pairs", {"folder": "{labels}", "size": 32}, {}),
    "spade": ("cat.spade_teacher", SPADE, {"pairs": "maps.pairs"}),
    "photos": ("data.photos", {"source": "bundled", "size": 32, "crops": 2}, {}),
    "style": ("teacher.style", {"style": 3}, {}),
    "cat_teacher": ("cat.teacher", CAT, {}),
    "cat_plan": ("cat.plan", {"ratio": 0.5, "lower": 2}, {"model": CAT_TEACHER}),
    "cat_shrink": ("cat.shrink", {}, {"model": CAT_TEACHER, "plan": "cat_plan.plan"}),
    "e2gan": ("e2gan.generator", E2GAN, {}),
    "concepts": ("e2gan.concepts", {"prompts": "Style 3: a starry night in oil"}, {}),
    "painted": ("data.pairs", {"limit": 8}, {"photos": PHOTOS, "teacher": "style.generator"}),
    "base": (
        "e2gan.base",
        E2GAN_EDIT,
        {"base": "e2gan.conceptbase", "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
    ),
    "adapted": (
        "e2gan.adapt",
        E2GAN_ADAPT,
        {"base": BASE, "concepts": CONCEPTS, "pairs": CONCEPT_PAIRS},
    ),
    "pipeline": ("teacher.diffusers", {"source": "{pipeline}", "steps": 2}, {}),
    "eval": ("evaluate.classifier", {}, BOTH),
    "edit": ("export.onnx", {}, {"model": GENERATOR, "data": PAIRS}),
}


def graph_of(kind: str, files: dict[str, str], **more: Any) -> Graph:
    """Return a graph with a node ``it`` of the kind, and what it needs."""
    graph = Graph(kind)
    case = CASES[kind]
    if case.requires:
        require(case.requires)
    params = {key: _filled(value, files) for key, value in case.params.items()}
    graph.add(kind, "it", {**params, **more})
    for port, source in case.links.items():
        _need(graph, source.partition(".")[0], files)
        graph.connect(source, f"it.{port}")
    return graph


def _need(graph: Graph, name: str, files: dict[str, str]) -> None:
    if name in graph.nodes:
        return
    kind, params, links = _BASE[name]
    graph.add(kind, name, {key: _filled(value, files) for key, value in params.items()})
    for port, source in links.items():
        _need(graph, source.partition(".")[0], files)
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


def write_pairs(folder: Path, count: int = 8, size: tuple[int, int] = (24, 20)) -> Path:
    """Write ``A`` and ``B``, the second with its colours inverted."""
    dice = np.random.default_rng(1)
    for side in ("A", "B"):
        (folder / side).mkdir(parents=True)
    for i in range(count):
        pixels = dice.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "A" / f"{i}.png")
        Image.fromarray(255 - pixels).save(folder / "B" / f"{i}.png")
    return folder


def write_labels(folder: Path, count: int = 12, size: int = 32) -> Path:
    """Write label maps of three classes in ``A``, and a picture of each in ``B``."""
    dice = np.random.default_rng(2)
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]], np.uint8)
    for side in ("A", "B"):
        (folder / side).mkdir(parents=True)
    for i in range(count):
        coarse = dice.integers(0, 3, (size // 8, size // 8), dtype=np.uint8)
        labels = np.kron(coarse, np.ones((8, 8), np.uint8))
        Image.fromarray(labels).save(folder / "A" / f"{i}.png")
        Image.fromarray(colours[labels]).save(folder / "B" / f"{i}.png")
    return folder


PYTHON_NETWORK = '''"""A network of my own."""

from torch import nn


def make_network(width: int) -> nn.Module:
    """Return a small network."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * width, 10)
    )
'''
