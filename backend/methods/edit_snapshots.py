"""What trainings of edits keep of an epoch: a snapshot of the generator, figures, a sentence."""

from __future__ import annotations

import copy
import shutil
from typing import Any

import torch
from torch import nn

from backend.core.context import Context
from backend.train.edits import EditEpoch
from backend.values import Generator

SNAPSHOTS = "snapshots"
"""The folder in that of the node: one folder a snapshot, named by the epoch, the newest few."""
_KEPT_SNAPSHOTS = 8


class Snapshots:
    """Saves the generator after each epoch and tells followers; keeps the newest few."""

    def __init__(self, ctx: Context, model: Generator) -> None:
        self.ctx, self.model = ctx, model
        self.folder = ctx.folder / SNAPSHOTS

    def __call__(self, row: EditEpoch, module: nn.Module) -> None:
        """Write ``snapshots/0001`` after the first epoch, and so on."""
        number = row.epoch + 1
        folder = self.folder / f"{number:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"epochs": self.model.facts.get("epochs", 0) + number, **figures_of(row)}
        whole = copy.deepcopy(module).to("cpu", memory_format=torch.contiguous_format)
        self.model.with_module(whole.eval(), **facts).save(folder)
        self.ctx.snapshot(folder, number)
        old = self.folder / f"{number - _KEPT_SNAPSHOTS:04d}"
        shutil.rmtree(old, ignore_errors=True)


def figures_of(row: EditEpoch) -> dict[str, Any]:
    """Return the figures of an epoch that travel with the generator."""
    names = ("val_psnr", "val_psnr_identity", "val_l1")
    return {name: value for name in names if (value := getattr(row, name)) is not None}


def verdict_of(row: EditEpoch) -> str:
    """Return the last epoch's figures in a sentence."""
    if row.val_psnr is None or row.val_psnr_identity is None:
        return "There are no validation pairs, so nothing was judged."
    return (
        f"PSNR {row.val_psnr:.1f} dB against the teacher on validation pairs; the untouched "
        f"pictures have {row.val_psnr_identity:.1f} dB."
    )
