"""What the README shows does what it says."""

from __future__ import annotations

import re

import pytest

from backend.cli.parser import make_parser
from backend.core.node import REGISTRY
from tests.fakes import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def block_with(word: str) -> str:
    (found,) = [block for block in PYTHON if word in block]
    return found


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block_with("backend.Graph("), "README.md", "exec"), {"__name__": "readme"})
    assert "'val_top1': {'last':" in capsys.readouterr().out


def test_the_method_example_is_a_node() -> None:
    before = dict(REGISTRY)
    try:
        exec(compile(block_with("@node("), "README.md", "exec"), {"__name__": "readme"})
        spec = REGISTRY["quantize.mine"].spec
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)
    assert [port.name for port in spec.inputs] == ["model", "data"]
    assert spec.params["properties"]["bits"]["maximum"] == 16


def test_every_command_is_explained_and_there_is_no_other() -> None:
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
    told = {word.split()[0] for row in rows for word in re.findall(r"`([^`]+)`", row)}
    commands = {
        name for action in make_parser()._actions if action.choices for name in action.choices
    }
    assert commands <= told, commands - told


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (ROOT / name).exists(), name
