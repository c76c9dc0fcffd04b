"""Fixtures: the real adb with a server and a key of its own, and a phone made of sockets."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_bridge.adb import Adb, AdbDevice
from device_bridge.adb_process import bundled_binary
from tests.fakes.adbd import Phone
from tests.requirements import require


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_state(adb: Adb, serial: str, state: str, seconds: float = 10) -> AdbDevice:
    """Poll as the studio does; the test fails if the state does not come."""
    end = time.monotonic() + seconds
    while True:
        seen = [device for device in adb.devices() if device.serial == serial]
        if seen and seen[0].state == state:
            return seen[0]
        assert time.monotonic() < end, f"{serial} is not {state}: {seen}"
        time.sleep(0.05)


@pytest.fixture(scope="module", params=["system", "bundled"])
def adb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adb]:
    """Both programs in turn, each with a server that ends with the module."""
    if request.param == "system":
        require("adb")
        binary = shutil.which("adb")
    else:
        binary = str(bundled_binary())
        if not Path(binary).exists():
            reason = "adbutils brings no adb for this system"
            promised = "adb" in os.environ.get("FRETSAW_REQUIRE", "").split(",")
            (pytest.fail if promised else pytest.skip)(reason)
    home = tmp_path_factory.mktemp("adb-home")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ADB", "ANDR"))}
    port = str(free_port())
    environment = {**kept, "HOME": str(home), "ANDROID_ADB_SERVER_PORT": port, "ADB_MDNS": "0"}
    adb = Adb(binary, environment)
    yield adb
    subprocess.run(  # our own server, told by its port
        [adb.binary, "kill-server"], env=environment, timeout=10, check=False, capture_output=True
    )


@pytest.fixture
def new_phone(adb: Adb, tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """Make phones that adb is connected to, unless they ask a question first."""
    phones: list[Phone] = []

    def make(**settings: str) -> Phone:
        phone = Phone(tmp_path / f"phone{len(phones)}", **settings)
        phones.append(phone)
        adb.connect(phone.serial)
        if phone.auth is None:
            wait_for_state(adb, phone.serial, "device")
        return phone

    yield make
    for phone in phones:
        with contextlib.suppress(Exception):
            adb.disconnect(phone.serial)
        phone.close()


@pytest.fixture
def phone(new_phone: Callable[..., Phone]) -> Phone:
    """One phone that is ready."""
    return new_phone()
