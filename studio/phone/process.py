"""The bridge server as a process of its own."""

from __future__ import annotations

from collections.abc import Callable

from studio.phone.link import BridgeProcess, OnEvent


def bridge(on_event: OnEvent, on_end: Callable[[str], None]) -> BridgeProcess:
    """Return the bridge of this computer, not started yet."""
    from device_bridge.client import Bridge

    return Bridge(on_event, on_end)
