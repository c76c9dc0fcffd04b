"""The map of the graph and the zoom pill, which float over the lower left corner of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QHideEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.button import ToolButton
from studio.widgets.painting import box, follow_theme, smooth, text_width

if TYPE_CHECKING:
    from studio.editor.view import GraphView
    from studio.session import Session

_SIZE = QSize(160, 96)
_MARGIN = 6.0
_EVERY_MS = 100
_CARD = (192.0, 120.0)
_FAINT = {"idle", "queued", "cancelled"}


class Minimap(QWidget):
    """Every node as a block in the colour of its state; the frame is what the canvas shows.

    A click or drag moves the canvas. It is painted at most ten times a second, and only while it
    can be seen.
    """

    def __init__(self, session: Session, view: GraphView, parent: QWidget | None = None) -> None:
        super().__init__(parent or view)
        self._session = session
        self._view = view
        self._hold: QPointF | None = None
        self._bounds: QRectF | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.update)
        self.setFixedSize(_SIZE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Map of the graph")
        self.setToolTip("Map: drag to move over the graph")
        document = session.document
        for signal in (document.changed, document.replaced, session.focus_changed):
            signal.connect(self.refresh)
        session.runner.batch.connect(self.refresh)
        session.selection.changed.connect(self.refresh)
        view.zoom_changed.connect(self.refresh)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.valueChanged.connect(self.refresh)
            bar.rangeChanged.connect(self.refresh)
        follow_theme(self.refresh)

    def refresh(self, *_: object) -> None:
        """Paint anew within a tenth of a second, if it can be seen."""
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def blocks(self) -> dict[str, tuple[QRectF, str]]:
        """Return ``{node: (its rectangle in the scene, its state)}``."""
        sizes = self._view.sizes()
        items = self._view.scene().node_items
        found = {}
        for name, place in self._session.document.graph.layout.items():
            width, height = sizes.get(name, _CARD)
            face = getattr(items.get(name), "face", None)
            state = str(getattr(face, "state", "idle"))
            found[name] = (QRectF(place["x"], place["y"], width, height), state)
        return found

    def shown(self) -> QRectF:
        """Return the part of the scene that the canvas shows."""
        view = self._view
        return view.mapToScene(view.viewport().rect()).boundingRect()

    def scale(self, bounds: QRectF) -> tuple[float, QPointF]:
        """Return map pixels for one of the scene, and where the scene's origin lies."""
        width, height = self.width() - 2 * _MARGIN, self.height() - 2 * _MARGIN
        factor = min(width / max(bounds.width(), 1.0), height / max(bounds.height(), 1.0))
        middle = QPointF(self.width() / 2, self.height() / 2)
        return factor, middle - bounds.center() * factor

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Blocks, then the frame."""
        look = theme()
        blocks, shown = self.blocks(), self.shown()
        bounds = self._bounds or _united(blocks, shown)
        factor, origin = self.scale(bounds)
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), 6, look.color("panel"), look.color("line"))
            painter.setClipRect(self.rect().adjusted(2, 2, -2, -2))
            painter.setPen(Qt.PenStyle.NoPen)
            chosen = set(self._session.selection.nodes)
            for name, (rect, state) in blocks.items():
                area = _mapped(rect, factor, origin)
                painter.setBrush(tint(state))
                painter.drawRoundedRect(
                    area, min(2.0, area.height() / 4), min(2.0, area.height() / 4)
                )
                if name in chosen:
                    _outline(painter, area.adjusted(-1, -1, 1, 1), look.color("ink"))
            frame = _mapped(shown, factor, origin) & QRectF(self.rect()).adjusted(3, 3, -3, -3)
            _outline(painter, frame, look.color("muted"), 3)

    # -- moving the canvas -----------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the frame, or jump to the place."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        shown = self.shown()
        self._bounds = _united(self.blocks(), shown)  # the scale stays while it is dragged
        point = self._to_scene(event.position())
        inside = shown.contains(point)
        self._hold = point - shown.center() if inside else QPointF()
        self._move_to(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the canvas along."""
        if self._hold is not None:
            self._move_to(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._hold, self._bounds = None, None
            self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom the canvas."""
        turned = event.angleDelta().y()
        if turned:
            self._view.zoom(1.15 if turned > 0 else 1 / 1.15)
        event.accept()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop the timer."""
        super().hideEvent(event)
        self._timer.stop()
        self._hold, self._bounds = None, None

    def showEvent(self, event: QShowEvent) -> None:
        """Show what is there now."""
        super().showEvent(event)
        self.update()

    def _to_scene(self, point: QPointF) -> QPointF:
        factor, origin = self.scale(self._bounds or _united(self.blocks(), self.shown()))
        return (point - origin) / factor

    def _move_to(self, point: QPointF) -> None:
        hold = self._hold or QPointF()
        self._view.sight.stop()
        self._view.centerOn(self._to_scene(point) - hold)
        self.update()


class ZoomPill(QWidget):
    """Minus, how far it is zoomed, plus; a click on the number goes back to 100 %."""

    def __init__(self, view: GraphView, parent: QWidget | None = None) -> None:
        super().__init__(parent or view)
        self._view = view
        self.less = ToolButton("minus", "Zoom out", small=True)
        self.more = ToolButton("plus", "Zoom in", small=True)
        self.number = _Percent(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        for part in (self.less, self.number, self.more):
            layout.addWidget(part)
        self.less.clicked.connect(self._zoom_out)
        self.more.clicked.connect(self._zoom_in)
        self.number.clicked.connect(self._whole)
        view.zoom_changed.connect(self.show_zoom)
        self.show_zoom(view.zoom_level)
        self.restyle()
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.adjustSize()
        self.update()

    def show_zoom(self, factor: float) -> None:
        """Show this factor as a percentage."""
        self.number.setText(f"{round(factor * 100)} %")
        self.number.setAccessibleName(f"Zoom {round(factor * 100)} %, click for 100 %")

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The ground."""
        look = theme()
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), 6, look.color("panel"), look.color("line"))

    def _zoom_in(self) -> None:
        self._view.zoom(1.25)

    def _zoom_out(self) -> None:
        self._view.zoom(0.8)

    def _whole(self) -> None:
        self._view.set_zoom(1.0)


class _Percent(QAbstractButton):
    """The number between the two buttons."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setToolTip("Back to 100 %")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Room for four figures."""
        look = theme()
        return QSize(round(text_width(look.mono("small"), "1000 %")) + 8, look.px(24))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The words."""
        look = theme()
        with smooth(self) as painter:
            if self.underMouse() or self.hasFocus():
                edge = look.color("blade") if self.hasFocus() else None
                box(painter, QRectF(self.rect()), 4, look.color("hover"), edge)
            painter.setFont(look.mono("small"))
            painter.setPen(look.color("ink"))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())


def tint(state: str) -> QColor:
    """Return the colour of a block."""
    look = theme()
    name = look.state(state)[0]
    if state in ("running", "cancelling"):
        return look.color("blade")
    return look.color("faint_raw", "muted") if state in _FAINT else look.color("link_idle", name)


def _united(blocks: dict[str, tuple[QRectF, str]], shown: QRectF) -> QRectF:
    bounds = QRectF(shown) if not blocks else QRectF()
    for rect, _ in blocks.values():
        bounds = bounds.united(rect) if not bounds.isNull() else QRectF(rect)
    # A frame far larger than the graph would make the graph a dot: it may reach out of the map.
    room = bounds.adjusted(-bounds.width(), -bounds.height(), bounds.width(), bounds.height())
    return bounds.united(shown & room) if blocks else bounds


def _mapped(rect: QRectF, factor: float, origin: QPointF) -> QRectF:
    return QRectF(rect.topLeft() * factor + origin, rect.size() * factor)


def _outline(painter: QPainter, rect: QRectF, color: QColor, radius: float = 2) -> None:
    painter.save()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, 1))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    painter.restore()
