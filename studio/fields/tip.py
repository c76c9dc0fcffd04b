"""The tooltip of a field: what it is, its default and range, and where the default comes from."""

from __future__ import annotations

import re
from html import escape

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QFont, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.fields.spec import ORIGINS, FieldSpec
from studio.icons import icon
from studio.theme import theme
from studio.widgets.keycap import KeyCap
from studio.widgets.painting import elevation, smooth

_WIDTH = 320
_PAPER = re.compile(r"https?://\S+|doi:\S+|arXiv:\d{4}\.\d{4,5}", re.I)


class FieldTip(QWidget):
    """Shown below a row while the pointer rests on it; leaving it, a key or a click ends it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self._title = QLabel(self)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._facts = QLabel(self)
        self._facts.setTextFormat(Qt.TextFormat.RichText)
        self._facts.setWordWrap(True)
        self._book = QLabel(self)
        self._source = QLabel(self)
        self._source.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(KeyCap("F1"))
        self._foot = QHBoxLayout()
        self._foot.addWidget(self._book)
        self._foot.addWidget(self._source, 1)
        column = QVBoxLayout(self)
        column.addLayout(head)
        column.addWidget(self._text)
        column.addWidget(self._facts)
        column.addLayout(self._foot)
        column.setSpacing(4)
        column.setContentsMargins(13, 9, 13, 21)
        self._row: QWidget | None = None

    def show_for(self, spec: FieldSpec, source: str, row: QWidget, place: QPoint) -> None:
        """Show what is known of ``spec`` at ``place``; ``source`` is the paper of the node."""
        look = theme()
        strong, small = look.font("strong"), look.font("small")
        self._title.setText(spec.label)
        self._title.setFont(strong)
        self._text.setText(spec.description)
        self._text.setFont(small)
        self._text.setVisible(bool(spec.description))
        self._facts.setText(self.facts(spec))
        self._facts.setFont(small)
        self._facts.setVisible(bool(self._facts.text()))
        words = self.origin(spec, source)
        medium = QFont(small)
        medium.setWeight(QFont.Weight.Medium)
        self._source.setText(words)
        self._source.setFont(medium)
        self._source.setProperty("tone", "blade" if spec.origin == "paper" else "muted")
        self._text.setProperty("tone", "muted")
        for label in (self._source, self._text):
            label.style().unpolish(label)
            label.style().polish(label)
        side = look.px(13)
        glyph = icon("book-open-variant", "blade" if spec.origin == "paper" else "muted")
        self._book.setPixmap(glyph.pixmap(side, side))
        for part in (self._book, self._source):
            part.setVisible(bool(words))
        self.setFixedWidth(look.px(_WIDTH))
        self.adjustSize()
        self._place(place, row)
        self._watch(row)
        self.show()

    @staticmethod
    def facts(spec: FieldSpec) -> str:
        """Say default, range and unit; values in the font of values."""
        look = theme()
        mono = look.mono("small")
        ink = look.color("ink").name()
        muted = look.color("muted").name()

        def fact(name: str, value: str) -> str:
            style = f"font-family:'{mono.family()}';font-size:{mono.pixelSize()}px;color:{ink}"
            told = f'<span style="{style}">{escape(value)}</span>'
            return f'<span style="color:{muted}">{name}</span>&nbsp;{told}'

        facts = []
        if spec.has_default:
            facts.append(fact("Default", spec.show(spec.default) or "empty"))
        if spec.range():
            facts.append(fact("Range", spec.range()))
        if spec.is_log:
            facts.append(f'<span style="color:{muted}">log</span>')
        return "&nbsp;&nbsp; ".join(facts)

    @staticmethod
    def origin(spec: FieldSpec, source: str) -> str:
        """Say where the default comes from, with the paper if that is it."""
        words = ORIGINS.get(spec.origin, "")
        if spec.origin == "paper" and source:
            return f"{words[:1].upper()}{words[1:]}: {source}"
        return words[:1].upper() + words[1:]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """End with the pointer, the focus or the window of the row."""
        ends = (
            QEvent.Type.Leave,
            QEvent.Type.MouseButtonPress,
            QEvent.Type.KeyPress,
            QEvent.Type.Wheel,
            QEvent.Type.Hide,
            QEvent.Type.WindowDeactivate,
        )
        if event.type() in ends:
            self.finish()
        return super().eventFilter(watched, event)

    def finish(self) -> None:
        """Hide and stop watching the row."""
        self._watch(None)
        self.hide()

    def _watch(self, row: QWidget | None) -> None:
        if self._row is not None:
            self._row.removeEventFilter(self)
        self._row = row
        if row is not None:
            row.installEventFilter(self)

    def _place(self, place: QPoint, row: QWidget) -> None:
        screen = QGuiApplication.screenAt(place) or QApplication.primaryScreen()
        room = screen.availableGeometry()
        x = min(place.x(), room.right() - self.width())
        y = place.y()
        if y + self.height() > room.bottom():
            y = row.mapToGlobal(QPoint(0, 0)).y() - self.height()
        self.move(max(room.left(), x), max(room.top(), y))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the card with its flat shadow."""
        with smooth(self) as painter:
            elevation(painter, self.rect().toRectF().adjusted(1, 1, -1, -13), theme().px(10))


def paper_link(source: str) -> str:
    """Return the address that a ``Source:`` line names; empty when it names none."""
    found = _PAPER.search(source)
    if found is None:
        return ""
    text = found[0].rstrip(".,;)")
    if text.lower().startswith("doi:"):
        return f"https://doi.org/{text[4:]}"
    if text.lower().startswith("arxiv:"):
        return f"https://arxiv.org/abs/{text[6:]}"
    return text
