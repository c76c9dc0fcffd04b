"""Copy, cut, paste and duplicate: nodes travel as JSON text, between windows, too."""

from __future__ import annotations

import json
from collections.abc import Collection

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication

from backend.core.errors import DocumentError
from studio.document import Document
from studio.editor.fragment import MOST_BYTES, Fragment, parsed, taken

MIME = "application/x-fretsaw-nodes+json"


def copy(document: Document, nodes: Collection[str], notes: Collection[str] = ()) -> None:
    """Put nodes and notes on the clipboard: links among them, and those that lead into them.

    As plain text, too, so that they can be mailed and pasted back.

    Raises:
        DocumentError: a setting of a node has a value that no file can hold.
    """
    if not nodes and not notes:
        return
    for name in nodes:
        document.graph.node(name)
    try:
        text = json.dumps(
            taken(document.graph, nodes, notes), indent=2, ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise DocumentError(
            "These nodes cannot be copied: a setting has a value that no file can hold.",
            "Reset the settings that are marked.",
        ) from error
    data = QMimeData()
    data.setText(text)
    data.setData(MIME, text.encode())
    QGuiApplication.clipboard().setMimeData(data)


def cut(document: Document, nodes: Collection[str], notes: Collection[str] = ()) -> None:
    """Copy nodes and notes, then remove them; one step back brings them again."""
    copy(document, nodes, notes)
    document.remove(nodes, notes=notes, verb="Cut")


def paste(
    document: Document, at: tuple[float, float] | None = None, *, outside: bool = False
) -> list[str]:
    """Add what is on the clipboard with its upper left corner at ``at``; return the new names.

    With ``outside``, links from nodes of this document that were not copied are kept, too.

    Raises:
        DocumentError: the clipboard holds no nodes, or damaged ones.
    """
    return document.insert(_held(), at, outside=outside)


def duplicate(document: Document, nodes: Collection[str], notes: Collection[str] = ()) -> list[str]:
    """Add nodes and notes once more, a step lower and to the right, with all links into them.

    The clipboard stays as it is.
    """
    for name in nodes:
        document.graph.node(name)
    fragment = taken(document.graph, nodes, notes)
    return document.insert(fragment, outside=True, verb="Duplicate")


def can_paste() -> bool:
    """Tell cheaply whether the clipboard may hold nodes."""
    data = QGuiApplication.clipboard().mimeData()
    if data is None:
        return False
    return data.hasFormat(MIME) or (data.hasText() and '"fretsaw.' in data.text()[:2000])


def _held() -> Fragment:
    data = QGuiApplication.clipboard().mimeData()
    if data is None:
        raise DocumentError("The clipboard is empty.", "Copy some nodes first.")
    if data.hasFormat(MIME):
        raw = bytes(data.data(MIME).data())
        if len(raw) <= 4 * MOST_BYTES:
            return parsed(raw.decode(errors="replace"))
    return parsed(data.text())
