"""Phones on a USB cable: which there are, a way back to the studio, files, commands.

The adb program does what moves data: a limit holds for the whole of a call, and killing it ends
the call for certain, while a socket timeout of adbutils holds for a single read. adbutils brings
that program where the system has none, and asks the server for its devices: one exchange of a
few bytes, without a process for each poll.

No text of a user reaches a shell unquoted: adb joins the arguments of ``shell`` with spaces and
the phone's shell parses the result, so each is quoted here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from backend.core.errors import FretsawError
from device_bridge.adb_facts import SCRIPT, Facts, parse
from device_bridge.adb_process import (
    QUERY,
    AdbTimeoutError,
    Result,
    ensure_server,
    execute,
    find_binary,
)

FOLDER = "/data/local/tmp/fretsaw"
SLOWEST = 1_000_000  # bytes a second; USB 2 does 20 to 40 times that
NO_DEVICE = (
    "No phone is connected. Plug it in with a data cable, and switch on USB debugging in the "
    "phone's developer options."
)
INSTRUCTIONS = {
    "device": "",
    "unauthorized": "Accept the question on the phone's screen.",
    "authorizing": "Accept the question on the phone's screen.",
    "connecting": "Wait: the phone is being connected.",
    "offline": "The phone does not answer. Unlock it, or unplug the cable and plug it in again.",
    "no permissions": "This computer does not let you use the phone. Install the udev rules for "
    "Android (Debian: android-sdk-platform-tools-common), then plug the cable in again.",
    "recovery": "The phone is in recovery mode. Choose to restart it on its screen.",
    "sideload": "The phone waits for an update. Choose to restart it on its screen.",
    "bootloader": "The phone is in its boot loader. Choose to start it on its screen.",
    "rescue": "The phone is in rescue mode. Choose to restart it on its screen.",
    "host": "This is not a phone but a computer.",
}
_SERIAL = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9._:\[\]%-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}")  # RFC 3986, appendix A


class DeviceLostError(FretsawError):
    """The phone went away in the middle."""


@dataclass(frozen=True)
class AdbDevice:
    """A phone as the adb server sees it; ``instruction`` is empty when it is ready."""

    serial: str
    state: str
    model: str
    instruction: str

    @property
    def is_ready(self) -> bool:
        """Whether it takes commands."""
        return self.state == "device"


@dataclass(frozen=True)
class Change:
    """One difference between two polls; ``kind`` is "added", "removed" or "changed"."""

    kind: str
    device: AdbDevice


def changes(previous: Sequence[AdbDevice], now: Sequence[AdbDevice]) -> Iterator[Change]:
    """Yield what differs between two lists of devices: removed ones first."""
    before = {device.serial: device for device in previous}
    after = {device.serial: device for device in now}
    for serial, device in before.items():
        if serial not in after:
            yield Change("removed", device)
    for serial, device in after.items():
        if serial not in before:
            yield Change("added", device)
        elif before[serial] != device:
            yield Change("changed", device)


def parse_devices(text: str) -> list[AdbDevice]:
    """Read the server's long list of devices (``adb devices -l`` without its first line)."""
    devices = []
    for line in text.splitlines():
        serial, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not serial or not rest:
            continue
        state = "no permissions" if rest.startswith("no permissions") else rest.split()[0]
        model = re.search(r"\bmodel:(\S+)", rest)
        advice = INSTRUCTIONS.get(state, f'The phone is in the state "{state}". Restart it.')
        name = model[1].replace("_", " ") if model else ""
        devices.append(AdbDevice(serial, state, name, advice))
    return devices


def advice(devices: Sequence[AdbDevice]) -> str:
    """Say what the user must do so that a phone can be used; empty when one is ready."""
    if any(device.is_ready for device in devices):
        return ""
    return devices[0].instruction if devices else NO_DEVICE


class Adb:
    """Commands to phones through the user's adb server, which is started if need be.

    ``environment`` replaces that of this process; ANDROID_ADB_SERVER_PORT in it is respected.
    Every method raises FretsawError: its kind AdbTimeoutError when the phone hangs, and
    DeviceLostError when it leaves or is not ready.
    """

    def __init__(
        self, binary: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.environment = dict(os.environ if environment is None else environment)
        self.binary = binary or find_binary(self.environment.get("PATH"))

    def devices(self) -> list[AdbDevice]:
        """Return all devices, whatever their state."""
        from adbutils import AdbClient
        from adbutils.errors import AdbError

        port = ensure_server(self.binary, self.environment)
        try:
            with AdbClient("127.0.0.1", port, socket_timeout=QUERY).make_connection() as link:
                link.send_command("host:devices-l")
                link.check_okay()
                return parse_devices(link.read_string_block())
        except (AdbError, OSError, ValueError) as error:
            raise FretsawError(
                "The adb server does not answer.", "Run: adb kill-server", str(error)
            ) from error

    def connect(self, address: str) -> None:
        """Connect to a phone in the network, ``host:port``; its state is seen in ``devices``."""
        result = self._adb("connect", checked_serial(address))
        if "connected to" not in result.out and "authenticate" not in result.out:
            raise FretsawError(
                f"The phone at {address} cannot be reached.",
                "Check that both are on the same network and wireless debugging is on.",
                result.out + result.err,
            )

    def disconnect(self, address: str) -> None:
        """Forget a phone in the network; nothing happens if it is not known."""
        self._adb("disconnect", checked_serial(address))

    def reverse(self, serial: str, port: int, device_port: int = 0) -> int:
        """Let the phone's ``localhost:device_port`` lead to our ``port``; return the former.

        0 takes a free port of the phone.
        """
        ports = (f"tcp:{checked_port(device_port, 0)}", f"tcp:{checked_port(port)}")
        result = self._to(serial, QUERY, "reverse", *ports)
        if device_port:
            return device_port
        if not (chosen := re.fullmatch(r"\s*(\d{1,5})\s*", result.out)):
            raise FretsawError(
                "The phone did not say which port it opened.",
                "Unplug the cable, plug it in again and retry.",
                result.out + result.err,
            )
        return checked_port(int(chosen[1]))

    def unreverse(self, serial: str, device_port: int) -> None:
        """Close a port that ``reverse`` opened."""
        self._to(serial, QUERY, "reverse", "--remove", f"tcp:{checked_port(device_port)}")

    def open_url(self, serial: str, url: str) -> None:
        """Open a web address in the phone's browser. FretsawError if it is not one."""
        view = ["am", "start", "-a", "android.intent.action.VIEW", "-d", checked_url(url)]
        result = self.run(serial, view)
        if result.code or "Error" in result.out + result.err:  # am fails with code 0 at times
            raise FretsawError(
                "The phone has not opened the page.",
                "Unlock the phone, install a browser, or type the address by hand.",
                result.out + result.err,
            )

    def push(self, serial: str, path: Path, name: str | None = None) -> str:
        """Copy a file to the phone and return its path there; FretsawError if bytes differ.

        It lies in a folder named by its SHA-256, so a file that is there already is not sent
        again. What a broken transfer leaves is ``NAME.part``; the next one overwrites it.
        """
        name = checked_name(path.name if name is None else name)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = path.stat().st_size
        except OSError as error:
            raise FretsawError(
                f'"{path.name}" cannot be read.', "Export it again.", str(error)
            ) from error
        folder = f"{FOLDER}/{digest}"
        remote, part = f"{folder}/{name}", f"{folder}/{name}.part"
        limit = QUERY + size / SLOWEST
        if self._shell(serial, _matches(remote, digest), limit).code == 0:
            return remote
        if (made := self._shell(serial, f"mkdir -p {folder}", QUERY)).code:
            raise FretsawError(
                f"The phone refuses the folder {folder}.", "Free some space on it.", made.err
            )
        self._to(serial, limit, "push", str(path.resolve()), part)
        keep = f"{_matches(part, digest)} && mv -f {part} {remote} || {{ rm -f {part}; false; }}"
        if (kept := self._shell(serial, keep, limit)).code:
            raise FretsawError(
                f'"{name}" arrived damaged on the phone and was removed.',
                "Send it again; if it happens twice, use another cable.",
                kept.out + kept.err,
            )
        return remote

    def run(self, serial: str, argv: Sequence[str], timeout: float = QUERY) -> Result:
        """Run a program of the phone and return its exit code and what it wrote."""
        if not argv or any("\0" in word for word in argv):
            raise FretsawError("The command for the phone is empty or has a zero byte in it.")
        return self._shell(serial, shlex.join(argv), timeout)

    def facts(self, serial: str) -> Facts:
        """Return what the phone is and how warm it is."""
        return parse(self._shell(serial, SCRIPT, QUERY).out)

    def _shell(self, serial: str, command: str, timeout: float) -> Result:
        result = self._call(serial, timeout, "shell", command)
        # The code is that of the command or of adb itself; only the list of devices tells.
        if result.code:
            self._check_present(serial, result)
        return result

    def _to(self, serial: str, timeout: float, *arguments: str) -> Result:
        """Run an adb command that must succeed."""
        result = self._call(serial, timeout, *arguments)
        if result.code:
            self._check_present(serial, result)
            reason = (result.err or result.out).strip().splitlines()
            raise FretsawError(
                f"adb {arguments[0]} failed: {reason[-1] if reason else 'no reason given'}",
                "Unplug the cable, plug it in again and retry.",
                result.out + result.err,
            )
        return result

    def _call(self, serial: str, timeout: float, *arguments: str) -> Result:
        return self._adb("-s", checked_serial(serial), *arguments, timeout=timeout)

    def _adb(self, *arguments: str, timeout: float = QUERY) -> Result:
        ensure_server(self.binary, self.environment)
        return execute([self.binary, *arguments], timeout, self.environment)

    def _check_present(self, serial: str, result: Result) -> None:
        state = next((item for item in self.devices() if item.serial == serial), None)
        if state is None or not state.is_ready:
            raise DeviceLostError(
                f"The phone {serial} is not connected (any more).",
                state.instruction if state else "Plug it in again and retry.",
                result.out + result.err,
            )


def checked_serial(serial: str) -> str:
    """Return ``serial`` if it can be one; FretsawError if not, as for a leading dash."""
    if not _SERIAL.fullmatch(serial):
        raise FretsawError(
            f'"{serial[:60]}" is no serial number of a phone.', "Choose a phone from the list."
        )
    return serial


def checked_name(name: str) -> str:
    """Return ``name`` if it is a plain file name; FretsawError if not."""
    if not _NAME.fullmatch(name):
        raise FretsawError(
            f'"{name[:60]}" cannot be a file name on the phone.',
            "Use letters, digits, dots and dashes, with a letter or digit first.",
        )
    return name


def checked_port(port: int, least: int = 1) -> int:
    """Return ``port`` if it is one; FretsawError if not."""
    if not least <= port < 65536:
        raise FretsawError(f"{port} is no port.", f"Use a number from {least} to 65535.")
    return port


def checked_url(url: str) -> str:
    """Return ``url`` if it is a plain http or https address; FretsawError if not."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_plain = bool(_URL.fullmatch(url)) and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        is_web = is_plain = False
    if not (is_web and is_plain):
        raise FretsawError(
            f'"{url[:60]}" is no address that a phone can open.',
            "Use http:// or https:// and no spaces or quotes.",
        )
    return url


def _matches(path: str, digest: str) -> str:
    """Return the shell test for the SHA-256 of a device path; both are ours and plain."""
    return f'[ "$(sha256sum {path} 2>/dev/null | cut -c1-64)" = {digest} ]'


__all__ = [
    "Adb",
    "AdbDevice",
    "AdbTimeoutError",
    "Change",
    "DeviceLostError",
    "Facts",
    "Result",
    "advice",
    "changes",
]
