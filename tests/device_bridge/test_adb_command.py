"""The command that the window asks for phones on a cable: one JSON answer, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.core.errors import FretsawError
from device_bridge import adb_command
from device_bridge.adb import NO_DEVICE, AdbDevice
from device_bridge.adb_command import answer, main


class FakeAdb:
    def __init__(self, *devices: AdbDevice) -> None:
        self._devices = list(devices)
        self.calls: list[tuple[Any, ...]] = []

    def devices(self) -> list[AdbDevice]:
        return self._devices

    def reverse(self, serial: str, port: int) -> int:
        self.calls.append((serial, port))
        return 7777

    def open_url(self, serial: str, url: str) -> None:
        self.calls.append((serial, url))


def test_devices_come_with_their_instructions_or_advice_when_there_is_none() -> None:
    phone = AdbDevice("ABC", "unauthorized", "", "Accept the question on the phone's screen.")
    found = answer(["devices"], FakeAdb(phone))  # type: ignore[arg-type]
    assert found["devices"][0]["instruction"].startswith("Accept")
    assert found["advice"] == ""
    assert answer(["devices"], FakeAdb())["advice"] == NO_DEVICE  # type: ignore[arg-type]


def test_a_way_back_is_opened_and_an_address_too() -> None:
    adb = FakeAdb()
    assert answer(["reverse", "ABC", "4444"], adb) == {"port": 7777}  # type: ignore[arg-type]
    answer(["open", "ABC", "http://localhost:7777/#t=A"], adb)  # type: ignore[arg-type]
    assert adb.calls == [("ABC", 4444), ("ABC", "http://localhost:7777/#t=A")]


@pytest.mark.parametrize("words", [[], ["reverse", "ABC", "x"], ["open"], ["rm", "-rf", "/"]])
def test_other_words_are_refused(words: list[str]) -> None:
    with pytest.raises(FretsawError, match="no command"):
        answer(words, FakeAdb())  # type: ignore[arg-type]


def test_a_failure_is_json_with_exit_code_1(monkeypatch, capsys) -> None:
    def broken() -> Any:
        raise FretsawError("adb was not found.", "Install Fretsaw again.")

    monkeypatch.setattr(adb_command, "Adb", broken)
    assert main(["devices"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said == {"error": "adb was not found.", "remedy": "Install Fretsaw again."}
