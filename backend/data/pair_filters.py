"""Which pairs are worth learning from: figures about a source and its target, and bounds on them.

Thresholds on change and structure follow the idea of filtering generated pairs automatically.
Source: Brooks, Holynski, Efros, InstructPix2Pix, CVPR 2023, sec. 3.1.2
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REASONS = {
    "broken": "not finite",
    "flat": "one colour",
    "unchanged": "hardly changed",
    "too different": "changed too much",
    "structure": "structure lost",
    "repeated": "the same target twice",
}
"""Why a pair is left out: key, and words for it."""


@dataclass(frozen=True)
class Bounds:
    """What a pair must keep to. Changes are mean absolute differences in levels of 0 .. 255."""

    least_change: float = 1.0
    most_change: float = 255.0
    structure: float = -1.0
    """Least correlation of edges, -1 .. 1; -1 lets everything pass."""


def change(source: np.ndarray, target: np.ndarray) -> float:
    """Return the mean absolute difference of two pictures (H, W, 3) uint8, in levels."""
    return float(np.abs(source.astype(np.int16) - target).mean())


def structure(source: np.ndarray, target: np.ndarray) -> float:
    """Return the correlation of the edges of two pictures (H, W, 3) uint8: 1 where they agree.

    Edges are gradient magnitudes of the brightness, averaged over 4 x 4 pixels first, so that
    strokes and grain count little. 0 where one picture has no edges.
    """
    one, other = _edges(source), _edges(target)
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 1e-9 else 0.0


def reason_against(source: np.ndarray, target: np.ndarray, bounds: Bounds) -> tuple[str, float]:
    """Return the key of :data:`REASONS` why a pair is left out, or "", and its change in levels."""
    changed = change(source, target)
    if target.reshape(-1, 3).std(0).max() < 1:
        return "flat", changed
    if changed < bounds.least_change:
        return "unchanged", changed
    if changed > bounds.most_change:
        return "too different", changed
    if bounds.structure > -1 and structure(source, target) < bounds.structure:
        return "structure", changed
    return "", changed


def _edges(picture: np.ndarray) -> np.ndarray:
    grey = picture.astype(np.float32).mean(2)
    height, width = (side // 4 * 4 for side in grey.shape)
    small = grey[:height, :width].reshape(height // 4, 4, width // 4, 4).mean((1, 3))
    down, right = np.gradient(small)
    return np.hypot(down, right)
