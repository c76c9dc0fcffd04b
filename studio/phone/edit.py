"""A network that was pushed to a phone, or can be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A network that was, or can be, pushed."""

    id: str
    name: str
    folder: str
    bytes: int = 0
    run: str = ""
    node: str = ""
    note: str = ""
    kind: str = ""
    thumb: str = ""
    epoch: int | None = None
    following: bool = False
