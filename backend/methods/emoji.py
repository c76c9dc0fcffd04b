"""Pairs of emoji: a real, small, paired edit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import Field

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data import emoji as source
from backend.data.pairs import PICTURES, open_pairs
from backend.data.pictures import contact_sheet
from backend.fields import SplitSeed, TestFraction, TrainLimit, ValFraction
from backend.values import Pairs


class EmojiParams(Params):
    """Where the emoji are, and which of them."""

    folder: Path | None = Field(
        default=None,
        title="Folder",
        description="Folder with the packages emoji-datasource-google and -twitter 16.0.0, packed "
        "or unpacked; empty: those that were downloaded.",
    )
    tones: bool = Field(
        default=False,
        title="Skin tones",
        description="With the skin tones of each emoji; they share the split of their emoji.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the packages (136 MB) with npm if they are not on this computer.",
    )
    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    split_seed: SplitSeed = 0


def _archives(p: EmojiParams) -> Iterable[Path]:
    folder = p.folder or source.cache()
    return (folder / package.archive for package in source.PACKAGES)


@node("data.emoji", title="Emoji pairs", views=("table",), reads=_archives)
def emoji(ctx: Context, p: EmojiParams) -> Pairs:
    """Equal emoji by two makers, Google and Twitter: 64 x 64 pixels on white.

    A paired edit with shapes and colours that differ. Test emoji are in no training pair, nor is
    any skin tone of theirs.
    """
    manifest = source.emoji_pairs(
        ctx.folder / PICTURES,
        p.folder,
        download=p.download,
        tones=p.tones,
        on_done=ctx.progress,
        seed=p.split_seed,
        val_fraction=p.val_fraction,
        test_fraction=p.test_fraction,
        train_limit=p.train_limit,
    )
    rows: list[list[str | float | int | None]] = []
    for split in ("train", "val", "test"):
        chosen = [pair for pair in manifest.pairs if pair.split == split]
        rows.append([split, len({pair.photo for pair in chosen}), len(chosen)])
    ctx.log(f"{manifest.title}: " + ", ".join(f"{n} {split}" for split, _, n in rows))
    columns = [Column(name="Split"), Column(name="Emoji"), Column(name="Pairs")]
    ctx.view(Table(title="Emoji", caption=source.LICENCE, columns=columns, rows=rows), "table")
    train = open_pairs(manifest, "train")
    shown = np.unique(np.linspace(0, len(train) - 1, min(12, len(train))).astype(np.int64))
    ctx.image("samples", contact_sheet(np.concatenate(train.take(shown)), columns=len(shown)))
    return Pairs(manifest)
