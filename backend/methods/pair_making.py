"""The loop that makes pairs, whatever makes the edits: resumes, filters, shows, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.views import Bars, Column, Histogram, Table
from backend.data.pair_filters import REASONS, Bounds, reason_against
from backend.data.pairs import PICTURES, Pair, PairsManifest, find_picture, write_picture
from backend.data.photos import PhotoImages
from backend.data.pictures import contact_sheet
from backend.data.vision import open_split
from backend.values import Data, Pairs

SPLITS = ("train", "val", "test")
_SHOWN = 8


@dataclass(frozen=True)
class Job:
    """One pair to make: crop ``index`` of a split, edited as ``prompt`` says with ``seed``."""

    split: str
    index: int
    photo: int
    seed: int = 0
    prompt: str = ""
    concept: str = ""


Edit = Callable[[np.ndarray, Sequence[Job]], tuple[np.ndarray, np.ndarray]]
"""From sources (B, H, W, 3) uint8 and their jobs to targets, and which of them are finite (B,)."""


@dataclass(frozen=True)
class Making:
    """What is to be made, and how: the edits, the bounds, and what is told of it."""

    edit: Edit
    title: str
    bounds: Bounds
    batch: int = 4
    options: dict[str, Any] = field(default_factory=dict)
    judge: Callable[[np.ndarray, np.ndarray, Job], str] | None = None
    """Another reason to leave a pair out, in words, or ""."""
    tries: int = 1
    """How often an edit that is left out is made again, as ``again(job, n)`` says."""
    again: Callable[[Job, int], Job] = lambda job, n: job


def open_sources(photos: Data) -> dict[str, PhotoImages]:
    """Open the photos, split by split.

    Raises:
        FretsawError: the data are no photos.
    """
    if photos.manifest.kind != "photos":
        raise FretsawError(
            f"Pairs are made from photos, and {photos.manifest.title} are pictures with labels.",
            'Link the node "Photos".',
        )
    return {split: open_split(photos.manifest, split) for split in SPLITS}  # type: ignore[misc]


def samples_first(jobs: Sequence[Job]) -> list[Job]:
    """Put some training pairs, evenly spread, before all others: they are what is shown."""
    train = [job for job in jobs if job.split == "train"]
    picked = np.unique(np.linspace(0, len(train) - 1, _SHOWN).astype(np.int64)) if train else []
    first = [train[int(i)] for i in picked]
    rest = set(jobs) - set(first)
    return first + [job for job in jobs if job in rest]


def make(ctx: Context, sources: dict[str, PhotoImages], jobs: list[Job], how: Making) -> Pairs:
    """Make the pairs; what an interrupted run finished is kept.

    Raises:
        FretsawError: nothing is left of a split.
    """
    jobs = samples_first(jobs)
    groups = [jobs[i : i + how.batch] for i in range(0, len(jobs), how.batch)]
    state: dict[str, Any] = {"rows": {}}
    rows: dict[str, list[Any]]
    for step in ctx.loop(len(groups), {"made": state}, every="10s"):
        rows = state["rows"]
        rows[str(step)] = _make_group(ctx, sources, groups[step], how)
        changes = [row["change"] for row in rows[str(step)]]
        ctx.metric(step, change=float(np.mean(changes)))
        if step * how.batch < _SHOWN:
            _show(ctx, rows, how)
    rows = state["rows"]
    for step, group in enumerate(groups):  # a picture may be gone since the run was interrupted
        if any(_is_lost(ctx, row) for row in rows[str(step)]):
            rows[str(step)] = _make_group(ctx, sources, group, how)
    _show(ctx, rows, how)
    made = [row for step in range(len(groups)) for row in rows[str(step)]]
    return _gather(ctx, jobs, made, how, sources)


def _make_group(
    ctx: Context, sources: dict[str, PhotoImages], group: list[Job], how: Making
) -> list[dict[str, Any]]:
    pixels = np.concatenate([sources[job.split].take(np.array([job.index])) for job in group])
    made: list[dict[str, Any]] = [{} for _ in group]
    left = np.arange(len(group))
    for n in range(how.tries):
        jobs = [how.again(group[i], n) if n else group[i] for i in left]
        rows = _edited(ctx, pixels[left], jobs, how)
        for i, row in zip(left, rows, strict=True):
            made[i] = row
        left = np.array([i for i in left if made[i]["reason"]], np.int64)
        if not len(left):
            break
    return made


def _edited(ctx: Context, pixels: np.ndarray, jobs: list[Job], how: Making) -> list[dict[str, Any]]:
    """Edit sources (B, H, W, 3), judge the pairs, write those that are kept."""
    targets, finite = how.edit(pixels, jobs)
    if targets.shape != pixels.shape:
        raise FretsawError(
            f"The teacher answers pictures of {pixels.shape[1:3]} with {targets.shape[1:3]}.",
            "Choose the picture size that it works at.",
        )
    rows = []
    folder = ctx.folder / PICTURES
    for job, source, target, is_finite in zip(jobs, pixels, targets, finite, strict=True):
        reason, changed = reason_against(source, target, how.bounds)
        if not is_finite:
            reason = "broken"
        if not reason and how.judge is not None:
            reason = how.judge(source, target, job)
        row: dict[str, Any] = {"reason": reason, "change": changed, "seed": job.seed}
        if not reason:
            row["source"] = write_picture(source, folder).sha256
            row["target"] = write_picture(target, folder).sha256
        rows.append(row)
    return rows


def _is_lost(ctx: Context, row: dict[str, Any]) -> bool:
    folder = ctx.folder / PICTURES
    return not row["reason"] and any(
        find_picture(row[side], folder) is None for side in ("source", "target")
    )


def _show(ctx: Context, rows: dict[str, list[Any]], how: Making) -> None:
    """Show the samples that are there: inputs in the first row, targets below."""
    from backend.data.image_folder import load_upright

    first = [row for step in sorted(map(int, rows)) for row in rows[str(step)]][:_SHOWN]
    kept = [row for row in first if not row["reason"]]
    if kept:
        sides = [
            np.asarray(load_upright(ctx.folder / PICTURES / f"{row[side]}.png"))
            for side in ("source", "target")
            for row in kept
        ]
        note = how.options.get("note")
        ctx.image(
            f"samples ({note})" if note else "samples",
            contact_sheet(np.stack(sides), columns=len(kept), gap=2),
        )


def _gather(
    ctx: Context,
    jobs: list[Job],
    rows: list[dict[str, Any]],
    how: Making,
    sources: dict[str, PhotoImages],
) -> Pairs:
    counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    seen: dict[str, str] = {}
    pairs = []
    order = {split: i for i, split in enumerate(SPLITS)}
    both = sorted(
        zip(jobs, rows, strict=True), key=lambda x: (order[x[0].split], x[0].index, x[0].concept)
    )
    for job, row in both:
        reason = row["reason"]
        if not reason and seen.setdefault(row["target"], row["source"]) != row["source"]:
            reason = "repeated"
        counts[job.split][reason or "kept"] += 1
        if not reason:
            entries = [
                find_picture(row[side], ctx.folder / PICTURES) for side in ("source", "target")
            ]
            source, target = entries
            assert source is not None
            assert target is not None
            pairs.append(
                Pair(source, target, job.split, row["seed"], job.prompt, job.concept, job.photo)
            )
    _report(ctx, counts, [row["change"] for row in rows], how)
    height, width = next(iter(sources.values())).shape[:2]
    numbers = {split: dict(sorted(found.items())) for split, found in counts.items()}
    bounds = {
        "least_change": how.bounds.least_change,
        "most_change": how.bounds.most_change,
        "structure": how.bounds.structure,
    }
    options = {**how.options, "bounds": bounds, "counts": numbers}
    return Pairs(PairsManifest(how.title, (height, width), tuple(pairs), options))


def _report(
    ctx: Context, counts: dict[str, Counter[str]], changes: list[float], how: Making
) -> None:
    reasons = [*dict.fromkeys(r for found in counts.values() for r in sorted(found))]
    reasons = ["kept", *(r for r in reasons if r != "kept")]
    words = [REASONS.get(reason, reason) for reason in reasons]
    total = ", ".join(f"{found['kept']} {split}" for split, found in counts.items())
    ctx.log(f"{how.title}: kept {total}")
    for split, found in counts.items():
        out = [f"{n} {REASONS.get(r, r)}" for r, n in sorted(found.items()) if r != "kept"]
        if out:
            ctx.log(f"Left out of {split}: {', '.join(out)}", level="warning")
        if sum(found.values()) and not found["kept"]:
            raise FretsawError(
                f'All {sum(found.values())} pairs of the "{split}" split were left out: '
                f"{', '.join(out)}.",
                "Loosen the bounds of this node, or choose another teacher.",
            )
    groups = {split: [float(found[r]) for r in reasons] for split, found in counts.items()}
    ctx.view(Bars(title="Pairs", caption=f"Kept: {total}", labels=words, groups=groups), "counts")
    columns = [Column(name="Split"), *(Column(name=word) for word in words)]
    table = [[split, *(found[r] for r in reasons)] for split, found in counts.items()]
    ctx.view(Table(title="Pairs", columns=columns, rows=table), "table")
    edges = np.linspace(0, max(1.0, *changes), 25)
    ctx.view(
        Histogram(
            title="How much the teacher changes",
            caption="Mean absolute difference of input and target, in levels of 0 to 255",
            unit="levels",
            edges=edges.tolist(),
            counts=np.histogram(changes, edges)[0].astype(float).tolist(),
            marks={"least": how.bounds.least_change},
        ),
        "change",
    )
