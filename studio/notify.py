"""A word to the user's desktop when the window is not in front."""

from __future__ import annotations

import shutil
import sys

from PySide6.QtCore import QProcess


def notify(title: str, text: str) -> bool:
    """Show a notification by what the desktop brings along; False where there is nothing."""
    command = _command(title, text)
    if command is None:
        return False
    started, _ = QProcess.startDetached(command[0], command[1:])
    return bool(started)


def _command(title: str, text: str) -> list[str] | None:
    if sys.platform == "darwin" and shutil.which("osascript"):
        # the words travel as arguments: nothing in them is read as a script
        script = "display notification (item 2 of argv) with title (item 1 of argv)"
        script = f"on run argv\n{script}\nend run"
        return ["osascript", "-e", script, title, text]
    if sys.platform.startswith("linux") and shutil.which("notify-send"):
        return ["notify-send", "--app-name=Fretsaw", "--", title, text]
    return None
