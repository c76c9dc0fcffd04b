"""The head of the Phone dock: which phone, by which route, whether it computes right, Forget."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.icons import paint_icon
from studio.phone.phone import Phone
from studio.phone.words import browser, small
from studio.theme import theme
from studio.widgets.button import plain
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import border_width, box, smooth
from studio.widgets.pill import Pill


class PhoneTile(QWidget):
    """A rounded tile with the glyph of a phone."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.is_well = True

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(theme().px(36), theme().px(36))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Tint and glyph."""
        look = theme()
        hue = "good" if self.is_well else "warn"
        rect = QRectF(self.rect())
        with smooth(self) as painter:
            box(painter, rect, 8, look.color("tint", hue))
            inset = rect.width() * 0.23
            glyph = "cellphone-check" if self.is_well else "cellphone-off"
            spot = rect.adjusted(inset, inset, -inset, -inset)
            paint_icon(painter, glyph, spot, look.color(hue))


class DeviceCard(QWidget):
    """Name, route, browser, when it was paired, the golden pair, Forget."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self.tile = PhoneTile()
        self.name = ElidedLabel("", "title")
        self.facts = ElidedLabel("", "small", "muted")
        self.golden = Pill("", "good", "check")
        self.forget = plain("Forget")
        self.forget.setToolTip("End this phone's session: it must be paired again")
        self.forget.clicked.connect(self._forget)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.name)
        words.addWidget(self.facts)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 16, 10)
        row.setSpacing(12)
        row.addWidget(self.tile)
        row.addLayout(words, 1)
        row.addWidget(self.golden)
        row.addWidget(self.forget)
        theme().changed.connect(self.update)
        self.setAccessibleName("Phone")

    def refresh(self) -> None:
        """Show the phone as it stands."""
        device = self._phone.device
        if device is None:
            return
        silent = self._phone.is_silent(device)
        self.tile.is_well = not silent
        self.tile.update()
        self.name.setText(device.name)
        route = "USB" if device.route == "usb" else "Wi-Fi"
        paired = f"paired {datetime.fromtimestamp(device.since):%H:%M}"
        if silent:
            facts = "It did not answer for 8 s. It may be asleep or on another network."
        else:
            facts = ", ".join(x for x in (route, browser(device.hello.agent), paired) if x)
        self.facts.setText(facts)
        self._show_golden()

    def _show_golden(self) -> None:
        device = self._phone.device
        golden = device.golden if device is not None else None
        self.golden.setVisible(golden is not None)
        if golden is not None:
            kind, icon = ("good", "check") if golden.ok else ("warn", "alert")
            self.golden.set(f"golden pair {small(golden.max_error)}", kind, icon)
            self.golden.setToolTip(
                f"Largest difference between {golden.backend} on the phone and this computer, on "
                f"one picture; {small(golden.mean_error)} on average"
            )

    def _forget(self) -> None:
        device = self._phone.device
        if device is not None:
            self._phone.forget(device.id)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The rule below."""
        rule = border_width()
        with smooth(self) as painter:
            low = QRectF(0, self.height() - rule, self.width(), rule)
            painter.fillRect(low, theme().color("line"))
