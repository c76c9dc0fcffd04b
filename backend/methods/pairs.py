"""Pairs of pictures before and after an edit."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data.pair_alignment import alignment
from backend.data.pair_filters import Bounds
from backend.data.pair_folder import pair_folder
from backend.data.pairs import PairSet, PairsManifest, open_pairs
from backend.data.pictures import contact_sheet
from backend.fields import Fit, SplitSeed, TestFraction, TrainLimit, ValFraction
from backend.methods.pair_making import Job, Making, make, open_sources
from backend.models.editing import edit_as
from backend.values import Data, Generator, Pairs

FILTER = "Left out"

_LOOKED_AT, _NAMED = 64, 5  # pairs


class PairsParams(Params):
    """How many pairs, and which are left out."""

    limit: int | None = Field(
        default=None,
        ge=1,
        title="Limit",
        description="At most so many pairs in each split; empty: every crop.",
        json_schema_extra={"unit": "pairs"},
    )
    batch: int = Field(
        default=4,
        ge=1,
        le=256,
        title="Batch size",
        description="Pictures at a time.",
        json_schema_extra={"unit": "images"},
    )
    least_change: float = Field(
        default=1.0,
        ge=0,
        le=255,
        title="Least change",
        description="Pairs that differ less, as a mean over the pixels, are left out.",
        json_schema_extra={"group": FILTER, "unit": "levels"},
    )
    most_change: float = Field(
        default=255.0,
        ge=0,
        le=255,
        title="Most change",
        description="Pairs that differ more are left out.",
        json_schema_extra={"group": FILTER, "unit": "levels"},
    )
    structure: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        title="Structure",
        description="Least correlation of the edges of input and target; empty: any.",
        json_schema_extra={"group": FILTER},
    )


@node("data.pairs", title="Make pairs", views=("bars", "table", "histogram"))
def pairs(ctx: Context, p: PairsParams, photos: Data, teacher: Generator) -> Pairs:
    """Let a teacher edit every photo: inputs and targets to train a small generator on.

    Pairs are left out that are broken, hardly changed or repeated. A stopped run goes on where it
    was. The split of a pair is that of its photo.
    """
    sources = open_sources(photos)
    module = teacher.module
    if ctx.device != "cpu":
        module = copy.deepcopy(module).to(ctx.device)

    def edit(pixels: np.ndarray, jobs: Sequence[Job]) -> tuple[np.ndarray, np.ndarray]:
        return edit_as(teacher, module.eval(), pixels, ctx.device)

    jobs = [
        Job(split, int(i), int(images.photos[i]), concept=teacher.label)
        for split, images in sources.items()
        for i in spread(len(images), p.limit)
    ]
    options = {
        "teacher": {"label": teacher.label, "facts": teacher.facts, "recipe": _digest(teacher)},
        "photos": {"title": photos.manifest.title, "source": photos.manifest.options["source"]},
        "seed": ctx.seed,
    }
    title = f"{teacher.label} of {photos.manifest.title}"
    how = Making(edit, title, _bounds(p), p.batch, options)
    return make(ctx, sources, jobs, how)


class PairFolderParams(Params):
    """Which folder, and how its pairs are read."""

    folder: Path = Field(
        title="Folder",
        description="Folder with A and B of equal file names, with pictures side by side, or with "
        "a metadata.jsonl.",
    )
    layout: Literal["auto", "folders", "side by side", "list"] = Field(
        default="auto",
        title="Layout",
        description="How the pairs lie there; auto looks.",
        json_schema_extra={"labels": {"folders": "Folders A and B", "list": "metadata.jsonl"}},
    )
    size: int = Field(
        default=256,
        ge=16,
        le=1024,
        multiple_of=4,
        title="Picture size",
        description="Height and width of the pictures.",
        json_schema_extra={"unit": "px"},
    )
    fit: Fit = "crop"
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        title="Bad pairs",
        description="What to do about a pair that cannot be used.",
    )
    unaligned: Literal["warn", "stop", "off"] = Field(
        default="warn",
        title="Unaligned pairs",
        description="What to do when targets do not belong to their sources, or are shifted.",
        json_schema_extra={"group": FILTER, "labels": {"off": "Do not check"}},
    )
    alignment: float = Field(
        default=0.7,
        ge=0,
        le=1,
        title="Least alignment",
        description="How often a target must fit its own source better than another; 0.5 is "
        "chance, strong painting styles have 0.8 or more.",
        json_schema_extra={"group": FILTER},
    )
    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    split_seed: SplitSeed = 0


@node("data.pairs_folder", title="Pairs from a folder", views=("table",))
def pairs_folder(ctx: Context, p: PairFolderParams) -> Pairs:
    """Your own pairs of pictures before and after an edit; they stay where they are.

    Source: Isola et al., Image-to-image translation with conditional adversarial networks, CVPR
    2017 (pictures side by side)
    """
    manifest = pair_folder(
        p.folder,
        layout=p.layout,
        size=p.size,
        fit=p.fit,
        on_error=p.on_error,
        seed=p.split_seed,
        val_fraction=p.val_fraction,
        test_fraction=p.test_fraction,
        train_limit=p.train_limit,
    )
    tell_counts(ctx, manifest, "Pairs", f"{manifest.title}: ")
    train = open_pairs(manifest, "train")
    if p.unaligned != "off":
        _check_alignment(ctx, train, p)
    show_samples(ctx, train)
    return Pairs(manifest)


def tell_counts(ctx: Context, manifest: PairsManifest, title: str, about: str) -> None:
    """Say which pairs of a folder were left out, and after ``about`` how many each split has."""
    for path, reason in manifest.options["skipped"][:20]:
        ctx.log(f'Left out: "{path}" {reason}', level="warning")
    counts = [[split, manifest.count(split)] for split in ("train", "val", "test")]
    ctx.log(about + ", ".join(f"{count} {split}" for split, count in counts))
    columns = [Column(name="Split"), Column(name="Pairs")]
    ctx.view(Table(title=title, columns=columns, rows=counts), "table")


def show_samples(ctx: Context, train: PairSet) -> None:
    """Show some training pairs: sources above, targets below."""
    shown = spread(len(train), 8)
    ctx.image("samples", contact_sheet(np.concatenate(train.take(shown)), columns=len(shown)))


def _check_alignment(ctx: Context, train: PairSet, p: PairFolderParams) -> None:
    """Look at some pairs; warn of those that do not fit, or refuse.

    Raises:
        FretsawError: the pairs do not fit, and stopping is what was asked for.
    """
    chosen = spread(len(train), _LOOKED_AT)
    some = [train.pairs[i] for i in chosen]
    found = alignment(*train.take(chosen), np.array([pair.photo for pair in some]))
    if found is None:
        return
    problem = found.problem(p.alignment)
    worst = np.argsort(found.scores, kind="stable")[:_NAMED] if problem else found.strangers
    names = ", ".join(f'"{Path(some[i].target.path).name}"' for i in worst[:_NAMED])
    if problem:
        said = (
            f"The pairs in {p.folder.name} {problem} ({len(some)} pairs looked at; worst: {names})."
        )
        remedy = (
            "Pair pictures of one size and place by their names, or choose not to check; without "
            "pairs, train a CycleGAN."
        )
        if p.unaligned == "stop":
            raise FretsawError(said, remedy)
        ctx.log(f"{said} {remedy}", level="warning")
    elif len(worst):
        ctx.log(
            f"{len(worst)} of {len(some)} pairs looked at may be of two pictures each: {names}.",
            level="warning",
        )


def _bounds(p: PairsParams) -> Bounds:
    structure = -1.0 if p.structure is None else p.structure
    return Bounds(p.least_change, p.most_change, structure)


def spread(count: int, limit: int | None) -> np.ndarray:
    """Return at most ``limit`` numbers below ``count``, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).astype(np.int64))


def _digest(teacher: Generator) -> str:
    return hashlib.sha256(json.dumps(teacher.recipe.to_json(), sort_keys=True).encode()).hexdigest()
