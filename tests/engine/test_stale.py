"""Why a result is not stored: what changed since the last run, in words."""

from __future__ import annotations

import json
import shutil

import pytest

from backend.core import catalog as catalogs
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from backend.engine import fingerprint, launch
from backend.engine.plan import wanted
from backend.engine.stale import Standing, standings
from tests.fakes import call

pytestmark = pytest.mark.usefixtures("toy")
CACHED = Standing("cached")


def document(**grow: object) -> Graph:
    graph = Graph("why")
    graph.add("toy.start", "start")
    graph.add("toy.grow", "grow", **{"steps": 2, **grow})
    graph.add("toy.same", "same")
    graph.connect("start.count", "grow.number")
    graph.connect("grow.number", "same.number")
    return graph


def asked(graph: Graph, **options: str) -> dict[str, Standing]:
    workspace = Workspace.current()
    return standings(graph, catalogs.current(workspace), workspace, **options)[0]


def test_new_then_cached_then_stale() -> None:
    assert {s.state for s in asked(document()).values()} == {"new"}
    run = launch.run(document())
    assert set(asked(document()).values()) == {CACHED}
    found = asked(document(steps=3, mode="plus"))
    assert found["start"] == CACHED
    assert found["grow"].state == "stale"
    assert found["grow"].why == "steps is 3 now; it was 2. mode is plus now; it was times."
    assert found["same"].why == "What comes in changed: grow."
    changed = document()
    changed.seed = 9
    assert asked(changed)["start"].why == "The seed is 9 now; it was 0."
    other = document()
    other.name = "another"
    assert asked(other)["grow"] == CACHED, "stored is stored, whoever computed it"
    other.set("grow", steps=4)
    assert asked(other)["grow"].state == "new", "in this document it never was"
    key = json.loads((run.node_folder("grow") / "outputs.json").read_text())["fingerprint"]
    shutil.rmtree(Workspace.current().store / key)
    assert asked(document())["grow"].why == "Its stored result was removed."
    assert asked(document(steps=3))["grow"].why.startswith("It changed since its last result")


def test_code_and_links(monkeypatch: pytest.MonkeyPatch) -> None:
    launch.run(document())
    unlinked = document()
    unlinked.disconnect("grow.number", "same.number")
    unlinked.connect("start.count", "same.number")
    assert asked(unlinked)["same"].why == "What comes in changed: start."
    monkeypatch.setattr(fingerprint, "source_hash", lambda module: "other")
    assert asked(document())["start"].why == "Its code changed."


def test_a_node_with_a_problem_and_what_needs_it_are_left_out() -> None:
    launch.run(document())
    graph = document(steps=0)
    nodes, problems = standings(graph, catalogs.current(), Workspace.current())
    assert nodes == {"start": CACHED}
    assert [p.node for p in problems] == ["grow"]
    graph.links = [*graph.links, *[type(graph.links[0])("same.number", "grow.number")]]
    assert asked(graph) == {}


def test_measuring_nodes_are_computed_each_time() -> None:
    graph = document()
    graph.add("toy.clock", "clock")
    graph.connect("same.number", "clock.number")
    launch.run(graph)
    assert asked(graph)["clock"].state == "new"
    assert "every run" in asked(graph)["clock"].why


def test_the_command_line_gives_it_as_json(tmp_path) -> None:
    document(steps=0).save(tmp_path / "g.json")
    code, out, _ = call("run", str(tmp_path / "g.json"), "--dry-run", "--json")
    found = json.loads(out)
    assert code == 2
    assert found["nodes"] == {"start": {"state": "new", "why": "It was never computed."}}
    assert found["problems"][0]["node"] == "grow"


def test_several_targets() -> None:
    graph = document()
    graph.add("toy.start", "other")
    assert wanted(graph, ["same"]) == ["start", "grow", "same"]
    assert set(wanted(graph, ["grow", "other"])) == {"start", "grow", "other"}
    assert wanted(graph, []) == []
    with pytest.raises(Exception, match='Did you mean "grow"'):
        wanted(graph, ["grew"])
    run = launch.run(graph, target=["other", "start"])
    assert set(run.result["nodes"]) == {"other", "start"}
    assert run.settings["target"] == ["other", "start"]


def test_several_run_directories_in_one_process() -> None:
    workspace = Workspace.current()
    runs = [launch.create(document(steps=n), workspace) for n in (2, 3)]
    broken = launch.create(document(), workspace)
    (broken.path / "run.json").write_text('{"threads": 0}')
    paths = [str(run.path) for run in (broken, *runs)]
    code, _, err = call("run", *paths, "--quiet")
    assert code == 2
    assert [run.state() for run in (*runs, broken)] == ["finished", "finished", "failed"]
    assert "threads" in broken.result["error"], "whoever started it may not see what is printed"
    assert "threads" in err
    code, _, err = call("run", paths[1], "nothing.json")
    assert code == 2
    assert "must all be run directories" in err
