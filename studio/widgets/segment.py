"""Two to six choices side by side: a segmented control."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QRadioButton, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import (
    border_width,
    box,
    by_keyboard,
    focus_frame,
    follow_theme,
    line,
    smooth,
    text_width,
)


class SegmentPart(QRadioButton):
    """One choice; a radio button to a screen reader."""

    def __init__(self, text: str, icon_name: str | None, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.icon_name = icon_name
        self._framed = False
        self.setAccessibleName(text)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def _font(self) -> QFont:
        font = QFont(theme().font("body"))
        font.setWeight(QFont.Weight.Medium)
        return font

    def sizeHint(self) -> QSize:
        """22 px high, words with 10 px beside them."""
        look = theme()
        glyph = look.px(15) + (look.px(6) if self.text() else 0) if self.icon_name else 0
        return QSize(
            int(text_width(self._font(), self.text()) + 1) + glyph + 2 * look.px(10), look.px(22)
        )

    def minimumSizeHint(self) -> QSize:
        """Words may be elided down to 24 px."""
        return QSize(theme().px(24), theme().px(22))

    def hitButton(self, pos: object) -> bool:
        """The whole part takes the click."""
        return True

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The card under the picked part, glyph and words."""
        look = theme()
        rect = QRectF(self.rect())
        live = self.isChecked() or (self.underMouse() and self.isEnabled())
        ink = look.color("disabled_ink" if not self.isEnabled() else "ink" if live else "muted")
        with smooth(self) as painter:
            if self.isChecked():
                edge = look.color("ink" if look.is_contrast else "line")
                box(painter, rect, look.px(4), look.color("card"), edge, border_width())
            font = self._font()
            glyph = look.px(15) if self.icon_name else 0
            gap = look.px(6) if glyph and self.text() else 0
            words = min(text_width(font, self.text()) + 1, rect.width() - glyph - gap - 6)
            left = (rect.width() - glyph - gap - words) / 2
            if self.icon_name:
                spot = QRectF(left, rect.center().y() - glyph / 2, glyph, glyph)
                paint_icon(painter, self.icon_name, spot, ink)
            line(
                painter, QRectF(left + glyph + gap, 0, words, rect.height()), self.text(), font, ink
            )
            if self.hasFocus() and self._framed:
                focus_frame(painter, rect, look.px(4), look.color("blade"))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame only when focus came by a key."""
        self._framed = by_keyboard(event)
        QAbstractButton.focusInEvent(self, event)


class Segment(QWidget):
    """Choices `(value, text)` or `(value, text, icon)`; `changed(value)` when the user picks one.

    Left and Right move the choice; `set_value` is silent; an unknown value picks none.
    """

    changed = Signal(object)

    def __init__(
        self,
        options: Sequence[tuple[object, str] | tuple[object, str, str]],
        value: object = None,
        *,
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(3, 3, 3, 3)
        self._row.setSpacing(2)
        self._group = QButtonGroup(self)
        self._values: list[object] = []
        for option in options:
            part = SegmentPart(option[1], option[2] if len(option) > 2 else None, self)
            self._group.addButton(part, len(self._values))
            self._row.addWidget(part)
            self._values.append(option[0])
        self._group.idClicked.connect(self._picked)
        self._last: object = None
        self.set_value(self._values[0] if value is None and self._values else value)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        for part in self.parts():
            part.updateGeometry()
            part.update()
        self.update()

    def parts(self) -> list[QAbstractButton]:
        """The choices in order, for tests and tooltips."""
        return self._group.buttons()

    @property
    def value(self) -> object:
        """The picked value, None when none is picked."""
        picked = self._group.checkedId()
        return self._values[picked] if picked >= 0 else None

    def set_value(self, value: object) -> None:
        """Pick without a signal."""
        if value in self._values:
            self._group.button(self._values.index(value)).setChecked(True)
        elif (checked := self._group.checkedButton()) is not None:
            self._group.setExclusive(False)
            checked.setChecked(False)
            self._group.setExclusive(True)
        self._last = self.value

    def _picked(self, _id: int) -> None:
        if self.value != self._last:
            self._last = self.value
            self.changed.emit(self.value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Radio buttons move among themselves; what they leave goes on."""
        event.ignore()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The frame around the choices."""
        look = theme()
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), look.px(6), look.color("field"), look.color("line"))
