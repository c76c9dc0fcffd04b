"""The Phone dock: the phone that is here, what it sees and how fast, and how to pair one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.docks.phone_card import DeviceCard
from studio.docks.phone_figures import BackendBars, ReadOuts, StageBar, TimeChart
from studio.docks.phone_live import LivePreview
from studio.docks.phone_pairing import PairingCard
from studio.phone.phone import Phone, phone_of
from studio.session import Session
from studio.widgets.button import link, tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState

_CHART_MS = 500


class PhoneWidget(QWidget):
    """Device card, live picture, figures; below them the pairing card."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.phone: Phone = phone_of(session)
        self._is_pairing = False
        self._had_device = False
        self._frame: QDockWidget | None = None
        self._build()
        self.phone.changed.connect(self._changed)
        self._tick = QTimer(self)
        self._tick.setInterval(_CHART_MS)
        self._tick.timeout.connect(self._advance)
        self.setAccessibleName("Phone")
        self.refresh()

    def tools(self) -> QWidget:
        """Return what stands at the right end of the dock's strip."""
        more = tool("dots-horizontal", "More for phones", small=True)
        menu = QMenu(more)
        for text, action in (
            ("Pair a phone", "phone_pair"),
            ("Benchmark on the phone", "phone_benchmark"),
            ("Forget all phones", "phone_forget_all"),
        ):
            menu.addAction(text).triggered.connect(self._doing(action))
        more.setMenu(menu)
        more.setPopupMode(more.ToolButtonPopupMode.InstantPopup)
        return more

    def show_pairing(self) -> None:
        """Open the pairing card with a new code."""
        self._is_pairing = True
        self.refresh()
        self.phone.pair()

    def refresh(self) -> None:
        """Show what there is."""
        device = self.phone.device
        has_device = device is not None
        if self._had_device and not has_device:
            self.live.forget()
        if has_device and not self._had_device:
            self._is_pairing = False  # it is done
        if self.phone.crash:
            self._is_pairing = False
        self._had_device = has_device
        for part in (self.card, self.figures):
            part.setVisible(has_device)
        self.below.setFixedWidth(self.live.sizeHint().width())
        is_empty = not has_device and not self._is_pairing
        self.empty.setVisible(is_empty)
        if is_empty:
            self._show_empty()
        self.pairing.setVisible(self._is_pairing and self.phone.is_open)
        self.card.refresh()
        self._show_figures()

    # -- inner -----------------------------------------------------------------------------------

    def _show_empty(self) -> None:
        if self.phone.crash:
            words = f"{self.phone.crash}\nPhones must be paired again."
            self.empty.set(words, "Restart the bridge", self._restart, "alert")
        else:
            self.empty.set("No phone yet.", "Pair a phone", self._ask_pair, "cellphone-link")

    def _ask_pair(self) -> None:
        self._session.act("phone_pair")

    def _restart(self) -> None:
        self.phone.restart()
        self._is_pairing = not self.phone.crash
        self.refresh()

    def _changed(self, parts: set[str]) -> None:
        if parts & {"server", "devices", "pairing"}:
            self.refresh()
        if parts & {"figures", "edits", "devices"}:
            self._show_figures()

    def _show_figures(self) -> None:
        device = self.phone.device
        for part in (self.readouts, self.chart, self.frame, self.backends):
            part.set_device(device)
        self.live.update()
        self._show_rate()
        can_measure = device is not None and bool(device.edit)
        self.measure.setVisible(can_measure)

    def _show_rate(self) -> None:
        fps, kilobytes = self.live.rate()
        device = self.phone.device
        telemetry = device.telemetry if device is not None else None
        words = f"Preview {fps:.0f} fps, {kilobytes:.0f} kB" if fps else "No preview"
        self.sent.setText(words)
        self.skipped.setText(f"{telemetry.skipped} skipped" if telemetry is not None else "")

    def _advance(self) -> None:
        if self.phone.device is not None:
            self.chart.update()
            self._show_rate()

    def _picked(self, id: str) -> None:
        edit = self.phone.state.edits.get(id)
        if edit is not None:
            self.phone.push(edit)

    def _doing(self, action: str) -> object:
        return lambda: self._session.act(action)

    def _build(self) -> None:
        self.card = DeviceCard(self.phone)
        self.live = LivePreview(self.phone)
        self.live.picked.connect(self._picked)
        self.sent = ElidedLabel("", "small", "muted")
        self.skipped = ElidedLabel("", "small", "muted")
        self.skipped.setToolTip("Pictures that the phone did not send, since this window was busy")
        self.readouts, self.chart = ReadOuts(), TimeChart()
        self.frame, self.backends = StageBar(), BackendBars()
        self.measure = link("Measure again")
        self.measure.clicked.connect(lambda: self._session.act("phone_benchmark"))
        self.pairing = PairingCard(self.phone)
        self.empty = EmptyState("cellphone-link", "No phone yet.", "Pair a phone", self._ask_pair)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 14)
        column.setSpacing(0)
        column.addWidget(self.card)
        self.figures = self._build_figures()
        column.addWidget(self.figures)
        column.addWidget(self.empty, 1)
        inset = QHBoxLayout()
        inset.setContentsMargins(14, 8, 14, 0)
        inset.addWidget(self.pairing)
        column.addLayout(inset)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _build_figures(self) -> QWidget:
        left = QVBoxLayout()
        left.setSpacing(6)
        left.addWidget(self.live)
        below = QHBoxLayout()
        below.addWidget(self.sent, 1)
        below.addWidget(self.skipped)
        self.below = QWidget()
        self.below.setLayout(below)
        below.setContentsMargins(0, 0, 0, 0)
        left.addWidget(self.below)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(10)
        for part in (self.readouts, self.chart, self.frame, self.backends):
            right.addWidget(part)
        right.addWidget(self.measure, 0, Qt.AlignmentFlag.AlignLeft)
        right.addStretch(1)
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(16, 16, 16, 4)
        row.setSpacing(16)
        row.addLayout(left)
        row.addLayout(right, 1)
        return made

    # -- when the bridge may run -----------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """The panel is open: the bridge may run."""
        super().showEvent(event)
        self._watch_frame()
        self._tick.start()
        if not self.phone.crash:
            self.phone.open()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Out of sight: nothing ticks."""
        self._tick.stop()
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The panel is closed: the bridge ends. It only went away: it ends without a phone."""
        if event.type() == QEvent.Type.Close:
            self.phone.stop()
        elif event.type() == QEvent.Type.Hide and not event.spontaneous():
            QTimer.singleShot(0, self, self._left)
        return super().eventFilter(watched, event)

    def _left(self) -> None:
        if self._frame is not None and self._frame.isHidden():
            self._is_pairing = False
            self.phone.leave()

    def _watch_frame(self) -> None:
        if self._frame is not None:
            return
        widget: QWidget | None = self
        while widget is not None and not isinstance(widget, QDockWidget):
            widget = widget.parentWidget()
        if widget is not None:
            self._frame = widget
            widget.installEventFilter(self)


class PhoneDock:
    """The Phone dock, as the window finds it."""

    NAME = "phone"
    TITLE = "Phone"
    ICON = "cellphone"
    AREA = "right"
    KINDS: tuple[str, ...] = ()
    WIDGET = PhoneWidget
