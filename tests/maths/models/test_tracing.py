"""Tracing: the same values as a graph, and refusals that say where and why."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from backend.models.tracing import TracingError, trace


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class AsksForShape(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((3, 1, 1), 2.0))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != 3 or len(x) == 0 or x.dim() != 4:
            raise ValueError("three channels are needed")
        half = int(x.size(2)) // 2
        return self.norm(x[:, :, :half] * self.scale).flatten(1)


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return sum(row.square() for row in x)


class Reads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * int(x.max())


def nested(inner: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Identity(), nn.ModuleDict({"a": inner})["a"], nn.ReLU())


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (Branches(), r"in 1 \(Branches\) the path through the code depends"),
        (Loops(), r"in 1 \(Loops\) the code loops over a tensor"),
        (Reads(), r"in 1 \(Reads\) the code reads a value"),
        (AsksForShape(), r"in 1 \(AsksForShape\) the path .* example input"),
    ],
)
def test_refusal_names_module_and_reason(inner: nn.Module, words: str) -> None:
    with pytest.raises(TracingError, match=words) as error:
        trace(nested(inner))
    assert error.value.module == "1"
    assert error.value.for_user


def test_outermost_module_is_named_in_words() -> None:
    with pytest.raises(TracingError, match=r"its outermost module \(Branches\)"):
        trace(Branches())


def test_example_answers_questions_about_shapes() -> None:
    network = nested(AsksForShape()).eval()
    x = torch.randn(2, 3, 8, 8)
    graph = trace(network, example=x)
    assert torch.equal(graph(x), network(x))
    other = torch.randn(5, 3, 8, 8)
    assert torch.equal(graph(other), network(other))
    assert graph.get_submodule("1.norm") is network[1].norm


def test_example_does_not_hide_branches_on_values() -> None:
    with pytest.raises(TracingError, match="depends on the values"):
        trace(nested(Branches()), example=torch.randn(2, 3))


def test_example_leaves_weights_statistics_and_mode_alone() -> None:
    network = nested(AsksForShape()).train()
    graph = trace(network, example=torch.randn(2, 3, 8, 8))
    assert graph.training
    assert int(network[1].norm.num_batches_tracked) == 0
    assert graph.get_parameter("1.scale") is network[1].scale


def test_chosen_modules_stay_whole() -> None:
    network = nested(Branches())
    graph = trace(network, leaves=lambda module: isinstance(module, Branches))
    assert "1" in [node.target for node in graph.graph.nodes if node.op == "call_module"]
    x = torch.randn(2, 3)
    assert torch.equal(graph(x), network(x))


def test_shared_layers_stay_shared() -> None:
    layer = nn.Linear(4, 4)
    graph = trace(nn.Sequential(layer, nn.ReLU(), layer))
    assert len(list(graph.parameters())) == 2
