"""What is known of the phones: folded from the bridge's events, without Qt."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.client import Doctor
from studio.phone.edit import Edit
from studio.phone.words import device_name

WINDOW_S = 120.0
"""Seconds of model time that the chart shows."""
_MOST_POINTS = 1_500
_MOST_NOTES = 20


@dataclass(frozen=True)
class Point:
    """Model time of a moment: median and 95th percentile in ms, and when (s, any clock)."""

    at: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Swap:
    """An edit took over from another, or a newer version from an older one."""

    at: float
    words: str
    ms: float | None


@dataclass
class OnPhone:
    """How an edit stands on one phone: offered, sending, ready or failed."""

    state: str = "offered"
    done: int = 0
    total: int = 0
    text: str = ""


@dataclass(frozen=True)
class ShownConcept:
    """What a phone shows of a set: a concept, or a blend with ``share`` (0..1) of ``second``.

    ``ms`` is how long the switch took, from the wish to the first painted picture, ``sharp_ms`` to
    the first whole one where that picture was a smaller one; ``by`` says who wished it, ``phone``
    or ``studio``.
    """

    edit: str
    first: str
    second: str | None = None
    share: float = 0.0
    ms: float | None = None
    by: str = "phone"
    sharp_ms: float | None = None


@dataclass
class Device:
    """One phone that was let in."""

    id: str
    name: str
    route: str
    hello: say.Hello
    since: float
    """When it connected, in seconds since 1970."""
    edit: str = ""
    strength: float = 1.0
    telemetry: say.Telemetry | None = None
    heard_at: float = 0.0
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))
    swaps: deque[Swap] = field(default_factory=lambda: deque(maxlen=50))
    golden: say.Golden | None = None
    bench: say.BenchResult | None = None
    edits: dict[str, OnPhone] = field(default_factory=dict)
    concept: ShownConcept | None = None


@dataclass(frozen=True)
class Remark:
    """What the person at the phone said, and where it was kept."""

    at: float
    device: str
    text: str
    thumb: str
    kept: str


class PhoneState:
    """The bridge, its phones and the edits pushed. :meth:`hear` returns what is news."""

    def __init__(self) -> None:
        self.edits: dict[str, Edit] = {}
        """Pushed edits by id, the newest last; they outlive the bridge process."""
        self.remarks: deque[Remark] = deque(maxlen=_MOST_NOTES)
        self.reset()

    def reset(self) -> None:
        """Forget what ended with the process."""
        self.listening: wire.Listening | None = None
        self.token: wire.Token | None = None
        self.asks: list[wire.Asks] = []
        self.devices: dict[str, Device] = {}
        self.trouble: wire.Trouble | None = None
        self.doctor = Doctor()
        """Steps of the phone that is being paired, or was paired last."""
        self.pushed: set[str] = set()

    @property
    def device(self) -> Device | None:
        """The phone that was connected last."""
        return next(reversed(self.devices.values()), None)

    def hear(self, event: Any, now: float) -> set[str]:
        """Take in an event at ``now`` (seconds since 1970); returns the parts that changed.

        Parts: ``server``, ``pairing``, ``devices``, ``edits``, ``figures``, ``checks``, ``note``,
        ``concepts``.
        """
        self.doctor.feed(event)
        if isinstance(event, wire.Said):
            device = self.devices.get(event.device)
            return self._said(device, event.message, now) if device is not None else set()
        if isinstance(event, wire.Listening):
            self.listening, self.trouble = event, None
            self.token = None
            return {"server", "pairing"}
        if isinstance(event, wire.Token):
            self.token = event
            return {"pairing", "checks"}
        if isinstance(event, wire.Reached):
            return {"checks"}
        if isinstance(event, wire.Asks):
            self.asks = [*(a for a in self.asks if a.device != event.device), event]
            return {"pairing", "checks"}
        if isinstance(event, wire.Connected):
            return self._connected(event, now)
        if isinstance(event, wire.Gone):
            was_there = self.devices.pop(event.device, None) is not None
            self.asks = [a for a in self.asks if a.device != event.device]
            return {"devices", "pairing", "edits", "figures"} if was_there else {"pairing"}
        if isinstance(event, wire.Pushed):
            self.pushed.add(event.id)
            return {"edits"}
        if isinstance(event, wire.Trouble):
            return self._trouble(event)
        return set()

    def answered(self, device: str) -> None:
        """Note that the question about a device was answered."""
        self.asks = [a for a in self.asks if a.device != device]

    def push(self, edit: Edit) -> None:
        """Note an edit that is being pushed; a newer version takes the place of the older."""
        self.edits.pop(edit.id, None)
        self.edits[edit.id] = edit
        for device in self.devices.values():
            device.edits[edit.id] = OnPhone()

    def drop(self, id: str) -> None:
        """Forget an edit."""
        self.edits.pop(id, None)
        self.pushed.discard(id)
        for device in self.devices.values():
            device.edits.pop(id, None)

    # -- inner -----------------------------------------------------------------------------------

    def _connected(self, event: wire.Connected, now: float) -> set[str]:
        name = device_name(event.name or event.hello.name, event.hello.agent)
        made = Device(event.device, name, event.route, event.hello, now)
        for id in self.edits:
            made.edits[id] = OnPhone()
        self.devices.pop(event.device, None)
        self.devices[event.device] = made
        self.asks = [a for a in self.asks if a.device != event.device]
        self.token = None  # shown once, and used up
        return {"devices", "pairing", "checks", "edits", "figures"}

    def _trouble(self, event: wire.Trouble) -> set[str]:
        """What concerns a step of pairing is said there; the rest is news of its own."""
        if event.command == "certificate":
            return {"checks"}
        self.trouble = event
        return {"server"}

    def _said(self, device: Device, message: Any, now: float) -> set[str]:
        if isinstance(message, say.Telemetry):
            return self._telemetry(device, message, now)
        if isinstance(message, say.Check):
            return {"checks"}
        if isinstance(message, say.FileProgress):
            device.edits[message.id] = OnPhone("sending", message.done, message.total)
            return {"edits"}
        if isinstance(message, say.Ready):
            return self._ready(device, message, now)
        if isinstance(message, say.Failed):
            if message.id is not None:
                device.edits[message.id] = OnPhone("failed", text=message.text)
            return {"edits"}
        if isinstance(message, say.Golden):
            device.golden = message
            return {"devices"}
        if isinstance(message, say.BenchResult):
            device.bench = message
            return {"figures", "bench"}
        if isinstance(message, say.Chosen):
            if message.id != device.edit:
                device.swaps.append(Swap(now, f"{self.name_of(message.id)} chosen", None))
                device.golden = device.golden if _is_of(device.golden, message.id) else None
                device.concept = None
            device.edit, device.strength = message.id, message.strength
            if message.concept is not None:
                mix = message.concept
                device.concept = ShownConcept(message.id, mix.first, mix.second, mix.share)
                return {"devices", "figures", "concepts"}
            return {"devices", "figures"}
        if isinstance(message, say.ConceptShown):
            return self._concept(device, message, now)
        return {"note"} if isinstance(message, say.Note) else set()

    def _concept(self, device: Device, message: say.ConceptShown, now: float) -> set[str]:
        was = device.concept
        mix = (message.id, message.first, message.second, message.share)
        shown = ShownConcept(*mix, message.switch_ms, message.by, message.sharp_ms)
        device.concept, device.edit = shown, message.id
        if message.id in device.edits and device.edits[message.id].state != "ready":
            device.edits[message.id] = OnPhone("ready")  # what was refused is forgiven
        if was is None or (was.edit, was.first) != (shown.edit, shown.first):
            if message.switch_ms is not None:
                device.swaps.append(Swap(now, f"{shown.first} shown", message.switch_ms))
            return {"concepts", "figures", "devices"}
        return {"concepts"}

    def _telemetry(self, device: Device, message: say.Telemetry, now: float) -> set[str]:
        device.telemetry, device.heard_at = message, now
        if message.id:
            device.edit = message.id
        run = message.ms.get("run")
        if run is not None and message.fps > 0:
            device.points.append(Point(now, run.p50, run.p95))
        mix = message.concept
        if mix is not None and message.id and device.concept is None:
            device.concept = ShownConcept(message.id, mix.first, mix.second, mix.share)
            return {"figures", "concepts"}
        while device.points and device.points[0].at < now - WINDOW_S:
            device.points.popleft()
        while device.swaps and device.swaps[0].at < now - WINDOW_S:
            device.swaps.popleft()
        return {"figures"}

    def _ready(self, device: Device, message: say.Ready, now: float) -> set[str]:
        device.edits[message.id] = OnPhone("ready")
        edit = self.edits.get(message.id)
        what = f"epoch {edit.epoch}" if edit is not None and edit.epoch is not None else ""
        words = f"{what or self.name_of(message.id)} swapped in"
        if message.swap_ms is not None or device.edit:
            device.swaps.append(Swap(now, words, message.swap_ms))
        device.edit = message.id
        return {"edits", "figures", "devices"}

    def shown_on(self, device: Device) -> str:
        """What a phone shows, in words: the edit, and its concept where it has several."""
        name, concept = self.name_of(device.edit), device.concept
        if concept is None or concept.edit != device.edit:
            return name
        return f"{name}, {concept.first}"

    def name_of(self, id: str) -> str:
        """What an edit is called."""
        edit = self.edits.get(id)
        return edit.name if edit is not None else id


def _is_of(golden: say.Golden | None, id: str) -> bool:
    return golden is not None and golden.id == id
