"""A card that floats over the window: menus, bubbles and read-outs at elevation 2."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractAnimation,
    QEasingCurve,
    QPoint,
    QPropertyAnimation,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QPaintEvent, QPixmap
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.painting import SHADOW_DEPTH, elevation, follow_theme, smooth

_SIDE = 2
_RISE = 4
_MOST_HIGH = 400  # a card may grow this high while it is open


class Popover(QWidget):
    """An elevated card; put widgets into `body`.

    With `floating` it is a window that closes on a click outside or Esc (`popup_below`,
    `popup_at`); without, a child of `parent` that you place yourself.
    """

    def __init__(
        self, parent: QWidget | None = None, *, floating: bool = True, margin: int = 12
    ) -> None:
        flags = Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint
        flags |= Qt.WindowType.NoDropShadowWindowHint
        super().__init__(parent, flags if floating else Qt.WindowType.Widget)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self._margin = margin
        self._ground: tuple[QPoint, QPixmap] | None = None
        self.body = QVBoxLayout(self)
        self._slide = QPropertyAnimation(self, b"pos", self)
        self._slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self.restyle()
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        pad = theme().px(self._margin)
        self.body.setContentsMargins(pad + _SIDE, pad + _SIDE, pad + _SIDE, pad + SHADOW_DEPTH)
        self.body.setSpacing(theme().px(8))
        self.update()

    def card_rect(self) -> QRectF:
        """The card without its shadow, in this widget's coordinates."""
        return QRectF(self.rect()).adjusted(_SIDE, _SIDE, -_SIDE, -SHADOW_DEPTH)

    def popup_below(self, anchor: QWidget, *, align_right: bool = False) -> None:
        """Open under `anchor`, above it where the screen ends."""
        self.adjustSize()
        low = anchor.mapToGlobal(QPoint(0, anchor.height() + 4))
        if align_right:
            low.setX(low.x() + anchor.width() - self.width() + _SIDE)
        else:
            low.setX(low.x() - _SIDE)
        screen = QGuiApplication.screenAt(low) or QGuiApplication.primaryScreen()
        area = screen.availableGeometry()
        if low.y() + self.height() > area.bottom():
            low.setY(anchor.mapToGlobal(QPoint(0, 0)).y() - self.height() + SHADOW_DEPTH - 4)
        self.popup_at(low)

    def popup_at(self, corner: QPoint) -> None:
        """Open with the top left corner at a global point, moved to stay on the screen."""
        self.adjustSize()
        screen = QGuiApplication.screenAt(corner) or QGuiApplication.primaryScreen()
        area = screen.availableGeometry()
        x = max(area.left(), min(corner.x(), area.right() - self.width() + 1))
        y = max(area.top(), min(corner.y(), area.bottom() - self.height() + 1))
        end = QPoint(x, y)
        self._take_ground(end)
        took = theme().motion("popover_in")
        if took:
            self.move(end + QPoint(0, _RISE))
            self._slide.setDuration(took)
            self._slide.setStartValue(self.pos())
            self._slide.setEndValue(end)
            self.show()
            self._slide.start()
        else:
            self.move(end)
            self.show()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing moves behind a hidden card."""
        if self._slide.state() != QAbstractAnimation.State.Stopped:
            self._slide.stop()
        self._ground = None
        super().hideEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes it."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
            return
        super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Three flat rectangles and the card."""
        with smooth(self) as painter:
            if self._ground is not None:
                place, pixmap = self._ground
                painter.drawPixmap(self.mapFromGlobal(place), pixmap)
            elevation(painter, self.card_rect(), theme().px(10))

    def _take_ground(self, corner: QPoint) -> None:
        """Keep what lies under the card: X11 without a compositor shows black where it is clear."""
        self._ground = None
        owner = self.parentWidget()
        if owner is None or not self.isWindow() or QGuiApplication.platformName() != "xcb":
            return
        window = owner.window()
        size = self.size().expandedTo(QSize(0, theme().px(_MOST_HIGH)))
        place = QRect(window.mapFromGlobal(corner), size).intersected(window.rect())
        if not place.isEmpty():
            self._ground = (window.mapToGlobal(place.topLeft()), window.grab(place))
