"""A figure made of the plots of a dock: as PNG, SVG, picture on the clipboard, and CSV."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QImage, QImageWriter, QPainter

from backend.core.files import write_atomic
from studio.plotting.curve import Curve
from studio.plotting.pens import make_pen
from studio.plotting.plot import Plot
from studio.plotting.smoothing import fitting
from studio.theme import theme

_PAD = 16
_HEAD = 22


@dataclass(frozen=True)
class Figure:
    """Plots beside and below each other, under one legend."""

    plots: list[Plot]
    legend: list[Curve]
    remark: str
    columns: int = 1

    def size(self) -> QSize:
        """Size in pixels at scale 1."""
        cell = self._cell()
        rows = math.ceil(len(self.plots) / self.columns)
        width = self.columns * cell.width() + (self.columns + 1) * _PAD
        return QSize(width, rows * (cell.height() + _HEAD + _PAD) + 2 * _PAD + _HEAD)

    def paint(self, painter: QPainter) -> None:
        """Paint ground, legend and plots at scale 1."""
        look = theme()
        painter.fillRect(QRectF(QPointF(0, 0), self.size().toSizeF()), look.color("panel"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_legend(painter)
        cell = self._cell()
        for index, plot in enumerate(self.plots):
            row, column = divmod(index, self.columns)
            left = _PAD + column * (cell.width() + _PAD)
            top = 2 * _PAD + _HEAD + row * (cell.height() + _HEAD + _PAD)
            self._paint_title(painter, plot, QPointF(left + look.px(46), top))
            where = QRectF(left, top + _HEAD, cell.width(), cell.height())
            source = plot.canvas.viewport().rect()
            plot.canvas.render(painter, where, source, Qt.AspectRatioMode.IgnoreAspectRatio)

    def to_image(self, scale: float = 2.0) -> QImage:
        """Return the figure as a picture of ``scale`` times its size."""
        size = self.size()
        image = QImage(size * scale, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(scale)
        painter = QPainter(image)
        self.paint(painter)
        painter.end()
        return image

    def save_png(self, path: Path) -> None:
        """Write the figure as PNG.

        Raises:
            OSError: the file cannot be written.
        """
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        QImageWriter(buffer, b"png").write(self.to_image())
        write_atomic(path, bytes(buffer.data().data()))

    def save_svg(self, path: Path) -> None:
        """Write the figure as SVG, lines as lines.

        Raises:
            OSError: the file cannot be written.
        """
        from PySide6.QtSvg import QSvgGenerator

        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        size = self.size()
        generator.setSize(size)
        generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
        generator.setTitle("Curves")
        painter = QPainter(generator)
        self.paint(painter)
        painter.end()
        write_atomic(path, bytes(buffer.data().data()))

    def copy(self) -> None:
        """Put the figure on the clipboard as a picture."""
        QGuiApplication.clipboard().setImage(self.to_image())

    # -- inner -----------------------------------------------------------------------------------

    def _cell(self) -> QSize:
        widths = [plot.canvas.width() for plot in self.plots]
        heights = [plot.canvas.height() for plot in self.plots]
        return QSize(max(widths, default=320), max(heights, default=160))

    def _paint_legend(self, painter: QPainter) -> None:
        look = theme()
        x, y = float(_PAD), _PAD + _HEAD / 2
        for curve in self.legend:
            painter.setPen(make_pen(curve.color, 2.0, curve.dash))
            painter.drawLine(QPointF(x, y), QPointF(x + 16, y))
            x = self._paint_word(painter, QPointF(x + 22, y), curve.name, "ink")
            x = self._paint_word(painter, QPointF(x + 6, y), curve.about, "muted") + _PAD
        painter.setPen(look.color("muted"))
        self._paint_word(painter, QPointF(x, y), self.remark, "muted")

    def _paint_title(self, painter: QPainter, plot: Plot, at: QPointF) -> None:
        middle = QPointF(at.x(), at.y() + _HEAD / 2)
        end = self._paint_word(painter, middle, plot.title.text(), "ink", "strong")
        said = "  ".join(filter(None, (plot.unit.text(), plot.note.text())))
        self._paint_word(painter, QPointF(end + 6, middle.y()), said, "muted")

    @staticmethod
    def _paint_word(
        painter: QPainter, middle: QPointF, text: str, color: str, role: str = "small"
    ) -> float:
        font = theme().font(role)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(theme().color(color))
        painter.drawText(QPointF(middle.x(), middle.y() + metrics.capHeight() / 2), text)
        return middle.x() + metrics.horizontalAdvance(text)


def to_csv(plots: list[Plot], weight: float) -> str:
    """Write every visible curve as rows: metric, curve, step, value, smoothed value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", "curve", "step", "value", "smoothed"])
    for plot in plots:
        for curve in plot.curves:
            if curve.is_hidden:
                continue
            series = curve.series
            fitted = fitting(weight, len(series))
            smooth = series.smooth(fitted) if fitted > 0 else series.values
            rows = zip(series.steps, series.values, smooth, strict=True)
            for step, value, smoothed in rows:
                writer.writerow(
                    [
                        plot.measure,
                        curve.label,
                        f"{step:g}",
                        repr(float(value)),
                        repr(float(smoothed)),
                    ]
                )
    return out.getvalue()


def save_csv(path: Path, plots: list[Plot], weight: float) -> None:
    """Write :func:`to_csv` to a file.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomic(path, to_csv(plots, weight))
