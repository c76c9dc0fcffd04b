"""Which outputs fit which inputs, in words."""

from __future__ import annotations

import pytest

from backend.core.catalog import current
from backend.core.graph import Graph
from backend.core.node import NodeSpec


@pytest.fixture
def specs(toy) -> dict[str, NodeSpec]:
    return current().nodes


@pytest.fixture
def graph() -> Graph:
    graph = Graph()
    graph.add("toy.start", "start")
    graph.add("toy.grow", "grow")
    graph.add("toy.same", "same")
    graph.add("toy.count_only", "count")
    graph.add("toy.sum", "sum")
    return graph


def test_a_subclass_fits_and_a_base_does_not(graph, specs) -> None:
    assert graph.why_not("start.count", "grow.number", specs) is None
    reason = graph.why_not("grow.number", "count.count", specs)
    assert reason == "grow.number gives a Number, but count.count needs a Count."


def test_an_output_that_follows_an_input_takes_its_type(graph, specs) -> None:
    assert "needs a Count" in graph.why_not("same.number", "count.count", specs)
    graph.connect("start.count", "same.number")
    assert graph.why_not("same.number", "count.count", specs) is None
    graph.add("toy.same", "same2")
    graph.connect("same.number", "same2.number")
    assert graph.why_not("same2.number", "count.count", specs) is None


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("grow.number", "grow.number", "cannot feed itself"),
        ("start.cuont", "grow.number", 'Did you mean "count"'),
        ("start.count", "grow.nummer", 'Did you mean "number"'),
        ("start.count", "nobody.x", 'no node "nobody"'),
        ("sum.words", "grow.number", "gives a Word, but grow.number needs a Number"),
    ],
)
def test_refusals_say_why(graph, specs, source: str, target: str, words: str) -> None:
    assert words in graph.why_not(source, target, specs)


def test_one_link_a_port_unless_many(graph, specs) -> None:
    graph.add("toy.start", "start2")
    graph.connect("start.count", "grow.number")
    assert "takes one link" in graph.why_not("start2.count", "grow.number", specs)
    graph.connect("start.count", "sum.numbers")
    assert graph.why_not("start2.count", "sum.numbers", specs) is None
    graph.connect("start2.count", "sum.numbers")
    assert "linked already" in graph.why_not("start.count", "sum.numbers", specs)


def test_a_circle_is_refused_before_it_is_made(graph, specs) -> None:
    graph.connect("grow.number", "same.number")
    assert "circle" in graph.why_not("same.number", "grow.number", specs)


def test_problems_name_node_and_remedy(graph, specs) -> None:
    graph.add("toy.groww", "typo")
    graph.set("grow", stepz=3, steps=0, mode="minus")
    texts = {(p.node, p.where): p.text for p in graph.problems(specs)}
    assert texts["typo", ""] == 'The kind "toy.groww" is not installed. Did you mean "toy.grow"?'
    assert texts["grow", "number"] == 'Input "number" needs a Number. Link one to it.'
    assert 'Did you mean "steps"?' in texts["grow", "stepz"]
    assert texts["grow", "steps"] == 'Parameter "steps" must be at least 1; it is 0.'
    assert "must be one of times, plus; it is 'minus'" in texts["grow", "mode"]
    assert ("sum", "extra") not in texts


def test_parameters_from_a_newer_node_are_told(graph, specs) -> None:
    graph.add("toy.start", "newer", version=9)
    assert any("version 9" in p.text and "Update" in p.text for p in graph.problems(specs))
