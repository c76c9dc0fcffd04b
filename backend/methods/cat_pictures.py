"""Pictures of a lesson: what teacher and student make of the same inputs."""

from __future__ import annotations

import numpy as np
from torch import nn

from backend.core.context import Context
from backend.methods.image_to_image import validation_of
from backend.models.editing import edit_as
from backend.train.edit_judge import sheet, spread
from backend.values import Generator, Pairs

NAME = "input, teacher, student, difference"
"""The name of the sheet, and what its columns are."""
_ROUNDING = 2  # levels of 255


class LessonSheet:
    """Shows validation inputs, the teacher's pictures and the student's; called after each epoch.

    The targets of pairs need not be the teacher's pictures; those are made once, at the start.
    ``has_targets`` says that they are the targets, within the rounding of pixels.
    """

    def __init__(
        self, ctx: Context, student: Generator, teacher: Generator, pairs: Pairs, shown: int
    ) -> None:
        self.ctx, self.student = ctx, student
        self.sources = np.empty(0)
        self.has_targets = False
        found = validation_of(pairs.manifest) if shown else None
        if found is not None:
            self.sources, targets = found.take(spread(len(found), shown))
            self.wanted = self._edited(teacher, teacher.module)
            gap = np.abs(self.wanted.astype(np.int16) - targets)
            self.has_targets = bool(gap.max() <= _ROUNDING)

    def __call__(self, module: nn.Module) -> None:
        """Show what the student makes of them by now."""
        if not len(self.sources):
            return
        was_training = module.training
        made = self._edited(self.student, module.eval())
        module.train(was_training)
        self.ctx.image(NAME, sheet(self.sources, self.wanted, made))

    def _edited(self, known: Generator, module: nn.Module) -> np.ndarray:
        return edit_as(known, module, self.sources, self.ctx.device)[0]
