"""A node that really trains, for tests of kill and resume."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import nn

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.value import value


@value
@dataclass
class Weights:
    """Tensors as lists, so that they compare exactly."""

    values: dict[str, list[float]]

    def save(self, folder: Path) -> None:
        """Write them."""
        (folder / "weights.json").write_text(json.dumps(self.values))

    @classmethod
    def load(cls, folder: Path) -> Weights:
        """Read them."""
        return cls(json.loads((folder / "weights.json").read_text()))


class TrainParams(Params):
    """How to train."""

    steps: int = Field(default=60, ge=1, description="Steps.")
    pause: float = Field(default=0.0, ge=0, description="Seconds a step.")
    every: int = Field(default=7, ge=1, description="Steps between checkpoints.")


@node("toy.train")
def train(ctx: Context, p: TrainParams) -> Weights:
    """Train a small network with dropout, Adam and a schedule."""
    net = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1)
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, p.steps)
    state = {"net": net, "optimizer": optimizer, "schedule": schedule}
    for step in ctx.loop(p.steps, state=state, every=p.every):
        x = torch.randn(16, 4)
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        ctx.metric(step, loss=loss.item())
        time.sleep(p.pause)
    return Weights({k: v.flatten().tolist() for k, v in net.state_dict().items()})
