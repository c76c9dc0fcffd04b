"""Benchmarks count the arms that they took from the store, not those that they made themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.bench.session import Session
from backend.core.graph import Graph


def graph(title: str) -> Graph:
    made = Graph(title, 0)
    made.add("data.digits", "data")
    return made


def test_what_a_benchmark_made_itself_is_not_counted_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path))
    first = Session()
    first.run([graph("a"), graph("b")], ("data",))
    assert first.cached == 0
    second = Session()
    second.run([graph("c")], ("data",))
    assert second.cached == 1
    anew = Session(fresh=True)
    anew.run([graph("d")], ("data",))
    assert anew.cached == 0
