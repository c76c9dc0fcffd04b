"""What gestures on the canvas ask of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF


@dataclass(frozen=True)
class QuickRequest:
    """A wish for a node at a place of the scene.

    ``source`` is the end (``node.port``) that a link was pulled from, None for a node alone;
    ``side`` is the side of that end: from an ``output`` the new node must take what it gives.
    """

    scene_pos: QPointF
    source: str | None = None
    side: Literal["input", "output"] = "output"
