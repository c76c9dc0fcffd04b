"""Every registered node: runs, shows, repeats, saves and loads equal, leaves its inputs alone."""

from __future__ import annotations

import filecmp
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from backend.core import events as ev
from backend.core.catalog import current
from backend.core.context import Context
from backend.core.node import REGISTRY
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from backend.engine.store import Store
from studio.fields import words
from studio.fields.spec import ORIGINS
from tests.fakes.forks import forked
from tests.methods.graphs import CASES, graph_of

MEASURING = {"profile", "cost.ort", "report.compare"}  # what they store has a clock in it
# After how many steps a training is killed, about. Those of one loop share its checkpoints: the
# resumed one is killed again for two of them; of several loops the first is finished by then.
KILLED = {"train.classifier": (2, 20), "train.image_to_image": (2, 20), "e2gan.ranks": (26,)}
EPOCHS = {"e2gan.crucial": 1}  # of each of its trainings, all of which are done twice here
TRAINING = [kind for kind, case in CASES.items() if case.trains]


def stored(run: Run, node: str = "it") -> Path:
    link = json.loads((run.node_folder(node) / "outputs.json").read_text())
    return Workspace.current().store / link["fingerprint"]


def same_files(one: Path, two: Path) -> bool:
    names = sorted(str(p.relative_to(one)) for p in one.rglob("*") if p.is_file())
    again = sorted(str(p.relative_to(two)) for p in two.rglob("*") if p.is_file())
    if names != again:
        return False
    _, different, broken = filecmp.cmpfiles(one, two, names, shallow=False)
    return not different and not broken


def outputs_copied(run: Run, target: Path) -> Path:
    import shutil

    for port in json.loads((run.node_folder("it") / "outputs.json").read_text())["outputs"]:
        shutil.copytree(stored(run) / port, target / port)
    return target


def test_every_node_has_a_case_and_none_is_broken() -> None:
    catalog = current()
    assert catalog.broken == []
    assert sorted(id for id in catalog.nodes if not id.startswith("toy.")) == sorted(CASES)


def test_every_node_and_parameter_is_documented() -> None:
    for spec in current().nodes.values():
        if spec.id.startswith("toy."):
            continue
        assert len(spec.doc) > 20, spec.id
        for name, field in spec.params.get("properties", {}).items():
            assert field.get("description", "").endswith("."), f"{spec.id}.{name}"
            assert_is_a_label(field["title"], f"{spec.id}.{name}")
            assert set(field.get("labels", {})) <= choices_of(field), f"{spec.id}.{name}"
            assert field.get("origin", "choice") in ORIGINS, f"{spec.id}.{name}"


def assert_is_a_label(title: str, where: str) -> None:
    """A few words in sentence case; a form has room for 104 px."""
    assert 0 < len(title) <= 19, f"{where}: {title}"
    assert title == words.label("", title), f"{where}: {title} is not in sentence case"
    assert title[-1] not in ".:", f"{where}: {title}"


def choices_of(field: dict[str, Any]) -> set[str]:
    return {str(value) for value in field.get("enum", ())}


@pytest.mark.parametrize("kind", sorted(CASES))
def test_runs_shows_something_and_repeats(kind: str, files, tmp_path: Path) -> None:
    run = launch.run(graph_of(kind, files), threads=1)
    assert run.result["status"] == "finished", run.result
    mine = [e for e in run.events() if getattr(e, "node", "") == "it"]
    assert mine[0].kind == "node_started" or mine[-1].cached
    first = outputs_copied(run, tmp_path / "first")
    if kind in MEASURING:
        return
    again = launch.run(graph_of(kind, files), threads=1, force=["it"])
    second = outputs_copied(again, tmp_path / "second")
    assert same_files(first, second), "same seed, same result"


@pytest.mark.parametrize("kind", sorted(CASES))
def test_loads_what_it_saved_and_saves_it_equal(kind: str, files, tmp_path: Path) -> None:
    run = launch.run(graph_of(kind, files), threads=1)
    key = stored(run).name
    for port in Store(Workspace.current().store).record(key)["outputs"]:
        value = Store(Workspace.current().store).load(key, port)
        (tmp_path / port).mkdir()
        value.save(tmp_path / port)
        assert same_files(stored(run) / port, tmp_path / port)


@pytest.mark.parametrize("kind", sorted(k for k, c in CASES.items() if c.links))
def test_leaves_its_inputs_as_they_were(kind: str, files, tmp_path: Path) -> None:
    """Called as the plain function that it is."""
    graph = graph_of(kind, files)
    run = launch.run(graph, threads=1)
    definition = REGISTRY[kind]
    store = Store(Workspace.current().store)
    inputs = {}
    for port in definition.spec.inputs:
        links = graph.into(f"it.{port.name}")
        values = [
            store.load(stored(run, x.source_node).name, x.source.partition(".")[2]) for x in links
        ]
        if values:
            inputs[port.name] = values if port.many else values[0]
    arguments = {definition.context_name: Context.quiet(folder=tmp_path / "work"), **inputs}
    (tmp_path / "work").mkdir()
    if definition.params_name:
        params = definition.params.model_validate(graph.nodes["it"].params)
        arguments[definition.params_name] = params
    definition.function(**arguments)
    for name, value in inputs.items():
        for i, one in enumerate(value if isinstance(value, list) else [value]):
            folder = tmp_path / f"{name}{i}"
            folder.mkdir()
            one.save(folder)
            link = graph.into(f"it.{name}")[i]
            kept = stored(run, link.source_node) / link.source.partition(".")[2]
            assert same_files(folder, kept), f"input {name} was changed"


@pytest.mark.parametrize("kind", TRAINING)
def test_emits_progress_and_metrics_and_stops_within_an_iteration(kind: str, files) -> None:
    graph = graph_of(kind, files, epochs=50)
    run = launch.create(graph, Workspace.current(), threads=1)
    steps = []

    def stop_early(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.node == "it":
            steps.append(event.step)
            if len(steps) == 3:
                run.request_stop()

    launch.execute(run, on_event=stop_early)
    assert run.state() == "cancelled"
    assert any(isinstance(e, ev.Progress) and e.node == "it" for e in run.events())
    finished = [e for e in run.events() if isinstance(e, ev.RunFinished)][-1]
    asked = [e for e in run.events() if isinstance(e, ev.Metric) and e.node == "it"][2]
    assert finished.t - asked.t < 2.0


@pytest.mark.parametrize("kind", TRAINING)
def test_killed_at_random_steps_it_resumes_bit_equal(kind: str, files, tmp_path: Path) -> None:
    graph = graph_of(kind, files, epochs=EPOCHS.get(kind, 6))
    plain = outputs_copied(launch.run(graph, threads=1, force=["it"]), tmp_path / "plain")
    run = launch.create(
        graph, Workspace.current(), threads=1, settings={"force": ["it"], "every": 2}
    )
    dice = random.Random(1)
    for low in KILLED.get(kind, (12,)):
        process = forked("run", str(run.path), "--now", "--quiet")
        goal, deadline = low + dice.randrange(8), time.monotonic() + 120
        while _steps(run) < goal and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.join()
        assert run.state() == "crashed", "it was killed before it was done"
    process = forked("resume", run.name, "--quiet")
    process.join(300)
    assert process.exitcode == 0, (run.path / "log.txt").read_text()
    assert same_files(outputs_copied(run, tmp_path / "killed"), plain)
    resumed = [e for e in run.events() if isinstance(e, ev.Resumed) and e.node == "it"]
    assert max(e.step for e in resumed) > 0, "it went on from a checkpoint, not from the start"


def _steps(run: Run) -> int:
    """How many steps told their figures, over all loops of the node."""
    told = (e for e in run.tail()[0] if isinstance(e, ev.Metric) and e.node == "it")
    return len({(e.stage, e.step) for e in told})
