"""The icons of the look: Material Design glyphs, painted by the icon font of qtawesome.

Only that one font is loaded, by path: importing qtawesome itself loads every font that it has.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QIconEngine,
    QPainter,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from studio.theme import theme

NODE_ICONS = {
    "data.image_folder": "folder-open-outline",
    "data.digits": "database-outline",
    "model.load": "download",
    "model.pretrained": "download",
    "model.onnx": "download",
    "model.python": "language-python",
    "quantize.f8net": "numeric-8-box-outline",
    "quantize.po2": "tune-variant",
    "profile": "speedometer",
    "report.compare": "compare",
    "cat.teacher": "human-male-board",
    "cat.spade_teacher": "human-male-board",
    "cat.plan": "chart-bar",
    "cat.shrink": "content-cut",
    "e2gan.concepts": "format-quote-close",
    "e2gan.load": "download",
    "e2gan.generator": "layers-triple-outline",
    "e2gan.base": "school-outline",
    "e2gan.tune": "school-outline",
    "e2gan.merge": "call-merge",
    "e2gan.blend": "vector-combine",
    "cost.macs": "calculator-variant-outline",
    "cost.ort": "timer-outline",
    "cost.phone": "cellphone",
}
CATEGORY_ICONS = {
    "data": "database-outline",
    "model": "layers-triple-outline",
    "teacher": "human-male-board",
    "train": "school-outline",
    "quantize": "tune-variant",
    "prune": "content-cut",
    "distill": "bullseye-arrow",
    "cat": "bullseye-arrow",
    "e2gan": "auto-fix",
    "diffusion": "blur",
    "pim": "chip",
    "evaluate": "target",
    "export": "package-variant-closed",
    "report": "file-chart-outline",
    "cost": "speedometer",
}


def node_icon(type_id: str, category: str = "") -> str:
    """Name of the icon of a kind of node."""
    category = category or type_id.partition(".")[0]
    return NODE_ICONS.get(type_id) or CATEGORY_ICONS.get(category, "cube-outline")


@lru_cache(maxsize=1)
def _font() -> tuple[str, dict[str, int]]:
    spec = find_spec("qtawesome")  # finds the package without importing it
    if spec is None or spec.origin is None:
        return "", {}
    folder = Path(spec.origin).parent / "fonts"
    font = next(folder.glob("materialdesignicons6-webfont-*.ttf"))
    names = next(folder.glob("materialdesignicons6-webfont-charmap-*.json"))
    number = QFontDatabase.addApplicationFont(str(font))
    families = QFontDatabase.applicationFontFamilies(number)
    codes = json.loads(names.read_text(encoding="utf-8"))
    return (families or [""])[0], {name: int(code, 16) for name, code in codes.items()}


def has_icon(name: str) -> bool:
    """Whether the icon font knows this name."""
    return name in _font()[1]


def paint_icon(painter: QPainter, name: str, rect: QRect | QRectF, color: QColor) -> None:
    """Paint one glyph into ``rect``; a name that is not known paints nothing."""
    family, codes = _font()
    if name not in codes:
        return
    painter.save()
    font = QFont(family)
    font.setPixelSize(max(1, round(min(rect.width(), rect.height()))))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    painter.setFont(font)
    painter.setPen(color)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    painter.drawText(QRectF(rect), int(Qt.AlignmentFlag.AlignCenter), chr(codes[name]))
    painter.restore()


class _GlyphEngine(QIconEngine):
    """Paints the glyph in the theme's colour at the moment of painting, at any size."""

    def __init__(self, name: str, color: str, active: str) -> None:
        super().__init__()
        self._name, self._color, self._active = name, color, active

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        color = self._color
        if mode == QIcon.Mode.Disabled:
            color = "disabled_ink"
        elif mode in (QIcon.Mode.Active, QIcon.Mode.Selected) or state == QIcon.State.On:
            color = self._active
        paint_icon(painter, self._name, rect, theme().color(color))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _GlyphEngine(self._name, self._color, self._active)


def dress_clear_button(edit: QWidget) -> None:
    """Give the button that empties a line the look's cross instead of the style's own."""
    action = edit.findChild(QAction, "_q_qlineeditclearaction")
    if action is not None:
        action.setIcon(icon("close"))


def icon(name: str, color: str = "muted", active: str = "ink") -> QIcon:
    """Return an icon that follows the theme: ``color`` at rest, ``active`` under the pointer."""
    return QIcon(_GlyphEngine(name, color, active))
