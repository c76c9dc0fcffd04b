"""The title row of a dock or a part of one, with tools at its right end."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import border_width, follow_theme, smooth


class StripHeader(QWidget):
    """A row of 28 px (`tall`: 32) with `title`; `add_tool` puts widgets at the right.

    `add_left` puts them after the title. A rule of 1 px closes the row.
    """

    def __init__(
        self, title: str = "", *, tall: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._height = 32 if tall else 28
        self.title = ElidedLabel(title, "strong" if tall else "micro", "ink" if tall else "muted")
        self.title.setVisible(bool(title))
        self._row = QHBoxLayout(self)
        self._row.addWidget(self.title)
        self._row.addStretch(1)
        self._left = 1
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)
        self.restyle()
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._row.setContentsMargins(look.px(12), 0, look.px(8), 1)
        self._row.setSpacing(look.px(4))
        self.updateGeometry()
        self.update()

    def set_title(self, title: str) -> None:
        """Name the row."""
        self.title.setText(title)
        self.title.setVisible(bool(title))
        self.setAccessibleName(title)

    def add_left(self, widget: QWidget) -> QWidget:
        """Put a widget after the title; returns it."""
        self._row.insertWidget(self._left, widget)
        self._left += 1
        return widget

    def add_tool(self, widget: QWidget) -> QWidget:
        """Put a widget at the right end; returns it."""
        self._row.addWidget(widget)
        return widget

    def sizeHint(self) -> QSize:
        """The height of the row and the width of what is in it."""
        return QSize(super().sizeHint().width(), theme().px(self._height))

    def minimumSizeHint(self) -> QSize:
        """The height is fixed."""
        return QSize(super().minimumSizeHint().width(), theme().px(self._height))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Panel ground and the rule."""
        look = theme()
        rule = border_width()
        with smooth(self) as painter:
            painter.fillRect(self.rect(), look.color("panel"))
            low = QRectF(0, self.height() - rule, self.width(), rule)
            painter.fillRect(low, look.color("line"))
