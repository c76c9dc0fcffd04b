"""Data sets of labelled pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import Bars
from backend.data import vision
from backend.data.fashion_mnist import DEBIAN_FOLDER, debian_cache
from backend.data.manifest import Manifest
from backend.data.pictures import one_of_each_class
from backend.fields import Fit, SplitSeed, TestFraction, TestLimit, TrainLimit, ValFraction
from backend.values import Data


class FashionMnistParams(Params):
    """Which copy of Fashion-MNIST, and how much of it."""

    source: Literal["auto", "sample", "debian", "folder", "hub"] = Field(
        default="auto",
        title="Source",
        description="Where from: the bundled sample of 10,000 pictures, the Debian package, a "
        "folder with the IDX files, or the hub. Auto: the Debian package if it is there.",
        json_schema_extra={"labels": {"sample": "Bundled sample", "debian": "Debian package"}},
    )
    folder: Path | None = Field(
        default=None, title="Folder", description="Folder with the four IDX files."
    )
    val_fraction: ValFraction = 0.1
    train_limit: TrainLimit = None
    test_limit: TestLimit = None
    split_seed: SplitSeed = 0

    @model_validator(mode="after")
    def _folder_goes_with_its_source(self) -> FashionMnistParams:
        if (self.source == "folder") != (self.folder is not None):
            raise ValueError('the source "folder" and the folder go together; give both or neither')
        return self


def _fashion_files(p: FashionMnistParams) -> Iterable[Path]:
    """What "auto" decides by, besides the bundled sample, which comes with the program."""
    return [DEBIAN_FOLDER, debian_cache()] if p.source in ("auto", "debian") else []


@node("data.fashion_mnist", title="Fashion-MNIST", views=("bars",), reads=_fashion_files)
def fashion_mnist(ctx: Context, p: FashionMnistParams) -> Data:
    """Grey 28 x 28 pictures of ten kinds of clothing: 60,000 to learn from, 10,000 to test.

    A balanced sample of 8,000 + 2,000 is bundled. Figures on the sample are not those of the whole.

    Source: Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017
    """
    options = _options(p)
    return _shown(ctx, vision.fashion_mnist(p.source, p.folder, **options))


class DigitsParams(Params):
    """How the digits are split."""

    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    test_limit: TestLimit = None
    split_seed: SplitSeed = 0


@node("data.digits", title="Digits", views=("bars",))
def digits(ctx: Context, p: DigitsParams) -> Data:
    """1,797 grey 8 x 8 pictures of handwritten digits, for quick trials.

    Source: Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998
    """
    return _shown(ctx, vision.digits(test_fraction=p.test_fraction, **_options(p)))


class ImageFolderParams(Params):
    """Which folder, and what becomes of its pictures."""

    folder: Path = Field(
        title="Folder", description="Folder with one folder of pictures for each class."
    )
    size: int = Field(
        default=64,
        ge=8,
        le=1024,
        title="Picture size",
        description="Height and width of the pictures.",
        json_schema_extra={"unit": "px"},
    )
    channels: Literal[1, 3] = Field(
        default=3,
        title="Channels",
        description="3 for colour, 1 for grey.",
        json_schema_extra={"labels": {"1": "Grey", "3": "Colour"}},
    )
    fit: Fit = "crop"
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        title="Bad pictures",
        description="What to do about a picture that cannot be read.",
    )
    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    test_limit: TestLimit = None
    split_seed: SplitSeed = 0


@node("data.image_folder", title="Image folder", views=("bars", "table"))
def image_folder(ctx: Context, p: ImageFolderParams) -> Data:
    """Your own pictures: one folder for each class, in train/, val/ and test/ if you have those."""
    manifest = vision.image_folder(
        p.folder,
        size=p.size,
        channels=p.channels,
        fit=p.fit,
        on_error=p.on_error,
        test_fraction=p.test_fraction,
        **_options(p),
    )
    skipped = manifest.options["skipped"]
    for path, reason in skipped[:20]:
        ctx.log(f'Left out "{path}": {reason}', level="warning")
    if len(skipped) > 20:
        ctx.log(f"{len(skipped)} pictures were left out in all.", level="warning")
    return _shown(ctx, manifest)


class CifarParams(Params):
    """Where the CIFAR batches are."""

    folder: Path = Field(
        title="Folder", description="The unpacked cifar-10-batches-py or cifar-100-python."
    )
    val_fraction: ValFraction = 0.1
    train_limit: TrainLimit = None
    test_limit: TestLimit = None
    split_seed: SplitSeed = 0


@node("data.cifar", title="CIFAR", views=("bars",))
def cifar(ctx: Context, p: CifarParams) -> Data:
    """CIFAR-10 or CIFAR-100 from the standard Python batches on this computer; no download.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009
    """
    return _shown(ctx, vision.cifar(p.folder, **_options(p)))


AnyParams = FashionMnistParams | DigitsParams | ImageFolderParams | CifarParams


def _options(p: AnyParams) -> dict[str, float | int | None]:
    return {
        "seed": p.split_seed,
        "val_fraction": p.val_fraction,
        "train_limit": p.train_limit,
        "test_limit": p.test_limit,
    }


def _shown(ctx: Context, manifest: Manifest) -> Data:
    """Show how many pictures there are to learn from, and what they look like.

    The test split stays closed here: only nodes that evaluate open it.
    """
    counts: dict[str, list[float]] = {}
    for split in ("train", "val"):
        images = vision.open_split(manifest, split)
        found = np.bincount(images.labels, minlength=len(manifest.classes))
        counts[split] = found.astype(float).tolist()
        if split == "train":
            ctx.image("examples", one_of_each_class(images))
    total = ", ".join(f"{int(sum(c)):,} {split}" for split, c in counts.items())
    ctx.log(f"{manifest.title}: {total}")
    ctx.view(
        Bars(
            title="Pictures a class",
            caption=total,
            labels=list(manifest.classes),
            groups=counts,
        ),
        name="classes",
    )
    return Data(manifest)
