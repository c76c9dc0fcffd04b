"""One threshold on norm scales decides all widths of a network for a target cost; plain Python.

A window recomputes the plan while a target is dragged, so nothing here needs an array library.
Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.2; the search loop follows
the released code.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.core.errors import FretsawError

_MOST_STEPS = 200


class ScoreGroup(BaseModel):
    """Channels that stay or go together, with the score (norm scale) of each.

    ``lower`` and ``upper`` bound the width; a lower bound of 0 lets the whole group vanish. The
    width is rounded down to a multiple of ``step`` where the bounds allow it. Without ``scores``
    the group keeps its ``width``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    width: int = Field(ge=1)
    scores: tuple[float, ...] = ()
    lower: int = Field(default=1, ge=0)
    upper: int | None = Field(default=None, ge=1)
    stage: str = ""
    step: int = Field(default=1, ge=1)

    @cached_property
    def ordered(self) -> list[float]:
        """The absolute scores, smallest first."""
        return sorted(abs(score) for score in self.scores)

    def count(self, threshold: float, multiple: int = 1) -> int:
        """Return how many channels stay: those with |score| > threshold, within the bounds.

        A count is rounded up to a multiple of ``multiple`` where the bounds allow it.
        """
        if not self.scores:
            return self.width
        kept = self.width - bisect_right(self.ordered, threshold)
        kept = max(kept // self.step * self.step, min(self.lower, self.width))
        if self.upper is not None:
            kept = min(kept, max(self.upper // self.step, 1) * self.step)
        return self._rounded(kept, multiple)

    def _rounded(self, kept: int, multiple: int) -> int:
        """Round up to a multiple; down where the upper bound is in the way."""
        if multiple <= 1 or self.step > 1:
            return kept
        rounded = min(math.ceil(kept / multiple) * multiple, self.width)
        if self.upper is None or rounded <= self.upper:
            return rounded
        below = self.upper // multiple * multiple
        return below if below >= max(1, min(self.lower, self.width)) else kept

    def narrowed(self, share: float, multiple: int = 1) -> int:
        """Return ``share`` of the width, within the bounds; no group vanishes."""
        if not self.scores:
            return self.width
        kept = round(self.width * share) // self.step * self.step
        kept = max(self.step, min(self.lower, self.width), kept)
        if self.upper is not None:
            kept = min(kept, max(self.upper // self.step, 1) * self.step)
        return self._rounded(kept, multiple)

    def survivors(self, count: int) -> list[int]:
        """Return the indices of the ``count`` largest |scores|, in rising order."""
        if not self.scores:
            return list(range(self.width))
        ranked = sorted(range(self.width), key=lambda i: (-abs(self.scores[i]), i))
        return sorted(ranked[:count])


class CostTerm(BaseModel):
    """Cost of one layer: ``factor`` x width of ``inputs`` x width of ``outputs``.

    A width is a group's name or a number; a depth-wise layer has 1 on one side. A layer that
    ``needs`` groups goes when all of them have vanished.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    factor: float = Field(ge=0)
    inputs: str | int = 1
    outputs: str | int = 1
    needs: tuple[str, ...] = ()


class ChannelPlan(BaseModel):
    """What a search found: its threshold, the width of every group, the cost and its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float
    widths: dict[str, int]
    cost: float
    full_cost: float
    target: float
    steps: int

    @property
    def ratio(self) -> float:
        """Cost of the plan over the cost of the whole network."""
        return self.cost / self.full_cost if self.full_cost else 1.0


class ChannelSpace(BaseModel):
    """All groups and cost terms of a network: what a plan is searched in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[ScoreGroup, ...]
    terms: tuple[CostTerm, ...]
    unit: str = "MAC"
    convention: Literal["output", "input", ""] = ""
    multiple: int = Field(default=1, ge=1)

    def widths(self, threshold: float) -> dict[str, int]:
        """Return the width of every group at ``threshold``."""
        return {group.name: group.count(threshold, self.multiple) for group in self.groups}

    def cost(self, widths: Mapping[str, int]) -> float:
        """Return the sum of all terms at ``widths``."""
        return sum(self.costs(widths).values())

    def costs(self, widths: Mapping[str, int]) -> dict[str, float]:
        """Return the cost of each layer at ``widths``."""
        sums: dict[str, float] = {}
        for term in self.terms:
            value = term.factor * _width(term.inputs, widths) * _width(term.outputs, widths)
            if term.needs and not any(widths[name] for name in term.needs):
                value = 0.0
            sums[term.layer] = sums.get(term.layer, 0.0) + value
        return sums

    @property
    def full_widths(self) -> dict[str, int]:
        """The width of every group in the whole network."""
        return {group.name: group.width for group in self.groups}

    def bounds(self) -> tuple[float, float]:
        """Return the least and the greatest cost that a threshold can reach."""
        scores = self._scores()
        return self.cost(self.widths(scores[-1])), self.cost(self.full_widths)

    def search(self, target: float, *, tolerance: float = 1e-3) -> ChannelPlan:
        """Bisect the threshold until the cost is at most ``target`` and the bracket is narrow.

        The last threshold tried is always one whose cost is within the target.

        Raises:
            FretsawError: no channel has a score, all scores are equal, or the target lies below
                the least cost that the bounds allow.
        """
        scores = self._scores()
        low, high = scores[0], scores[-1]
        full = self.cost(self.full_widths)
        least = self.cost(self.widths(high))
        if least > target:
            raise FretsawError(
                f"A target of {spelled(target, self.unit)} is below the least that the bounds "
                f"allow, {spelled(least, self.unit)}.",
                "Raise the target, or lower the least width.",
            )
        if low == high and full > target:
            raise FretsawError(
                "All norm scales of this network are equal, so none of its channels matters more.",
                "Train the network first.",
            )
        threshold, found, steps = high, high, 0
        cost = math.inf
        while steps < _MOST_STEPS and (high - low > tolerance * max(low, 1e-12) or cost > target):
            threshold = (low + high) / 2
            if threshold in (low, high):  # no number lies between them
                break
            cost = self.cost(self.widths(threshold))
            steps += 1
            if cost > target:
                low = threshold
            else:
                high = found = threshold
        if full <= target and low == high:
            found = math.nextafter(low, -math.inf)
        widths = self.widths(found)
        return ChannelPlan(
            threshold=found,
            widths=widths,
            cost=self.cost(widths),
            full_cost=full,
            target=target,
            steps=steps,
        )

    def keep(self, widths: Mapping[str, int]) -> dict[str, list[int]]:
        """Return the surviving channel indices of every group at ``widths``."""
        return {group.name: group.survivors(widths[group.name]) for group in self.groups}

    def uniform(self, target: float) -> dict[str, int]:
        """Return the widths of the widest network that is narrowed alike everywhere.

        Raises:
            FretsawError: not even the narrowest one is within the target.
        """
        steps = 1_000
        for step in range(steps, 0, -1):
            widths = {
                group.name: group.narrowed(step / steps, self.multiple) for group in self.groups
            }
            if self.cost(widths) <= target:
                return widths
        raise FretsawError(
            f"No uniformly narrowed network costs at most {spelled(target, self.unit)}.",
            "Raise the target.",
        )

    def _scores(self) -> Sequence[float]:
        scores = sorted(abs(s) for group in self.groups for s in group.scores)
        if not scores:
            raise FretsawError(
                "This network has no norm with a scale, so its channels have no scores.",
                "Train it with an affine norm, such as batch norm.",
            )
        if not all(map(math.isfinite, scores)):
            raise FretsawError(
                "A norm scale of this network is not a finite number.",
                "Go back to a checkpoint before training diverged.",
            )
        return scores


def spelled(cost: float, unit: str = "MAC") -> str:
    """Return a cost in words: ``0.43 GMAC``, ``12.1 ms``."""
    if unit == "MAC":
        return f"{cost / 1e9:.3g} GMAC" if cost >= 1e7 else f"{cost / 1e6:.3g} MMAC"
    return f"{cost:.3g} {unit}"


def _width(side: str | int, widths: Mapping[str, int]) -> int:
    return side if isinstance(side, int) else widths[side]
