"""Measures classifiers on the test split, and puts figures side by side."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from pydantic import Field

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Heatmap, Table
from backend.data.manifest import ImageSet
from backend.data.pictures import contact_sheet
from backend.data.vision import open_split
from backend.metrics import Classification, classify, score
from backend.values import Artifact, Classifier, Data, Figure, Report

_MISTAKES = 24


class EvaluateParams(Params):
    """How to evaluate."""

    batch: int = Field(
        default=256,
        ge=1,
        le=4096,
        title="Batch size",
        description="Pictures at a time.",
        json_schema_extra={"unit": "images"},
    )
    label: str = Field(default="", title="Label", description="Name in tables; empty: the model's.")


@node("evaluate.classifier", title="Evaluate", views=("heatmap",))
def evaluate_classifier(ctx: Context, p: EvaluateParams, model: Classifier, data: Data) -> Report:
    """Accuracy of a classifier on the test split, with a 95 % interval and its mistakes."""
    model.require_classes_of(data)
    images = open_split(data.manifest, "test")
    module = copy.deepcopy(model.module)
    found = classify(module, images, model.image, p.batch, ctx.device, ctx.progress)
    _show(ctx, found, images, model.classes)
    return _report(p.label or model.label, found, model.facts)


@node("evaluate.artifact", title="Evaluate exported file", views=("heatmap",))
def evaluate_artifact(ctx: Context, p: EvaluateParams, artifact: Artifact, data: Data) -> Report:
    """Accuracy of an exported file on the test split, computed by ONNX Runtime.

    The graph runs as it is written, its quantized parts in float, as a phone's exact integer
    kernels compute it; 8-bit kernels that saturate on some desktops do not distort the figure.
    """
    from backend.data.preprocess import ImageInput
    from backend.export.runtime import session

    if "classes" not in artifact.facts:
        raise FretsawError(
            f"{artifact.path.name} does not tell classes apart.",
            "Use Evaluate exported edit, with pairs of pictures.",
        )
    known, wanted = len(artifact.facts["classes"]), len(data.manifest.classes)
    if known != wanted:
        raise FretsawError(
            f"{artifact.path.name} knows {known} classes, but {data.manifest.title} has {wanted}.",
            "Evaluate it on the data that the network was trained on.",
        )
    images = open_split(data.manifest, "test")
    image = ImageInput(**artifact.facts["image"])
    run = session(artifact.path, optimize=False, threads=ctx.threads)
    answers = []
    for start in range(0, len(images), p.batch):
        chosen = np.arange(start, min(start + p.batch, len(images)))
        inputs = image.batch(images.take(chosen)).numpy()
        answers.append(run.run(None, {artifact.input.name: inputs})[0])
        ctx.progress(int(chosen[-1]) + 1, len(images))
    found = score(np.concatenate(answers), images.labels)
    _show(ctx, found, images, tuple(artifact.facts["classes"]))
    label = p.label or f"{artifact.facts['label']} in ONNX Runtime"
    return _report(label, found, artifact.facts)


class CompareParams(Params):
    """What the table is called."""

    title: str = Field(default="Comparison", title="Title", description="Title of the table.")


@node("report.compare", title="Compare", views=("table",))
def compare(ctx: Context, p: CompareParams, reports: list[Report]) -> Report:
    """A table of all figures: one row for each subject, one column for each figure."""
    rows: dict[str, dict[str, Figure]] = {}
    told = _unlike_kid(reports)
    for report in reports:
        shown = [f for f in report.figures if not (report in told and f.name.startswith("KID"))]
        rows.setdefault(report.subject, {}).update({f.name: f for f in shown})
    figures = {f.name: f for report in reports for f in report.figures}
    columns = [Column(name="model")]
    columns += [Column(name=f.name, unit=f.unit, better=f.better) for f in figures.values()]
    cells: list[list[str | float | int | None]] = [
        [subject, *(found[name].value if name in found else None for name in figures)]
        for subject, found in rows.items()
    ]
    notes = [f"{f.name}: {f.note}" for f in figures.values() if f.note]
    samples = {f.samples for f in figures.values() if f.samples}
    if samples:
        what = "Accuracy" if any(report.kind == "accuracy" for report in reports) else "Quality"
        notes.insert(0, f"{what} on {', '.join(f'{n:,}' for n in sorted(samples))} test pictures.")
    for report in told:
        notes.append(f"KID of {report.subject} is left out: it is of other pictures.")
        ctx.log(notes[-1], level="warning")
    table = Table(title=p.title, caption=" ".join(notes), columns=columns, rows=cells)
    ctx.view(table, name="comparison")
    return Report(p.title, tuple(figures.values()), "comparison", {"table": table.model_dump()})


def _unlike_kid(reports: list[Report]) -> list[Report]:
    """Return the reports whose KID cannot stand beside that of the first one that has it."""
    kids = [report for report in reports if "KID" in report.details]
    like = ("preparation", "reference")
    return [
        report
        for report in kids
        if any(report.details["KID"][key] != kids[0].details["KID"][key] for key in like)
    ]


def _report(subject: str, found: Classification, facts: dict[str, Any]) -> Report:
    low, high = found.top1_interval
    trained = facts.get("epochs")
    return Report(
        subject,
        (
            *([Figure("epochs", trained)] if trained is not None else []),
            Figure("top-1", round(found.top1, 3), "%", "higher", found.samples),
            Figure("±", round((high - low) / 2, 2), "%", note="half of the 95 % Wilson interval."),
            Figure("loss", round(found.loss, 4), "nat", "lower", found.samples),
        ),
        "accuracy",
        {"confusion": found.confusion.tolist()},
    )


def _show(ctx: Context, found: Classification, images: ImageSet, classes: tuple[str, ...]) -> None:
    low, high = found.top1_interval
    ctx.metric(0, top1=found.top1, top5=found.top5, test_loss=found.loss, samples=found.samples)
    ctx.log(f"top-1 {found.top1:.2f} % ({low:.2f} to {high:.2f}) on {found.samples:,} pictures")
    ctx.view(
        Heatmap(
            title="Confusion",
            caption=f"True class by predicted class, {found.samples:,} test pictures.",
            unit="pictures",
            row_label="true",
            column_label="predicted",
            rows=list(classes),
            columns=list(classes),
            values=found.confusion.astype(float).tolist(),
        ),
        name="confusion",
    )
    wrong = np.flatnonzero(found.predictions != images.labels)[:_MISTAKES]
    if len(wrong):
        ctx.image("mistakes", contact_sheet(images.take(wrong), columns=12))
        names = [f"{classes[images.labels[i]]} as {classes[found.predictions[i]]}" for i in wrong]
        ctx.log(f"First mistakes, row by row: {'; '.join(names)}")
