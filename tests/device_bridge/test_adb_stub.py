"""The real adb, that of the system and the bundled one, against a phone made of sockets."""

from __future__ import annotations

import hashlib
import random
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backend.core.errors import FretsawError
from device_bridge.adb import AdbTimeoutError, DeviceLostError, advice
from tests.device_bridge.adb_fixtures import wait_for_state


@pytest.fixture
def artifact(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(random.Random(0).randbytes(3_000_000))
    return path


def on_phone(phone, artifact):
    folder = phone.path("/data/local/tmp/fretsaw")
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_connected_phone_is_listed(adb, phone):
    device = wait_for_state(adb, phone.serial, "device")
    assert (device.model, device.instruction, device.is_ready) == ("Stub Phone", "", True)
    assert advice([device]) == ""


def test_a_command_keeps_its_words_and_its_exit_code(adb, phone):
    words = ["a b", "$HOME", "`id`", "x;y", "'q'", '"', "*", ""]
    answer = adb.run(phone.serial, ["printf", "[%s]", *words])
    assert (answer.code, answer.out) == (0, "".join(f"[{word}]" for word in words))
    answer = adb.run(phone.serial, ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (answer.code, answer.out.strip(), answer.err.strip()) == (7, "out", "err")


def test_a_command_that_hangs_ends_by_its_time_limit(adb, phone):
    with pytest.raises(AdbTimeoutError):
        adb.run(phone.serial, ["sleep", "60"], timeout=1)
    assert adb.run(phone.serial, ["echo", "well"]).out.strip() == "well"


def test_thirty_megabytes_arrive_unchanged_and_only_once(adb, phone, tmp_path):
    path = tmp_path / "big.onnx"
    path.write_bytes(random.Random(1).randbytes(30_000_000))
    remote = adb.push(phone.serial, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert remote == f"/data/local/tmp/fretsaw/{digest}/big.onnx"
    assert phone.path(remote).read_bytes() == path.read_bytes()
    assert on_phone(phone, path) == ["big.onnx"]
    phone.opened.clear()
    assert adb.push(phone.serial, path) == remote
    assert "sync:" not in phone.opened


def test_a_damaged_file_is_removed(adb, phone, artifact):
    phone.fault = "corrupt"
    with pytest.raises(FretsawError, match="damaged"):
        adb.push(phone.serial, artifact)
    assert on_phone(phone, artifact) == []
    assert phone.path(adb.push(phone.serial, artifact)).read_bytes() == artifact.read_bytes()


def test_a_push_that_hangs_ends_by_its_time_limit(adb, phone, artifact, monkeypatch):
    monkeypatch.setattr("device_bridge.adb.SLOWEST", 1e9)
    monkeypatch.setattr("device_bridge.adb.QUERY", 2.0)
    phone.fault = "hang"
    with pytest.raises(AdbTimeoutError, match="2 s"):
        adb.push(phone.serial, artifact)
    assert on_phone(phone, artifact) == ["net.onnx.part"]
    assert phone.path(adb.push(phone.serial, artifact)).read_bytes() == artifact.read_bytes()
    assert on_phone(phone, artifact) == ["net.onnx"]


def test_a_phone_that_vanishes_in_the_middle_is_named(adb, phone, artifact):
    phone.fault = "disconnect"
    phone.is_gone = True
    with pytest.raises(DeviceLostError, match=phone.serial) as caught:
        adb.push(phone.serial, artifact)
    assert caught.value.remedy
    assert "net.onnx" not in on_phone(phone, artifact)
    phone.is_gone = False
    adb.disconnect(phone.serial)
    adb.connect(phone.serial)
    wait_for_state(adb, phone.serial, "device")
    assert phone.path(adb.push(phone.serial, artifact)).read_bytes() == artifact.read_bytes()
    assert on_phone(phone, artifact) == ["net.onnx"]


def test_a_phone_that_was_never_there_is_named(adb):
    with pytest.raises(DeviceLostError, match="R58M is not connected"):
        adb.run("R58M", ["true"])


@pytest.fixture
def web():
    body = random.Random(2).randbytes(2_000_000)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port, body
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_phone_reaches_the_studio_through_its_own_port(adb, phone, web):
    port, body = web
    device_port = adb.reverse(phone.serial, port)
    assert device_port != port
    url = f"http://localhost:{device_port}/"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=10) as answer:
        assert answer.read() == body
    adb.unreverse(phone.serial, device_port)
    assert phone.reversed == {}
    with pytest.raises(OSError, match="refused"):
        direct.open(url, timeout=10)
    with pytest.raises(FretsawError, match="reverse failed"):
        adb.unreverse(phone.serial, device_port)


@pytest.mark.parametrize("tail", ["#t=abc-DEF_1", "?a=1&b=$(touch$IFS'x');touch$IFS'x'&#*"])
def test_a_page_is_opened_with_its_address_unchanged(adb, phone, tail):
    url = "http://localhost:4000/" + tail
    adb.open_url(phone.serial, url)
    assert phone.intents == [["start", "-a", "android.intent.action.VIEW", "-d", url]]
    assert not list(phone.root.glob("x*"))


def test_a_phone_that_cannot_open_a_page_is_told(adb, phone):
    program = phone.path("/bin/am")
    program.write_text("#!/bin/sh\necho 'Error: Activity not started'\n")
    with pytest.raises(FretsawError, match="has not opened"):
        adb.open_url(phone.serial, "http://localhost:1/")


def test_facts(adb, phone):
    facts = adb.facts(phone.serial)
    assert (facts.model, facts.android, facts.sdk, facts.cores) == ("Stub Phone", "15", 35, 8)
    assert (facts.abi, facts.thermal) == ("arm64-v8a", {"cpu-0-0": 41.5})
    assert (facts.battery_percent, facts.battery_celsius, facts.is_charging) == (81, 31.4, True)


def test_the_question_on_the_screen(adb, new_phone):
    phone = new_phone(auth="prompt")
    assert phone.asked.wait(10)
    device = wait_for_state(adb, phone.serial, "unauthorized")
    assert device.instruction == "Accept the question on the phone's screen."
    with pytest.raises(DeviceLostError, match="Accept the question"):
        adb.run(phone.serial, ["true"])
    phone.accept()
    wait_for_state(adb, phone.serial, "device")
    assert adb.run(phone.serial, ["echo", "yes"]).out.strip() == "yes"


def test_a_key_that_was_accepted_needs_no_question(adb, new_phone):
    phone = new_phone(auth="accept")
    wait_for_state(adb, phone.serial, "device")
    adb.disconnect(phone.serial)
    phone.auth = "deny"
    adb.connect(phone.serial)
    wait_for_state(adb, phone.serial, "device")
    assert not phone.asked.is_set()


def test_a_refused_key_stays_unauthorized(adb, new_phone):
    phone = new_phone(auth="deny")
    assert phone.asked.wait(10)
    device = wait_for_state(adb, phone.serial, "unauthorized")
    assert advice([device]) == device.instruction != ""
