from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time

import pytest

from backend.core.errors import FretsawError
from device_bridge import adb_facts
from device_bridge.adb import (
    INSTRUCTIONS,
    NO_DEVICE,
    Adb,
    AdbDevice,
    advice,
    changes,
    checked_name,
    checked_port,
    checked_serial,
    checked_url,
    parse_devices,
)
from device_bridge.adb_process import (
    AdbTimeoutError,
    bundled_binary,
    ensure_server,
    execute,
    find_binary,
    protocol_of,
    server_port,
)

LIST = """\
R58M  device usb:1-2 product:a model:Pixel_7 device:b transport_id:1
1234 unauthorized usb:1-3 transport_id:2
5678 no permissions (user in plugdev group?); see [http://developer.android.com/x] usb:1-4
9abc recovery product:x model:Y device:z
10.0.0.2:5555 offline
odd weird
"""


def test_the_list_of_devices_names_states_and_models():
    devices = {device.serial: device for device in parse_devices(LIST)}
    assert [device.state for device in devices.values()] == [
        *("device", "unauthorized", "no permissions", "recovery", "offline", "weird")
    ]
    assert devices["R58M"] == AdbDevice("R58M", "device", "Pixel 7", "")
    assert devices["1234"].instruction == "Accept the question on the phone's screen."
    assert "udev" in devices["5678"].instruction
    assert "recovery" in devices["9abc"].instruction
    assert '"weird"' in devices["odd"].instruction
    assert parse_devices("") == []


def test_advice_is_silent_only_when_a_phone_is_ready():
    devices = parse_devices(LIST)
    assert advice([]) == NO_DEVICE
    assert advice(devices[1:]) == INSTRUCTIONS["unauthorized"]
    assert advice(devices) == ""


def test_every_instruction_is_a_sentence():
    sentences = [text for text in INSTRUCTIONS.values() if text]
    assert all(re.fullmatch(r"[A-Z].*\.", text) for text in [*sentences, NO_DEVICE])


def test_changes_between_polls():
    one, two = AdbDevice("1", "device", "A", ""), AdbDevice("2", "offline", "B", "x")
    ready = AdbDevice("2", "device", "B", "")
    assert [(c.kind, c.device) for c in changes([one, two], [ready])] == [
        *(("removed", one), ("changed", ready))
    ]
    assert [(c.kind, c.device) for c in changes([], [one])] == [("added", one)]
    assert list(changes([one], [one])) == []


@pytest.mark.parametrize("serial", ["-s", "--help", "", "a b", "a;b", "$(x)", "a\nb", "../x"])
def test_serials_that_could_be_options_or_commands_are_refused(serial):
    with pytest.raises(FretsawError, match="no serial number"):
        checked_serial(serial)


@pytest.mark.parametrize("serial", ["R58M12", "emulator-5554", "192.168.1.2:5555", "[fe80::1]:5"])
def test_serials_of_phones_pass(serial):
    assert checked_serial(serial) == serial


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".hidden", "-rf", "", "a b", "a;b", "a\n"])
def test_names_that_leave_the_folder_are_refused(name):
    with pytest.raises(FretsawError, match="file name"):
        checked_name(name)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:80", "file:///etc/passwd", "intent://x#Intent;end", "javascript:alert(1)"),
        *("http://", "http://a b", "http://a/`id`", 'http://a/"', "http://a/\n", "http://a\\b"),
        *("http://user@host/", "http://host:99999/", "http://h/" + "x" * 2001, "-d http://a"),
    ],
)
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(FretsawError, match="no address"):
        checked_url(url)


def test_ports_have_bounds():
    assert checked_port(0, 0) == 0
    for port in (0, -1, 65536):
        with pytest.raises(FretsawError, match="no port"):
            checked_port(port)


def test_a_child_that_hangs_is_killed(tmp_path):
    note = tmp_path / "pid"
    program = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(AdbTimeoutError, match="did not answer"):
        execute([sys.executable, "-c", program], 1.5, os.environ)
    assert time.monotonic() - start < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_the_bundled_adb_is_used_where_the_system_has_none_or_an_old_one(tmp_path):
    assert find_binary(path=str(tmp_path)) == str(bundled_binary())
    old = tmp_path / "adb"
    old.write_text("#!/bin/sh\necho Android Debug Bridge version 1.0.32\n")
    old.chmod(0o755)
    assert protocol_of(str(old)) == 32
    assert find_binary(path=str(tmp_path)) == str(bundled_binary())
    old.write_text("#!/bin/sh\necho Android Debug Bridge version 1.0.41\n")
    assert find_binary(path=str(tmp_path)) == str(old)


@pytest.mark.parametrize("text", ["", "x", "0", "70000", "-1", "²"])
def test_a_server_port_that_is_none_is_named(text):
    with pytest.raises(FretsawError, match="ANDROID_ADB_SERVER_PORT"):
        server_port({"ANDROID_ADB_SERVER_PORT": text})
    assert server_port({}) == 5037


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"OKAY00040020", r"version 1\.0\.32 is running"), (b"HTTP/1", "not an adb")],
)
def test_a_foreign_server_is_left_alone(answer, words):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link, _ = server.accept()
            with link:
                heard.append(link.recv(64))
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = str(server.getsockname()[1])
        # A program that cannot run: nothing may even be tried.
        with pytest.raises(FretsawError, match=words):
            ensure_server("/nonexistent/adb", {"ANDROID_ADB_SERVER_PORT": port})
        thread.join()
    assert heard == [b"000chost:version"]


def test_a_program_that_is_gone_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("device_bridge.adb.ensure_server", lambda *_: 1)
    with pytest.raises(FretsawError, match="cannot be run"):
        Adb(str(tmp_path / "adb"), {}).unreverse("1234", 80)


def test_facts_of_a_phone_that_tells_little():
    facts = adb_facts.parse(
        "sh: nproc: not found\nfretsaw ro.product.model A B\nfretsaw cores \n"
        "fretsaw zone cpu 41500\nfretsaw zone skin 33\nfretsaw zone off -274000\nfretsaw zone x \n"
    )
    assert (facts.model, facts.android, facts.sdk, facts.cores) == ("A B", "", None, None)
    assert facts.thermal == {"cpu": 41.5, "skin": 33.0}
    assert (facts.battery_percent, facts.battery_celsius, facts.is_charging) == (None, None, None)
