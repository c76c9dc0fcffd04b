"""Stored results, checkpoints, run folders and caches that are damaged, or used by two at once."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from tests.bad_input.told import (
    cli,
    cut,
    flip,
    newest,
    pipeline,
    refused,
    run,
    toy,
)
from tests.fakes import backend


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the pipeline has run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRETSAW_HOME", str(folder / "home"))
        assert run(pipeline(folder)).code == 0
    return folder


@pytest.fixture
def trained(_trained: Path, home: Path) -> Path:
    """The graph; a copy of the workspace in which it has run is that of this test."""
    shutil.copytree(_trained / "home", home, dirs_exist_ok=True)
    return _trained / "pipeline.json"


def stored(node: str) -> Path:
    """Folder of the stored result of a node in the newest run."""
    link = json.loads((newest().node_folder(node) / "outputs.json").read_text())
    return Workspace.current().store / link["fingerprint"]


DAMAGES = {
    "flipped": ("train", lambda f: flip(f / "classifier" / "model.safetensors")),
    "cut": ("train", lambda f: cut(f / "classifier" / "model.safetensors")),
    "tensors gone": ("train", lambda f: (f / "classifier" / "model.safetensors").unlink()),
    "description cut": ("train", lambda f: cut(f / "classifier" / "model.json")),
    "description gone": ("train", lambda f: (f / "classifier" / "model.json").unlink()),
    "port gone": ("train", lambda f: shutil.rmtree(f / "classifier")),
    "node.json cut": ("train", lambda f: cut(f / "node.json")),
    "node.json empty": ("train", lambda f: cut(f / "node.json", 0)),
    "node.json a list": ("train", lambda f: (f / "node.json").write_text("[]")),
    "node.json without outputs": ("train", lambda f: (f / "node.json").write_text("{}")),
    "events cut": ("train", lambda f: cut(f / "events.jsonl", 0.9)),
    "events binary": ("train", lambda f: (f / "events.jsonl").write_bytes(b"\xff\xfe\n")),
    "manifest cut": ("data", lambda f: cut(f / "data" / "data.json")),
    "pictures gone": ("data", lambda f: shutil.rmtree(f / "shown")),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_stored_result(how: str, trained: Path) -> None:
    """Computed anew, or named with the remedy; and the remedy helps."""
    node, damage = DAMAGES[how]
    damage(stored(node))
    found = run(trained, "--force", "eval")
    if found.code:
        refused(found, 3, "stored result", f"--force {node}")
    assert run(trained, "--force", "eval", "--force", node).code == 0
    assert run(trained, "--force", "eval").code == 0


@pytest.mark.parametrize("how", [h for h in DAMAGES if "flipped" in h or "cut" in h])
def test_a_damaged_stored_result_can_be_computed_anew(how: str, trained: Path) -> None:
    node, damage = DAMAGES[how]
    damage(stored(node))
    found = run(trained, "--force", "eval")
    assert found.code in (0, 3)
    assert "Traceback" not in found.out + found.err
    assert run(trained, "--force", node, "--force", "eval").code == 0
    assert newest().state() == "finished"


def test_a_file_where_the_store_should_be(home: Path, tmp_path: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "store").write_text("in the way")
    refused(run(toy(tmp_path)), 3, "store", "folder")


# -- checkpoints ---------------------------------------------------------------------------------


def stopped(seed: int) -> Run:
    """A training that was stopped after its first checkpoints."""
    graph = Graph("train", seed)
    graph.add("toy.train", "train", steps=40, every=4, pause=0.004)
    started = launch.create(graph, Workspace.current(), threads=1, settings={"every": 4})

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.step == 8:
            started.request_stop()
            time.sleep(0.3)  # stops are looked for four times a second

    launch.execute(started, on_event=stop)
    assert started.state() == "cancelled"
    return started


def test_a_stop_file_that_was_left_over() -> None:
    started = stopped(0)
    assert started.stop_requested()
    found = cli("resume", started.name)
    assert (found.code, found.err) == (0, "")
    assert started.state() == "finished"


def test_a_stop_file_in_a_run_that_never_began(tmp_path: Path) -> None:
    prepared = launch.create(Graph.load(toy(tmp_path)), Workspace.current(), threads=1)
    prepared.request_stop()
    assert cli("run", prepared.path).code == 0
    assert prepared.state() == "finished"


@pytest.mark.parametrize(
    ("which", "content"),
    [
        ("*.json", b'{"head":'),
        ("*.json", b"[]"),
        ("*.json", b"\xff"),
        ("*.safetensors", b"xx"),
        ("*.safetensors", b""),
        ("*.safetensors", None),
    ],
)
def test_a_damaged_checkpoint(which: str, content: bytes | None) -> None:
    """Begun anew with a warning, or named with the remedy."""
    started = stopped(0)
    (file,) = (started.node_folder("train") / "checkpoints").rglob(which)
    file.unlink() if content is None else file.write_bytes(content)
    found = cli("resume", started.name)
    assert found.code in (0, 3)
    assert "unexpected" not in found.err
    assert "checkpoint" in found.err
    if found.code:
        shutil.rmtree(file.parent)  # the remedy that the sentence should name
        assert str(file.parent) in found.err
        found = cli("resume", started.name)
    assert (found.code, started.state()) == (0, "finished")


# -- run folders ---------------------------------------------------------------------------------

LOOKS = (["ls"], ["ls", "--json"], ["gc", "--dry-run"])
PART_OF_A_RUN = {
    "events gone": lambda r: (r / "events.jsonl").unlink(),
    "events binary": lambda r: (r / "events.jsonl").write_bytes(bytes(range(256))),
    "events torn": lambda r: cut(r / "events.jsonl", 0.97),
    "nodes gone": lambda r: shutil.rmtree(r / "nodes"),
    "result gone": lambda r: (r / "result.json").unlink(),
    "result cut": lambda r: cut(r / "result.json"),
    "settings gone": lambda r: (r / "run.json").unlink(),
    "all but the graph gone": lambda r: [
        shutil.rmtree(p) if p.is_dir() else p.unlink() for p in r.iterdir() if p.stem != "graph"
    ],
}


@pytest.mark.parametrize("part", PART_OF_A_RUN)
def test_a_half_deleted_run(part: str, tmp_path: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    folder = newest().path
    PART_OF_A_RUN[part](folder)
    name = folder.name
    shows = (["show", name], ["show", name, "--json"], ["show", name, "--events"])
    for command in (*LOOKS, *shows, ["report", name], ["report", name, "--markdown"]):
        found = cli(*command)
        assert (found.code, found.err) == (0, ""), command
    assert name in cli("ls").out
    assert cli("resume", name).code == 0
    assert cli("run", folder).code == 0
    assert Run(folder).state() == "finished"
    assert "x" in Run(folder).result["metrics"]["grow"]


def test_a_run_whose_graph_is_cut(tmp_path: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    folder = newest().path
    cut(folder / "graph.json")
    for command in (*LOOKS, ["show", folder.name], ["report", folder.name]):
        assert (cli(*command).code, cli(*command).err) == (0, "")
    assert "cannot be read" in cli("report", folder.name, "--markdown").out
    refused(cli("run", folder), 2, "graph.json", "is truncated")


@pytest.mark.parametrize("command", ["show", "report", "resume", "run"])
def test_a_run_whose_graph_is_gone(command: str, tmp_path: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    folder = newest().path
    (folder / "graph.json").unlink()
    refused(cli(command, folder), 2, folder.name, "graph.json")


def test_gc_leaves_the_results_of_a_run_whose_graph_is_gone(tmp_path: Path, monkeypatch) -> None:
    from backend.engine import store

    assert run(toy(tmp_path)).code == 0
    (newest().path / "graph.json").unlink()
    monkeypatch.setattr(store, "_TOUCHED_RECENTLY", -1.0)
    assert json.loads(cli("gc", "--dry-run", "--json").out)["results"] == 0


@pytest.mark.parametrize(
    ("command", "entry"),
    [
        ("ls", {"seconds": "x"}),
        ("ls", {"metrics": [1]}),
        ("show", {"nodes": 3}),
        ("show", {"metrics": [1]}),
    ],
)
def test_a_result_of_another_form(command: str, entry: dict, tmp_path: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    file = newest().path / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entry}))
    assert (cli(command).code, cli(command).err) == (0, "")


@pytest.mark.parametrize("settings", ['{"force": 3}', '{"threads": "x"}'])
def test_settings_of_another_form(settings: str, tmp_path: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    (newest().path / "run.json").write_text(settings)
    refused(cli("run", newest().path), 2, "run.json")


@pytest.mark.parametrize("content", [b'{"key":', b"\xff\x00", b"", b"[]", b'{"key": [], "x": 1}'])
def test_a_damaged_catalogue(content: bytes, tmp_path: Path, home: Path) -> None:
    assert run(toy(tmp_path)).code == 0
    (home / "cache" / "catalog.json").write_bytes(content)
    assert run(toy(tmp_path)).code == 0
    assert json.loads((home / "cache" / "catalog.json").read_text())["nodes"]
    (home / "cache" / "catalog.json").unlink()
    (home / "cache" / "catalog.json").mkdir()
    assert run(toy(tmp_path)).code == 0


# -- two processes -------------------------------------------------------------------------------


def started(folder: Path, **grow: object) -> tuple[Run, object]:
    """Start a slow run in another process and wait until it computes."""
    process = backend("run", str(toy(folder, "slow", **grow)), "--threads", "1")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = list((Workspace.current().runs).glob("*/events.jsonl"))
        if runs and any(isinstance(e, ev.Metric) for e in Run(runs[0].parent).tail()[0]):
            return Run(runs[0].parent), process
        time.sleep(0.02)
    raise AssertionError("it did not begin")


def test_two_processes_on_one_run(known: Path, tmp_path: Path, monkeypatch) -> None:
    from backend.engine import store

    other, process = started(tmp_path, steps=60, pause=0.15)
    refused(cli("run", other.path, "--now"), 6, "already being computed", "stop")
    monkeypatch.setattr(store, "_TOUCHED_RECENTLY", -1.0)  # so that there is something to free
    (Workspace.current().store / "unused").mkdir()
    refused(cli("gc"), 6, "is being computed", "Try again")
    assert "running" in cli("ls").out
    assert cli("stop", other.name).code == 0
    out, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert "resume" in out
    assert cli("resume", other.name).code == 0
    assert len([e for e in other.events() if isinstance(e, ev.Metric)]) == 60


def test_resume_of_a_run_that_goes_on(known: Path, tmp_path: Path) -> None:
    """It is told at once, and a stop that was asked of the other process is left to it."""
    other, process = started(tmp_path, steps=2, pause=2.5)
    other.request_stop()
    found = cli("resume", other.name)
    out, err = process.communicate(timeout=60)
    refused(found, 6, "already being computed", "stop")
    assert process.returncode == 5, out + err
    assert cli("resume", other.name).code == 0
