"""Which runs the table shows."""

from __future__ import annotations

from dataclasses import dataclass

from studio.run_row import RunRow


@dataclass(frozen=True)
class Filter:
    """Which runs are shown: words that all must occur, states, a tag, stars only."""

    text: str = ""
    states: frozenset[str] = frozenset()
    tag: str = ""
    starred: bool = False

    def holds(self, row: RunRow) -> bool:
        """Whether a run passes."""
        if self.states and row.state not in self.states:
            return False
        if (self.starred and not row.star) or (self.tag and self.tag not in row.tags):
            return False
        if not self.text:
            return True
        given = " ".join(f"{key}={value}" for key, value in row.set.items())
        parts = (row.name, row.label, row.state, row.note, row.sweep, given, *row.tags)
        everything = " ".join(parts).lower()
        return all(word in everything for word in self.text.lower().split())
