"""What the phone measures: read-outs, model time of two minutes, stages of a frame, backends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.icons import paint_icon
from studio.phone.state import WINDOW_S, Device
from studio.phone.words import BACKENDS, milliseconds
from studio.theme import theme
from studio.widgets.painting import box, line, smooth, text_width

VIDEO_MS = 1000 / 30
Stage = Literal["grab", "pre", "run", "post", "paint"]
_RIGHT = Qt.AlignmentFlag.AlignRight
_STAGES: tuple[tuple[tuple[Stage, ...], str, str], ...] = (
    (("grab",), "grab", "muted"),
    (("pre",), "to float", "data"),
    (("run",), "network", "blade"),
    (("post", "paint"), "paint", "muted"),
)


class _Painted(QWidget):
    """A painted part of a device's figures."""

    def __init__(self, name: str, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.device: Device | None = None
        self._height = height
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def set_device(self, device: Device | None) -> None:
        """Show the figures of a phone as they are now."""
        self.device = device
        self.setAccessibleDescription(self.spoken())
        self.update()

    def spoken(self) -> str:
        """What a screen reader says."""
        return ""

    def sizeHint(self) -> QSize:
        """The height is fixed."""
        return QSize(theme().px(280), theme().px(self._height))

    def minimumSizeHint(self) -> QSize:
        """Narrower is possible."""
        return QSize(theme().px(200), theme().px(self._height))

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class ReadOuts(_Painted):
    """Median, p95, frames a second and the last swap."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Speed on the phone", 40, parent)

    def figures(self) -> list[tuple[str, str, str]]:
        """Name, number and unit of each; a dash for what is not known yet."""
        device = self.device
        telemetry = device.telemetry if device is not None else None
        run = telemetry.ms.get("run") if telemetry is not None else None
        swaps = [swap.ms for swap in device.swaps if swap.ms is not None] if device else []
        return [
            ("Median", milliseconds(run.p50) if run else "-", "ms"),
            ("p95", milliseconds(run.p95) if run else "-", "ms"),
            ("Frames", f"{telemetry.fps:.0f}" if telemetry else "-", "fps"),
            ("Swap", f"{swaps[-1] / 1000:.1f}" if swaps else "-", "s"),
        ]

    def spoken(self) -> str:
        """The four figures."""
        return ", ".join(f"{name} {number} {unit}" for name, number, unit in self.figures())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Name above number and unit."""
        look = theme()
        figures = self.figures()
        width = self.width() / len(figures)
        big, small = look.big_number(20 if width > look.px(64) else 17), look.font("small")
        with smooth(self) as painter:
            for n, (name, number, unit) in enumerate(figures):
                x = n * width
                top = QRectF(x, 0, width, look.px(16))
                line(painter, top, name, look.font("micro"), look.color("muted"))
                low = QRectF(x, look.px(15), width, look.px(25))
                line(painter, low, number, big, look.color("ink"))
                gone = text_width(big, number) + look.px(4)
                rest = low.adjusted(gone, look.px(3), 0, look.px(3))
                line(painter, rest, unit, small, look.color("muted"))


class TimeChart(_Painted):
    """Model time over the last two minutes, the video rate as a rival, swaps as marks."""

    def __init__(
        self, clock: Callable[[], float] = time.time, parent: QWidget | None = None
    ) -> None:
        super().__init__("Model time", 152, parent)
        self._clock = clock

    def spoken(self) -> str:
        """How many figures there are, and the last."""
        points = self.device.points if self.device is not None else ()
        return f"{len(points)} points, last {points[-1].p50:.0f} ms" if points else "no figures yet"

    def bounds(self) -> tuple[float, float]:
        """Least and largest ms of the axis: the rival is always within."""
        points = self.device.points if self.device is not None else ()
        values = [VIDEO_MS, *(point.p50 for point in points)]
        step = 10.0 if max(values) <= 80 else 50.0 if max(values) <= 400 else 250.0
        low = math.floor(min(values) * 0.9 / step) * step
        high = math.ceil(max(values) * 1.05 / step) * step
        return low, max(high, low + 2 * step)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Title, grid, rival, curve, marks, ticks."""
        look = theme()
        with smooth(self) as painter:
            title = QRectF(0, 0, self.width(), look.px(18))
            line(painter, title, "Model time", look.font("strong"), look.color("ink"))
            rest = title.adjusted(text_width(look.font("strong"), "Model time") + 8, 0, 0, 0)
            line(painter, rest, "ms, last 2 minutes", look.font("small"), look.color("muted"))
            area = QRectF(
                look.px(28), look.px(26), self.width() - look.px(32), self.height() - look.px(46)
            )
            self._paint_grid(painter, area)
            if self.device is not None:
                self._paint_swaps(painter, area, self.device)
                self._paint_curve(painter, area, self.device)

    def _y(self, area: QRectF, value: float) -> float:
        low, high = self.bounds()
        return area.bottom() - (value - low) / (high - low) * area.height()

    def _x(self, area: QRectF, at: float) -> float:
        return area.right() - (self._clock() - at) / WINDOW_S * area.width()

    def _paint_grid(self, painter: QPainter, area: QRectF) -> None:
        look = theme()
        low, high = self.bounds()
        font, muted = look.mono("small"), look.color("muted")
        for value in (low, (low + high) / 2, high):
            y = round(self._y(area, value)) + 0.5
            painter.setPen(QPen(look.color("line" if value == low else "plot_grid"), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            spot = QRectF(0, y - look.px(8), look.px(24), look.px(16))
            line(painter, spot, f"{value:.0f}", font, muted, _RIGHT)
        for share, text in ((0.0, "-120"), (0.5, "-60"), (1.0, "0")):
            x = area.left() + area.width() * share
            spot = QRectF(x - 20, area.bottom() + 3, 40, look.px(16))
            spot.moveRight(min(spot.right(), float(self.width())))
            line(painter, spot, text, font, muted, Qt.AlignmentFlag.AlignHCenter)
        y = self._y(area, VIDEO_MS)
        pen = QPen(look.color("good"), 1, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([6, 4])
        painter.setPen(pen)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        spot = QRectF(area.right() - 60, y + 1, 58, look.px(16))
        line(painter, spot, "30 fps", look.font("small"), look.color("good"), _RIGHT)

    def _paint_swaps(self, painter: QPainter, area: QRectF, device: Device) -> None:
        look = theme()
        pen = QPen(look.color("muted"), 1, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([3, 3])
        last_x = math.inf
        for swap in reversed(device.swaps):
            x = round(self._x(area, swap.at)) + 0.5
            if x < area.left():
                break
            painter.setPen(pen)
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            room = min(last_x, area.right()) - x - 8
            if room > look.px(48):
                spot = QRectF(x + 5, area.top() - 2, room, look.px(16))
                line(painter, spot, swap.words, look.font("small"), look.color("muted"))
            elif last_x == math.inf:
                spot = QRectF(area.left(), area.top() - 2, x - 5 - area.left(), look.px(16))
                line(painter, spot, swap.words, look.font("small"), look.color("muted"), _RIGHT)
            last_x = x

    def _paint_curve(self, painter: QPainter, area: QRectF, device: Device) -> None:
        spots = [QPointF(self._x(area, p.at), self._y(area, p.p50)) for p in device.points]
        spots = [spot for spot in spots if spot.x() >= area.left()]
        if not spots:
            return
        painter.setPen(QPen(theme().color("blade"), 1))
        if len(spots) == 1:
            painter.drawEllipse(spots[0], 1.5, 1.5)
        else:
            painter.drawPolyline(QPolygonF(spots))


class StageBar(_Painted):
    """One frame from camera to screen, cut into its stages."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("One frame", 54, parent)

    def stages(self) -> list[tuple[str, float, str]]:
        """Word, median ms and colour of each stage that was measured."""
        telemetry = self.device.telemetry if self.device is not None else None
        known = telemetry.ms if telemetry is not None else {}
        return [
            (word, sum(known[key].p50 for key in keys if key in known), color)
            for keys, word, color in _STAGES
            if any(key in known for key in keys)
        ]

    def total(self) -> float:
        """Camera to screen in ms: what the phone says, else the sum."""
        telemetry = self.device.telemetry if self.device is not None else None
        whole = telemetry.ms.get("total") if telemetry is not None else None
        parts = sum(ms for _, ms, _ in self.stages())
        return max(whole.p50, parts) if whole is not None else parts

    def spoken(self) -> str:
        """Each stage with its time."""
        return ", ".join(f"{word} {ms:.1f} ms" for word, ms, _ in self.stages())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Title, bar, legend."""
        look = theme()
        stages, total = self.stages(), self.total()
        with smooth(self) as painter:
            title = QRectF(0, 0, self.width(), look.px(18))
            strong = look.font("strong")
            line(painter, title, "One frame", strong, look.color("ink"))
            said = f"{total:.1f} ms camera to screen" if stages else "nothing measured yet"
            rest = title.adjusted(text_width(strong, "One frame") + 8, 0, 0, 0)
            line(painter, rest, said, look.font("small"), look.color("muted"))
            bar = QRectF(0, look.px(21), self.width(), look.px(13))
            painter.fillRect(bar, look.color("field"))
            x = 0.0
            for _, ms, color in stages:
                width = bar.width() * ms / total if total else 0.0
                hue = look.color("link_idle", color)
                painter.fillRect(QRectF(x, bar.top(), max(1.0, width - 1), bar.height()), hue)
                x += width
            self._paint_words(painter, stages)

    def _paint_words(self, painter: QPainter, stages: list[tuple[str, float, str]]) -> None:
        look = theme()
        x, font = 0.0, look.font("micro")
        for word, ms, color in stages:
            text = f"{word} {ms:.1f}"
            width = text_width(font, text) + 1
            if x + width > self.width():
                break
            ink = look.color("blade" if color == "blade" else "muted")
            line(painter, QRectF(x, look.px(37), width, look.px(16)), text, font, ink)
            x += width + look.px(12)


class BackendBars(_Painted):
    """What each backend of the phone took, the chosen one ticked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Backends, measured", 24, parent)

    def rows(self) -> list[tuple[str, float, str, bool]]:
        """Backend, median ms, why it failed, whether it is the chosen one."""
        bench = self.device.bench if self.device is not None else None
        if bench is None:
            return []
        return [
            (BACKENDS[one.backend], one.median_ms, one.error, one.backend == bench.chosen)
            for one in bench.times
        ]

    def spoken(self) -> str:
        """Each backend with its time."""
        return ", ".join(
            f"{name} {error or f'{ms:.0f} ms'}{', chosen' if best else ''}"
            for name, ms, error, best in self.rows()
        )

    def set_device(self, device: Device | None) -> None:
        """Show a phone's backends; the height follows."""
        super().set_device(device)
        high = 24 + 24 * max(1, len(self.rows()))
        if high != self._height:
            self._height = high
            self.updateGeometry()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Head, then a row for each."""
        look, rows = theme(), self.rows()
        muted = look.color("muted")
        with smooth(self) as painter:
            head = QRectF(0, 0, self.width() - 4, look.px(20))
            line(painter, head, "Backend, measured", look.font("micro"), muted)
            line(painter, head, "ms, median", look.font("micro"), muted, _RIGHT)
            if not rows:
                low = QRectF(0, look.px(24), self.width(), look.px(20))
                line(painter, low, "Not measured yet.", look.font("small"), muted)
            most = max((ms for _, ms, error, _ in rows if not error), default=1.0) or 1.0
            for n, row in enumerate(rows):
                top = look.px(24) * (n + 1)
                self._paint_row(painter, QRectF(0, top, self.width(), look.px(22)), row, most)

    def _paint_row(
        self, painter: QPainter, rect: QRectF, row: tuple[str, float, str, bool], most: float
    ) -> None:
        look = theme()
        name, ms, error, best = row
        font = look.font("strong" if best else "body")
        words = QRectF(rect.left(), rect.top(), look.px(112), rect.height())
        line(painter, words, name, font, look.color("ink" if best else "muted"))
        if error:
            rest = rect.adjusted(look.px(116), 0, 0, 0)
            line(painter, rest, error, look.font("small"), look.color("warn"))
            return
        track = QRectF(look.px(116), rect.center().y() - 2, rect.width() - look.px(116 + 62), 4)
        box(painter, track, 2, look.color("field"))
        track.setWidth(max(4.0, track.width() * ms / most))
        box(painter, track, 2, look.color("blade" if best else "muted"))
        number = QRectF(rect.right() - look.px(58), rect.top(), look.px(34), rect.height())
        line(painter, number, milliseconds(ms), look.mono("body"), look.color("ink"), _RIGHT)
        if best:
            side = look.px(14)
            spot = QRectF(rect.right() - look.px(18), rect.center().y() - side / 2, side, side)
            paint_icon(painter, "check", spot, look.color("good"))
