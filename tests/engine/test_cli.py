"""The command line as a user meets it: exit codes, sentences, JSON."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from backend.core.graph import Graph
from backend.core.workspace import Workspace
from tests.fakes import PLUGINS, call

# A device that no machine of this system has.
ABSENT = ["--device", "cuda" if sys.platform == "darwin" else "mps"]


@pytest.fixture
def graph_file(tmp_path):
    graph = Graph("cli")
    graph.add("toy.start", "start")
    graph.add("toy.grow", "grow")
    graph.connect("start.count", "grow.number")
    graph.metadata["presets"] = {"tiny": {"grow.steps": 2}}
    graph.save(tmp_path / "g.json")
    return str(tmp_path / "g.json")


def last_json(out: str) -> dict:
    return json.loads(out.strip().split("\n")[-1])


def test_run_show_ls_report(graph_file) -> None:
    code, out, err = call("run", graph_file, "--json", "--preset", "tiny")
    assert (code, err) == (0, "")
    result = last_json(out)
    assert result["status"] == "finished"
    assert result["metrics"]["grow"]["x"]["last"] > 0
    assert all(json.loads(line)["kind"] for line in out.strip().split("\n"))
    assert "finished" in call("ls")[1]
    assert json.loads(call("ls", "--json")[1])[0]["state"] == "finished"
    assert "grow" in call("show")[1]
    code, out, _ = call("report")
    assert code == 0
    assert "<html" in Path(out.strip()).read_text()


def test_sweep_over_parameters_and_seeds(graph_file) -> None:
    code, _, err = call("run", graph_file, "--set", "grow.steps=2,3", "--seed", "0,1", "--quiet")
    assert code == 0, err
    rows = json.loads(call("ls", "--json")[1])
    assert [r["set"]["grow.steps"] for r in rows] == [2, 2, 3, 3]
    assert len({r["sweep"] for r in rows}) == 1
    assert rows[0]["sweep"].startswith("cli ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "grow.stepz=3"], 'Did you mean "steps"'),
        (["--set", "grow.steps=0"], "at least 1"),
        (["--set", "grow.steps=many"], "must be a whole number"),
        (["--set", "grew.steps=3"], 'Did you mean "grow"'),
        (["--preset", "tinny"], 'Did you mean "tiny"'),
        (["--seed", "x"], "is no seed"),
        (["--target", "grrow"], 'Did you mean "grow"'),
        (ABSENT, "cannot be used"),
        (["--device", "cdua"], 'Did you mean "cuda"'),
        (["--threads", "0"], "Give at least 1"),
    ],
)
def test_bad_input_exits_2_with_one_sentence(graph_file, arguments, words: str) -> None:
    code, out, err = call("run", graph_file, *arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err + out
    assert not Workspace.current().runs.exists()


def test_failed_node_exits_3(graph_file, tmp_path) -> None:
    graph = Graph.load(graph_file)
    graph.add("toy.fail", "fail", how="user")
    graph.connect("grow.number", "fail.number")
    graph.save(graph_file)
    code, _, err = call("run", graph_file)
    assert code == 3
    assert "The cheese is gone. Buy cheese." in err
    assert "Traceback" not in err


def test_check_and_dry_run(graph_file) -> None:
    assert "no problems" in call("check", graph_file)[1]
    code, out, _ = call("check", graph_file, "--set", "grow.steps=0")
    assert code == 2
    assert "at least 1" in out
    code, out, _ = call("run", graph_file, "--dry-run", "--set", "grow.steps=1,2")
    assert (code, "2 run(s)" in out) == (0, True)


def test_no_write_permission_is_one_sentence(graph_file, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "file" / "home"))
    code, _, err = call("run", graph_file)
    assert code == 2
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_one_new_file_in_a_plugin_package_is_a_method(tmp_path, monkeypatch) -> None:
    plugins = tmp_path / "plugins"
    shutil.copytree(PLUGINS, plugins)
    assert "toy.double" not in call("catalog", plugins=plugins)[1]
    (plugins / "fretsaw_toy" / "double.py").write_text(
        '"""Doubling."""\n\n'
        "from __future__ import annotations\n\n"
        "from pydantic import Field\n\n"
        "from backend.core.context import Context\n"
        "from backend.core.node import Params, node\n"
        "from fretsaw_toy.numbers import Number\n\n\n"
        "class DoubleParams(Params):\n"
        '    """How often."""\n\n'
        '    times: int = Field(default=1, ge=1, description="How often.")\n\n\n'
        '@node("toy.double", title="Double")\n'
        "def double(ctx: Context, p: DoubleParams, number: Number) -> Number:\n"
        '    """Double a number.\n\n    Source: Primary school, year 2\n    """\n'
        "    ctx.metric(0, x=number.x * 2**p.times)\n"
        "    return Number(number.x * 2**p.times)\n"
    )
    assert "toy.double" in call("catalog", plugins=plugins)[1]
    code, out, _ = call("catalog", "toy.double", plugins=plugins)
    assert "Primary school, year 2" in out
    assert "How often. (default 1; >= 1)" in out
    graph = Graph("new")
    graph.add("toy.start", "start", x=3)
    graph.add("toy.double", "double")
    graph.connect("start.count", "double.number")
    graph.save(tmp_path / "g.json")
    args = ("run", str(tmp_path / "g.json"), "--json", "--set", "double.times=3")
    code, out, err = call(*args, plugins=plugins)
    assert code == 0, err
    assert last_json(out)["metrics"]["double"]["x"]["last"] == 24


def test_a_broken_node_file_is_named_with_its_line_and_harms_nothing(tmp_path, graph_file) -> None:
    plugins = tmp_path / "plugins"
    shutil.copytree(PLUGINS, plugins)
    bad = plugins / "fretsaw_toy" / "bad.py"
    bad.write_text('"""Bad."""\n\nimport nowhere_at_all\n')
    code, out, _ = call("catalog", plugins=plugins)
    assert code == 0
    assert "line 3" in out
    assert "nowhere_at_all" in out
    assert call("run", graph_file, "--quiet", plugins=plugins)[0] == 0
    bad.write_text("def broken(:\n")
    assert "line 1" in call("catalog", plugins=plugins)[1]


def test_damaged_documents_through_the_command_line(tmp_path) -> None:
    (tmp_path / "x.json").write_text("{")
    for file, words in ((tmp_path / "x.json", "truncated"), (tmp_path / "no.json", "no file")):
        code, _, err = call("run", str(file))
        assert (code, words in err, "Traceback" in err) == (2, True, False)
    code, _, err = call("show", "nothing")
    assert (code, "no run" in err) == (2, True)
