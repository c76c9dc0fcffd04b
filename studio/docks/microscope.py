"""The Layers dock: the number formats of a network, layer by layer, live while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from backend.core import events as ev
from backend.core.views import Layers
from studio.docks.layers_detail import LayerDetail, Moment
from studio.docks.layers_table import LayersTable
from studio.docks.views import Key, node_title, step_names
from studio.icons import dress_clear_button
from studio.pictures import axes
from studio.pictures.bits import PARTS, paint_legend
from studio.pictures.following import Following, Payloads
from studio.pictures.scrubber import Scrubber
from studio.pictures.viewer import Viewer
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState

Formats = dict[str, tuple[int | None, int | None]]
_WIDE, _TALL = 900, 420


class BitsLegend(QWidget):
    """What the cells mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Bits: sign with a bar, integer full, fraction with a notch")
        self.setToolTip("Sign bits carry a bar, integer bits are full, fraction bits have a notch.")
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Three cells with their words."""
        words = sum(axes.text_width(theme().font("micro"), [name]) for name, _ in PARTS)
        return QSize(int(words) + theme().px(30) * len(PARTS), theme().px(24))

    def minimumSizeHint(self) -> QSize:
        """The same: it is a key to the colours."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The legend."""
        painter = QPainter(self)
        paint_legend(painter, self.rect().toRectF())


class LayersWidget(QWidget):
    """Table of layers, the picked one in detail, steps below."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._payloads = Payloads(self)
        self._formats: dict[tuple[Path, int | str], Formats] = {}
        self._shown: Layers | None = None
        self._wish: Key | None = None
        self._build()
        self._payloads.ready.connect(self._came)
        self._following = Following(session, self)
        self._following.news.connect(self.refresh)
        self.table.selectionModel().selectionChanged.connect(self._show_detail)
        self.scrubber.moved.connect(self._show)
        self.filter.textChanged.connect(self._filter)
        self.source.activated.connect(self._choose)
        session.selection.changed.connect(self._follow_selection)
        self.refresh()

    def _build(self) -> None:
        self.table = LayersTable()
        self.detail = LayerDetail()
        self.detail.hide()
        self.scrubber = Scrubber("Step")
        self.caption = ElidedLabel("", "small", "muted")
        self.caption.setContentsMargins(12, 0, 12, 0)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find a layer")
        self.filter.setClearButtonEnabled(True)
        dress_clear_button(self.filter)
        self.filter.setAccessibleName("Find a layer")
        self.filter.hide()
        self.source = Combo()
        self.source.setAccessibleName("Network")
        self.source.hide()
        self.message = EmptyState("layers-triple-outline", "")
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.detail)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setChildrenCollapsible(False)
        row = QHBoxLayout()
        row.setContentsMargins(8, 0, 8, 0)
        row.addWidget(self.source)
        row.addWidget(self.filter, 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.splitter, 1)
        column.addWidget(self.caption)
        column.addWidget(self.scrubber)
        self._page = page
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self.message)
        self._pages.addWidget(page)
        self._viewer = Viewer(self._session, self)  # exports only: it is never shown
        self._viewer.hide()

    def tools(self) -> QWidget:
        """Legend, filter, export: for the right end of the dock's strip."""
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        find = tool("filter-variant", "Find a layer", checkable=True, small=True)
        find.toggled.connect(self._toggle_filter)
        more = tool("export-variant", "Save or copy the table", small=True)
        menu = QMenu(more)
        for text, deed in (
            ("Save as ...", self._viewer.save),
            ("Copy as Markdown", self._viewer.copy_markdown),
            ("Copy as CSV", self._viewer.copy_csv),
        ):
            menu.addAction(text).triggered.connect(deed)
        more.setMenu(menu)
        more.setPopupMode(more.ToolButtonPopupMode.InstantPopup)
        for part in (BitsLegend(), find, more):
            row.addWidget(part)
        return bar

    def _toggle_filter(self, on: bool) -> None:
        self.filter.setVisible(on)
        if on:
            self.filter.setFocus()
        else:
            self.filter.clear()

    def _filter(self, text: str) -> None:
        self.table.sorter.setFilterFixedString(text.strip())

    # -- which network ---------------------------------------------------------------------------

    def _keys(self) -> list[Key]:
        watch = self._following.watch
        return [k for k in watch.fold.views if k[1] == "layers"] if watch is not None else []

    @property
    def key(self) -> Key | None:
        """The view that is shown: the one asked for, the selected node's, or the newest."""
        keys = self._keys()
        if self._wish in keys:
            return self._wish
        node = self._session.selection.current
        mine = [k for k in keys if k[0] == node]
        return mine[0] if mine else (keys[-1] if keys else None)

    def set_view(self, fold: Any, key: Key) -> None:
        """Show this view; ``fold`` is that of the run in focus."""
        self._wish = key
        self.refresh()

    def _choose(self, index: int) -> None:
        key = self.source.itemData(index)
        self._wish = tuple(key) if key else None
        self.scrubber.follows = True
        self.refresh()

    def _follow_selection(self) -> None:
        node = self._session.selection.current
        if any(k[0] == node for k in self._keys()):
            self._wish = None
            self.refresh()

    def _events(self) -> list[ev.View]:
        watch, key = self._following.watch, self.key
        return watch.fold.views.get(key, []) if watch is not None and key is not None else []

    def refresh(self) -> None:
        """Read the run in focus again."""
        events = self._events()
        if not events:
            self._shown = None
            self._say_nothing()
            return
        self._list_sources()
        self.scrubber.set_steps(step_names(events))
        self.scrubber.setVisible(len(events) > 1)
        self._show()

    def _list_sources(self) -> None:
        keys, now = self._keys(), self.key
        have = [self.source.itemData(n) for n in range(self.source.count())]
        if [tuple(k) for k in have] != keys:
            self.source.clear()
            for key in keys:
                title = node_title(self._session, key[0])
                several = sum(k[0] == key[0] for k in keys) > 1
                self.source.addItem(f"{title}, {key[2]}" if several else title, key)
        if now is not None:
            self.source.setCurrentIndex(keys.index(now))
        self.source.setVisible(len(keys) > 1)

    def _say_nothing(self) -> None:
        self._pages.setCurrentWidget(self.message)
        graph, specs = self._session.document.graph, self._session.catalog.specs
        found = next((n for n, node in graph.nodes.items() if _makes_layers(specs, node.type)), "")
        if found:
            title = node_title(self._session, found)
            said = "Select a node that holds a network."
            if self._session.selection.current == found:
                self.message.set("The formats of each layer appear here when this node runs.")
            else:
                self.message.set(said, f"Select {title}", lambda: self._session.reveal(found))
        else:
            self.message.set("Select a node that holds a network.")

    # -- showing ---------------------------------------------------------------------------------

    def _payload(self, event: ev.View) -> Any:
        watch = self._following.watch
        return self._payloads.get(watch.run.path, event) if watch is not None else None

    def _came(self, _key: object) -> None:
        self._show()

    def _show(self, *_: object) -> None:
        events = self._events()
        if not events:
            return
        index = min(max(self.scrubber.index, 0), len(events) - 1)
        payload = self._payload(events[index])
        if isinstance(payload, str):
            self._shown = None
            self.message.set(payload)
            self._pages.setCurrentWidget(self.message)
        elif isinstance(payload, Layers):
            self._shown = payload
            self._viewer.show_payload(payload)
            self.caption.setText(payload.caption)
            self.caption.setVisible(bool(payload.caption))
            self.table.source.set_rows(list(payload.rows))
            if payload.rows:
                self._pages.setCurrentWidget(self._page)
                self._show_detail()
            else:
                self.message.set("This network has no layer with weights.")
                self._pages.setCurrentWidget(self.message)

    def _show_detail(self, *_: object) -> None:
        layer = self.table.layer
        rows = self._shown.rows if self._shown is not None else []
        row = next((r for r in rows if r.layer == layer), None)
        if row is None:
            self.detail.hide()
            return
        was_hidden = self.detail.isHidden()
        self.detail.show_layer(row, self.moments(layer), self.scrubber.index)
        self.detail.show()
        if was_hidden:
            self._arrange()

    def moments(self, layer: str) -> list[Moment]:
        """Fraction lengths of a layer over the steps, as far as they were read."""
        events = self._events()
        found = []
        for name, event in zip(step_names(events), events, strict=True):
            formats = self._formats_of(event)
            weight, given = formats.get(layer, (None, None)) if formats else (None, None)
            found.append(Moment(name, weight, given))
        return found

    def _formats_of(self, event: ev.View) -> Formats | None:
        watch = self._following.watch
        if watch is None:
            return None
        key = (watch.run.path, event.path or event.seq)
        if event.data is None and key in self._formats:
            return self._formats[key]
        payload = self._payload(event)
        if not isinstance(payload, Layers):
            return None
        formats = {
            row.layer: (
                row.weight.fraction if row.weight is not None else None,
                row.input.fraction if row.input is not None else None,
            )
            for row in payload.rows
        }
        if event.data is None:  # a file is read once; its payload itself may be dropped
            self._formats[key] = formats
        return formats

    # -- arranging -------------------------------------------------------------------------------

    def _arrange(self) -> None:
        is_beside = self._is_beside(self.size())
        way = Qt.Orientation.Horizontal if is_beside else Qt.Orientation.Vertical
        self.splitter.setOrientation(way)
        if is_beside:
            wide = min(theme().px(340), self.width() // 2)
            self.splitter.setSizes([self.width() - wide, wide])
        else:
            self.splitter.setSizes([self.height() // 2, self.height() // 2])

    @staticmethod
    def _is_beside(size: QSize) -> bool:
        return size.width() >= _WIDE or size.height() < _TALL

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The detail stands right of the table unless the dock is narrow and tall."""
        super().resizeEvent(event)
        if self._is_beside(event.oldSize()) != self._is_beside(self.size()):
            self._arrange()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the detail."""
        if event.key() == Qt.Key.Key_Escape and self.detail.isVisible():
            self.table.clearSelection()
            self.detail.hide()
        else:
            super().keyPressEvent(event)


def _makes_layers(specs: Any, kind: str) -> bool:
    spec = specs.get(kind)
    return spec is not None and "layers" in getattr(spec, "views", ())


class LayersDock:
    """The Layers dock, as the window finds it."""

    NAME = "layers"
    TITLE = "Layers"
    ICON = "layers-triple-outline"
    AREA = "bottom-right"
    KINDS: tuple[str, ...] = ("layers",)
    WIDGET = LayersWidget
