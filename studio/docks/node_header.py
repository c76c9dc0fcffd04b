"""The head of the properties: what the selected node is, its name, and where it comes from."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QFont, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from backend.core.node import NodeSpec
from studio.fields.tip import paper_link
from studio.icons import node_icon, paint_icon
from studio.theme import theme
from studio.widgets.painting import box, line, smooth, text_width
from studio.widgets.switch import Switch


class Tile(QWidget):
    """The icon of a kind of node on the tint of what it gives."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = "cube-outline"
        self._hue = "muted"

    def set(self, icon: str, hue: str) -> None:
        """Show another icon; ``hue`` names a colour."""
        self._icon, self._hue = icon, hue
        self.update()

    def sizeHint(self) -> QSize:
        """A square of 36 px."""
        return QSize(theme().px(36), theme().px(36))

    minimumSizeHint = sizeHint  # noqa: N815

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint tint and icon."""
        look = theme()
        side = look.px(36)
        with smooth(self) as painter:
            box(painter, QRectF(0, 0, side, side), look.px(8), look.color("tint", self._hue), None)
            glyph = look.px(22)
            place = QRectF((side - glyph) / 2, (side - glyph) / 2, glyph, glyph)
            paint_icon(painter, self._icon, place, look.color(self._hue))


class NameEdit(QLineEdit):
    """The name of the node, edited in place: Enter takes it, Escape brings the old one back."""

    committed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.known = ""
        self.setAccessibleName("Name of the node")
        self.setToolTip("Name of the node in this graph (F2)")
        quiet = "background: transparent; border-color: transparent; padding: 0;"
        self.setStyleSheet(f"QLineEdit:!hover:!focus {{ {quiet} }}")
        self.editingFinished.connect(self._finish)

    def show_name(self, name: str) -> None:
        """Show a name, unless another is being typed for the same node."""
        if name == self.known and self.isModified():
            return
        self.known = name
        if self.text() != name:
            self.setText(name)
        self.setModified(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up the edit."""
        if event.key() == Qt.Key.Key_Escape and self.isModified():
            self.setText(self.known)
            self.setModified(False)
            return
        super().keyPressEvent(event)

    def _finish(self) -> None:
        text = self.text().strip()
        if not self.isModified():
            return
        self.setModified(False)
        if text and text != self.known:
            self.committed.emit(text)
        else:
            self.setText(self.known)


class SourceLink(QAbstractButton):
    """A book and the short name of the paper, in the accent colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        """Icon and words."""
        look = theme()
        return QSize(look.px(24) + int(text_width(self._font(), self.text())) + 4, look.px(24))

    def minimumSizeHint(self) -> QSize:
        """Words may be cut."""
        return QSize(theme().px(80), theme().px(24))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint icon, words, and a line under them on hover or focus."""
        look = theme()
        font = self._font()
        font.setUnderline(self.underMouse() or self.hasFocus())
        side = look.px(14)
        with smooth(self) as painter:
            place = QRectF(0, (self.height() - side) / 2, side, side)
            paint_icon(painter, "book-open-variant", place, look.color("blade"))
            room = QRectF(look.px(19), 0, self.width() - look.px(19), self.height())
            line(painter, room, self.text(), font, look.color("blade"))

    def _font(self) -> QFont:
        font = theme().font("small")
        font.setWeight(QFont.Weight.Medium)
        return font


class NodeHeader(QWidget):
    """Tile, title, name, bypass, the first sentences of the help and the source."""

    renamed = Signal(str)
    bypassed = Signal(bool)
    help_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tile = Tile(self)
        self.title = QLabel(self)
        self.name = NameEdit(self)
        self.name.committed.connect(self.renamed)
        self.bypass = Switch("Bypass", parent=self)
        self.bypass.setToolTip("Bypass: the node hands on what it gets instead of running (B)")
        self.bypass.clicked.connect(self._switched)
        self._bypass_word = QLabel("Bypass", self)
        self._bypass_word.setProperty("tone", "muted")
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setProperty("tone", "muted")
        self.source = SourceLink(self)
        self.source.clicked.connect(self._open_source)
        self._link = ""
        self._lay_out()
        self._dress()
        theme().changed.connect(self._dress)

    def show_node(self, name: str, spec: NodeSpec, is_bypassed: bool) -> None:
        """Show one node of a kind that is known."""
        hue = theme().type_name(spec.outputs[0].type) if spec.outputs else "muted"
        self.tile.set(node_icon(spec.id, spec.category), hue)
        self.title.setText(spec.title)
        self._show_name(name, is_bypassed)
        self._show_text(first_paragraph(spec.doc))
        self._link = paper_link(spec.source)
        self.source.setVisible(bool(spec.source))
        self.source.setText(short_source(spec.source))
        where = "Open the paper" if self._link else "Read the help of this node"
        self.source.setToolTip(f"{spec.source}. {where}.")

    def show_unknown(self, name: str, type_id: str, is_bypassed: bool) -> None:
        """Show a node whose kind is not installed."""
        self.tile.set("help-box-outline", "muted")
        self.title.setText(type_id)
        self._show_name(name, is_bypassed)
        self._show_text("This kind of node is not installed. The graph keeps it as it is.")
        self.source.hide()

    def show_several(self, count: int, kinds: list[str]) -> None:
        """Show that several nodes are selected."""
        self.tile.set("select-group", "muted")
        self.title.setText(f"{count} nodes")
        for part in (self.name, self.bypass, self._bypass_word, self.source):
            part.hide()
        self._show_text(", ".join(kinds))

    def _show_name(self, name: str, is_bypassed: bool) -> None:
        for part in (self.name, self.bypass, self._bypass_word):
            part.show()
        self.name.show_name(name)
        self.bypass.setChecked(is_bypassed)

    def _show_text(self, text: str) -> None:
        self.text.setVisible(bool(text))
        self.text.setText(text)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.title, 1)
        head.addWidget(self._bypass_word)
        head.addWidget(self.bypass)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.name)
        column.addWidget(self.text)
        column.addWidget(self.source, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 12, 12, 10)
        row.setSpacing(12)
        row.addWidget(self.tile, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)

    def _dress(self) -> None:
        look = theme()
        self.title.setFont(look.font("title"))
        self.name.setFont(look.mono("small"))
        self.text.setFont(look.font("small"))
        self._bypass_word.setFont(look.font("micro"))
        self.tile.updateGeometry()

    def _switched(self) -> None:
        self.bypassed.emit(self.bypass.isChecked())

    def _open_source(self) -> None:
        if self._link:
            QDesktopServices.openUrl(QUrl(self._link))
        else:
            self.help_wanted.emit()


def first_paragraph(doc: str) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join(doc.strip().split("\n\n", 1)[0].split())


def short_source(source: str, most: int = 34) -> str:
    """Shorten a source to its authors, its venue and year if it is long."""
    first = source.split(";")[0].strip()
    if len(first) <= most:
        return first
    parts = [part.strip() for part in first.split(",")]
    dated = next((p for p in parts[1:] if any(w.isdigit() and len(w) == 4 for w in p.split())), "")
    short = f"{parts[0]}, {dated}" if dated else parts[0]
    return short if len(short) <= most + 10 else short[: most + 9] + "\N{HORIZONTAL ELLIPSIS}"
