"""Menus of tool buttons that are filled when they open."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QMenu, QToolButton


def attach_menu(button: QToolButton, fill: Callable[[QMenu], None]) -> QMenu:
    """Give a button a menu that is filled when it opens, so it shows what is so then."""
    menu = QMenu(button)

    def open_it() -> None:
        menu.clear()
        fill(menu)

    menu.aboutToShow.connect(open_it)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return menu
