"""Graphs and options that cannot be run as they are: told before a run is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bad_input.told import NET, cli, judged, newest, refused, run, single, spawn, toy

SAME = {"type": "toy.same", "version": 1, "params": {}}


def changed(file: Path, **parts: object) -> Path:
    """Change parts of a document's JSON, past all checks of the editor."""
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, **parts}))
    return file


def nodes(file: Path, **parts: object) -> dict[str, dict]:
    """Return the nodes of a document with ``grow`` changed."""
    found = json.loads(file.read_text())["nodes"]
    found["grow"] |= parts
    return found


def no_run(home: Path) -> bool:
    return not (home / "runs").exists()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_cycle(length: int, tmp_path: Path, home: Path) -> None:
    names = ["a", "b", "c"][:length]
    links = [[f"{x}.number", f"{y}.number"] for x, y in zip(names, [*names[1:], "a"], strict=True)]
    file = changed(toy(tmp_path), nodes={n: SAME for n in names}, links=links)
    for command in ("run", "check"):
        refused(cli(command, file), 2, "go round in a circle", "a -> ", "Remove one of them")
    assert no_run(home)


def test_a_cycle_in_a_process_of_its_own(known: Path, tmp_path: Path) -> None:
    file = changed(toy(tmp_path), nodes={"a": SAME}, links=[["a.number", "a.number"]])
    refused(spawn("run", file), 2, "go round in a circle", "a -> a")
    assert no_run(known)


def test_an_unknown_kind_is_named_and_kept(tmp_path: Path, home: Path) -> None:
    file = toy(tmp_path)
    changed(file, nodes=nodes(file, type="toy.grw"))
    for command in ("run", "check"):
        refused(cli(command, file), 2, '"toy.grw" is not installed', 'Did you mean "toy.grow"')
    assert json.loads(file.read_text())["nodes"]["grow"]["type"] == "toy.grw"
    assert no_run(home)


def test_a_node_and_a_file_from_a_newer_version(tmp_path: Path, home: Path) -> None:
    file = toy(tmp_path)
    changed(file, nodes=nodes(file, version=9))
    refused(run(file), 2, "version 9 of toy.grow", "version 2 is installed", "Update Fretsaw")
    before = changed(toy(tmp_path), schema_version=99).read_bytes()
    refused(run(file), 2, "made by a newer Fretsaw", "Update Fretsaw")
    assert file.read_bytes() == before
    assert no_run(home)


@pytest.mark.parametrize(
    "parts",
    [
        {"nodes": []},
        {"nodes": None},
        {"nodes": {"grow": None}},
        {"links": [["start.count"]]},
        {"links": "abc"},
        {"seed": "seven"},
        {"layout": [1]},
    ],
)
def test_a_document_with_damaged_parts(parts: dict, tmp_path: Path, home: Path) -> None:
    file = changed(toy(tmp_path), **parts)
    refused(run(file), 2, "toy.json", "is damaged", "Open an older copy")
    assert no_run(home)


@pytest.mark.parametrize("name", ["../../outside", "{absolute}", "a/b", "", "n" * 300])
def test_a_name_of_a_node_leads_nowhere(name: str, tmp_path: Path, home: Path) -> None:
    name = name.replace("{absolute}", str(tmp_path / "outside"))
    start = {"type": "toy.start", "version": 1, "params": {}}
    file = changed(toy(tmp_path), nodes={name: start}, links=[])
    found = run(file)
    assert not (tmp_path / "outside").exists()
    assert not list(home.rglob("outside"))
    refused(found, 2, "name")
    assert no_run(home)


def test_a_link_to_a_node_that_is_not_there(tmp_path: Path) -> None:
    file = toy(tmp_path)
    links = [["start.count", "grow.number"], ["start.count", "gone.number"]]
    refused(cli("check", changed(file, links=links)), 2, "gone")


def test_a_preset_of_another_graph(tmp_path: Path) -> None:
    file = changed(toy(tmp_path), metadata={"presets": {"tiny": {"gone.steps": 1}}})
    refused(run(file, "--preset", "tiny"), 2, 'There is no node "gone"')
    refused(run(file, "--preset", "tinny"), 2, 'Did you mean "tiny"')


@pytest.mark.parametrize("presets", [{"tiny": [1]}, [1], {"tiny": None}])
def test_damaged_presets(presets: object, tmp_path: Path) -> None:
    file = changed(toy(tmp_path), metadata={"presets": presets})
    refused(run(file, "--preset", "tiny"), 2, "preset")


BAD_VALUES = [
    ("grow.steps=0", ["at least 1", "it is 0"]),
    ("grow.steps=200000", ["at most 100000"]),
    ("start.x=-0.5", ["at least 0", "it is -0.5"]),
    ("grow.steps=many", ["whole number", "'many'"]),
    ("grow.steps=2.5", ["whole number", "2.5"]),
    ("grow.steps=true", ["whole number"]),
    ("grow.steps=null", ["whole number"]),
    ("grow.steps=[1]", ["whole number"]),
    ("grow.steps=NaN", ["whole number", "nan"]),
    ("start.x=NaN", ["must be a number", "NaN"]),
    ("grow.mode=3", ["must be one of times, plus"]),
    ("grow.mode=time", ["must be one of times, plus", 'Did you mean "times"?']),
    ("grow.stepz=3", ['There is no parameter "stepz"', 'Did you mean "steps"?']),
    ("grew.steps=3", ['There is no node "grew"', 'Did you mean "grow"?']),
    ("steps=3", ["Write node.param=value"]),
]


@pytest.mark.parametrize(("text", "words"), BAD_VALUES)
def test_a_parameter_out_of_bounds(text: str, words: list[str], tmp_path: Path, home: Path) -> None:
    file = toy(tmp_path)
    refused(run(file, "--set", text), 2, *words)
    refused(cli("run", file, "--dry-run", "--set", text), 2, *words)
    assert no_run(home)
    assert run(file, "--quiet").code == 0


@pytest.mark.parametrize(
    ("kind", "params", "words"),
    [
        ("train.classifier", {"lr": 0}, "must be above 0"),
        ("train.classifier", {"momentum": 1.0}, "must be below 1"),
        ("train.classifier", {"ema": 2}, "must be below 1"),
        ("train.classifier", {"optimizer": "adm"}, 'Did you mean "adam"'),
        ("quantize.f8net", {"bits": 1}, "must be at least 2"),
        ("evaluate.classifier", {"batch": 0}, "must be at least 1"),
        ("export.onnx", {"opset": 7}, "must be one of 17"),
    ],
)
def test_a_parameter_of_a_real_node(kind: str, params, words: str, tmp_path: Path) -> None:
    file = judged(tmp_path, ("model.resnet", NET), kind, **params)
    refused(cli("check", file), 2, words, next(iter(params)))


@pytest.mark.parametrize(
    ("kind", "params", "words"),
    [
        ("data.image_folder", {}, "must be given"),
        ("data.image_folder", {"folder": 3}, "must be text"),
        ("data.fashion_mnist", {"source": "folder"}, "give both or neither"),
        ("model.resnet", {"depth": 9}, "must be one of"),
        ("model.mobilenet", {"width": float("nan")}, "NaN"),
        ("model.onnx", {"file": "x", "mean": [0.0, float("nan")]}, "NaN"),
    ],
)
def test_a_parameter_of_a_source(kind: str, params, words: str, tmp_path: Path) -> None:
    refused(cli("check", single(tmp_path, kind, **params)), 2, words)


def test_a_hint_ends_as_a_sentence_does(tmp_path: Path) -> None:
    text = refused(run(toy(tmp_path), "--set", "grow.mode=time"), 2)
    assert text.endswith('Did you mean "times"?')


@pytest.mark.parametrize("value", ["Infinity", "1e999"])
def test_an_infinite_parameter(value: str, tmp_path: Path) -> None:
    file = judged(tmp_path, ("model.resnet", NET), "export.onnx")
    refused(cli("check", file, "--set", f"it.tolerance={value}"), 2, "tolerance", "finite")


def test_two_channels(tmp_path: Path) -> None:
    refused(cli("check", single(tmp_path, "model.resnet", channels=2)), 2, "channels")


OPTIONS = [
    (("--target", "grrow"), 'Did you mean "grow"'),
    (("--seed", "x"), "is no seed"),
    (("--seed", "9" * 30), "seed"),
    (("--force", "grrow"), 'Did you mean "grow"'),
    (("--every", "soon"), 'Write "60s"'),
    (("--device", "gpu"), 'There is no device "gpu"'),
    (("--threads", "-3"), "Give at least 1"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_an_option_out_of_bounds(options, words: str, tmp_path: Path, home: Path) -> None:
    found = cli("run", toy(tmp_path), *options)
    refused(found, 2, words)
    assert no_run(home)


def test_a_name_longer_than_a_folder_can_have(tmp_path: Path) -> None:
    assert run(toy(tmp_path), "--name", "x" * 400).code == 0
    assert newest().graph().name == "x" * 400


def test_a_seed_of_a_document_out_of_bounds(tmp_path: Path, home: Path) -> None:
    refused(run(changed(toy(tmp_path), seed=10**30)), 2, "seed")
    assert no_run(home)


def test_words_that_are_no_command() -> None:
    for arguments in (["runn", "x"], [], ["run"], ["run", "x", "--frobnicate"]):
        found = cli(*arguments)
        assert found.code == 2
        assert "usage: python -m backend" in found.err
        assert "Traceback" not in found.err


def test_a_bad_parameter_of_a_sweep_starts_none_of_it(tmp_path: Path, home: Path) -> None:
    file = toy(tmp_path)
    refused(run(file, "--set", "grow.steps=0,3"), 2, "at least 1")
    assert no_run(home)


def test_a_bad_parameter_at_the_end_of_a_sweep_starts_none_of_it(tmp_path: Path, home) -> None:
    refused(run(toy(tmp_path), "--set", "grow.steps=3,0"), 2, "at least 1")
    assert no_run(home)


def test_after_all_that_a_good_run_is_good(tmp_path: Path) -> None:
    file = toy(tmp_path)
    refused(run(file, "--set", "grow.steps=0"), 2)
    assert run(file).code == 0
    assert newest().state() == "finished"
