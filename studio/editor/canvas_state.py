"""What the items of a canvas share while they paint: hover, picks, a link in hand, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from backend.core.graph import Link
from studio.editor.ports import Side


@dataclass
class LinkInHand:
    """A link that is being drawn from ``end``: which ports it would fit, asked once each."""

    end: str
    side: Side
    refusal: Callable[[str], str | None]
    """Says why the link cannot go to an end; None when it can."""
    growth: float = 0.0
    known: dict[str, str | None] = field(default_factory=dict)

    def why_not(self, end: str) -> str | None:
        """Say why the link cannot end there; None when it fits."""
        if end not in self.known:
            self.known[end] = self.refusal(end)
        return self.known[end]


@dataclass
class CanvasState:
    """The moment's look of a canvas, outside the document."""

    hovered_node: str | None = None
    hovered_link: Link | None = None
    hovered_port: str | None = None
    nodes: frozenset[str] = frozenset()
    links: frozenset[Link] = frozenset()
    notes: frozenset[str] = frozenset()
    hand: LinkInHand | None = None
    lifted: Link | None = None
    """The link that was picked up at its input end; it is in hand now."""
    phase: float | None = None
    """Where the running ring's highlight is, 0 to 1; None while nothing turns."""
    pulse: float | None = None
