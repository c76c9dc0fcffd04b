"""The adb program: where it is, and how it is run so that it cannot hang us.

A device that misbehaves can keep ``adb push`` waiting for ever, so no call is without a time
limit, and a child that passes it is killed. The adb *server*, which other programs of the user
share, is started when there is none and never stopped or replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.core.errors import FretsawError

# "1.0.41": the number of the protocol between client and server. A client kills a server of
# another number, so only clients of this one are used, and only beside servers of this one.
PROTOCOL = 41
DEFAULT_PORT = 5037
QUERY = 15.0  # seconds; a server that must be started first takes up to 5
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows: no console flashes up


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class AdbTimeoutError(FretsawError):
    """A call took longer than it may."""


def bundled_binary() -> Path:
    """Return where the adb that comes with adbutils lies; it may not exist on this system."""
    import adbutils

    name = "adb.exe" if sys.platform == "win32" else "adb"
    return Path(adbutils.__file__).parent / "binaries" / name


def protocol_of(binary: str) -> int | None:
    """Return the protocol number of an adb program, None if it does not run or tell."""
    try:
        answer = execute([binary, "version"], 10, os.environ)
    except FretsawError:
        return None
    found = re.search(r"Android Debug Bridge version 1\.0\.(\d+)", answer.out)
    return int(found[1]) if found else None


def find_binary(path: str | None = None) -> str:
    """Return the adb to use: that of the system if it is new enough, else the bundled one.

    ``path`` replaces PATH as the folders to search. Raises FretsawError when neither runs.
    """
    for candidate in (shutil.which("adb", path=path), str(bundled_binary())):
        if candidate and protocol_of(candidate) == PROTOCOL:
            return candidate
    raise FretsawError(
        f"No adb of version 1.0.{PROTOCOL} was found.",
        "Install Android's platform-tools, or the Debian package adb.",
    )


def execute(argv: Sequence[str], timeout: float, environment: Mapping[str, str]) -> Result:
    """Run ``argv`` without a shell for at most ``timeout`` seconds.

    Raises AdbTimeoutError after the child was killed, FretsawError when it cannot be started.
    """
    try:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            creationflags=NO_WINDOW,
        )
    except OSError as error:
        raise FretsawError(
            f'"{argv[0]}" cannot be run.', "Install adb again.", str(error)
        ) from error
    try:
        out, err = child.communicate(timeout=timeout)
    except BaseException as error:
        child.kill()
        child.wait()
        # Not read to its end: a server that the child has started may hold the pipe open.
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise AdbTimeoutError(
            f"The phone did not answer for {timeout:.0f} s.",
            "Unplug the cable, plug it in again and retry.",
            f"killed: {list(argv)}",
        ) from None
    return Result(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def server_port(environment: Mapping[str, str]) -> int:
    """Return the port of the adb server. FretsawError if the variable holds no port."""
    text = environment.get("ANDROID_ADB_SERVER_PORT", str(DEFAULT_PORT))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise FretsawError(
            f'ANDROID_ADB_SERVER_PORT is "{text[:20]}", which is no port.',
            "Set it to a number from 1 to 65535, or unset it.",
        )
    return int(text)


def running_protocol(port: int) -> int | None:
    """Return the protocol number of the server at ``port``, None if nothing listens there.

    Raises FretsawError when something else than adb does.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as link:
            link.sendall(b"000chost:version")
            answer = b""
            while len(answer) < 12 and (data := link.recv(12 - len(answer))):
                answer += data
    except ConnectionRefusedError:
        return None
    except OSError as error:
        answer = str(error).encode()
    if found := re.fullmatch(rb"OKAY0004([0-9a-fA-F]{4})", answer):
        return int(found[1], 16)
    raise FretsawError(
        f"What listens on port {port} is not an adb server.",
        "Close the program that does, or set ANDROID_ADB_SERVER_PORT to another port.",
        repr(answer),
    )


def ensure_server(binary: str, environment: Mapping[str, str]) -> int:
    """Start the adb server if there is none and return its port.

    Raises FretsawError if one of another version runs: it belongs to another program of the user.
    """
    port = server_port(environment)
    running = running_protocol(port)
    if running is None:
        result = execute([binary, "start-server"], QUERY, environment)
        running = running_protocol(port)
        if running is None:
            raise FretsawError(
                "The adb server did not start.",
                "Run: adb start-server",
                result.err,
            )
    if running != PROTOCOL:
        raise FretsawError(
            f"An adb server of version 1.0.{running} is running; 1.0.{PROTOCOL} is needed.",
            "Close the program that uses it and run its: adb kill-server",
        )
    return port
