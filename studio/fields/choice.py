"""Fields that are picked: a few short words side by side, a list, or a switch."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from studio.fields import words
from studio.fields.editor import Editor
from studio.fields.reading import NOTHING
from studio.fields.spec import FieldSpec
from studio.widgets.combo import Combo
from studio.widgets.segment import Segment
from studio.widgets.switch import Switch

_MOST_LETTERS = {2: 12, 3: 9}  # what a field of a narrow dock has room for, by number of choices


def fits_segment(spec: FieldSpec) -> bool:
    """Whether the choices are few and short enough to stand side by side."""
    texts = [words.choice(value, spec.choice_labels) for value in spec.choices]
    return sum(map(len, texts)) <= _MOST_LETTERS.get(len(texts), 0)


class SegmentEditor(Editor):
    """Two or three choices side by side."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        options = [(value, words.choice(value, spec.choice_labels)) for value in spec.choices]
        self.segment = Segment(options, parent=self)
        self.segment.changed.connect(self.accept)
        self.setFocusProxy(self.segment)

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value; one that is no choice leaves all unpicked."""
        self.value = NOTHING if is_mixed else value
        self.segment.set_value(None if is_mixed else value)

    def lay_out(self) -> None:
        """The segment fills the field."""
        self.segment.setGeometry(self.rect())


class ComboEditor(Editor):
    """Many choices, or long ones."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self.combo = Combo(self)
        for choice in spec.choices:
            self.combo.addItem(words.choice(choice, spec.choice_labels))
        self.combo.activated.connect(self._picked)
        self.setFocusProxy(self.combo)

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value; one that is no choice is shown as it stands."""
        self.value = NOTHING if is_mixed else value
        choices = self.spec.choices
        is_known = not is_mixed and value in choices
        self.combo.setCurrentIndex(choices.index(value) if is_known else -1)
        missing = "" if value is NOTHING or value is None else words.show(value)
        self.combo.setPlaceholderText("mixed" if is_mixed else missing)

    def lay_out(self) -> None:
        """The list fills the field."""
        self.combo.setGeometry(self.rect())

    def _picked(self, index: int) -> None:
        self.accept(self.spec.choices[index])


class SwitchEditor(Editor):
    """On or off."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self.switch = Switch(parent=self)
        self.switch.clicked.connect(self._clicked)
        self.setFocusProxy(self.switch)

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a value; several different ones show as off."""
        self.value = NOTHING if is_mixed else value
        if self.switch.isChecked() != (value is True and not is_mixed):
            self.switch.setChecked(value is True and not is_mixed)
        self.switch.setToolTip("mixed" if is_mixed else "")

    def lay_out(self) -> None:
        """The switch stands at the left."""
        size = self.switch.sizeHint()
        self.switch.setGeometry(0, (self.height() - size.height()) // 2, *size.toTuple())

    def _clicked(self) -> None:
        self.accept(self.switch.isChecked())
