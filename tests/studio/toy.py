"""Runs of toy nodes for tests of the runner: quick ones that really are computed."""

from __future__ import annotations

from backend.core.graph import Graph


def growing(name: str = "toy", steps: int = 3, pause: float = 0.0) -> Graph:
    """A document of two nodes, the second of which takes ``steps`` times ``pause`` seconds."""
    graph = Graph(name)
    graph.add("toy.start", "start")
    graph.add("toy.grow", "grow", steps=steps, pause=pause)
    graph.connect("start.count", "grow.number")
    return graph
