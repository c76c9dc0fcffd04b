"""One curve's data: a growing copy of the run's points, with what was computed of it kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.plotting.smoothing import Floats, Smoother, spacing

_SETTLED = 64  # points after which the typical gap is no longer asked again at each growth


@dataclass(frozen=True)
class Broken:
    """Where a series stopped being finite: the step, and what it became."""

    step: float
    time: float
    word: str


class Series:
    """Steps, values and smoothed values of one metric of one node, in ascending steps."""

    def __init__(self) -> None:
        self._steps = np.empty(64)
        self._values = np.empty(64)
        self._smooth = np.empty(64)
        self._points: Any = None
        self._size = 0
        self._smoothed = 0
        self._smoother = Smoother(0.0)
        self._is_sorted = True
        self._order: Any = None
        self.broken: Broken | None = None
        self.version = 0
        self._cuts = 0

    def __len__(self) -> int:
        return self._size

    def take(self, points: Any) -> bool:
        """Follow ``points`` (``steps`` and ``values``); say whether anything is new.

        A series that was cut, as by a resume, is read anew.
        """
        count = min(len(points.steps), len(points.values))
        cuts = getattr(points, "cuts", 0)
        if cuts != self._cuts or count < self._size or not self._goes_on(points):
            self._restart()
            self._cuts = cuts
        if count == self._size:
            return False
        # A copy: numpy looking into an array would forbid its owner to append.
        steps = np.array(points.steps[self._size : count], dtype=np.float64)
        values = np.array(points.values[self._size : count], dtype=np.float64)
        self._points = points
        self._append(steps, values)
        return True

    def smooth(self, weight: float) -> Floats:
        """Smoothed values (N,); only what is new is computed."""
        if self._size and not self._is_sorted:
            steps, values = self.steps, self.values
            return Smoother(weight, spacing(steps)).feed(steps, values)
        gap = self._smoother.gap
        if self._smoothed < _SETTLED:
            gap = spacing(self._steps[: self._size])
        if self._smoother.weight != min(weight, 0.9999) or self._smoother.gap != gap:
            self._smoother = Smoother(weight, gap)
            self._smoothed = 0
        if self._smoothed < self._size:
            part = slice(self._smoothed, self._size)
            self._smooth[part] = self._smoother.feed(self._steps[part], self._values[part])
            self._smoothed = self._size
        return self._smooth[: self._size]

    @property
    def steps(self) -> Floats:
        """Steps (N,), ascending."""
        return self._sorted(self._steps)

    @property
    def values(self) -> Floats:
        """Values (N,) in the order of the steps; NaN where they were not finite."""
        return self._sorted(self._values)

    def seconds(self, began: float | None = None) -> Floats | None:
        """Seconds since ``began`` or the first point (N,); None where points have no times."""
        since = getattr(self._points, "since", ())
        if not self._size or len(since) < self._size:
            return None
        offset = 0.0 if began is None else self._points.began - began
        return self._sorted(np.array(since[: self._size], dtype=np.float64)) + offset

    # -- inner -----------------------------------------------------------------------------------

    def _sorted(self, values: Floats) -> Floats:
        if self._is_sorted:
            return values[: self._size]
        if self._order is None:
            self._order = np.argsort(self._steps[: self._size], kind="stable")
        ordered: Floats = values[: self._size][self._order]
        return ordered

    def _goes_on(self, points: Any) -> bool:
        if not self._size:
            return True
        last = self._size - 1
        value = points.values[last]
        kept = self._values[last]
        same = kept == value or (np.isnan(kept) and not np.isfinite(value))
        return bool(points.steps[last] == self._steps[last] and same)

    def _restart(self) -> None:
        self._size = self._smoothed = 0
        self._smoother = Smoother(self._smoother.weight)
        self._is_sorted, self._order, self.broken = True, None, None
        self.version += 1

    def _append(self, steps: Floats, values: Floats) -> None:
        size = self._size + len(steps)
        if size > len(self._steps):
            room = size + size // 4
            for name in ("_steps", "_values", "_smooth"):
                grown = np.empty(room)
                grown[: self._size] = getattr(self, name)[: self._size]
                setattr(self, name, grown)
        is_finite = np.isfinite(values)
        if self.broken is None and not is_finite.all():
            self._note_broken(steps, values, is_finite)
        before = self._steps[self._size - 1] if self._size else steps[0]
        if self._is_sorted and bool((np.diff(steps, prepend=before) < 0).any()):
            self._is_sorted = False
        self._order = None
        self._steps[self._size : size] = steps
        self._values[self._size : size] = np.where(is_finite, values, np.nan)
        self._size = size
        self.version += 1

    def _note_broken(self, steps: Floats, values: Floats, is_finite: NDArray[np.bool_]) -> None:
        first = int(np.argmin(is_finite))
        word = "NaN" if np.isnan(values[first]) else "infinite"
        since, place = getattr(self._points, "since", ()), self._size + first
        time = self._points.began + since[place] if place < len(since) else 0.0
        self.broken = Broken(float(steps[first]), float(time), word)
