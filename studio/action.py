"""One thing that a user can do, as an entry of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Action:
    """Something a user can do.

    ``do`` is ``module:function`` below ``studio.deeds``; the function gets the window and what
    :meth:`Session.act` was given. ``why_not`` names a function of :mod:`studio.reasons`, which
    says in a few words why the action cannot be done now. ``menu`` is a path such as
    ``View/Theme``; entries with the same ``group`` stand together. ``checked`` names a function
    of :mod:`studio.reasons` that says whether a switch is on.
    """

    id: str
    text: str
    do: str
    menu: str = ""
    group: int = 0
    shortcut: str = ""
    icon: str = ""
    why_not: str = ""
    checked: str = ""
    details: tuple[tuple[str, Any], ...] = ()
    keywords: str = ""

    @property
    def where(self) -> str:
        """The way through the menus, in words."""
        return f"{self.menu.replace('/', ' > ')} > {self.text}" if self.menu else ""
