"""The left column of the welcome page: begin, recent graphs, and where to drop something."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from studio.docks.graph_list import GraphFile, GraphFilesModel, GraphFilesView
from studio.theme import theme
from studio.widgets.button import plain, primary, quiet
from studio.widgets.empty_state import Glyph
from studio.widgets.painting import follow_theme, smooth


class WelcomeSide(QWidget):
    """Buttons and lists; every wish is a signal."""

    new_graph = Signal()
    open_dialog = Signal()
    load_model = Signal()
    opened = Signal(object)
    cleared = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.new_button = primary("New graph", "file-plus-outline")
        self.open_button = plain("Open", "folder-open-outline")
        self.load_button = plain("Load model", "download")
        for button in (self.new_button, self.open_button, self.load_button):
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._title = QLabel("Recent")
        self.clear_button = quiet("Clear")
        self.clear_button.setAccessibleName("Clear the list of recent graphs")
        self.model = GraphFilesModel(self)
        self.list = GraphFilesView(self.model, "Recent graphs", self)
        self._none = QLabel("Graphs that you save or open are listed here.")
        self._none.setWordWrap(True)
        self._none.setProperty("tone", "muted")
        self.drop_zone = DropZone(self)
        self._lay_out()
        self.new_button.clicked.connect(self.new_graph)
        self.open_button.clicked.connect(self.open_dialog)
        self.load_button.clicked.connect(self.load_model)
        self.clear_button.clicked.connect(self.cleared)
        self.list.opened.connect(self.opened)
        follow_theme(self.restyle)
        self.restyle()
        self.show_recent([])

    def show_recent(self, rows: Sequence[GraphFile]) -> None:
        """List these graphs."""
        self.model.show(rows)
        self.list.setVisible(bool(rows))
        self._none.setVisible(not rows)
        self.clear_button.setVisible(bool(rows))

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._title.setFont(look.font("strong"))
        self._none.setFont(look.font("small"))
        self.list.doItemsLayout()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground and the rule at the right."""
        look = theme()
        with smooth(self) as painter:
            painter.fillRect(self.rect(), look.color("panel"))
            painter.fillRect(self.width() - 1, 0, 1, self.height(), look.color("line"))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 20, 1, 20)
        layout.setSpacing(0)
        top = QVBoxLayout()
        top.setContentsMargins(20, 0, 20, 14)
        top.setSpacing(8)
        top.addWidget(self.new_button)
        pair = QHBoxLayout()
        pair.setSpacing(8)
        pair.addWidget(self.open_button, 1)
        pair.addWidget(self.load_button, 1)
        top.addLayout(pair)
        layout.addLayout(top)
        head = QHBoxLayout()
        head.setContentsMargins(20, 8, 10, 4)
        head.addWidget(self._title, 1)
        head.addWidget(self.clear_button)
        layout.addLayout(head)
        none = QVBoxLayout()
        none.setContentsMargins(20, 0, 20, 0)
        none.addWidget(self._none)
        layout.addLayout(none)
        layout.addWidget(self.list, 1)
        layout.addStretch(0)
        bottom = QVBoxLayout()
        bottom.setContentsMargins(20, 12, 20, 0)
        bottom.addWidget(self.drop_zone)
        layout.addLayout(bottom)


class DropZone(QWidget):
    """Says what can be dropped; the window takes the drop wherever it lands."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel("Or drop something here")
        self._text = QLabel(
            "A model (.onnx, .safetensors, .pt), a folder of pictures, a graph, or a report."
        )
        self._text.setWordWrap(True)
        self._text.setProperty("tone", "muted")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(Glyph("tray-arrow-down", 17))
        row.addWidget(self._title, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._text)
        self.setAccessibleName(f"{self._title.text()}. {self._text.text()}")
        follow_theme(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self._title.setFont(theme().font("strong"))
        self._text.setFont(theme().font("small"))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint a dashed border."""
        with smooth(self) as painter:
            pen = QPen(theme().color("border_strong"), 1)
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)
