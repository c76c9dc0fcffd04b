"""The table of runs: read in the background, kept, marked, compared, deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio import run_index, run_row
from studio.plotting.metrics import better
from studio.run_index import RunIndex
from studio.runner import Runner


@pytest.fixture
def runner(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[Runner]:
    made = Runner(workspace)
    made.set_specs(recorded_catalog.nodes)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def index(runner: Runner) -> RunIndex:
    return runner.index


def finished(workspace: Workspace, name: str = "mine", graph: Graph | None = None) -> Run:
    run = Run.create(graph or Graph(name), workspace, settings={"sweep": "s", "set": {"a.b": 2}})
    figures = {"top1": {"last": 80.0, "min": 10.0, "max": 82.0}}
    figures["loss"] = {"last": 0.5, "min": 0.4, "max": 2.0}
    result = {"status": "finished", "seconds": 12.5, "metrics": {"train": figures}}
    (run.path / "result.json").write_text(json.dumps(result))
    (run.path / "events.jsonl").write_text('{"t": 1234.5, "kind": "log"}\n')
    return run


def load(index: RunIndex, qtbot: QtBot) -> None:
    index.is_loaded = False
    index.refresh()
    qtbot.waitUntil(lambda: index.is_loaded, timeout=20_000)


def test_a_row(index: RunIndex, workspace: Workspace, qtbot: QtBot) -> None:
    run = finished(workspace)
    load(index, qtbot)
    (row,) = index.rows
    assert (row.name, row.label, row.state, row.status) == (run.name, "mine", *["finished"] * 2)
    assert row.best == {"train.top1": 82.0, "train.loss": 0.4}
    assert row.last == {"train.top1": 80.0, "train.loss": 0.5}
    assert (row.started, row.seconds, row.sweep, row.set) == (1234.5, 12.5, "s", {"a.b": 2})
    assert index.row(run.name) == row
    assert index.row("other") is None


def test_which_way_is_better() -> None:
    lower = ["loss", "round0/val_loss", "error", "host_ms", "bytes", "peak_memory", "params"]
    higher = ["top1", "val_acc", "psnr", "terms", "lossless", "sparsity"]
    assert [name for name in lower + higher if better(name) == "lower"] == lower


def test_marks_are_kept_in_the_run(index: RunIndex, workspace: Workspace, qtbot: QtBot) -> None:
    run = finished(workspace)
    load(index, qtbot)
    index.set_star(run.name, True)
    index.set_tags(run.name, [" best ", "", "best", "paper"])
    index.set_note(run.name, "Ünïcode\nand lines")
    index.set_label(run.name, "The one")
    row = index.rows[0]
    assert (row.star, row.tags, row.note) == (True, ("best", "paper"), "Ünïcode\nand lines")
    assert row.label == "The one"
    index.set_star(run.name, False)
    assert json.loads((run.path / "studio.json").read_text())["star"] is False
    with pytest.raises(DocumentError, match="There is no run"):
        index.set_star("never", True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be written")
def test_a_read_only_run_is_a_sentence(index: RunIndex, workspace: Workspace) -> None:
    run = finished(workspace)
    run.path.chmod(0o500)
    with pytest.raises(DocumentError, match="No permission"):
        index.set_star(run.name, True)
    run.path.chmod(0o700)


def test_the_second_time_only_what_changed_is_read(
    workspace: Workspace, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [finished(workspace, f"r{i}") for i in range(7)]
    monkeypatch.setattr(run_index, "_CHUNK", 3)
    first = Runner(workspace)
    load(first.index, qtbot)
    rows = first.index.rows
    first.close()
    assert [row.name for row in rows] == sorted(run.name for run in runs)
    read: list[str] = []
    real = run_row.read_row

    def counted(folder):
        read.append(folder.name)
        return real(folder)

    monkeypatch.setattr(run_index, "read_row", counted)
    (runs[2].path / "studio.json").write_text('{"star": true}')
    second = Runner(workspace)
    load(second.index, qtbot)
    assert read == [runs[2].name]
    assert [row for row in second.index.rows if not row.star] == [
        row for row in rows if row.name != runs[2].name
    ]
    second.close()


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1, "runs": {"x": [[], {}]}}'])
def test_a_damaged_cache_costs_only_time(
    index: RunIndex, workspace: Workspace, qtbot: QtBot, content: str
) -> None:
    run = finished(workspace)
    workspace.cache.mkdir()
    (workspace.cache / "runs.json").write_text(content)
    load(index, qtbot)
    assert [row.name for row in index.rows] == [run.name]


def test_what_is_no_run_stays_out_with_a_sentence(
    index: RunIndex, workspace: Workspace, qtbot: QtBot
) -> None:
    good, half, torn = (finished(workspace, name) for name in ("good", "half", "torn"))
    (half.path / "graph.json").unlink()
    for name in ("result.json", "run.json", "studio.json", "events.jsonl"):
        (torn.path / name).write_text('{"status": 3, "sweep": [], "tags": 4, ')
    (workspace.runs / "photos").mkdir()
    (workspace.runs / "file.txt").write_text("x")
    load(index, qtbot)
    assert {row.name for row in index.rows} == {good.name, torn.name}
    assert set(index.left_out) == {half.name, "photos"}
    assert "lacks graph.json" in index.left_out[half.name]
    (torn.path / "graph.json").write_text("{")
    (half.path / "graph.json").write_text("{}")
    load(index, qtbot)
    assert {row.name for row in index.rows} >= {good.name, half.name}


def test_the_state_is_that_of_now(
    runner: Runner, index: RunIndex, workspace: Workspace, qtbot: QtBot
) -> None:
    run = Run.create(Graph("live"), workspace)
    lock = run.lock()
    runner.scan()
    qtbot.waitUntil(lambda: [r.state for r in index.rows] == ["running"], timeout=10_000)
    with pytest.raises(DocumentError, match="Stop it before"):
        index.delete(run.name)
    lock.release()
    (run.path / "result.json").write_text('{"status": "finished", "seconds": 3}')
    qtbot.waitUntil(
        lambda: [(r.state, r.seconds) for r in index.rows] == [("finished", 3.0)], timeout=10_000
    )


def test_delete_takes_the_whole_run(index: RunIndex, workspace: Workspace, qtbot: QtBot) -> None:
    run, other = finished(workspace, "a"), finished(workspace, "b")
    load(index, qtbot)
    index.delete(run.name)
    assert [row.name for row in index.rows] == [other.name]
    qtbot.waitUntil(lambda: [p.name for p in workspace.runs.iterdir()] == [other.name])
    for name in (run.name, "", "..", "../runs"):
        with pytest.raises(DocumentError, match="There is no run"):
            index.delete(name)
    assert other.path.is_dir()


def test_what_was_set_differently(index: RunIndex, workspace: Workspace) -> None:
    def graph(**params: object) -> Graph:
        made = Graph("g")
        made.add("data.fashion_mnist", "data", **params)
        return made

    changed = graph(split_seed=3)
    changed.seed = 4
    changed.add("model.zoo", "net")
    a = finished(workspace, graph=graph())
    b = finished(workspace, graph=changed)
    found = dict((name, (x, y)) for name, x, y in index.diff(a.name, b.name))
    assert found["seed"] == (0, 4)
    assert found["data.split_seed"] == (0, 3)
    assert found["net"] == (None, "model.zoo")
    assert index.diff(a.name, a.name) == []
