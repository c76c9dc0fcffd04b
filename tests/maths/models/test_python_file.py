"""Networks from a Python file: asked for once a content, errors with their line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from backend.models.errors import RecipeError
from backend.models.python_file import python_recipe
from backend.models.recipe import Recipe, build, load_network, save_network
from backend.models.trust import UntrustedPython, is_trusted, trust

SOURCE = """
import torch
from torch import nn

def make(width=4, rates=(0.1, 0.2), bias=True):
    decay = torch.linspace(0, 1, 3).tolist()  # has no values on the meta device
    net = nn.Sequential(nn.Linear(3, width, bias=bias), nn.Dropout(decay[1]))
    net.append(nn.Linear(width, width))
    net.append(net[2])
    return net

def broken():
    x = 1
    return x / 0

def number():
    return 3
"""


def recipe(
    tmp_path: Path, factory: str = "make", source: str = SOURCE, **arguments: object
) -> Recipe:
    (tmp_path / "net.py").write_text(source)
    return python_recipe(tmp_path / "net.py", factory, arguments)


def trusted(tmp_path: Path, *args: str, **arguments: object) -> Recipe:
    made = recipe(tmp_path, *args, **arguments)
    trust(next(iter(made.files)).removesuffix(".py"))
    return made


def test_nothing_runs_until_trusted_and_then_it_saves_and_loads(tmp_path: Path) -> None:
    made = recipe(tmp_path, width=5, rates=[0.1], bias=False)
    sha256 = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert made.builder == f"python:{sha256}#make(width=5, rates=[0.1], bias=False)"
    with pytest.raises(UntrustedPython, match=f"backend trust {sha256}") as error:
        build(made)
    assert (error.value.sha256, error.value.file) == (sha256, f"{sha256}.py")
    assert not is_trusted(sha256)
    trust(sha256.upper())
    assert is_trusted(sha256)
    network = build(made, meta=False)
    save_network(tmp_path / "saved", made, network)
    again, loaded = load_network(tmp_path / "saved")
    assert again == made
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), loaded.parameters(), strict=True)
    )
    assert loaded[2] is loaded[3]


def test_meta_build_of_code_that_reads_values_works_and_takes_no_random_numbers(
    tmp_path: Path,
) -> None:
    made = trusted(tmp_path)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    network = build(made)
    assert all(p.is_meta for p in network.parameters())
    assert torch.equal(before, torch.get_rng_state())


def test_another_content_is_asked_about_again(tmp_path: Path) -> None:
    trusted(tmp_path)
    with pytest.raises(UntrustedPython):
        build(recipe(tmp_path, source=SOURCE + "\n# changed\n"))


def test_errors_of_the_code_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"failed at line 14: ZeroDivisionError"):
        build(trusted(tmp_path, "broken"))
    with pytest.raises(RecipeError, match="returned int instead of a torch"):
        build(trusted(tmp_path, "number"))
    with pytest.raises(RecipeError, match="did you mean 'make'"):
        build(trusted(tmp_path, "mak"))
    with pytest.raises(RecipeError, match=r"failed: TypeError: .*'depth'"):
        build(trusted(tmp_path, depth=3))
    with pytest.raises(RecipeError, match="cannot be read, line 1"):
        build(trusted(tmp_path, "make", "def make(:\n"))
    with pytest.raises(RecipeError, match="failed at line 2: ModuleNotFoundError"):
        build(trusted(tmp_path, "make", "import os\nimport no_such_package_here\n"))


def test_a_file_that_exits_does_not_end_the_program(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="failed at line 2: SystemExit"):
        build(trusted(tmp_path, "make", "import sys\nsys.exit(3)\n"))


def test_changed_source_is_refused_even_if_trusted(tmp_path: Path) -> None:
    made = trusted(tmp_path)
    name = next(iter(made.files))
    with pytest.raises(RecipeError, match="not the one"):
        build(Recipe(made.builder, files={name: b"print('other')"}))
    with pytest.raises(RecipeError, match="is missing"):
        build(Recipe(made.builder))
    with pytest.raises(RecipeError, match="not of the form"):
        build(Recipe("python:abc"))


def test_arguments_are_json(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not plain JSON"):
        recipe(tmp_path, width=object())
    with pytest.raises(RecipeError, match="no name of a function"):
        recipe(tmp_path, "os.system")


def test_damaged_trust_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path))
    (tmp_path / "trusted.json").write_text("{")
    with pytest.raises(RecipeError, match=r"trusted\.json is damaged"):
        is_trusted("0" * 64)
    with pytest.raises(RecipeError, match="64 hexadecimal digits"):
        trust("abc")
