"""Making pairs: counts, splits, filters, stopping and going on, labels of random weights."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core import events as ev
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.data.pair_filters import Bounds
from backend.data.pairs import PairsManifest, open_pairs
from backend.engine import launch
from backend.engine.store import Store
from backend.methods import pairs as pairs_module
from backend.methods.diffusers import NOTE, parse_prompts
from backend.methods.pair_making import Job, Making, make, open_sources, samples_first
from backend.values import Data, Generator, Pairs
from tests.fakes import backend, call
from tests.maths.diffusion.tiny import save_clip

SPLITS = ("train", "val", "test")


def graph_of(files: dict[str, str], *, pairs: dict[str, Any] | None = None, **photos: Any) -> Graph:
    graph = Graph("pairs")
    graph.add("data.photos", "photos", {"source": "bundled", "size": 32, "crops": 4, **photos})
    graph.add("teacher.style", "teacher", {"style": 7})
    graph.add("data.pairs", "it", pairs or {})
    graph.connect("photos.data", "it.photos")
    graph.connect("teacher.generator", "it.teacher")
    return graph


def prompt_graph(source: str, **params: Any) -> Graph:
    graph = Graph("prompts")
    graph.add("data.photos", "photos", {"source": "bundled", "size": 32, "crops": 1})
    graph.add("teacher.diffusers", "teacher", {"source": source, "steps": 2})
    graph.add("data.pairs_by_prompt", "it", {"structure": None, **params})
    graph.connect("photos.data", "it.photos")
    graph.connect("teacher.diffuser", "it.diffuser")
    return graph


def value_of(run: Run, node: str, port: str) -> Any:
    link = json.loads((run.node_folder(node) / "outputs.json").read_text())
    return Store(Workspace.current().store).load(link["fingerprint"], port)


def manifest_of(run: Run) -> PairsManifest:
    return value_of(run, "it", "pairs").manifest


def shas(manifest: PairsManifest) -> list[tuple[str | None, str | None]]:
    return [(pair.source.sha256, pair.target.sha256) for pair in manifest.pairs]


def test_every_crop_becomes_a_pair_in_the_split_of_its_photo(files) -> None:
    run = launch.run(graph_of(files), threads=1)
    made = manifest_of(run)
    assert {split: made.count(split) for split in SPLITS} == {"train": 24, "val": 4, "test": 8}
    owners = [{pair.photo for pair in made.pairs if pair.split == split} for split in SPLITS]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 9
    assert made.options["teacher"]["facts"]["licence"] == "MIT"
    assert made.options["counts"]["train"] == {"kept": 24}
    assert made.concepts() == ("Style 7",)
    photos = value_of(run, "photos", "data")
    source, target = open_pairs(made, "test").take(np.arange(8))
    expected = open_sources(photos)["test"].take(np.arange(8))
    assert np.array_equal(source, expected), "sources are the crops, bit for bit"
    assert np.abs(source.astype(int) - target).mean() > 10
    kinds = {event.view for event in run.events() if isinstance(event, ev.View)}
    assert {"bars", "table", "histogram"} <= kinds
    shown = [event.name for event in run.events() if isinstance(event, ev.Image)]
    assert shown.count("samples") >= 2


def test_nothing_is_lost_with_the_folder_of_the_run(files) -> None:
    run = launch.run(graph_of(files), threads=1)
    link = json.loads((run.node_folder("it") / "outputs.json").read_text())
    shutil.rmtree(run.path)
    made = Store(Workspace.current().store).load(link["fingerprint"], "pairs").manifest
    for split in SPLITS:
        pairs = open_pairs(made, split)
        pairs.take(np.arange(len(pairs)))


def test_stopped_it_goes_on_without_doing_finished_pictures_again(files, monkeypatch) -> None:
    graph = graph_of(files, pairs={"batch": 2}, split_seed=5)
    expected = shas(manifest_of(launch.run(graph, threads=1)))
    graph = graph_of(files, pairs={"batch": 2}, split_seed=5)
    run = launch.create(graph, Workspace.current(), threads=1, settings={"force": ["it"]})
    edited = []
    real = pairs_module.edit_as

    def counting(known: Any, module: Any, pixels: np.ndarray, *rest: Any) -> Any:
        edited.append(len(pixels))
        return real(known, module, pixels, *rest)

    monkeypatch.setattr(pairs_module, "edit_as", counting)

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Metric) and event.node == "it" and event.step == 5:
            run.request_stop()
            time.sleep(0.3)  # a stop is looked for four times a second

    launch.execute(run, force=["it"], on_event=stop)
    assert run.state() == "cancelled"
    before = sum(edited)
    assert 12 <= before < 36
    lost = sorted((run.node_folder("it") / "files" / "pictures").glob("*.png"))[0]
    lost.unlink()  # one picture of a finished group is gone: that group is done again
    assert launch.resume(run) == "finished"
    assert shas(manifest_of(run)) == expected
    assert 36 <= sum(edited) <= 36 + 4


def test_killed_it_resumes_to_the_same_pairs(files) -> None:
    graph = graph_of(files, pairs={"batch": 1}, size=64, crops=16)
    plain = shas(manifest_of(launch.run(graph, threads=1, force=["it"])))
    run = launch.create(
        graph, Workspace.current(), threads=1, settings={"force": ["it"], "every": 2}
    )
    process = backend("run", str(run.path), "--now", "--quiet")
    deadline = time.monotonic() + 120
    while process.poll() is None and _furthest(run) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert run.state() == "crashed", "it was killed before it was done"
    code, _, err = call("resume", run.name, "--quiet")
    assert code == 0, err
    assert shas(manifest_of(run)) == plain
    resumed = [e for e in run.events() if isinstance(e, ev.Resumed) and e.node == "it"]
    assert max(e.step for e in resumed) > 0


def _furthest(run: Run) -> int:
    steps = (e.step for e in run.tail()[0] if isinstance(e, ev.Metric) and e.node == "it")
    return max(steps, default=-1)


def test_pairs_that_hardly_change_are_left_out_and_said(files) -> None:
    run = launch.run(graph_of(files, pairs={"least_change": 255}), threads=1)
    assert run.result["status"] == "failed"
    assert (
        'All 24 pairs of the "train" split were left out: 24 hardly changed'
        in (run.result["error"])
    )
    everything = manifest_of(launch.run(graph_of(files), threads=1))
    changes = changes_of(everything)
    bound = sorted(changes)[2] + 1e-3
    made = manifest_of(launch.run(graph_of(files, pairs={"least_change": bound}), threads=1))
    counts = made.options["counts"]
    assert sum(found.get("unchanged", 0) for found in counts.values()) == 3
    assert sorted(changes_of(made)) == sorted(changes)[3:]


def changes_of(manifest: PairsManifest) -> list[float]:
    found = []
    for split in SPLITS:
        pairs = open_pairs(manifest, split)
        source, target = pairs.take(np.arange(len(pairs)))
        found += np.abs(source.astype(int) - target).mean((1, 2, 3)).tolist()
    return found


def test_labelled_pictures_are_refused_with_a_remedy(files) -> None:
    graph = graph_of(files)
    graph.remove("photos")
    graph.add("data.digits", "photos", {})
    graph.connect("photos.data", "it.photos")
    run = launch.run(graph, threads=1)
    assert "are pictures with labels" in run.result["error"]
    assert 'Link the node "Photos"' in run.result["error"]


def test_a_teacher_of_one_size_edits_photos_of_another(files) -> None:
    graph = graph_of(files, size=48, crops=1)
    graph.remove("teacher")
    graph.add(
        "teacher.onnx",
        "teacher",
        {"file": files["image_onnx"], "input_range": "signed", "output_range": "signed"},
    )
    graph.connect("teacher.generator", "it.teacher")
    made = manifest_of(launch.run(graph, threads=1))
    assert open_pairs(made, "train").shape == (48, 48, 3)


# -- teachers as nodes -----------------------------------------------------------------------------


def test_a_teacher_knows_what_it_reads_and_where_it_is_from(files) -> None:
    graph = Graph("t")
    graph.add("teacher.style", "it", {"style": 7})
    teacher = value_of(launch.run(graph, threads=1), "it", "generator")
    assert isinstance(teacher, Generator)
    assert (teacher.low, teacher.high, teacher.any_size) == (0, 1, True)
    assert teacher.label == "Style 7"
    assert teacher.facts["runtime_error"] < 1e-4


@pytest.mark.parametrize(
    ("kind", "params", "words"),
    [
        ("teacher.onnx", {"file": "{onnx}"}, "no colour picture|leaves open|cannot read"),
        ("teacher.onnx", {"file": "{image_onnx}", "fixed": "{"}, "Other inputs: { is no JSON"),
        ("teacher.onnx", {"file": "{image_onnx}", "fixed": "[1]"}, "has no names"),
        ("teacher.onnx", {"file": "{python}"}, '"net.py" cannot be used: .*no ONNX'),
        ("teacher.torch", {"file": "{weights}"}, "needs a builder"),
        ("teacher.torch", {"file": "{hub}"}, "hub.* holds no network from picture to picture"),
        (
            "teacher.torch",
            {"file": "{weights}", "builder": "zoo:cyclegan_generator()"},
            "do not fit the network",
        ),
        (
            "teacher.torch",
            {"file": "{python}", "arguments": '{"width": 3}'},
            "cannot read a picture",
        ),
        ("teacher.diffusers", {"source": "{hub}"}, "has no model_index.json"),
        ("teacher.diffusers", {"source": "somebody/absent"}, "is not on this computer"),
        ("teacher.vintagify", {"file": "{onnx}"}, "SHA-256"),
    ],
)
def test_what_is_no_teacher_is_refused_in_a_sentence(
    files, kind: str, params: dict[str, str], words: str
) -> None:
    graph = Graph("t")
    filled = {key: files.get(value.strip("{}"), value) for key, value in params.items()}
    graph.add(kind, "it", filled)
    try:
        error = launch.run(graph, threads=1).result["error"]
    except FretsawError as refused:
        error = str(refused)
    assert re.search(words, error), error
    assert "Traceback" not in error
    assert "An unexpected" not in error


def test_a_teacher_saved_by_fretsaw_is_read_back(files, tmp_path: Path) -> None:
    graph = Graph("t")
    graph.add("teacher.style", "it", {"style": 2})
    made = value_of(launch.run(graph, threads=1), "it", "generator")
    made.save(tmp_path)
    graph = Graph("t")
    graph.add("teacher.torch", "it", {"file": str(tmp_path)})
    again = value_of(launch.run(graph, threads=1), "it", "generator")
    assert (again.label, again.low, again.recipe) == ("Style 2", 0, made.recipe)


def test_photos_of_a_folder_and_what_was_left_out(files, tmp_path: Path) -> None:
    root = Path(shutil.copytree(files["pictures"], tmp_path / "mine"))
    (root / "bad.png").write_bytes(b"no picture")
    graph = Graph("p")
    params = {"source": "folder", "folder": str(root), "size": 16}
    graph.add("data.photos", "it", params)
    assert "bad.png" in launch.run(graph, threads=1).result["error"]
    graph.set("it", on_error="skip")
    run = launch.run(graph, threads=1)
    data = value_of(run, "it", "data")
    assert isinstance(data, Data)
    assert len(data.manifest.files) == 24
    texts = [e.text for e in run.events() if isinstance(e, ev.Log) and e.level == "warning"]
    assert any("bad.png" in text for text in texts)
    os.remove(root / "ant" / "0.png")
    again = launch.run(graph, threads=1)
    assert len(value_of(again, "it", "data").manifest.files) == 23, "a changed folder is read anew"


# -- prompts -----------------------------------------------------------------------------------


def test_pictures_of_random_weights_are_labelled_wherever_they_go(files) -> None:
    run = launch.run(prompt_graph(files["pipeline"]), threads=1)
    made = manifest_of(run)
    assert made.options["note"] == NOTE
    assert NOTE in made.title
    warnings = [e.text for e in run.events() if isinstance(e, ev.Log) and e.level == "warning"]
    assert any("random weights" in text for text in warnings)
    shown = [e.name for e in run.events() if isinstance(e, ev.Image) and e.node == "it"]
    assert shown
    assert all(NOTE in name for name in shown)


def test_each_edit_is_a_concept_with_its_prompt_and_seed(files) -> None:
    prompts = "paint: make it a painting; night: at night | a dark street"
    every = manifest_of(launch.run(prompt_graph(files["pipeline"], prompts=prompts), threads=1))
    assert every.concepts() == ("night", "paint")
    assert len(every.pairs) == 18
    assert {pair.prompt for pair in every.pairs} == {"make it a painting", "at night"}
    seeds = [pair.seed for pair in every.pairs]
    assert len(set(seeds)) == len(seeds)
    turns = prompt_graph(files["pipeline"], prompts=prompts, each="one", limit=2)
    one = manifest_of(launch.run(turns, threads=1))
    assert len(one.pairs) == 5, "two of train and test, and the only one of val"
    known = {(pair.source.sha256, pair.concept): pair for pair in every.pairs}
    for pair in one.pairs:
        same = known[pair.source.sha256, pair.concept]
        assert (pair.seed, pair.target.sha256) == (same.seed, same.target.sha256)


def test_clip_judges_what_the_pipeline_made(files, tmp_path: Path) -> None:
    clip = str(save_clip(tmp_path / "clip"))
    free = {"clip": clip, "gain": -1, "direction": -1, "likeness": -1, "tries": 1}
    made = manifest_of(launch.run(prompt_graph(files["pipeline"], **free), threads=1))
    assert made.options["counts"]["train"] == {"kept": 6}
    strict = {**free, "likeness": 1}
    run = launch.run(prompt_graph(files["pipeline"], **strict), threads=1)
    assert (
        'All 6 pairs of the "train" split were left out: 6 another picture' in (run.result["error"])
    )


def test_a_pipeline_that_changed_since_is_told(files, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(files["pipeline"], tmp_path / "mine"))
    run = launch.run(prompt_graph(str(folder), limit=1), threads=1)
    diffuser = value_of(run, "teacher", "diffuser")
    photos = value_of(run, "photos", "data")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.02", "0.03"))
    from backend.methods.diffusers import PromptPairsParams, pairs_by_prompt

    with pytest.raises(FretsawError, match="mine has changed since it was looked at"):
        pairs_by_prompt(Context.quiet(), PromptPairsParams(), photos, diffuser)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "There are no prompts"),
        (" ; \n", "There are no prompts"),
        ("make it snow", "needs a name and a prompt"),
        ("snow:", "needs a name and a prompt"),
        (": make it snow", "needs a name and a prompt"),
        ("a: one; a: two", 'Two edits are called "a"'),
    ],
)
def test_prompts_that_cannot_be_read_are_told(text: str, words: str) -> None:
    with pytest.raises(FretsawError, match=words):
        parse_prompts(text)


def test_prompts_have_a_name_and_perhaps_a_caption() -> None:
    one, other = parse_prompts("snow: make it snow | a snowy street\n paint : a painting: of it;")
    assert (one.name, one.prompt, one.caption) == ("snow", "make it snow", "a snowy street")
    assert (other.name, other.prompt) == ("paint", "a painting: of it")
    assert other.caption == other.prompt


# -- the loop itself ---------------------------------------------------------------------------


@pytest.fixture
def photos(files) -> Data:
    graph = Graph("p")
    graph.add("data.photos", "it", {"source": "bundled", "size": 16, "crops": 2})
    return value_of(launch.run(graph, threads=1), "it", "data")


def jobs_of(photos: Data) -> list[Job]:
    return [
        Job(split, i, int(images.photos[i]))
        for split, images in open_sources(photos).items()
        for i in range(len(images))
    ]


def test_a_pair_that_is_left_out_is_tried_again_with_other_seeds(photos: Data) -> None:
    asked: list[int] = []

    def edit(pixels: np.ndarray, jobs: Any) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(job.seed for job in jobs)
        good = np.array([job.seed == 2 for job in jobs])
        return np.where(good[:, None, None, None], 255 - pixels, pixels), np.ones(len(jobs), bool)

    def again(job: Job, n: int) -> Job:
        return Job(job.split, job.index, job.photo, seed=n)

    how = Making(edit, "t", Bounds(), batch=3, tries=5, again=again)
    made = make(Context.quiet(), open_sources(photos), jobs_of(photos), how)
    assert isinstance(made, Pairs)
    assert {pair.seed for pair in made.manifest.pairs} == {2}
    assert asked.count(2) == len(made.manifest.pairs) == 18
    assert 3 not in asked


def test_broken_and_repeated_targets_are_counted(photos: Data) -> None:
    same = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)

    def edit(pixels: np.ndarray, jobs: Any) -> tuple[np.ndarray, np.ndarray]:
        out = 255 - pixels
        finite = np.ones(len(jobs), bool)
        for i, job in enumerate(jobs):
            if job.split == "train" and job.index < 4:
                out[i] = same
            if job.split == "test" and job.index == 1:
                finite[i] = False
        return out, finite

    made = make(
        Context.quiet(), open_sources(photos), jobs_of(photos), Making(edit, "t", Bounds())
    ).manifest
    assert made.options["counts"]["train"] == {"kept": 9, "repeated": 3}
    assert made.options["counts"]["test"] == {"kept": 3, "broken": 1}
    assert [made.count(split) for split in SPLITS] == [9, 2, 3]


def test_answers_of_another_size_are_refused(photos: Data) -> None:
    def edit(pixels: np.ndarray, jobs: Any) -> tuple[np.ndarray, np.ndarray]:
        return pixels[:, :8], np.ones(len(jobs), bool)

    with pytest.raises(FretsawError, match="answers pictures of"):
        make(Context.quiet(), open_sources(photos), jobs_of(photos), Making(edit, "t", Bounds()))


def test_what_is_shown_comes_first_and_nothing_is_lost(photos: Data) -> None:
    jobs = jobs_of(photos)
    ordered = samples_first(jobs)
    assert sorted(map(repr, ordered)) == sorted(map(repr, jobs))
    assert {job.split for job in ordered[:8]} == {"train"}
    assert len({job.photo for job in ordered[:8]}) == 6
