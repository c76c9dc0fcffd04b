"""A label that cuts its text with an ellipsis instead of pushing the layout."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.painting import follow_theme, smooth


class ElidedLabel(QLabel):
    """One line in a font `role` and a colour name; the tooltip has the whole text when it is cut.

    `mono` takes JetBrains Mono in that size role (small, body, big) instead of Inter.
    """

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        color: str = "ink",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        mono: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.role, self.color, self.mode, self._mono = role, color, mode, mono
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()
        self._tell()

    def setText(self, text: str) -> None:
        """Show other words."""
        super().setText(text)
        self._tell()

    def set_color(self, color: str) -> None:
        """Take another colour name."""
        self.color = color
        self.update()

    def _font(self) -> QFont:
        return theme().mono(self.role) if self._mono else theme().font(self.role)

    def shown_text(self) -> str:
        """What fits."""
        room = self.contentsRect().width() + 0.5
        return QFontMetricsF(self._font()).elidedText(self.text(), self.mode, room)

    def _tell(self) -> None:
        self.setToolTip(self.text() if self.shown_text() != self.text() else "")

    def sizeHint(self) -> QSize:
        """The whole text on one line."""
        measure = QFontMetricsF(self._font())
        high = max(theme().px(16), int(measure.height() + 1))
        return QSize(int(measure.horizontalAdvance(self.text()) + 2), high)

    def minimumSizeHint(self) -> QSize:
        """Down to 24 px."""
        return QSize(min(theme().px(24), self.sizeHint().width()), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tooltip follows the room."""
        super().resizeEvent(event)
        self._tell()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The words that fit."""
        look = theme()
        with smooth(self) as painter:
            painter.setFont(self._font())
            painter.setPen(look.color(self.color if self.isEnabled() else "disabled_ink"))
            where = QRectF(self.contentsRect())
            align = int(self.alignment() | Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(where, align, self.shown_text())
