"""What goes wrong with networks and their files, in words for the user."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RecipeError(ValueError):
    """A recipe or a file of a network that cannot be used; the message names it and the remedy."""

    for_user = True


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a ``name`` that is not ``known``; it tells the nearest one."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
    return f"There is no {kind} {name!r}; {hint}"


def first_names(names: Iterable[str], shown: int = 4) -> str:
    """Return the first few ``names`` joined by commas, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
