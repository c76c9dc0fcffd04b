"""What the tests of the bridge share."""

from __future__ import annotations

from tests.device_bridge.adb_fixtures import adb, new_phone, phone

__all__ = ["adb", "new_phone", "phone"]
