"""Lines of an icon and a sentence: what is wrong with a node, or worth knowing."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from backend.core.graph import Problem
from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import follow_theme, smooth


class NoteLine(QWidget):
    """An icon and a sentence, as many lines as it needs."""

    def __init__(
        self, icon: str, text: str, color: str = "muted", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.icon, self.text, self.color = icon, text, color
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName(text)
        follow_theme(self.restyle)

    def set_text(self, text: str) -> None:
        """Say something else."""
        if text != self.text:
            self.text = text
            self.setAccessibleName(text)
            self.restyle()

    def restyle(self) -> None:
        """Take fonts and colours of the theme anew."""
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:
        """The sentence may take several lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height of the sentence at this width."""
        return self._text_height(width) + theme().px(8)

    def sizeHint(self) -> QSize:
        """As wide as a dock."""
        width = max(self.width(), theme().px(200))
        return QSize(theme().px(240), self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """One line."""
        return QSize(theme().px(120), theme().px(24))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint icon and sentence."""
        look = theme()
        side, left = look.px(14), look.px(12)
        with smooth(self) as painter:
            place = QRectF(left, look.px(4) + 1, side, side)
            paint_icon(painter, self.icon, place, look.color(self.color))
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted" if self.color == "muted" else "ink"))
            start = left + side + look.px(6)
            room = QRectF(start, look.px(4), self.width() - start - left, self.height())
            painter.drawText(room, int(Qt.TextFlag.TextWordWrap), self.text)

    def _text_height(self, width: int) -> int:
        look = theme()
        room = max(40, width - 2 * look.px(12) - look.px(20))
        metrics = QFontMetrics(look.font("small"))
        flags = int(Qt.TextFlag.TextWordWrap)
        return metrics.boundingRect(0, 0, room, 10_000, flags, self.text).height()


class ProblemLines(QWidget):
    """One line a problem; hidden while there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 6, 0, 2)
        self._column.setSpacing(0)
        self.lines: list[NoteLine] = []
        self._shown: list[tuple[str, str]] = []
        self.hide()

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Show these and no others."""
        told: list[tuple[str, str]] = [(problem.severity, problem.text) for problem in problems]
        if told == self._shown:
            return
        self._shown = told
        for line in self.lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self.lines = []
        for severity, text in told:
            icon = "alert-circle-outline" if severity == "error" else "alert"
            line = NoteLine(icon, text, "bad" if severity == "error" else "warn", self)
            self.lines.append(line)
            self._column.addWidget(line)
        self.setVisible(bool(told))
