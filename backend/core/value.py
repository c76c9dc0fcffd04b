"""What travels on links: classes that can be saved to a folder and loaded from it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, TypeVar, runtime_checkable


@runtime_checkable
class Value(Protocol):
    """Something a node gives to another. Saving and loading gives an equal value."""

    def save(self, folder: Path) -> None:
        """Write the value into an existing empty folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        ...


VALUES: dict[str, type[Value]] = {}
"""Every value class by name; stored outputs name their class and are looked up here."""

V = TypeVar("V", bound=type)


def value(cls: V) -> V:
    """Register a value class, so that it can be a port type and be loaded from the store.

    Raises:
        TypeError: the class cannot be saved or loaded, or its name is taken.
    """
    for method in ("save", "load"):
        if not callable(getattr(cls, method, None)):
            raise TypeError(f"Value class {cls.__name__} needs a {method}() method.")
    known = VALUES.get(cls.__name__)
    if known is not None and known.__module__ != cls.__module__:
        raise TypeError(
            f"Two value classes are called {cls.__name__}: in {known.__module__} "
            f"and in {cls.__module__}. Rename one."
        )
    VALUES[cls.__name__] = cls
    return cls


def ancestry(cls: type) -> tuple[str, ...]:
    """Names under which a value of this class may enter a port: its own and its bases'."""
    return tuple(c.__name__ for c in cls.__mro__ if VALUES.get(c.__name__) is c)
