"""The losses of a batch of pairs: the pixel loss, and the batches of single pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backend.data.preprocess import ImageInput
from backend.train.edit import Edit
from backend.train.edit_losses import EditLosses
from backend.train.edit_plan import EditPlan
from backend.train.picture_batches import PictureBatches
from backend.train.plan import TrainError

IMAGE = ImageInput(3, 2, 2, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("recon", "wanted"),
    [("l1", (0.5 + 1.5) / 2), ("l2", (0.25 + 2.25) / 2), ("smooth_l1", (0.125 + 1.0) / 2)],
)
def test_the_pixel_loss_by_hand(recon: Any, wanted: float) -> None:
    plan = EditPlan(l1=10.0, adversarial=0, recon=recon)
    losses = EditLosses(Edit(torch.nn.Identity(), IMAGE), plan, None, True, None, None)
    target = torch.zeros(1, 1, 1, 2)
    made = torch.tensor([0.5, -1.5]).view(1, 1, 1, 2)
    total, parts = losses.of_generator(made, target, target, made)
    assert total.item() == pytest.approx(10 * wanted)
    assert parts["l1"] == pytest.approx(1.0), "the figure is the same for all of them"


class Pictures:
    """Picture i is of the colour i, with its rows marked."""

    def __init__(self, count: int, side: int = 8, channels: int = 3) -> None:
        self.count, self.shape = count, (side, side, channels)

    def __len__(self) -> int:
        return self.count

    def take(self, indices: np.ndarray) -> np.ndarray:
        rows = np.arange(self.shape[0])[None, :, None, None] * 20
        return (np.zeros((len(indices), *self.shape)) + rows + indices[:, None, None, None]).astype(
            np.uint8
        )


def test_batches_of_pictures_are_a_function_of_the_step() -> None:
    batches, again = (PictureBatches(Pictures(10), 4, 7, "b") for _ in range(2))
    assert batches.per_epoch == 2
    seen = [batches.at(step, 4, 8) for step in range(6)]
    for step in (5, 0, 3):  # any order, as after a checkpoint
        assert np.array_equal(again.at(step, 4, 8), seen[step])
    assert all(part.shape == (4, 4, 8, 3) for part in seen)
    for epoch in range(3):
        colours = np.concatenate(seen[2 * epoch : 2 * epoch + 2])[:, 0, 0, 0] % 20
        assert len(set(colours.tolist())) == 8, "none comes twice in an epoch"
    other = PictureBatches(Pictures(10), 4, 7, "a").at(0, 4, 8)
    assert not np.array_equal(other, seen[0])


def test_pictures_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(TrainError, match="no pictures"):
        PictureBatches(Pictures(0), 4, 0, "b")
    with pytest.raises(TrainError, match="grey"):
        PictureBatches(Pictures(3, channels=1), 4, 0, "b")
    with pytest.raises(TrainError, match=r"8 x 8 pixels, training needs 16 x 16"):
        PictureBatches(Pictures(3), 4, 0, "b").at(0, 16, 16)
