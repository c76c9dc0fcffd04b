"""Fields that are typed: numbers (with a slider where one helps), text, lists, JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from PySide6.QtWidgets import QWidget

from studio.fields import words
from studio.fields.editor import GAP, Editor
from studio.fields.line import FieldEdit
from studio.fields.reading import NOTHING, UnreadableError, check, is_unfinished, read
from studio.fields.spec import FieldSpec
from studio.theme import theme
from studio.widgets.slider import Slider

_NARROW, _WIDE = 64, 84


class TextEditor(Editor):
    """A typed value. Each letter that makes a valid value is told; others wait or are explained."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self.edit = FieldEdit(self)
        self.slider: Slider | None = None
        self._is_default = False
        self.setFocusProxy(self.edit)
        self.edit.textEdited.connect(self._typed)
        self.edit.left.connect(self._left)
        self.edit.returnPressed.connect(self._left)
        self.edit.reverted.connect(self._revert)
        self.edit.stepped.connect(self._step)
        if spec.has_slider:
            low, high = spec.slider_ends()
            self.slider = Slider(
                low,
                high,
                low,
                spec.is_log,
                self._tick(low, high),
                step=1 if spec.kind == "integer" and not spec.is_log else None,
                name=f"{spec.label}, slider",
                parent=self,
            )
            self.slider.changed.connect(self._slid)

    @property
    def has_draft(self) -> bool:
        """Whether the text is no value yet."""
        return self.edit.is_draft

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value; the text that is being typed is left alone."""
        self._is_default = is_default
        is_same = not is_mixed and self.value is not NOTHING and _equal(value, self.value)
        placeholder = "mixed" if is_mixed else ("none" if self.spec.is_optional else "")
        if self.edit.placeholderText() != placeholder:
            self.edit.setPlaceholderText(placeholder)
        self._show_hints()
        if is_same or (self.has_draft and self._is_in_use()):
            self.value = NOTHING if is_mixed else value
            return
        self.value = NOTHING if is_mixed else value
        self.forget_draft()
        self._show_slider()

    def forget_draft(self) -> None:
        """Show the value again instead of what was typed."""
        self._set_draft(False)
        self.failed.emit("")
        text = self._text()
        if text != self.edit.text():
            place = self.edit.cursorPosition()
            self.edit.setText(text)
            place_after = min(place, len(text)) if self._is_in_use() else 0
            self.edit.setCursorPosition(place_after)

    def type_text(self, text: str) -> None:
        """Put ``text`` into the field and read it, as if it had been typed."""
        self.edit.setText(text)
        self._read(text)

    def restyle(self) -> None:
        """Take the theme's font anew."""
        self.edit.setFont(theme().mono())
        self.lay_out()

    def lay_out(self) -> None:
        """Slider at left where there is one, the field at right."""
        if self.slider is None:
            self.edit.setGeometry(self.rect())
            return
        look = theme()
        width = look.px(_NARROW if self.width() < look.px(220) else _WIDE)
        if self.spec.unit:
            font = self.edit.fontMetrics()
            wanted = font.horizontalAdvance("000 " + self.spec.unit) + look.px(22)
            width = max(width, wanted)
        is_room = self.width() - width - GAP >= look.px(48)
        self.slider.setVisible(is_room)
        if not is_room:
            self.edit.setGeometry(self.rect())
            return
        self.slider.setGeometry(0, 0, self.width() - width - GAP, self.height())
        self.edit.setGeometry(self.width() - width, 0, width, self.height())

    # -- inner -----------------------------------------------------------------------------------

    def _is_in_use(self) -> bool:
        """Whether the cursor is here, even while another window is in front."""
        return self.window().focusWidget() is self.edit

    def _tick(self, low: float, high: float) -> float | None:
        value = self.spec.default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and low <= value <= high else None

    def _show_hints(self) -> None:
        spec = self.spec
        bounds = spec.bounds()
        if spec.is_log and bounds:
            bounds = f"log, {bounds}"
        idle = spec.unit
        if not idle and self.slider is None and spec.kind in ("integer", "number"):
            default = f"default {spec.show(spec.default)}" if spec.has_default else ""
            idle = "default" if self._is_default else default
            if self.has_draft:
                idle = ""
        self.edit.set_hints(idle, bounds)

    def _text(self) -> str:
        if self.value is NOTHING or self.value is None:
            return ""
        if self.spec.kind == "json":
            return json.dumps(self.value)
        return words.show(self.value) if not isinstance(self.value, bool) else str(self.value)

    def _show_slider(self) -> None:
        if self.slider is None or not isinstance(self.value, int | float):
            return
        try:
            place = float(self.value)
        except OverflowError:  # a whole number that no float holds is out of every slider's sight
            return
        if math.isfinite(place):
            self.slider.set_value(place)

    def _typed(self, text: str) -> None:
        if is_unfinished(self.spec, text):
            self._set_draft(True)
            self.failed.emit("")
            return
        self._read(text)

    def _read(self, text: str) -> None:
        try:
            value = read(self.spec, text, self.value)
        except UnreadableError as error:
            self._set_draft(True)
            self.failed.emit(str(error))
            return
        self._set_draft(False)
        self.accept(value)
        self._show_slider()

    def _left(self) -> None:
        if self.has_draft:
            self._read(self.edit.text())
        if not self.has_draft and self.value is not NOTHING and self.edit.text() != self._text():
            self.edit.setText(self._text())  # 1/4 becomes 0.25, 007 becomes 7

    def _set_draft(self, on: bool) -> None:
        self.edit.is_draft = on
        self._show_hints()

    def _revert(self) -> None:
        self.forget_draft()
        self.edit.selectAll()

    def _slid(self, position: float) -> None:
        value = self.spec.from_slider(position)
        self._set_draft(False)
        self.edit.setText(words.show(value))
        self.accept(value)

    def _step(self, steps: int) -> None:
        if self.spec.kind not in ("integer", "number") or not isinstance(self.value, int | float):
            return
        if self.spec.kind == "integer":
            value: float = int(self.value) + steps
        else:
            text = f"{self.value:.0e}" if self.value else "1e-2"
            unit = 10.0 ** int(text.partition("e")[2])
            if self.value and abs(self.value) / unit <= 1.0001 and steps < 0:
                unit /= 10  # from 0.01 down to 0.009, not to 0
            value = float(f"{self.value + steps * unit:.6g}")
        try:
            check(self.spec, value)
        except UnreadableError:
            return
        self._set_draft(False)
        self.edit.setText(words.show(value))
        self.accept(value)
        self._show_slider()


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
