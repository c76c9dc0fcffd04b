"""What the tests of the bridge share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.device_bridge.adb_fixtures import adb, new_phone, phone
from tests.device_bridge.page_fixtures import browser, new_page, page, process, studio

__all__ = [
    "adb", "browser", "new_page", "new_phone", "page", "phone", "process", "studio",
]  # fmt: skip


@pytest.fixture(scope="package")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three concepts of one base, exported, and what torch makes of them."""
    from tests.device_bridge.concept_fixture import Exported  # only these tests need torch

    return Exported(tmp_path_factory.mktemp("concepts"))


@pytest.fixture(scope="package")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same of a base whose pictures take some 100 ms on one thread."""
    from tests.device_bridge.concept_fixture import Exported

    return Exported(tmp_path_factory.mktemp("slow"), size=128, width=32)
