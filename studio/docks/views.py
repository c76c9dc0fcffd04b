"""The Views dock: every picture of data that the run in focus made, drawn by kind."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QSplitter,
    QStackedLayout,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backend.core import events as ev
from studio.pictures.following import Following, Payloads
from studio.pictures.scrubber import Scrubber
from studio.pictures.viewer import Viewer
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import quiet
from studio.widgets.empty_state import EmptyState
from studio.widgets.table import COLOR_ROLE, TableDelegate

Key = tuple[str, str, str]
_KEY = int(Qt.ItemDataRole.UserRole) + 1
_SPECIAL = {"layers": ("layers", "Open in Layers")}
"""Kinds that another dock draws with more: its name, and what the button says."""


def step_names(events: list[ev.View]) -> list[str]:
    """Names of the steps of a view: its step, or its place where it has none."""
    return [str(n + 1) if e.step is None else f"{e.step:,}" for n, e in enumerate(events)]


def node_title(session: Session, name: str) -> str:
    """Kind of a node as the palette calls it, and its own name where that says more."""
    node = session.document.graph.nodes.get(name)
    spec = session.catalog.specs.get(node.type) if node is not None else None
    if spec is None:
        return name
    plain = spec.title.casefold().replace(" ", "_")
    return spec.title if name.casefold() == plain else f"{spec.title}, {name}"


class ViewList(QTreeWidget):
    """Views grouped by node."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderHidden(True)
        self.setIndentation(theme().px(14))
        self.setRootIsDecorated(True)
        self.setUniformRowHeights(True)
        self.setItemDelegate(TableDelegate(self))
        self.setFrameShape(self.Shape.NoFrame)
        self.setAccessibleName("Views of the run")
        self.setMinimumWidth(theme().px(120))
        self._keys: list[tuple[Key, str, str]] = []
        self._items: dict[Key, QTreeWidgetItem] = {}

    def set_views(self, entries: list[tuple[Key, str, str]]) -> None:
        """Show ``(key, node title, view title)``; the picked one stays picked."""
        if entries == self._keys:
            return
        picked = self.key
        self._keys = entries
        self.blockSignals(True)
        self.clear()
        self._items.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for key, node, title in entries:
            if key[0] not in groups:
                groups[key[0]] = QTreeWidgetItem(self, [node])
                groups[key[0]].setToolTip(0, f"{node} ({key[0]})")
                groups[key[0]].setExpanded(True)
                groups[key[0]].setData(0, COLOR_ROLE, "muted")
            item = QTreeWidgetItem(groups[key[0]], [title])
            item.setData(0, _KEY, key)
            self._items[key] = item
            item.setToolTip(0, f"{title}: {key[1]}")
        self.pick(picked)
        self.blockSignals(False)

    @property
    def key(self) -> Key | None:
        """The picked view."""
        item = self.currentItem()
        key = item.data(0, _KEY) if item is not None else None
        return tuple(key) if key else None

    @property
    def keys(self) -> list[Key]:
        """All views in order."""
        return [key for key, _, _ in self._keys]

    def pick(self, key: Key | None) -> None:
        """Pick a view."""
        item = self._items.get(key) if key is not None else None
        if item is not None:
            self.setCurrentItem(item)


class ViewsWidget(QWidget):
    """List at the left, the picked view at the right, its steps below."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.list = ViewList()
        self.viewer = Viewer(session)
        self.scrubber = Scrubber("Step")
        self.special = quiet("Open in Layers", "open-in-new")
        self.special.hide()
        self.special.clicked.connect(self._open_special)
        self.viewer.row.insertWidget(2, self.special)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.scrubber)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.list)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([theme().px(176), theme().px(480)])
        self.splitter.setChildrenCollapsible(False)
        self.empty = EmptyState("chart-box-outline", "Views appear when a node has run.")
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.splitter)
        self._payloads = Payloads(self)
        self._payloads.ready.connect(self._show)
        self._following = Following(session, self)
        self._following.news.connect(self.refresh)
        self._titles: dict[Key, str] = {}
        self._run = ""
        self._drawn: tuple[str, Key] | None = None
        self.list.currentItemChanged.connect(self._picked)
        self.scrubber.moved.connect(self._show)
        session.selection.changed.connect(self._select)
        self.refresh()

    # -- what the run has ------------------------------------------------------------------------

    def _events(self, key: Key | None) -> list[ev.View]:
        watch = self._following.watch
        return watch.fold.views.get(key, []) if watch is not None and key is not None else []

    def refresh(self) -> None:
        """Read the run in focus again."""
        watch = self._following.watch
        views = watch.fold.views if watch is not None else {}
        if watch is None or watch.name != self._run:
            self._run = watch.name if watch is not None else ""
            self._titles.clear()
        self._pages.setCurrentWidget(self.splitter if views else self.empty)
        if not views:
            self.empty.set(*self._nothing())
            return
        nodes = list(dict.fromkeys([*(watch.fold.nodes if watch else ()), *(k[0] for k in views)]))
        order = {name: n for n, name in enumerate(nodes)}
        keys = sorted(views, key=lambda key: order[key[0]])
        self.list.set_views(
            [(k, node_title(self._session, k[0]), self._title(k, views[k])) for k in keys]
        )
        if self.list.key is None:
            self._select()
        if self.list.key is None:
            self.list.pick(keys[0])
        self._update()

    def _nothing(self) -> tuple[Any, ...]:
        if self._following.watch is None:
            return "Views appear when a node has run.", "Run all", self._run_all
        return ("This run has made no views yet.",)

    def _run_all(self) -> None:
        self._session.act("run")

    def _title(self, key: Key, events: list[ev.View]) -> str:
        data = events[-1].data if events else None
        if data is not None and data.title:
            self._titles[key] = data.title
        return self._titles.get(key) or (key[2] or key[1]).replace("_", " ").capitalize()

    def _select(self) -> None:
        """Follow the selected node, if it has a view and another one's is shown."""
        node = self._session.selection.current
        key = self.list.key
        if node is None or (key is not None and key[0] == node):
            return
        mine = [k for k in self.list.keys if k[0] == node]
        if mine:
            self.list.pick(mine[0])

    # -- showing ---------------------------------------------------------------------------------

    def set_view(self, key: Key) -> None:
        """Show this view of the run in focus."""
        self.list.pick(key)

    def _picked(self, *_: object) -> None:
        if self.list.key is not None:
            self.scrubber.follows = True
            self.scrubber.play(False)
            self._update()

    def _update(self) -> None:
        key = self.list.key
        events = self._events(key)
        self.scrubber.set_steps(step_names(events))
        self.scrubber.setVisible(len(events) > 1)
        special = _SPECIAL.get(key[1]) if key is not None else None
        self.special.setVisible(special is not None)
        if special is not None:
            self.special.setText(special[1])
        self._show()

    def _show(self, *_: object) -> None:
        key, watch = self.list.key, self._following.watch
        events = self._events(key)
        if key is None or watch is None or not events:
            self.viewer.show_words("Pick a view at the left.")
            return
        index = min(max(self.scrubber.index, 0), len(events) - 1)
        payload = self._payloads.get(watch.run.path, events[index])
        is_same = self._drawn == (watch.name, key)
        self._drawn = (watch.name, key)
        if payload is None:
            if not is_same or self.viewer.payload is None:  # the last step stays meanwhile
                self.viewer.show_words("Reading ...", self._title(key, events))
        elif isinstance(payload, str):
            self.viewer.show_words(payload, self._title(key, events))
        else:
            self._titles.setdefault(key, payload.title)
            self.viewer.show_payload(payload)

    def _open_special(self) -> None:
        key = self.list.key
        if key is not None and key[1] in _SPECIAL:
            self._session.selection.set([key[0]] if self._has_node(key[0]) else [])
            self._session.act("show_dock", name=_SPECIAL[key[1]][0])

    def _has_node(self, name: str) -> bool:
        return name in self._session.document.graph.nodes


class ViewsDock:
    """The Views dock, as the window finds it."""

    NAME = "views"
    TITLE = "Views"
    ICON = "chart-box-outline"
    AREA = "bottom-right"
    KINDS: tuple[str, ...] = ()
    WIDGET = ViewsWidget
