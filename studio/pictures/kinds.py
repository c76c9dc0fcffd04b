"""Which drawing a payload gets, and pictures of it for files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QIODevice, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter

from backend.core import views
from backend.core.files import write_atomic
from studio.pictures import axes, words
from studio.pictures.bars import BarsDrawing, HistogramDrawing, StripDrawing
from studio.pictures.bits import LayersDrawing
from studio.pictures.drawing import Drawing
from studio.pictures.floor import TilesDrawing
from studio.pictures.heatmap import HeatmapDrawing
from studio.pictures.lines import LinesDrawing, TraceDrawing
from studio.pictures.plan import MasksDrawing, PlanDrawing
from studio.pictures.sheets import TableDrawing
from studio.pictures.verdict import VerdictDrawing
from studio.theme import theme

DRAWINGS: dict[str, type[Drawing]] = {
    "lines": LinesDrawing,
    "bars": BarsDrawing,
    "strip": StripDrawing,
    "histogram": HistogramDrawing,
    "heatmap": HeatmapDrawing,
    "table": TableDrawing,
    "masks": MasksDrawing,
    "tiles": TilesDrawing,
    "trace": TraceDrawing,
    "plan": PlanDrawing,
    "verdict": VerdictDrawing,
    "layers": LayersDrawing,
}
_WRAP = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
_MOST_PIXELS = 16_000


def drawing_of(payload: Any) -> Drawing:
    """Return the drawing of a payload."""
    return DRAWINGS[payload.kind](payload)


def empty_words(payload: Any) -> str:
    """Say that a payload has nothing to draw; empty where it has."""
    match payload:
        case views.Lines() if not any(s.x for s in payload.series):
            return "No points yet."
        case views.Trace() if not any(s.x for s in payload.signals):
            return "No samples yet."
        case views.Bars() if not payload.labels or not payload.groups:
            return "No bars in this view."
        case views.Strip() if not payload.values:
            return "No values in this view."
        case views.Histogram() if not payload.counts:
            return "Nothing was counted."
        case views.Heatmap() if not payload.rows or not payload.columns:
            return "No cells in this view."
        case views.Table() if not payload.columns:
            return "No columns in this table."
        case views.Masks() if not payload.masks:
            return "No tensor has a mask."
        case views.Tiles() if not payload.tiles:
            return "Nothing is placed on this plan."
        case views.Plan() if not payload.rows:
            return "No layer is in this plan."
        case views.Layers() if not payload.rows:
            return "No layer is in this network."
    return ""


class _Page:
    """A drawing with title and caption, as it stands in a file."""

    def __init__(self, payload: Any, width: float) -> None:
        self.payload = payload
        self.drawing = drawing_of(payload)
        least_width, least_height = self.drawing.least(width)
        self.width = max(width, least_width)
        wants_room = payload.kind in ("lines", "histogram", "trace", "tiles")
        self.height = max(least_height, theme().px(280) if wants_room else 0)
        self.drawing.lay(self.width, self.height)
        box = QRectF(0, 0, self.width, 4000)
        metrics = QFontMetricsF(theme().font("small"))
        self.caption = metrics.boundingRect(box, _WRAP, payload.caption).height()
        self.head = theme().px(30)
        self.pad = theme().px(16)

    def size(self) -> QSize:
        """Whole size in pixels."""
        high = self.pad * 2 + self.head + self.height
        high += self.caption + 12 if self.payload.caption else 0
        return QSize(int(self.width + 2 * self.pad), int(high))

    def paint(self, painter: QPainter) -> None:
        """Ground, title, drawing, caption."""
        look, size = theme(), self.size()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), look.color("panel"))
        painter.translate(self.pad, self.pad)
        painter.setFont(look.font("strong"))
        painter.setPen(look.color("ink"))
        title = self.payload.title or self.payload.kind
        axes.elided(painter, QRectF(0, 0, self.width, look.px(20)), axes.LEFT, title)
        painter.translate(0, self.head)
        painter.save()
        self.drawing.paint(painter, QRectF(0, 0, self.width, self.height))
        painter.restore()
        painter.translate(0, self.height + 10)
        painter.setFont(look.font("small"))
        painter.setPen(look.color("muted"))
        painter.drawText(QRectF(0, 0, self.width, self.caption + 4), _WRAP, self.payload.caption)


def as_image(payload: Any, width: float = 800, scale: float = 2.0) -> QImage:
    """Paint a payload with title and caption into an image of ``scale`` pixels a unit."""
    page = _Page(payload, width)
    size = page.size()
    scale = min(scale, _MOST_PIXELS / max(size.width(), size.height(), 1))
    image = QImage(size * scale, QImage.Format.Format_RGB32)
    image.fill(theme().color("panel"))
    image.setText("Title", payload.title)
    painter = QPainter(image)
    try:
        painter.scale(scale, scale)
        page.paint(painter)
    finally:
        painter.end()  # a painter must not outlive its image, whatever happened
    return image


def png_bytes(image: QImage) -> bytes:
    """Encode an image, its text chunks included, as PNG."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def as_svg(payload: Any, width: float = 800) -> bytes:
    """Paint a payload with title and caption as SVG."""
    from PySide6.QtSvg import QSvgGenerator

    page = _Page(payload, width)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    target = QSvgGenerator()
    target.setOutputDevice(buffer)
    target.setSize(page.size())
    target.setViewBox(QRect(0, 0, page.size().width(), page.size().height()))
    target.setTitle(payload.title or payload.kind)
    painter = QPainter(target)
    try:
        page.paint(painter)
    finally:
        painter.end()
    return bytes(buffer.data().data())


def save_picture(path: Path, payload: Any, width: float = 800) -> None:
    """Write PNG, SVG, CSV or Markdown, as the file name says.

    Raises:
        OSError: the file cannot be written.
        ValueError: the ending is none of the four.
    """
    ending = path.suffix.lower()
    if ending == ".png":
        write_atomic(path, png_bytes(as_image(payload, width)))
    elif ending == ".svg":
        write_atomic(path, as_svg(payload, width))
    elif ending == ".csv":
        write_atomic(path, words.as_csv(payload))
    elif ending == ".md":
        write_atomic(path, words.as_markdown(payload))
    else:
        raise ValueError(f'"{path.name}": the name must end in .png, .svg, .csv or .md.')
