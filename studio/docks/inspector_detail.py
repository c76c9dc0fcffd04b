"""Beside the table: one tensor's name, facts and histogram."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.docks.histogram import Histogram
from studio.docks.inspector_model import bytes_text, figure_text, shape_text, share_text
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import follow_theme

Record = dict[str, Any]
_NOTHING = "Pick a layer or a tensor."


class TensorDetail(QWidget):
    """Shows one tensor; its figures may come later (`refresh`)."""

    def __init__(self) -> None:
        super().__init__()
        self._tensor: Record | None = None
        self._nothing = _NOTHING
        self._is_final = False
        self.name = ElidedLabel("", "body", mode=Qt.TextElideMode.ElideMiddle, mono=True)
        self.kind = ElidedLabel("", "small", "muted")
        self.span = ElidedLabel("", "small", "muted")
        self.odd = ElidedLabel("", "small", "warn")
        self.histogram = Histogram()
        self.log = tool("math-log", "Counts on a log axis", checkable=True, small=True)
        self.log.toggled.connect(self.histogram.set_log)
        self.copier = tool("content-copy", "Copy the name", small=True)
        self.copier.clicked.connect(self._copy)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.name, 1)
        head.addWidget(self.log)
        head.addWidget(self.copier)
        self._column = QVBoxLayout(self)
        self._column.addLayout(head)
        for part in (self.kind, self.span, self.odd):
            self._column.addWidget(part)
        self._column.addWidget(self.histogram, 1)
        self.setMinimumWidth(theme().px(220))
        self.restyle()
        follow_theme(self.restyle)
        self.show_tensor(None)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        look = theme()
        self._column.setContentsMargins(look.px(12), look.px(4), look.px(12), look.px(8))
        self._column.setSpacing(look.px(4))

    def show_tensor(self, tensor: Record | None, nothing: str = _NOTHING) -> None:
        """Show a tensor, or a sentence when there is none."""
        self._tensor, self._nothing = tensor, nothing
        self.refresh()

    def refresh(self, *, is_final: bool | None = None) -> None:
        """Show what is known now; `is_final` says that no more will come."""
        if is_final is not None:
            self._is_final = is_final
        tensor = self._tensor
        for part in (self.log, self.copier, self.name, self.kind):
            part.setVisible(tensor is not None)
        if tensor is None:
            self.span.hide()
            self.odd.hide()
            self.histogram.set(None, self._nothing)
            return
        self.name.setText(tensor["name"])
        self.kind.setText(kind_text(tensor))
        self.span.setText(span_text(tensor))
        self.span.setVisible(bool(self.span.text()))
        odd = tensor.get("nonfinite") or 0
        self.odd.setText(f"{odd:,} of {math.prod(tensor['shape']):,} are not finite")
        self.odd.setVisible(odd > 0)
        self.histogram.set(tensor.get("histogram"), self._why_none(tensor))

    def _why_none(self, tensor: Record) -> str:
        if tensor.get("external"):
            return "Its numbers are in another file."
        if "nonfinite" in tensor:
            return "No finite numbers."
        return "Not read." if self._is_final else "Not read yet."

    def _copy(self) -> None:
        if self._tensor is not None:
            QGuiApplication.clipboard().setText(self._tensor["name"])


def kind_text(tensor: Record) -> str:
    """Shape, kind of number and size, with float32 as its rival."""
    count = math.prod(tensor["shape"])
    size = bytes_text(tensor.get("bytes"))
    text = f"{shape_text(tensor['shape'])}, {tensor['dtype']}"
    bits = tensor.get("bits")
    if bits and not str(tensor["dtype"]).endswith(str(bits)) and bits < 32:
        text += f" holding {bits} bits"
    if size:
        text += f", {size}"
        if tensor["bytes"] != 4 * count:
            text += f" ({bytes_text(4 * count)} as float32)"
    return text


def span_text(tensor: Record) -> str:
    """Least, most, mean and zeros; empty while they are not known."""
    if tensor.get("min") is None:
        return ""
    if tensor["min"] == tensor["max"]:
        return f"every entry is {figure_text(tensor['min'])}"
    text = f"{figure_text(tensor['min'])} to {figure_text(tensor['max'])}"
    text += f", mean {figure_text(tensor['mean'])}"
    return f"{text}, zeros {share_text(tensor['zeros'])}" if tensor.get("zeros") else text
