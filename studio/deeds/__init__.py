"""What actions do: one module a menu, one function an action, each given the window."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backend.core.errors import FretsawError

if TYPE_CHECKING:
    from studio.action import Action
    from studio.main_window import MainWindow


def do(window: MainWindow, action: Action, details: dict[str, Any]) -> None:
    """Do an action; what goes wrong in an expected way becomes one sentence on the window."""
    module, _, function = action.do.partition(":")
    try:
        deed = getattr(import_module(f"studio.deeds.{module}"), function)
        deed(window, **{**dict(action.details), **details})
    except (FretsawError, OSError) as error:
        window.session.tell(sentence(error), kind="bad")


def sentence(error: FretsawError | OSError) -> str:
    """Say an error in the words of the program."""
    from backend.core.errors import sentence as say

    return say(error)
