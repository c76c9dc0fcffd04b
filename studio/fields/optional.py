"""A value that may also be none: a switch, and beside it the field of the value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import QWidget

from studio.fields.editor import GAP, Editor
from studio.fields.reading import NOTHING
from studio.fields.spec import FieldSpec
from studio.widgets.switch import Switch


class OptionalEditor(Editor):
    """None while the switch is off. Switched on, the value is the last one, or the nearest."""

    def __init__(self, spec: FieldSpec, make: Any, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self.switch = Switch(parent=self)
        self.inner: Editor = make(replace(spec, is_optional=False, has_default=False), self)
        self._before: Any = NOTHING
        self.switch.clicked.connect(self._switched)
        self.inner.edited.connect(self.accept)
        self.inner.failed.connect(self.failed)
        self.setFocusProxy(self.switch)

    @property
    def has_draft(self) -> bool:
        """Whether something was typed that is no value yet."""
        return self.inner.has_draft

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value, or none."""
        self.value = NOTHING if is_mixed else value
        is_on = value is not None and value is not NOTHING
        self.switch.setChecked(is_on or is_mixed)
        self.inner.setEnabled(is_on or is_mixed)
        self.inner.setVisible(is_on or is_mixed)
        if is_on or is_mixed:
            self._before = value
            self.inner.show_value(value, is_default=is_default, is_mixed=is_mixed)

    def forget_draft(self) -> None:
        """Show the value again instead of what was typed."""
        self.inner.forget_draft()

    def restyle(self) -> None:
        """Take sizes of the theme anew."""
        self.inner.restyle()
        self.lay_out()

    def name_parts(self, name: str, description: str) -> None:
        """The switch says whether there is a value, the field which."""
        self.switch.setAccessibleName(f"{name}, given")
        self.switch.setAccessibleDescription(description)
        self.inner.name_parts(name, description)

    def lay_out(self) -> None:
        """Switch at left, the field beside it."""
        size = self.switch.sizeHint()
        self.switch.setGeometry(0, (self.height() - size.height()) // 2, *size.toTuple())
        left = size.width() + GAP
        self.inner.setGeometry(left, 0, max(0, self.width() - left), self.height())

    def _switched(self) -> None:
        value = None
        if self.switch.isChecked():
            value = self._nearest() if self._before in (NOTHING, None) else self._before
        self.inner.failed.emit("")
        self.show_value(value)
        self.value = NOTHING
        self.accept(value)

    def _nearest(self) -> Any:
        """A value to begin with: the default, else the low end, else something plain."""
        spec = self.spec
        if spec.default is not None:
            return spec.default
        if spec.kind == "choice":
            return spec.choices[0]
        if spec.kind == "bool":
            return False
        if spec.kind in ("integer", "number"):
            return _first_number(spec)
        return [] if spec.kind == "list" else ""


def _first_number(spec: FieldSpec) -> int | float:
    low, high = spec.low, spec.high
    if spec.kind == "integer":
        first = 1 if low is None else int(low) + int(spec.is_low_open)
        return first if high is None else min(first, int(high))
    if low is not None and not spec.is_low_open:
        return float(low)
    if low is not None and high is not None:
        return float(f"{low + (high - low) / 2:.3g}")
    return float(low) + 1.0 if low is not None else 0.0
