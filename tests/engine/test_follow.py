"""Following a generator in training: graph once, then weights; the newest wins; it ends."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.core import events as ev
from backend.core.artifact import Artifact
from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.data.preprocess import ImageInput
from backend.engine import launch
from backend.engine.follow import follow
from backend.export.runtime import session
from backend.models.recipe import Recipe, build
from backend.values import Generator
from tests.fakes import backend
from tests.methods.graphs import write_pairs

RECIPE = Recipe("zoo:resnet_generator(width=4, blocks=1, norm='batch', padding='zero', kernel=3)")
IMAGE = ImageInput(3, 32, 32, (0.5,) * 3, (0.5,) * 3)


def generator(epoch: int, recipe: Recipe = RECIPE) -> Generator:
    torch.manual_seed(epoch)
    module = build(recipe, meta=False).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
    return Generator(recipe, module, IMAGE, "Tiny edit", {"epochs": epoch})


class Training:
    """A run that is alive, whose node announces what the test wants it to."""

    def __init__(self) -> None:
        graph = Graph("edit")
        graph.add("train.image_to_image", "train")
        self.run = Run.create(graph)
        self.lock = self.run.lock()
        self.run.append(ev.NodeStarted(node="train"))

    def snapshot(self, step: int, model: Generator | None = None) -> Path:
        folder = self.run.node_folder("train") / "files" / "snapshots" / f"{step:04d}"
        folder.mkdir(parents=True)
        (model or generator(step)).save(folder)
        name = folder.relative_to(self.run.path).as_posix()
        self.run.append(ev.Snapshot(node="train", path=name, step=step))
        return folder

    def finish(self) -> None:
        self.run.append(ev.NodeFinished(node="train", seconds=1.0))

    def close(self) -> None:
        self.lock.release()
        self.run.close()


@pytest.fixture
def training() -> Iterator[Training]:
    made = Training()
    yield made
    made.close()


def edited(artifact: Artifact) -> np.ndarray:
    pair = np.load(artifact.golden, allow_pickle=False)
    made = session(artifact.path, optimize=False).run(None, {"image": pair["input"]})[0]
    assert np.array_equal(made, pair["output"]), "the golden pair is of these weights"
    return made


def test_three_snapshots_of_a_live_run_are_three_files_of_weights_and_one_graph(training):
    lines = follow(training.run, "train")
    found = []
    for step in (1, 2, 3):
        folder = training.snapshot(step)
        line = next(lines)
        assert (line["step"], line["epoch"]) == (step, step)
        artifact = Artifact.load(Path(line["artifact"]))
        assert line["graph"] == artifact.sha256
        assert line["weights"] == artifact.facts["weights"]["sha256"]
        with torch.no_grad():
            pair = np.load(artifact.golden, allow_pickle=False)
            wanted = Generator.load(folder).module(torch.from_numpy(pair["input"])).numpy()
        assert edited(artifact) == pytest.approx(wanted, abs=1e-5)
        found.append(line)
    assert len({line["graph"] for line in found}) == 1
    assert len({line["weights"] for line in found}) == 3
    assert min(found[1]["seconds"], found[2]["seconds"]) < found[0]["seconds"]
    training.finish()
    assert list(lines) == [{"finished": True, "status": "finished"}]
    facts = artifact.facts
    assert (facts["task"], facts["node"], facts["output"]) == (
        "image_to_image", "train", {"low": -1, "high": 1},
    )  # fmt: skip
    assert facts["gmacs"] > 0
    assert artifact.path.stat().st_size < facts["weights"]["bytes"]


def test_who_cannot_keep_up_gets_the_newest(training):
    for step in (1, 2, 3):
        training.snapshot(step)
    training.finish()
    lines = list(follow(training.run, "train"))
    assert [line.get("step") for line in lines] == [3, None]


def test_a_snapshot_that_training_has_removed_meanwhile_is_left_out(training):
    import shutil

    shutil.rmtree(training.snapshot(1))
    lines = follow(training.run, "train")
    threading.Timer(0.3, training.snapshot, (2,)).start()
    assert next(lines)["step"] == 2


def test_another_architecture_makes_another_graph(training):
    lines = follow(training.run, "train")
    training.snapshot(1)
    first = next(lines)
    wider = Recipe(RECIPE.builder.replace("width=4", "width=6"))
    training.snapshot(2, generator(2, wider))
    second = next(lines)
    assert first["graph"] != second["graph"]
    edited(Artifact.load(Path(second["artifact"])))


def test_a_damaged_snapshot_is_a_sentence_and_the_next_one_counts(training):
    (training.snapshot(1) / "model.safetensors").write_bytes(b"no")
    lines = follow(training.run, "train")
    line = next(lines)
    assert line["step"] == 1
    assert "model.safetensors" in line["error"]
    training.snapshot(2)
    assert next(lines)["step"] == 2


def test_old_artifacts_go_the_newest_stay(training, tmp_path):
    lines = follow(training.run, "train", tmp_path / "out")
    for step in range(1, 7):
        training.snapshot(step)
        line = next(lines)
    kept = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert kept == [f"{n:04d}-step-{n}" for n in (3, 4, 5, 6)]
    edited(Artifact.load(Path(line["artifact"])))
    training.snapshot(7)
    again = next(follow(training.run, "train", tmp_path / "out"))
    assert Path(again["artifact"]).name == "0007-step-7", "nothing of an earlier one is touched"


def test_it_ends_with_a_run_that_dies_and_with_one_that_fails(training):
    training.snapshot(1)
    training.close()
    lines = list(follow(training.run, "train"))
    assert lines[-1] == {"finished": False, "status": "crashed"}
    other = Training()
    other.run.append(ev.NodeFailed(node="train", error="no"))
    assert list(follow(other.run, "train")) == [{"finished": False, "status": "failed"}]
    other.close()


def test_it_stops_when_nobody_listens_any_more(training):
    closed = threading.Event()
    threading.Timer(0.3, closed.set).start()
    began = time.monotonic()
    assert list(follow(training.run, "train", closed=closed)) == []
    assert time.monotonic() - began < 3


def test_a_path_out_of_the_run_is_not_followed(training):
    training.run.append(ev.Snapshot(node="train", path="../../etc", step=1))
    with pytest.raises(ValueError, match="leads out"):
        next(follow(training.run, "train"))


def test_an_unknown_node_is_named(training):
    with pytest.raises(DocumentError, match='Did you mean "train"'):
        next(follow(training.run, "trian"))


def test_the_command_follows_a_real_training_to_its_end(tmp_path):
    graph = Graph("edit")
    graph.add("data.pairs_folder", "pairs", folder=str(write_pairs(tmp_path / "p")), size=32)
    graph.add("model.generator", "net", preset="resnet", size=32, width=4, blocks=1, norm="batch")
    graph.add("train.image_to_image", "train", epochs=3)
    graph.connect("net.generator", "train.model")
    graph.connect("pairs.pairs", "train.pairs")
    run = launch.create(graph, Workspace.current(), threads=1)
    process = backend("follow", run.name, "train", "--out", str(tmp_path / "out"),
                      stdin=subprocess.PIPE)  # fmt: skip
    launch.execute(run)
    # Our end of its input stays open: it ends because the node does.
    out = [json.loads(line) for line in process.stdout.read().splitlines()]
    assert process.wait(60) == 0, process.stderr.read()
    assert out[-1] == {"finished": True, "status": "finished"}
    assert out[-2]["step"] == 3
    artifact = Artifact.load(Path(out[-2]["artifact"]))
    assert Path(out[-2]["artifact"]).parent == tmp_path / "out"
    edited(artifact)
    assert artifact.facts["epochs"] == 3


def test_the_command_ends_when_its_input_closes_and_errors_are_sentences(training):
    process = backend("follow", training.run.name, "train", stdin=subprocess.PIPE)
    time.sleep(0.5)
    out, err = process.communicate(timeout=60)  # closes its input
    assert (process.returncode, out, err) == (0, "", "")
    process = backend("follow", training.run.name, "tarin", stdin=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert err.startswith("fretsaw: The run")
    assert "Traceback" not in err
