"""The pairing card: route and network, code to scan or type, steps, the question of who may in."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from device_bridge.protocol import TOKEN_LIFE_S
from studio.docks.phone_qr import QrCode
from studio.docks.phone_steps import StepList, lines
from studio.docks.phone_usb import UsbPage
from studio.phone.phone import Phone
from studio.phone.words import code_groups
from studio.theme import theme
from studio.widgets.button import plain, primary
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import box, smooth
from studio.widgets.segment import Segment

_TICK_MS = 500


class LifeBar(QWidget):
    """How much of a code's life is left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.share = 0.0
        self.setFixedHeight(4)
        self.setAccessibleName("Life of the code")

    def set_share(self, share: float) -> None:
        """Show a share of 0 to 1."""
        self.share = min(max(share, 0.0), 1.0)
        self.setAccessibleDescription(f"{self.share:.0%} left")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Track and rest."""
        look, rect = theme(), QRectF(self.rect())
        with smooth(self) as painter:
            box(painter, rect, 2, look.color("field"))
            if self.share:
                rect.setWidth(max(4.0, rect.width() * self.share))
                box(painter, rect, 2, look.color("muted"))


class Question(QWidget):
    """A device asks to be let in: Allow or Refuse."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.refuse, self.allow = plain("Refuse"), primary("Allow")
        self.allow.large = False
        self.allow.clicked.connect(lambda: self._answer(True))
        self.refuse.clicked.connect(lambda: self._answer(False))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.refuse)
        row.addWidget(self.allow)

    def show_next(self) -> None:
        """Ask about the first device that waits; hide when none does."""
        asks = self._phone.state.asks
        self.setVisible(bool(asks))
        if asks:
            name = asks[0].name or "A phone"
            self.label.setText(f"{name} at {asks[0].address} wants to connect. Is it yours?")
            self.label.setFont(theme().font("body"))
            self.setAccessibleName(self.label.text())

    def _answer(self, allow: bool) -> None:
        asks = self._phone.state.asks
        if asks:
            self._phone.answer(asks[0].device, allow)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A tinted ground: this waits for somebody."""
        look = theme()
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), 6, look.color("tint", "blade"), look.color("blade"))


class PairingCard(QWidget):
    """A card of its own in the Phone dock."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self._asked_fix = ""
        self._build()
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK_MS)
        self._tick.timeout.connect(self._count_down)
        phone.changed.connect(self._changed)
        theme().changed.connect(self._dress)
        self._dress()
        self.refresh()

    def refresh(self) -> None:
        """Show pairing as it stands."""
        phone, state = self._phone, self._phone.state
        self.title.setText("Pair another phone" if state.devices else "Pair a phone")
        self.route.set_value(phone.route)
        self.pages.setCurrentWidget(self.usb if phone.route == "usb" else self.wifi)
        self.question.show_next()
        self._fill_networks()
        self._show_code()
        self.list.set_steps(lines(state.doctor))
        self._show_help()
        self.usb.refresh()

    # -- inner -----------------------------------------------------------------------------------

    def _changed(self, parts: set[str]) -> None:
        if parts & {"server", "pairing", "devices", "checks"}:
            self.refresh()
        elif "usb" in parts:
            self.usb.refresh()

    def _show_code(self) -> None:
        phone, token = self._phone, self._phone.state.token
        left = token.expires - time.time() if token is not None else 0.0
        self.qr.set_text(token.url if token is not None else "")
        self.qr.set_stale(left <= 0)
        self.code.setText(code_groups(token.code) if token is not None and left > 0 else "")
        self.or_type.setVisible(bool(self.code.text()))
        self.life.set_share(left / TOKEN_LIFE_S)
        self.left.setText(f"{left:.0f} s left" if left > 0 else "")
        if phone.must_move:
            verb = "Move to this network"
        else:
            verb = "New code" if phone.state.listening is not None else "Show the code"
        self.renew.setText(verb)
        self.renew.setVisible(left <= 0 or phone.must_move)
        self.left.setVisible(left > 0)

    def _count_down(self) -> None:
        self._show_code()
        self.list.set_steps(lines(self._phone.state.doctor))  # silence is a finding as well

    def _fill_networks(self) -> None:
        known = [(one.label, one.address) for one in self._phone.networks]
        box_ = self.network
        shown = [(box_.itemText(n), box_.itemData(n)) for n in range(box_.count())]
        if known == shown:
            return
        self.network.blockSignals(True)
        self.network.clear()
        for label, address in known:
            self.network.addItem(label, address)
        listening = self._phone.state.listening
        wanted = listening.host if listening is not None and listening.tls else self._phone.host
        self.network.setCurrentIndex(max(0, self.network.findData(wanted)) if known else -1)
        self.network.setEnabled(bool(known))
        self.network.blockSignals(False)

    def _show_help(self) -> None:
        state = self._phone.state
        remedies = {step.name: step.remedy for step in self.list.shown if step.remedy}
        if self._asked_fix in remedies:
            text = remedies[self._asked_fix]
        elif state.trouble is not None:
            text = f"{state.trouble.text} {state.trouble.remedy}".strip()
        elif self._phone.must_move:
            text = "Pairing on another network ends the connection of the phone that is here."
        elif state.listening is not None and state.listening.fingerprint:
            mark = state.listening.fingerprint[:16].upper()
            pairs = " ".join(mark[n : n + 4] for n in range(0, len(mark), 4))
            text = (
                "The phone warns of a certificate it does not know: this studio made it. Go on "
                f"there. Its fingerprint begins with {pairs}."
            )
        else:
            text = "The code works once and for two minutes. Nothing leaves this network."
        self.help.setText(text)

    def _fix(self, key: str) -> None:
        self._asked_fix = "" if self._asked_fix == key else key
        self._show_help()

    def _route_chosen(self, value: object) -> None:
        self._asked_fix = ""
        self._phone.set_route(str(value))
        if not self._phone.must_move:
            self._phone.pair()

    def _network_chosen(self, _index: int) -> None:
        address = self.network.currentData()
        if address:
            self._phone.set_network(str(address))

    def _dress(self) -> None:
        look = theme()
        self.title.setFont(look.font("title"))
        self.help.setFont(look.font("small"))
        self.network_label.setFont(look.font("body"))
        self.life.setFixedWidth(look.px(112))
        self.update()

    def _build(self) -> None:
        self.title = QLabel("Pair a phone")
        self.route = Segment([("usb", "USB", "usb-port"), ("wifi", "Wi-Fi", "wifi")])
        self.route.setAccessibleName("Route")
        self.route.changed.connect(self._route_chosen)
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.route)
        self.question = Question(self._phone)
        self.usb = UsbPage(self._phone)
        self.wifi = QWidget()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.wifi)
        self.pages.addWidget(self.usb)
        body = QHBoxLayout(self.wifi)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(20)
        body.addLayout(self._build_code())
        body.addLayout(self._build_steps(), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.question)
        column.addWidget(self.pages, 1)

    def _build_code(self) -> QVBoxLayout:
        self.qr, self.life = QrCode(), LifeBar()
        self.or_type = ElidedLabel("or type", "small", "muted")
        self.code = ElidedLabel("", "big", mono=True)
        self.code.setAccessibleName("Code to type on the phone")
        self.left = ElidedLabel("", "small", "muted")
        self.renew = plain("New code", "qrcode")
        self.renew.clicked.connect(self._phone.pair)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.qr)
        typed = QHBoxLayout()
        typed.addWidget(self.or_type)
        typed.addStretch(1)
        typed.addWidget(self.code)
        column.addLayout(typed)
        row = QHBoxLayout()
        row.addWidget(self.life)
        row.addStretch(1)
        row.addWidget(self.left)
        column.addLayout(row)
        column.addWidget(self.renew)
        column.addStretch(1)
        return column

    def _build_steps(self) -> QVBoxLayout:
        self.network_label = QLabel("Network")
        self.network_label.setProperty("tone", "muted")
        self.network = Combo()
        self.network.setAccessibleName("Network that the code is for")
        self.network.currentIndexChanged.connect(self._network_chosen)
        self.list = StepList()
        self.list.fix_asked.connect(self._fix)
        self.help = QLabel()
        self.help.setWordWrap(True)
        self.help.setTextFormat(Qt.TextFormat.PlainText)
        self.help.setProperty("tone", "muted")
        column = QVBoxLayout()
        column.setSpacing(8)
        row = QHBoxLayout()
        row.addWidget(self.network_label)
        row.addWidget(self.network, 1)
        column.addLayout(row)
        column.addWidget(self.list)
        column.addWidget(self.help)
        column.addStretch(1)
        return column

    def showEvent(self, event: QShowEvent) -> None:
        """The life of the code runs while it is seen."""
        super().showEvent(event)
        self._tick.start()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing ticks while hidden; nobody is looked for on the cable."""
        self._tick.stop()
        self._phone.usb.watch(False)
        super().hideEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The card."""
        look = theme()
        rect = QRectF(self.rect())
        with smooth(self) as painter:
            box(painter, rect, 10, look.color("card"), look.color("line"))
