"""The inspector dock: what is in a model file or in a node's output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from backend.core.errors import FretsawError, sentence
from studio.docks.inspection import Inspection
from studio.docks.inspector_detail import TensorDetail
from studio.docks.inspector_facts import FactsRow
from studio.docks.inspector_model import (
    FIRST_FIGURE,
    LAYER_COLUMNS,
    TENSOR_COLUMNS,
    RecordsModel,
    layers_of,
)
from studio.docks.inspector_table import RecordsTable
from studio.docks.stored_output import network_file
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import plain, quiet, tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState
from studio.widgets.kerf import KerfBar
from studio.widgets.painting import follow_theme
from studio.widgets.segment import Segment

Record = dict[str, Any]
_EMPTY = "Select a node that holds a network, or drop a model file here."
_NETWORK_TYPES = frozenset(("Model", "Classifier", "Generator", "Diffuser", "Artifact"))


class InspectorWidget(QWidget):
    """Layers, shapes, sizes, kinds of number and histograms of one model.

    `inspect(path)` reads a file in a process of its own, `inspect_output(run, node)` what a node
    gave. A file that is refused says so in one sentence; nothing in it is ever run.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._inspection: Inspection | None = None
        self._shown: tuple[str, str] | None = None  # run and node, when it is an output
        self._layers: list[Record] = []
        self._read = 0
        self.setAccessibleName("Inspector")
        self.tensors = RecordsModel(TENSOR_COLUMNS, self)
        self.layers = RecordsModel(LAYER_COLUMNS, self)
        self._make_parts()
        self._lay_out()
        self.restyle()
        session.selection.changed.connect(self._offer)
        session.focus_changed.connect(self._offer)
        session.document.replaced.connect(self._offer)
        follow_theme(self.restyle)
        self._show_empty()

    # -- use -------------------------------------------------------------------------------------

    def inspect(self, path: Path | str) -> None:
        """Look into a file; what was shown goes."""
        self._shown = None
        self._begin(Path(path), Path(path).name)

    def inspect_output(self, run_name: str, node: str) -> None:
        """Look into the network that a node of a run gave."""
        self.stop()
        try:
            path = network_file(self._session.workspace, run_name, node)
        except FretsawError as error:
            self._refuse(sentence(error))
            return
        self._shown = (run_name, node)
        self._begin(path, f"{node} of {run_name}")

    def stop(self) -> None:
        """End reading; what was read stays."""
        if self._inspection is not None:
            self._inspection.cancel()

    @property
    def is_reading(self) -> bool:
        """Whether a file is being read."""
        return self._inspection is not None

    @property
    def message(self) -> str:
        """The sentence in place of a table: empty state or refusal; empty when a file is shown."""
        shows = self._pages.currentWidget()
        return shows.label.text() if isinstance(shows, EmptyState) else ""

    def tools(self) -> QWidget:
        """Buttons for the end of the dock's strip."""
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        opener = tool("folder-open-outline", "Open a model file", small=True)
        opener.clicked.connect(self._open_file)
        row.addWidget(opener)
        return holder

    # -- parts -----------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self._title = ElidedLabel("", "strong", mode=Qt.TextElideMode.ElideMiddle)
        self._state = ElidedLabel("", "small", "muted")
        self._cancel = plain("Cancel", "close")
        self._cancel.clicked.connect(self.stop)
        self._look = quiet("")
        self._look.clicked.connect(self._inspect_selected)
        self._kerf = KerfBar(2, "Reading")
        self.facts = FactsRow()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter by name, shape, type")
        self.filter.setAccessibleName("Filter layers and tensors")
        self.filter.setClearButtonEnabled(False)
        self.filter.textChanged.connect(self._filter)
        self.which = Segment([("layers", "Layers"), ("tensors", "Tensors")], name="Show")
        self.which.changed.connect(self._switch)
        self._count = ElidedLabel("", "small", "muted")
        self.layer_table = RecordsTable(self.layers, "Layers")
        self.tensor_table = RecordsTable(self.tensors, "Tensors")
        self.layer_table.picked.connect(self._layer_picked)
        self.tensor_table.picked.connect(self._tensor_picked)
        self.detail = TensorDetail()
        self._empty = EmptyState("layers-search-outline", _EMPTY, "Open a file", self._open_file)
        self._refusal = EmptyState("cancel", "", "Open another file", self._open_file)
        self._refusal.glyph.set("cancel", "bad")

    def _lay_out(self) -> None:
        self._page = QWidget()
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._head = QHBoxLayout()
        self._head.addWidget(self._title, 1)
        self._head.addWidget(self._state)
        self._head.addWidget(self._look)
        self._head.addWidget(self._cancel)
        self._bar = QHBoxLayout()
        self._bar.addWidget(self.which)
        self._bar.addWidget(self.filter, 1)
        self._bar.addWidget(self._count)
        tables = QWidget()
        self._tables = QStackedLayout(tables)
        self._tables.addWidget(self.layer_table)
        self._tables.addWidget(self.tensor_table)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.addWidget(tables)
        self._splitter.addWidget(self.detail)
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setCollapsible(0, False)
        self._splitter.setSizes([640, 300])
        column.addLayout(self._head)
        column.addWidget(self._kerf)
        column.addWidget(self.facts)
        column.addLayout(self._bar)
        column.addWidget(self._splitter, 1)
        self._pages = QStackedLayout(self)
        for page in (self._empty, self._refusal, self._page):
            self._pages.addWidget(page)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        look = theme()
        self._head.setContentsMargins(look.px(12), look.px(6), look.px(8), look.px(6))
        self._head.setSpacing(look.px(8))
        self._bar.setContentsMargins(look.px(12), 0, look.px(12), look.px(8))
        self._bar.setSpacing(look.px(8))

    # -- reading ---------------------------------------------------------------------------------

    def _begin(self, path: Path, title: str) -> None:
        self._drop_inspection()
        self._title.setText(title)
        self._title.setToolTip(str(path))
        self._state.setText("Opening")
        self._kerf.set(0.0)
        self._cancel.show()
        self.layers.set_records([])
        self.tensors.set_records([])
        self._layers = []
        self.detail.show_tensor(None, "Not read yet.")
        self.detail.refresh(is_final=False)
        self.facts.hide()
        self._count.setText("")
        self._pages.setCurrentWidget(self._page)
        self._read = 0
        reading = self._inspection = Inspection(self._session.workspace, path, self)
        reading.told.connect(self._told)
        reading.figures.connect(self._figures)
        reading.failed.connect(self._failed)
        reading.ended.connect(self._ended)
        reading.start()
        self._offer()

    def _told(self, facts: Record) -> None:
        self._layers = layers_of(facts)
        self.layers.set_records(self._layers)
        self.tensors.set_records(facts["tensors"])
        self.facts.show_facts(facts)
        self.facts.show()
        has_macs = any(layer["macs"] for layer in self._layers)
        self.layer_table.setColumnHidden(4, not has_macs)
        self.layer_table.fit_columns()
        self.tensor_table.fit_columns()
        self._state.setText(f"Reading {len(facts['tensors']):,} tensors")
        self._filter(self.filter.text())
        self.layer_table.pick_first(has_weights)

    def _figures(self, parts: list[Record]) -> None:
        self.tensors.update_records(parts, FIRST_FIGURE)
        self._read += len(parts)
        self._kerf.set(self._read / max(1, len(self.tensors.records)))
        self.detail.refresh()

    def _failed(self, text: str) -> None:
        if self.tensors.records:
            self._state.setText(text)
            self._session.tell(text, kind="bad")
        else:
            self._refuse(text)

    def _ended(self) -> None:
        reading, self._inspection = self._inspection, None
        if reading is None:
            return
        count = len(self.tensors.records)
        if reading.is_cancelled and not count:
            self._show_empty()
        elif reading.is_cancelled:
            self._state.setText(f"Cancelled; figures of {self._read:,} of {count:,} tensors")
        elif self._read >= count:
            self._state.setText("")
            self.facts.show_zeros(self.tensors.records)
            self.tensors.sort_again()
        self._kerf.set(None)
        self._cancel.hide()
        self.detail.refresh(is_final=True)
        reading.deleteLater()

    def _drop_inspection(self) -> None:
        reading, self._inspection = self._inspection, None
        if reading is not None:
            reading.close()
            reading.deleteLater()

    def _refuse(self, text: str) -> None:
        self._shown = None
        self._refusal.set(text, "Open another file", self._open_file)
        self._pages.setCurrentWidget(self._refusal)

    def _show_empty(self) -> None:
        self._shown = None
        self._pages.setCurrentWidget(self._empty)
        self._offer()

    # -- looking ---------------------------------------------------------------------------------

    def _switch(self, which: object) -> None:
        table = self.layer_table if which == "layers" else self.tensor_table
        self._tables.setCurrentWidget(table)
        self._filter(self.filter.text())
        table.tell_picked()

    def _filter(self, text: str) -> None:
        shown = self.layers if self.which.value == "layers" else self.tensors
        shown.set_filter(text)  # the hidden one follows when it is shown
        some, all_ = shown.rowCount(), len(shown.records)
        self._count.setText(f"{some:,} of {all_:,}" if some != all_ else f"{all_:,}")

    def _layer_picked(self, layer: Record) -> None:
        owned = layer["tensors"]
        if owned:
            self.detail.show_tensor(self.tensors.records[owned[0]])
        else:
            self.detail.show_tensor(None, f"{layer['name']} has no weights.")

    def _tensor_picked(self, tensor: Record) -> None:
        self.detail.show_tensor(tensor)

    # -- nodes -----------------------------------------------------------------------------------

    def _candidate(self) -> tuple[str, str] | None:
        """Run and selected node, when that node gives a network in the run in focus."""
        node, watch = self._session.selection.current, self._session.focus
        graph = self._session.document.graph
        if node is None or watch is None or node not in graph.nodes:
            return None
        spec = self._session.catalog.specs.get(graph.nodes[node].type)
        if spec is None or not any(port.type in _NETWORK_TYPES for port in spec.outputs):
            return None
        return watch.name, node

    def _offer(self, *_change: object) -> None:
        """Offer to look into the selected node."""
        found = self._candidate()
        new = found is not None and found != self._shown
        self._look.setVisible(new)
        if found is not None and new:
            self._look.setText(f"Look inside {found[1]}")
            self._empty.set(
                f"{found[1]} holds a network.", f"Look inside {found[1]}", self._inspect_selected
            )
        else:
            self._empty.set(_EMPTY, "Open a file", self._open_file)

    def _inspect_selected(self) -> None:
        found = self._candidate()
        if found is not None:
            self.inspect_output(*found)

    def _open_file(self) -> None:
        self._session.act("load_model")

    def hideEvent(self, event: QHideEvent) -> None:
        """A dock that goes away with its window leaves no process behind."""
        if not self.window().isVisible():
            self._drop_inspection()
        super().hideEvent(event)


def has_weights(layer: Record) -> bool:
    """Whether a layer is worth showing first: it has more than a vector of parameters."""
    shape = layer["shape"]
    return layer["params"] > 0 and shape is not None and len(shape) > 1


class InspectorDock:
    """Any model file, or what a node gave."""

    NAME = "inspector"
    TITLE = "Inspector"
    ICON = "layers-search-outline"
    AREA = "bottom-right"
    KINDS: tuple[str, ...] = ()
    WIDGET = InspectorWidget
