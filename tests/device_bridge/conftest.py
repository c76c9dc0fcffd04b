"""What the tests of the bridge share."""

from __future__ import annotations

from tests.device_bridge.adb_fixtures import adb, new_phone, phone
from tests.device_bridge.page_fixtures import browser, new_page, page, process, studio

__all__ = [
    "adb", "browser", "new_page", "new_phone", "page", "phone", "process", "studio",
]  # fmt: skip
