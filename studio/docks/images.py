"""The Images dock: pictures that the run in focus made, alone, in a grid, or side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QSplitter,
    QStackedLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backend.core.files import slug, write_atomic
from studio.docks.image_compare import Stage
from studio.docks.image_grid import PictureGrid
from studio.docks.image_sources import Rival, Stream, entries_of, other_runs, rivals_of, streams_of
from studio.docks.image_store import (
    Difference,
    Pictures,
    Place,
    difference,
    receipt_of,
    with_receipt,
)
from studio.docks.views import ViewList, node_title
from studio.pictures.following import Following
from studio.pictures.kinds import png_bytes
from studio.pictures.scrubber import Scrubber
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState
from studio.widgets.segment import Segment

_MODES = (
    ("grid", "Grid"),
    ("one", "One"),
    ("slider", "Slider"),
    ("blink", "Blink"),
    ("difference", "Difference"),
)
_COMPARING = ("slider", "blink", "difference")


class ImagesWidget(QWidget):
    """List at the left, stage or grid at the right, pictures of the stream as ticks below."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.pictures = Pictures(self)
        self._streams: dict[Stream, list[Any]] = {}
        self._rivals: list[Rival] = []
        self._mapped: tuple[Place, Place, bool] | None = None
        self._before = "one"
        self._drawn: tuple[Path, Stream | None] | None = None
        self._others: tuple[Any, list[Path]] | None = None
        self._build()
        self.pictures.ready.connect(self._came)
        self._following = Following(session, self)
        self._following.news.connect(self.refresh)
        self.list.currentItemChanged.connect(self._picked)
        self.scrubber.moved.connect(self._stepped)
        self.mode.changed.connect(self._mode_changed)
        self.rival.currentIndexChanged.connect(self._show)
        self.stage.blink_asked.connect(self._toggle_blink)
        self.stage.stepped.connect(self._step_by)
        self.stage.zoom_changed.connect(self._tell_zoom)
        self.grid.opened.connect(self._open)
        session.selection.changed.connect(self._select)
        session.marks_changed.connect(self._list_rivals)
        theme().changed.connect(self._recolor)
        self.refresh()

    def _build(self) -> None:
        self.list = ViewList()
        self.list.setAccessibleName("Pictures of the run")
        self.stage = Stage()
        self.grid = PictureGrid(self.pictures)
        self.scrubber = Scrubber("Picture")
        self.mode = Segment(_MODES, "one")
        self.rival = Combo()
        self.rival.setAccessibleName("Compare with")
        self.rival.setToolTip("The second picture (B)")
        self.rival.setMinimumWidth(theme().px(120))
        self.zoom = ElidedLabel("", "small", "muted")
        self.more = tool("export-variant", "Save or copy this picture", small=True)
        menu = QMenu(self.more)
        menu.addAction("Save as ...").triggered.connect(self.save)
        menu.addAction("Copy the picture").triggered.connect(self.copy)
        self.more.setMenu(menu)
        self.more.setPopupMode(self.more.ToolButtonPopupMode.InstantPopup)
        copying = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self)
        copying.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copying.activated.connect(self.copy)
        row = QHBoxLayout()
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(8)
        for part, stretch in ((self.mode, 0), (self.rival, 1), (self.zoom, 0), (self.more, 0)):
            row.addWidget(part, stretch)
        self._surfaces = QStackedWidget()
        self._surfaces.addWidget(self.stage)
        self._surfaces.addWidget(self.grid)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._surfaces, 1)
        column.addWidget(self.scrubber)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.list)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([theme().px(160), theme().px(480)])
        self.splitter.setChildrenCollapsible(False)
        self.empty = EmptyState("image-multiple-outline", "Sample pictures appear each epoch.")
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.splitter)

    # -- what the run has ------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Folder of the run in focus."""
        watch = self._following.watch
        return watch.run.path if watch is not None else Path()

    @property
    def stream(self) -> Stream | None:
        """Node and name of the picked pictures."""
        key = self.list.key
        return (key[0], key[2]) if key is not None else None

    def refresh(self) -> None:
        """Read the run in focus again."""
        watch = self._following.watch
        self._streams = streams_of(watch.fold if watch is not None else None)
        self._pages.setCurrentWidget(self.splitter if self._streams else self.empty)
        if not self._streams:
            self._say_nothing()
            return
        self.list.set_views(
            [((node, "image", name), self._title(node), name) for node, name in self._streams]
        )
        if self.stream is None:
            self._select()
        if self.stream is None:
            self.list.pick(self.list.keys[0])
        self._update()

    def _title(self, node: str) -> str:
        return node_title(self._session, node)

    def _maker(self) -> str:
        kinds = self._session.catalog.specs
        return next((k for k, s in kinds.items() if s.title == "Train image-to-image"), "")

    def _say_nothing(self) -> None:
        said = "Sample pictures appear each epoch."
        if self._maker() and self._following.watch is None:
            self.empty.set(said, "Add Train image-to-image", self._add_maker)
        else:
            self.empty.set(said)

    def _add_maker(self) -> None:
        self._session.reveal(self._session.document.add(self._maker()))

    def _select(self) -> None:
        """Follow the selected node, if it has pictures and another one's are shown."""
        node, stream = self._session.selection.current, self.stream
        if node is None or (stream is not None and stream[0] == node):
            return
        mine = [key for key in self.list.keys if key[0] == node]
        if mine:
            self.list.pick(mine[0])

    def _picked(self, *_: object) -> None:
        self.scrubber.follows = True
        self.scrubber.play(False)
        self._others = None
        self._update()

    def _update(self) -> None:
        events = self._streams.get(self.stream, []) if self.stream else []
        self.scrubber.set_steps([str(n + 1) for n in range(len(events))])
        self.scrubber.setVisible(len(events) > 1)
        self._list_rivals()

    def _list_rivals(self) -> None:
        if self.stream is None:
            return
        wish = self.rival.currentData()
        if self.mode.value not in _COMPARING:  # looking at other runs costs file accesses
            self._show()
            return
        titles = {node: self._title(node) for node, _ in self._streams}
        wanted = (self.folder.name, self._session.marked)
        if self._others is None or self._others[0] != wanted:
            runs = self._session.workspace.runs
            self._others = (wanted, other_runs(runs, *wanted))
        others = self._others[1]
        index = self.scrubber.index
        args = (self.folder, self._streams, self.stream, index, titles, others)
        self._rivals = rivals_of(*args)
        names = [rival.title for rival in self._rivals]
        if names != [self.rival.itemText(n) for n in range(self.rival.count())]:
            self.rival.blockSignals(True)
            self.rival.clear()
            for name in names:
                self.rival.addItem(name, name)
            self.rival.setCurrentIndex(max(0, self.rival.findData(wish)) if names else -1)
            self.rival.blockSignals(False)
        self._show()

    # -- showing ---------------------------------------------------------------------------------

    def _places(self) -> tuple[Place | None, Place | None, tuple[str, str]]:
        stream = self.stream
        events = self._streams.get(stream, []) if stream else []
        index = min(max(self.scrubber.index, 0), len(events) - 1)
        if stream is None or index < 0:
            return None, None, ("", "")
        number = f" {index + 1}" if len(events) > 1 else ""
        label = f"{self._title(stream[0])}, {stream[1]}{number}"
        which = self.rival.currentIndex()
        rival = self._rivals[which] if 0 <= which < len(self._rivals) else None
        first = Place(self.folder, events[index].path)
        return first, rival.place if rival else None, (label, rival.label if rival else "")

    def _show(self, *_: object) -> None:
        mode = str(self.mode.value)
        is_grid = mode == "grid"
        self._surfaces.setCurrentWidget(self.grid if is_grid else self.stage)
        compares = mode in _COMPARING
        self.rival.setVisible(compares)
        self.rival.setEnabled(self.rival.count() > 0)
        if is_grid:
            self.grid.source.set_entries(
                entries_of(self.folder, self._streams, self.stream, self._title)
            )
            self._tell_zoom(1.0)
            return
        first, second, labels = self._places()
        a = self.pictures.get(first) if first is not None else "No picture is picked."
        b = self.pictures.get(second) if second is not None and compares else None
        if a is None and self._drawn == (self.folder, self.stream) and self.stage.a is not None:
            return  # the last step stays until this one is read
        self._drawn = (self.folder, self.stream)
        self.stage.waits = second is not None and b is None
        if isinstance(b, str):
            a, b = b, None  # what is wrong with the second one is said in place
        if isinstance(a, QImage) and isinstance(b, QImage) and a.size() != b.size():
            labels = (labels[0], f"{labels[1]}, {b.width()} x {b.height()}")
        words = a if isinstance(a, str) else "" if a is not None else "Reading ..."
        one = a if isinstance(a, QImage) else None
        two = b if isinstance(b, QImage) else None
        self.stage.set_pictures(one, two, labels, words)
        if self.stage.mode != mode:
            self.stage.set_mode(mode)
        if mode == "difference":
            self._compare(first, second, one, two)
        self._tell_zoom(self.stage.scale())

    def _compare(
        self, first: Place | None, second: Place | None, a: QImage | None, b: QImage | None
    ) -> None:
        if a is None or b is None or first is None or second is None:
            self.stage.set_difference(None)
            return
        key = (first, second, theme().is_dark)
        if self._mapped == key:
            return
        self._mapped = key
        self.stage.set_difference(None)
        ramp = [theme().heat(n / 63) for n in range(64)]
        self.pictures.work(lambda: (key, difference(a, b, ramp)), self._compared)

    def _compared(self, outcome: tuple[Any, Difference] | Exception) -> None:
        if not isinstance(outcome, Exception) and outcome[0] == self._mapped:
            self.stage.set_difference(outcome[1])

    def _recolor(self) -> None:
        self._mapped = None
        self._show()

    def _came(self, place: Place) -> None:
        if self.mode.value != "grid" and place in self._places()[:2]:
            self._show()

    # -- deeds -----------------------------------------------------------------------------------

    def set_mode(self, mode: str) -> None:
        """Show *grid*, *one*, *slider*, *blink* or *difference*."""
        self.mode.set_value(mode)
        self._mode_changed(mode)

    def _mode_changed(self, mode: object) -> None:
        if mode not in ("blink", "grid"):
            self._before = str(mode)
        self._others = None
        self._list_rivals()

    def _toggle_blink(self) -> None:
        self.set_mode(self._before if self.mode.value == "blink" else "blink")

    def _stepped(self, _index: int) -> None:
        self._list_rivals()

    def _step_by(self, way: int) -> None:
        self.scrubber.move_to(self.scrubber.index + way)

    def _open(self, target: Any) -> None:
        (node, name), index = target
        self.list.pick((node, "image", name))
        if index >= 0:
            self.scrubber.move_to(index)
        self.set_mode("one")

    def _tell_zoom(self, scale: float) -> None:
        self.zoom.setText(f"{scale:.0%}".replace("%", " %") if self.mode.value != "grid" else "")

    def receipt(self) -> dict[str, str]:
        """What is written into a saved picture: where it comes from. Empty if it is stripped."""
        if self._session.settings.values.strip_metadata:
            return {}
        labels = self._places()[2]
        shown = labels[0] if self.mode.value in ("one", "grid") else " against ".join(labels)
        node = self.stream[0] if self.stream else ""
        return receipt_of(self.folder, node, f"{shown}, {self.mode.value}")

    def result(self) -> QImage | None:
        """The picture that is shown, with its receipt."""
        image = self.stage.result()
        return with_receipt(image, self.receipt()) if image is not None else None

    def save(self) -> None:
        """Ask where to and save what is shown as PNG."""
        if self.result() is None:
            self._session.tell("There is no picture to save.", kind="warn")
            return
        stem = slug("-".join(filter(None, (*(self.stream or ()), str(self.mode.value)))))
        start = str(Path.home() / f"{stem}.png")
        name, _ = QFileDialog.getSaveFileName(self, "Save this picture", start, "PNG (*.png)")
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> bool:
        """Write what is shown as PNG; what goes wrong is told."""
        image = self.result()
        if image is None:
            return False
        path = path.with_suffix(".png")
        try:
            write_atomic(path, png_bytes(image))
        except OSError as error:
            said = f"{path.name} was not written."
            self._session.tell(said, error.strerror or str(error), kind="bad")
            return False
        self._session.tell(f"Saved {path.name}", str(path.parent), kind="good")
        return True

    def copy(self) -> None:
        """Put what is shown on the clipboard, as PNG with its receipt too."""
        image = self.result()
        if image is not None:
            data = QMimeData()
            data.setImageData(image)
            data.setData("image/png", png_bytes(image))
            QGuiApplication.clipboard().setMimeData(data)


class ImagesDock:
    """The Images dock, as the window finds it."""

    NAME = "images"
    TITLE = "Images"
    ICON = "image-multiple-outline"
    AREA = "bottom"
    KINDS: tuple[str, ...] = ()
    WIDGET = ImagesWidget
