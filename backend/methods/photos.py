"""Photographs to make pairs from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data import gcompris, vision
from backend.data.photos import chosen
from backend.data.pictures import contact_sheet
from backend.fields import SplitSeed, TestFraction, TrainLimit, ValFraction
from backend.values import Data

_FEW = 20  # photos in the test, below which its figures are said to mean little


class PhotosParams(Params):
    """Which photographs, and what becomes of them."""

    source: Literal["auto", "bundled", "gcompris", "folder"] = Field(
        default="auto",
        title="Source",
        description="Where from: nine bundled photos, the 246 of the Debian package of GCompris, "
        "or a folder. Auto: GCompris if it is there.",
        json_schema_extra={"labels": {"bundled": "Bundled photos", "gcompris": "GCompris"}},
    )
    folder: Path | None = Field(
        default=None, title="Folder", description="Folder with photos, in folders inside it too."
    )
    size: int = Field(
        default=256,
        ge=16,
        le=1024,
        multiple_of=4,
        title="Picture size",
        description="Height and width of the crops.",
        json_schema_extra={"unit": "px"},
    )
    fit: Literal["crop", "stretch"] = Field(
        default="crop",
        title="Fit",
        description="Cut squares out, or bend the whole photo to a square.",
    )
    crops: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="Crops a photo",
        description="Different crops of each photo; empty: 24 of the bundled ones, else 1.",
    )
    recolour: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Recolour",
        description="How far training crops after a photo's first change their colours: helps few "
        "photos teach an edit that goes by colour.",
    )
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        title="Bad pictures",
        description="What to do about a picture that cannot be read or is too small.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the GCompris photos (44 MB) if they are not on this computer.",
    )
    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    split_seed: SplitSeed = 0

    @model_validator(mode="after")
    def _folder_goes_with_its_source(self) -> PhotosParams:
        if (self.source == "folder") != (self.folder is not None):
            raise ValueError('the source "folder" and the folder go together; give both or neither')
        return self


def _photo_files(p: PhotosParams) -> Iterable[Path]:
    """What "auto" decides by."""
    names = (gcompris.INSTALLED / "erase.rcc", gcompris.cache() / "erase.rcc")
    return names if p.source in ("auto", "gcompris") else ()


@node("data.photos", title="Photos", views=("table",), reads=_photo_files)
def photos(ctx: Context, p: PhotosParams) -> Data:
    """Photographs without labels, as square crops; all crops of a photo are in the same split.

    The bundled ones are nine: enough to see an edit learned, too few to judge it by.
    """
    manifest = vision.photos(
        p.source,
        p.folder,
        size=p.size,
        fit=p.fit,
        crops=p.crops,
        recolour=p.recolour,
        on_error=p.on_error,
        download=p.download,
        seed=p.split_seed,
        val_fraction=p.val_fraction,
        test_fraction=p.test_fraction,
        train_limit=p.train_limit,
    )
    for path, reason in manifest.options["skipped"][:20]:
        ctx.log(f'Left out "{path}": it {reason}', level="warning")
    crops = manifest.options["crops"]
    rows = [
        [split, len(chosen(manifest, split)), crops * len(chosen(manifest, split))]
        for split in ("train", "val", "test")
    ]
    ctx.log(
        f"{manifest.title}: "
        + ", ".join(f"{c} {s} from {n} photo{'s' * (n != 1)}" for s, n, c in rows)
    )
    tested = len(chosen(manifest, "test"))
    if tested < _FEW:
        ctx.log(
            f"The test rests on {tested} photo{'s' * (tested != 1)}: its figures show that "
            "something works, no more.",
            level="warning",
        )
    images = vision.open_split(manifest, "train")
    shown = np.unique(np.linspace(0, len(images) - 1, 16).astype(np.int64))
    ctx.image("examples", contact_sheet(images.take(shown)))
    columns = [Column(name="Split"), Column(name="Photos"), Column(name="Crops")]
    ctx.view(
        Table(title="Photos", caption=manifest.title, columns=columns, rows=rows), name="splits"
    )
    return Data(manifest)
