"""The Pareto front: the runs that no other run beats in both metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

Direction = Literal["lower", "higher"]
Point = tuple[float, float]


def front(points: Sequence[Point], x_better: Direction, y_better: Direction) -> list[int]:
    """Indices of the points on the front, ordered by x.

    A point is on it when no other is at least as good in both and better in one; equal points
    stand there together. Points with NaN or infinite figures never do.
    """
    x_sign = 1.0 if x_better == "lower" else -1.0
    y_sign = 1.0 if y_better == "lower" else -1.0
    costs = [
        (x_sign * x, y_sign * y, index)
        for index, (x, y) in enumerate(points)
        if math.isfinite(x) and math.isfinite(y)
    ]
    costs.sort()
    kept: list[int] = []
    best_y = math.inf
    last: Point | None = None
    for x, y, index in costs:
        if y < best_y or (x, y) == last:
            kept.append(index)
            best_y, last = y, (x, y)
    return sorted(kept, key=lambda index: (points[index][0], points[index][1], index))


def staircase(points: Sequence[Point], y_better: Direction) -> list[Point]:
    """Corners of the line through front points ordered by x.

    Between two of them the line shows what is reached for certain: the worse of both in y.
    """
    line: list[Point] = []
    for (x, y), (next_x, next_y) in pairwise(points):
        worse = max(y, next_y) if y_better == "lower" else min(y, next_y)
        line += [(x, y), (x if worse != y else next_x, worse)]
    return line + list(points[-1:])
