"""The pipelines that come along: each opens, has no problems, and runs small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.core.catalog import current
from backend.core.graph import Graph
from backend.core.run import Run
from backend.engine.plan import checked
from tests.fakes import ROOT, call
from tests.requirements import require

PIPELINES = sorted((ROOT / "assets" / "pipelines").glob("*.json"))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: p.stem)
def test_opens_without_problems_and_says_what_it_is(path: Path) -> None:
    graph = Graph.load(path)
    assert checked(graph, current())[1] == []
    assert set(graph.layout) == set(graph.nodes), "every node has its place on the canvas"
    assert {"title", "text", "minutes", "presets"} <= set(graph.metadata)
    for preset in graph.metadata["presets"].values():
        for end in preset:
            node, _, param = end.partition(".")
            spec = current().nodes[graph.nodes[node].type]
            assert param in spec.params["properties"], end


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: p.stem)
def test_runs_with_the_tiny_preset_and_ends_in_a_report(path: Path) -> None:
    kinds = {node.type for node in Graph.load(path).nodes.values()}
    for kind, component in (("teacher.vintagify", "vintagify"), ("e2gan.concepts", "minilm")):
        if kind in kinds:
            require(component)
    code, out, err = call("run", str(path), "--preset", "tiny", "--json")
    assert code == 0, err
    result = json.loads(out.strip().split("\n")[-1])
    assert result["status"] == "finished"
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org/", ""), "nothing is fetched"
    for node in Run(result["run"]).graph().nodes:
        assert node in page


def test_the_demo_command_runs_the_first_of_them() -> None:
    code, out, err = call("demo", "--preset", "tiny", "--set", "data.train_limit=200")
    assert code == 0, err
    assert "finished" in out
    assert "Report: " in out
    rows = json.loads(call("ls", "--json")[1])
    assert len(rows) == 1
    table = Path(rows[0]["run"])
    markdown = call("report", table.name, "--markdown")[1]
    assert "F8Net 8-bit" in markdown
    assert "ResNet-8 w4" in markdown


def test_a_file_that_disagrees_is_a_failed_node_that_names_the_layer_and_exit_code_4() -> None:
    pipeline = str(ROOT / "assets" / "pipelines" / "quantize_classifier.json")
    strict = ("--set", "onnx.tolerance=1e-15", "--target", "onnx")
    code, _, err = call("run", pipeline, "--preset", "tiny", *strict)
    assert code == 4
    assert "onnx: failed." in err
    assert "layer" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("source", ["gcompris", "bundled"])
@pytest.mark.parametrize("teacher", ["vintage", "style"])
def test_the_benchmark_of_generators_opens_without_problems(teacher: str, source: str) -> None:
    from backend.bench.generator import _graph

    for full in (False, True):
        assert checked(_graph(teacher, source, full), current())[1] == []


def test_the_benchmark_of_cat_opens_without_problems() -> None:
    from backend.bench import cat

    graphs = [cat.emoji_graph(arm, 1, full) for arm in cat.ARMS for full in (False, True)]
    graphs += [cat.emoji_teacher_graph(), cat.vintage_student_graph()]
    for graph in [*graphs, cat.vintage_test_graph("bundled")]:
        assert checked(graph, current())[1] == []
