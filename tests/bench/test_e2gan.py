"""The benchmark of adapters: its graphs open, its arms differ in what they are to show alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.bench import e2gan
from backend.bench.pictures import l1_on_test
from backend.core.catalog import current
from backend.core.graph import Graph
from backend.data.pairs import Pair, PairsManifest
from backend.data.preprocess import ImageInput
from backend.engine.plan import checked
from backend.models.recipe import Recipe
from backend.values import Generator, Pairs
from tests.methods.test_image_to_image import write_picture


def graphs(source: str = "bundled", style: int = 22) -> list[Graph]:
    return [make(source, style, 1) for make in (e2gan.patient_graph, e2gan.quick_graph)]


@pytest.mark.parametrize("source", ["gcompris", "bundled"])
@pytest.mark.parametrize("style", e2gan.PROMPTS)
def test_its_graphs_open_without_problems(source: str, style: int) -> None:
    for graph in graphs(source, style):
        assert checked(graph, current())[1] == []


def test_the_arms_do_equally_many_steps_and_scratch_may_take_longer() -> None:
    patient, quick = graphs()
    epochs = {n: node.params["epochs"] for g in (patient, quick) for n, node in g.nodes.items()
              if "epochs" in node.params}  # fmt: skip
    once = epochs["lora"]
    assert epochs == {
        "lora": once,
        "scratch_long": e2gan.PATIENCE * once,
        "lora_uniform": once,
        "full": once,
        "scratch": once,
        "half_clustered": 2 * once,
        "half_random": 2 * once,
    }
    differing = {"epochs", "lr", "rank", "parts", "begin", "meter"}
    rest = [{k: v for k, v in node.params.items() if k not in differing}
            for g in (patient, quick) for n, node in g.nodes.items() if n in epochs]  # fmt: skip
    assert all(one == rest[0] for one in rest)


def test_no_held_out_style_is_one_that_the_base_or_the_ranks_know() -> None:
    known = Graph.load(e2gan.BASE / "graph.json")
    styles = {n.params["style"] for n in known.nodes.values() if n.type == "teacher.style"}
    searched = Graph.load(e2gan.BASE / "ranks_graph.json")
    styles |= {n.params["style"] for n in searched.nodes.values() if n.type == "teacher.style"}
    assert not styles & set(e2gan.PROMPTS)


def test_l1_is_of_the_test_pairs_alone_on_a_scale_of_one(tmp_path) -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    made = []
    for i, (split, level) in enumerate([("train", 255), ("test", 51), ("test", 0)]):
        entries = [write_picture(one, tmp_path) for one in (black + i, black + level)]
        made.append(Pair(*entries, split=split, concept="grey", photo=i))
    pairs = Pairs(PairsManifest("grey", (16, 16), tuple(made)))

    class Black(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, -1.0)

    model = Generator(Recipe(""), Black(), ImageInput(3, 16, 16, (0.5,) * 3, (0.5,) * 3), "black")
    assert l1_on_test(model, pairs) == pytest.approx((51 / 255 + 0) / 2)
