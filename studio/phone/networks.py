"""The networks of this computer that a phone could come in by."""

from __future__ import annotations

from dataclasses import dataclass

from device_bridge.client import interfaces

_WORDS = {"wifi": "Wi-Fi", "ethernet": "Cable"}


@dataclass(frozen=True)
class Network:
    """An address of this computer, and what its adapter is called."""

    address: str
    name: str

    @property
    def label(self) -> str:
        """Words for the chooser: "Wi-Fi, 192.168.1.23"."""
        return f"{self.name}, {self.address}"


def networks() -> list[Network]:
    """Return the private addresses that are up, the likeliest first.

    Virtual adapters stay in the list, at its end: they are the usual reason why a code leads
    nowhere, and now and then the only way.
    """
    found = []
    for one in interfaces():
        if one.is_up and one.kind != "loopback" and ":" not in one.address:
            word = _WORDS.get(one.kind) or f"{one.name} ({one.kind})"
            found.append(Network(one.address, word))
    return found
