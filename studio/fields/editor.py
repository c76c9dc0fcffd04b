"""What every kind of field widget offers to the row that holds it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from studio.fields.reading import NOTHING
from studio.fields.spec import FieldSpec
from studio.theme import theme

GAP = 8


class Editor(QWidget):
    """Edits one value. ``edited`` carries a valid new value, ``failed`` a sentence or nothing."""

    edited = Signal(object)
    failed = Signal(str)

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.value: Any = NOTHING

    @property
    def has_draft(self) -> bool:
        """Whether something was typed that is no value yet."""
        return False

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value that came from outside; tells nothing."""
        raise NotImplementedError

    def forget_draft(self) -> None:
        """Drop what was typed and is no value."""

    def restyle(self) -> None:
        """Take fonts and sizes of the theme anew."""

    def name_parts(self, name: str, description: str) -> None:
        """Tell screen readers what this is."""
        target = self.focusProxy() or self
        target.setAccessibleName(name)
        target.setAccessibleDescription(description)

    def sizeHint(self) -> QSize:
        """Rows are as high as a field."""
        return QSize(theme().px(120), theme().px(28))

    def lay_out(self) -> None:
        """Place the parts within the present size."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the parts."""
        super().resizeEvent(event)
        self.lay_out()

    def accept(self, value: Any) -> None:
        """Take ``value`` as the user's and tell it if it is new."""
        self.failed.emit("")
        is_new = self.value is NOTHING or value != self.value or type(value) is not type(self.value)
        self.value = value
        if is_new:
            self.edited.emit(value)
