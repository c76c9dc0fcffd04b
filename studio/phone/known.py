"""The session's phones for whoever only looks: nothing is made, nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from studio.phone.phone import Phone
    from studio.session import Session

NAME = "phones"
"""The object name by which a session knows its phones."""


def known_phone(session: Session) -> Phone | None:
    """Return the session's phones if anybody has asked for them yet."""
    from PySide6.QtCore import QObject

    return cast("Phone | None", session.findChild(QObject, NAME))
