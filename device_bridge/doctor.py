"""The pair doctor: which steps between studio and phone work, and which one does not.

It knows nothing but events: what the server saw of the network, and what the phone says of itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from device_bridge import protocol, wire

State = Literal["ok", "failed", "waiting", "skipped"]
SILENCE_S = 30.0
"""Seconds after a token was shown in which a phone on the same network fetches the page."""


@dataclass(frozen=True)
class Step:
    """One step: its name, what it proves, how it stands, what was said, and what to do."""

    name: str
    title: str
    state: State = "waiting"
    text: str = ""
    remedy: str = ""


_TITLES = {
    "listening": "The studio listens",
    "reached": "The phone reaches the studio",
    "certificate": "The phone accepts the certificate",
    "page": "The page is loaded",
    "code": "The code is taken",
    "allowed": "The studio lets the phone in",
    "secure": "The browser counts the page as secure",
    "camera": "The camera gives pictures",
    "backend": "The phone can compute",
    "memory": "There is room for the edit",
    "model": "The edit is installed",
    "golden": "The phone computes what the studio computes",
}
_REMEDIES = {
    "listening": "Choose another network address.",
    "reached": "Put the phone and this computer on the same Wi-Fi (guest networks keep devices "
    "apart), let Fretsaw through the firewall, or use a USB cable.",
    "certificate": "Android: choose Advanced, then Proceed. iPhone: install the certificate that "
    "the page offers, then trust it under General, About, Certificate Trust Settings.",
    "page": "Reload the page on the phone.",
    "code": "Make a new code in the studio; each lives two minutes and is good once.",
    "allowed": "Choose Allow in the studio.",
    "secure": "Open the address with https://, or use a USB cable.",
    "camera": "Allow the camera for this page in the phone's browser, then tap the picture.",
    "backend": "Update the phone's browser, or let the desktop compute.",
    "memory": "Remove edits from the phone or close other pages.",
    "model": "Export the edit again, then push it again.",
    "golden": "Choose another backend on the phone, then push the edit again.",
}
STEPS = tuple(_TITLES)
"""Names of the steps in their order."""
_BEFORE_CODE = ("listening", "reached", "certificate", "page")
_STAGES: dict[str, str] = {
    "download": "model",
    "storage": "memory",
    "hash": "model",
    "session": "model",
    "operator": "model",
    "golden": "golden",
    "camera": "camera",
    "run": "backend",
    "concept": "model",
}
_COMMANDS = {"listen": "listening", "certificate": "certificate", "code": "code"}


class Doctor:
    """Follows the pairing of one phone; give it every event of the server in their order.

    ``device`` limits it to one phone; None follows whichever connected last.
    """

    def __init__(self, device: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self._only = device
        self._clock = clock
        self._device = device
        self._token: wire.Token | None = None
        self._shown = 0.0
        self._steps = {name: Step(name, title) for name, title in _TITLES.items()}

    def feed(self, event: wire.ServerEvent) -> None:
        """Take an event in; those that say nothing of pairing are passed over."""
        match event:
            case wire.Listening():
                self._restart(event)
            case wire.Token():
                self._token, self._shown = event, self._clock()
                if self._steps["code"].state == "failed":
                    self._set("code", "waiting")
            case wire.Reached():
                self._ok("reached", "certificate", "page")
            case wire.Asks() if self._follows(event.device):
                self._ok(*_BEFORE_CODE, "code")
                self._set("allowed", "waiting", f"{event.name or event.device} asks to be let in.")
            case wire.Connected() if self._follows(event.device):
                self._connected(event)
            case wire.Said() if event.device == self._device:
                self._said(event.message)
            case wire.Gone() if event.device == self._device:
                self._gone(event)
            case wire.Trouble():
                self._trouble(event)

    def steps(self) -> list[Step]:
        """Return all steps as they stand now, in their order."""
        self._look_at_clock()
        return list(self._steps.values())

    def failing(self) -> Step | None:
        """Return the first step that failed: the one to repair; None if none did."""
        return next((step for step in self.steps() if step.state == "failed"), None)

    def _restart(self, event: wire.Listening) -> None:
        self._device, self._token = self._only, None
        for name in STEPS:
            self._set(name, "waiting")
        self._set("listening", "ok", event.url)
        if not event.tls:
            self._set("certificate", "skipped", "Not needed on this route.")

    def _follows(self, device: str) -> bool:
        if self._only is not None:
            return device == self._only
        self._device = device
        return True

    def _connected(self, event: wire.Connected) -> None:
        self._token = None
        self._ok(*_BEFORE_CODE, "code", "allowed")
        if event.hello.secure:
            self._ok("secure")
        else:
            self._set("secure", "failed", "The browser gives this page neither camera nor threads.")
        for name in STEPS[STEPS.index("camera") :]:
            if self._steps[name].state != "ok":  # another phone, or the same one again
                self._set(name, "waiting")

    def _said(self, message: protocol.FromPhone) -> None:
        match message:
            case protocol.Check():
                self._set(message.step, message.state, message.text)
            case protocol.Failed():
                self._set(_STAGES[message.stage], "failed", message.text)
            case protocol.Ready():
                self._ok("backend", "memory", "model")
            case protocol.Golden():
                text = f"Largest error {message.max_error:.1e} with {message.backend}."
                self._set("golden", "ok" if message.ok else "failed", text)
            case protocol.Telemetry() if message.fps > 0:
                self._ok("camera", "backend")

    def _gone(self, event: wire.Gone) -> None:
        why = event.why or "The phone is no longer connected."
        for name in STEPS[STEPS.index("secure") :]:
            self._set(name, "waiting", why if name == "secure" else "")

    def _trouble(self, event: wire.Trouble) -> None:
        name = _COMMANDS.get(event.command)
        if name is None:
            return
        if name == "certificate":
            if self._steps["allowed"].state == "ok":
                return  # the socket stands: this is another phone
            self._ok("reached")
        self._set(name, "failed", event.text, event.remedy)

    def _look_at_clock(self) -> None:
        if self._token is None:
            return
        now = self._clock()
        if self._steps["code"].state == "waiting" and now > self._token.expires:
            self._set("code", "failed", "The code has run out.")
        if self._steps["reached"].state == "waiting" and now - self._shown > SILENCE_S:
            text = f"No phone has opened the page in {SILENCE_S:.0f} seconds."
            self._set("reached", "failed", text)

    def _ok(self, *names: str) -> None:
        for name in names:
            if self._steps[name].state != "skipped":
                self._set(name, "ok", self._steps[name].text if name == "listening" else "")

    def _set(self, name: str, state: State, text: str = "", remedy: str = "") -> None:
        helps = (remedy or _REMEDIES[name]) if state == "failed" else ""
        self._steps[name] = Step(name, _TITLES[name], state, text, helps)
