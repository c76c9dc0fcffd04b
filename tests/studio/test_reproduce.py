"""A copied command is taken apart again as it was; a copied program really runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio.reproduce import as_command, as_python, quoted
from tests.fakes import PLUGINS, ROOT
from tests.studio.toy import growing


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1))
def test_posix_quoting_survives_the_shell_rules(words: list[str]) -> None:
    assert shlex.split(quoted(words, "posix")) == words


@pytest.mark.skipif(os.name == "nt", reason="no such shell there")
def test_a_real_shell_takes_the_words_apart() -> None:
    words = [sys.executable, "-c", "import sys; print(sys.argv[1:])", "it's", "$HOME `x` *", "ü\n"]
    out = subprocess.run(["sh", "-c", quoted(words, "posix")], capture_output=True, text=True)
    assert out.stdout.strip() == str(words[3:])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["python", "-m", "backend"], "python -m backend"),
        ([r"C:\My Tools\python.exe", "-m"], r"& 'C:\My Tools\python.exe' -m"),
        (["python", "it's"], "python 'it''s'"),
        (["python", "$env:X", "a,b", "@x", ""], "python '$env:X' 'a,b' '@x' ''"),
    ],
)
def test_powershell_quoting(words: list[str], line: str) -> None:
    assert quoted(words, "powershell") == line


def test_the_command_of_a_run_names_all_that_it_was_given(workspace: Workspace) -> None:
    settings = {
        "device": "cpu",
        "threads": 3,
        "target": ["start", "grow"],
        "force": ["grow"],
        "every": "30s",
    }
    run = Run.create(growing(), workspace, settings=settings)
    words = shlex.split(as_command(run, shell="posix"))
    assert words[:4] == [sys.executable, "-m", "backend", "run"]
    assert words[4] == str(run.path / "graph.json")
    assert words[5:] == [
        *("--target", "start", "--target", "grow", "--force", "grow"),
        *("--device", "cpu", "--threads", "3", "--every", "30s"),
    ]


def test_the_command_of_a_run_computes_it_again(workspace: Workspace) -> None:
    run = Run.create(growing(), workspace, settings={"device": "cpu", "target": "start"})
    line = as_command(run, shell="posix")
    done = subprocess.run(
        shlex.split(line),
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "start: done" in done.stdout


def test_a_document_that_is_not_saved_has_a_name_to_save_it_under() -> None:
    assert as_command(Graph("My Net"), shell="posix").endswith("run my-net.json")
    assert as_command(Graph("x"), path=Path("/a b/c.json"), shell="posix").endswith("'/a b/c.json'")


def test_the_program_computes_the_same(tmp_path: Path) -> None:
    graph = growing('Odd "name" \\ ', steps=4)
    graph.seed = 7
    graph.add("toy.same", "between")
    graph.add("toy.sum", "sum")
    graph.bypass("between")
    graph.connect("grow.number", "between.number")
    graph.connect("between.number", "sum.numbers")
    graph.connect("start.count", "sum.numbers")
    program = tmp_path / "program.py"
    program.write_text(as_python(graph, {"threads": 1, "target": None}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    path, state = done.stdout.rsplit(maxsplit=1)
    assert state == "finished"
    again = Run(path).graph()
    for name, node in graph.nodes.items():
        assert again.nodes[name].params == node.params
        assert again.nodes[name].bypass == node.bypass
    assert (again.name, again.seed, again.links) == (graph.name, 7, graph.links)


def test_values_of_every_kind_are_written_as_python() -> None:
    graph = Graph("values")
    params = {"text": "a'b\n\"", "no": None, "yes": True, "list": [1, {"x": 2.5}], "class": 3}
    graph.add("toy.start", "start", params, version=3)
    space: dict[str, object] = {"__name__": "test"}
    exec(as_python(graph), space)
    assert space["graph"].to_json() == graph.to_json()  # type: ignore[attr-defined]


def test_long_calls_are_broken_into_lines() -> None:
    graph = Graph("long")
    graph.add("toy.start", "start", {f"parameter_number_{i}": "word" * 5 for i in range(6)})
    assert max(map(len, as_python(graph).splitlines())) <= 100
