"""Where the tensors of a graph lie in the file of weights beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """Where one tensor lies in the file of weights: float32, little-endian, row by row."""

    name: str
    shape: tuple[int, ...]
    offset: int
    bytes: int
