"""Phones in a window: pairing, pushing, following, and what comes back from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from studio.docks.memory import Memory
from studio.phone.artefacts import read_edit
from studio.phone.edit import Edit
from studio.phone.follow import Follower
from studio.phone.known import NAME, known_phone
from studio.phone.link import MakeBridge, PhoneLink
from studio.phone.networks import Network, networks
from studio.phone.remarks import keep_remark
from studio.phone.state import Device, PhoneState
from studio.phone.usb import Usb

if TYPE_CHECKING:
    from studio.session import Session

PREVIEW_FPS = 8
LOOPBACK = "127.0.0.1"
SILENT_S = say.HEARTBEAT_S


class Phone(QObject):
    """One window's phones. The bridge process runs while the Phone panel is open."""

    changed = Signal(object)
    """Parts that are news (a set of words): see :meth:`PhoneState.hear`, and ``usb``."""

    def __init__(self, session: Session, make: MakeBridge) -> None:
        super().__init__(session)
        self.setObjectName(NAME)
        self._session = session
        self._memory = Memory(session.workspace, "phone")
        self.state = PhoneState()
        self.link = PhoneLink(make, self)
        self.usb = Usb(self)
        self.follower = Follower(session.workspace, self)
        self.crash = ""
        """Why the bridge ended by itself; empty while it is well."""
        self.route = str(self._memory.get("route", "wifi"))
        self._wants_code = False
        self._after_token: Callable[[wire.Token], None] | None = None
        self._follow_edit: Edit | None = None
        self.link.heard.connect(self._hear)
        self.link.ended.connect(self._ended)
        self.usb.changed.connect(lambda: self.changed.emit({"usb"}))
        self.usb.failed.connect(self._usb_failed)
        self.follower.exported.connect(self._exported)
        self.follower.ended.connect(self._follow_ended)
        self._tick = QTimer(self)  # telemetry that stops says nothing by itself
        self._tick.setInterval(2_000)
        self._tick.timeout.connect(self._look)
        session.closed.connect(self.close)

    # -- the process -----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the bridge process runs."""
        return self.link.is_running

    @property
    def device(self) -> Device | None:
        """The phone that was connected last."""
        return self.state.device

    def open(self) -> bool:
        """Start the bridge process; it listens to nobody before :meth:`pair`."""
        if self.link.is_running:
            return True
        try:
            self.link.start()
        except FretsawError as error:
            self._ended(str(error))
            return False
        self.crash = ""
        for edit in list(self.state.edits.values()):
            self._send_push(edit)
        self.changed.emit({"server"})
        return True

    def leave(self) -> None:
        """The panel went out of sight: without a phone, nothing goes on listening."""
        if self.state.device is None:
            self.stop()

    def stop(self) -> None:
        """End the bridge process, and with it every session of a phone."""
        self.follower.stop()
        self._tick.stop()
        self.usb.watch(False)
        self.link.close()
        self.state.reset()
        self._wants_code, self._after_token = False, None
        self.changed.emit({"server", "pairing", "devices", "edits", "figures", "checks"})

    def close(self) -> None:
        """End everything, without a word."""
        self.blockSignals(True)
        self.stop()
        self.usb.close()

    # -- pairing ---------------------------------------------------------------------------------

    @property
    def networks(self) -> list[Network]:
        """The networks that a phone could come in by; the one used last time first."""
        last = str(self._memory.get("network", ""))
        return sorted(networks(), key=lambda one: one.address != last)

    @property
    def host(self) -> str:
        """The address to listen on for the chosen route; empty when there is no network."""
        if self.route == "usb":
            return LOOPBACK
        found = self.networks
        return found[0].address if found else ""

    @property
    def must_move(self) -> bool:
        """Whether pairing over the chosen route ends the connection of a phone."""
        listening = self.state.listening
        return bool(self.state.devices) and listening is not None and listening.host != self.host

    def set_route(self, route: str) -> None:
        """Choose ``usb`` or ``wifi``."""
        if route != self.route:
            self.route = route
            self._memory.set(route=route)
            self.state.token = None
            self.changed.emit({"pairing", "usb"})

    def set_network(self, address: str) -> None:
        """Choose the network that the code is for, and make a new code for it."""
        self._memory.set(network=address)
        if not self.must_move:
            self.pair()

    def pair(self) -> None:
        """Listen on the chosen route and, over Wi-Fi, show a new code."""
        if not self.open():
            return
        host = self.host
        if not host:
            self.state.trouble = wire.Trouble(
                text="This computer is on no network.",
                remedy="Connect it to the phone's Wi-Fi, or use a cable.",
            )
            self.changed.emit({"server"})
            return
        self._wants_code = self.route == "wifi"
        self.usb.watch(self.route == "usb")
        listening = self.state.listening
        if listening is None or listening.host != host:
            self.link.send(wire.Listen(host=host, tls=host != LOOPBACK))
        elif self._wants_code:
            self._wants_code = False
            self.link.send(wire.Pair())
        self.changed.emit({"pairing"})

    def pair_usb(self, serial: str) -> None:
        """Open the page on a phone at the cable, and let it in without a question."""
        listening = self.state.listening
        if listening is None or listening.host != LOOPBACK:
            self.pair()
            self._session.tell("The bridge is getting ready.", "Choose the phone again.")
            return
        self.usb.reverse(serial, listening.port, lambda port: self._open_on(serial, port))

    def answer(self, device: str, allow: bool) -> None:
        """Let a phone in that asks, or refuse it."""
        self.link.send(wire.Answer(device=device, allow=allow))
        self.state.answered(device)
        self.changed.emit({"pairing", "checks"})

    def forget(self, device: str | None = None) -> None:
        """End the session of a phone, or of all: they must be paired again."""
        self.link.send(wire.Forget(device=device))

    # -- edits -----------------------------------------------------------------------------------

    def push(self, edit: Edit) -> None:
        """Offer an edit to the phones; without one it waits for the next."""
        if self.open():
            self.state.push(edit)
            self._send_push(edit)
            self.changed.emit({"edits"})

    def drop(self, id: str) -> None:
        """Take an edit off the list and off the phones."""
        self.link.send(wire.Drop(id=id))
        self.state.drop(id)
        self.changed.emit({"edits"})

    def benchmark(self, id: str = "") -> bool:
        """Let the phone measure an edit (that which it shows) on every backend it has."""
        device = self.state.device
        id = id or (device.edit if device is not None else "")
        if device is None or not id:
            return False
        return self.link.tell(device.id, say.BenchWish(id=id))

    def follow(self, run: str, node: str) -> None:
        """Send every epoch of a training to the phone, until it ends."""
        if self.open():
            self._follow_edit = None
            self.follower.start(run, node)
            self.changed.emit({"edits"})

    def unfollow(self) -> None:
        """Send no more epochs; what is on the phone stays."""
        self.follower.stop()
        self._let_go()

    # -- words -----------------------------------------------------------------------------------

    def is_silent(self, device: Device, now: float | None = None) -> bool:
        """Whether a phone that was live has said nothing for a while."""
        age = (time.time() if now is None else now) - device.heard_at
        return device.telemetry is not None and age > SILENT_S

    def summary(self) -> tuple[str, str]:
        """Icon and words for the status bar; empty words while the bridge is off."""
        device = self.state.device
        if self.crash:
            return "alert", "The phone bridge ended"
        if device is None:
            return ("qrcode", "Waiting for a phone") if self.state.token else ("", "")
        if self.is_silent(device):
            return "cellphone-off", f"{device.name} is silent"
        fps = device.telemetry.fps if device.telemetry is not None else 0.0
        return "cellphone-check", f"{device.name} " + (f"live, {fps:.0f} fps" if fps else "paired")

    # -- inner -----------------------------------------------------------------------------------

    def _send_push(self, edit: Edit) -> None:
        self.link.send(
            wire.Push(
                folder=edit.folder,
                id=edit.id,
                name=edit.name,
                run=edit.run,
                node=edit.node,
                note=edit.note,
                following=edit.following,
            )
        )

    def _open_on(self, serial: str, port: int) -> None:
        self._after_token = lambda token: self.usb.open(serial, token.url)
        self.link.send(wire.Pair(port=port, allow=True))

    def _hear(self, event: Any) -> None:
        parts = self.state.hear(event, time.time())
        if isinstance(event, wire.Listening) and self._wants_code:
            self._wants_code = False
            self.link.send(wire.Pair())
        elif isinstance(event, wire.Token):
            after, self._after_token = self._after_token, None
            if after is not None:
                after(event)
        elif isinstance(event, wire.Connected):
            self._greet(event)
        elif isinstance(event, wire.Gone):
            self._gone(event)
        elif isinstance(event, wire.Trouble) and "checks" not in parts:
            self._session.tell(event.text, event.remedy, kind="bad")
        elif isinstance(event, wire.Said):
            self._said(event, parts)
        if parts:
            self.changed.emit(parts)

    def _greet(self, event: wire.Connected) -> None:
        self._tick.start()
        self.usb.watch(False)
        self.link.tell(event.device, say.Live(on=True, fps=PREVIEW_FPS, split=True))
        device = self.state.devices[event.device]
        route = "USB" if event.route == "usb" else "Wi-Fi"
        self._session.tell(f"{device.name} is connected.", route, kind="good")

    def _gone(self, event: wire.Gone) -> None:
        if not self.state.devices:
            self._tick.stop()
        if event.why:
            self._session.tell("The phone left.", event.why, kind="warn")

    def _said(self, event: wire.Said, parts: set[str]) -> None:
        message = event.message
        if isinstance(message, say.Failed):
            name = self.state.name_of(message.id) if message.id else "The phone"
            self._session.tell(f"{name}: {message.text}", _stage_words(message.stage), kind="bad")
        elif isinstance(message, say.Golden) and not message.ok:
            self._session.tell(
                f"{self.state.name_of(message.id)} differs on the phone.",
                f"By {message.max_error:.1e} on {message.backend}. Choose another backend there.",
                kind="warn",
            )
        elif isinstance(message, say.BenchResult):
            self._reread(message.id)
        elif isinstance(message, say.Note):
            remark = keep_remark(self._session, self.state, event.device, message)
            self.state.remarks.append(remark)

    def _reread(self, id: str) -> None:
        edit = self.state.edits.get(id)
        if edit is not None and edit.run:
            # The bridge writes the figures first and tells then; the file is there.
            self._session.runner.index.reread([Path(edit.run).name])

    def _ended(self, why: str) -> None:
        self.follower.stop()
        self._tick.stop()
        self.state.reset()
        self.crash = why or "The phone bridge ended."
        again = ("Restart", self.restart)
        self._session.tell(self.crash, "The studio goes on.", kind="bad", action=again)
        self.changed.emit({"server", "pairing", "devices", "edits", "figures", "checks"})

    def restart(self) -> None:
        """Start the bridge again after it ended; phones must be paired again."""
        self.crash = ""
        if self.open():
            self.pair()

    def _exported(self, said: dict[str, Any]) -> None:
        try:
            edit = read_edit(Path(said["artifact"]), str(self._run_folder()), self.follower.node)
        except FretsawError as error:
            self._session.tell_error(error)
            return
        epoch = said.get("epoch", said.get("step"))
        number = int(epoch) if isinstance(epoch, int | float) else None
        note = f"following, epoch {number}" if number is not None else "following"
        self._follow_edit = replace(edit, epoch=number, note=note, following=True)
        self.push(self._follow_edit)

    def _run_folder(self) -> Path:
        return self._session.workspace.runs / self.follower.run

    def _follow_ended(self, why: str) -> None:
        if why:
            self._session.tell(why, kind="warn")
        self._let_go()

    def _let_go(self) -> None:
        edit, self._follow_edit = self._follow_edit, None
        if edit is not None and edit.id in self.state.edits:
            self.state.edits[edit.id] = replace(edit, following=False, note="")
        self.changed.emit({"edits"})

    def _usb_failed(self, why: str) -> None:
        self._session.tell(why, kind="bad")
        self.changed.emit({"usb"})

    def _look(self) -> None:
        device = self.state.device
        if device is not None and self.is_silent(device):
            self.changed.emit({"figures", "devices"})


def _stage_words(stage: str) -> str:
    return {
        "download": "The download ended early. Push it again.",
        "storage": "The phone's storage is full. Remove an edit, then push again.",
        "hash": "The file arrived damaged. Push it again.",
        "session": "The phone could not build it. Its live edit goes on.",
        "operator": "The phone's runtime lacks an operator. Export without it.",
        "golden": "Its result differs from this computer's. Its live edit goes on.",
        "camera": "Allow the camera on the phone, or use a photo there.",
        "run": "It stopped while computing. Choose another backend on the phone.",
        "concept": "The phone goes on with what it showed. Export and push the concepts again.",
    }[stage]


def phone_of(session: Session, make: MakeBridge | None = None) -> Phone:
    """Return the session's phones, made when first asked for; nothing is started."""
    found = known_phone(session)
    if found is None:
        from studio.phone.process import bridge

        found = Phone(session, make or bridge)
        session.phoned.emit(found)
    return found
