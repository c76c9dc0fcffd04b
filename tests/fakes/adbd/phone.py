"""The phone of the tests: its files, its faults, and the thread in which it listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.adbd.connection import Connection

PROPERTIES = {
    "ro.product.name": "stub",
    "ro.product.model": "Stub Phone",
    "ro.product.device": "stub",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.build.version.release": "15",
    "ro.build.version.sdk": "35",
}
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  level: 81
  scale: 100
  temperature: 314
"""


class Phone:
    """A device that listens on the loopback interface until ``close``.

    ``auth`` is None (no question), "prompt" (the key is accepted once ``accept`` was called),
    "accept" (at once) or "deny" (never). ``fault`` is None or, for the next file that is sent to
    it: "hang" (no further answer), "disconnect" (the cable is pulled), "corrupt" (one bit flips).
    """

    def __init__(self, root: Path, auth: str | None = None, fault: str | None = None) -> None:
        self.root = root.resolve()
        self.auth = auth
        self.fault = fault
        self.is_gone = False  # nobody answers a new connection
        self.trusted: list[rsa.RSAPublicKey] = []
        self.asked = threading.Event()
        self.opened: list[str] = []  # services, in order
        self.reversed: dict[str, tuple[str, asyncio.Server]] = {}
        self._connections: set[Connection] = set()
        self._waiting: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._install()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="phone", daemon=True)
        self._thread.start()
        self.port = self._call(self._listen(0))

    @property
    def serial(self) -> str:
        """What adb calls it once connected."""
        return f"127.0.0.1:{self.port}"

    @property
    def intents(self) -> list[list[str]]:
        """The arguments of every call of ``am``."""
        log = self.root / "am.log"
        calls = log.read_text().split("\0\n") if log.exists() else []
        return [call.split("\n")[:-1] for call in calls if call]

    def path(self, name: str) -> Path:
        """Return where ``name``, a path on the phone, lies on this computer."""
        path = (self.root / name.lstrip("/")).resolve()
        if not path.is_relative_to(self.root):
            raise PermissionError(name)
        return path

    def accept(self) -> None:
        """Answer the question on the screen with yes."""
        self.auth = "accept"
        for answer in self._waiting:
            self._call(answer())
        self._waiting.clear()

    def ask(self, answer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Keep ``answer`` until the question is accepted."""
        self._waiting.append(answer)
        self.asked.set()

    def vanish(self) -> None:
        """Pull the cable: end every connection, and listen no more."""
        self._call(self._disconnect())

    def close(self) -> None:
        """End everything, the thread too."""
        self.vanish()
        self._call(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def drop(self) -> None:
        """End every connection, from inside the loop; it still listens."""
        for connection in self._connections:
            connection.abort()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, port: int) -> int:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.is_gone:
                writer.transport.abort()
                return
            connection = Connection(self, reader, writer)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)

        self._server = await asyncio.start_server(accepted, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    async def _disconnect(self) -> None:
        self._server.close()
        for _, server in self.reversed.values():
            server.close()
        self.reversed.clear()
        self.drop()
        for _ in range(100):
            if not self._connections:
                break
            await asyncio.sleep(0.01)

    async def _finish(self) -> None:
        """Let what was cancelled end, and children be collected, before the loop stops."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 5)

    def _install(self) -> None:
        zone = self.path("/sys/class/thermal/thermal_zone0")
        for folder in (self.path("/data/local/tmp"), self.path("/bin"), zone):
            folder.mkdir(parents=True, exist_ok=True)
        (zone / "type").write_text("cpu-0-0\n")
        (zone / "temp").write_text("41500\n")
        cases = "".join(f'{key}) echo "{value}";;\n' for key, value in PROPERTIES.items())
        programs = {
            "getprop": f'case "$1" in\n{cases}esac\n',
            # Each argument on a line of its own, each call ended by a zero byte.
            "am": f"(printf '%s\\n' \"$@\"; printf '\\0\\n') >> '{self.root}/am.log'\n"
            "echo 'Starting: Intent'\n",
            "dumpsys": f"cat <<'END'\n{BATTERY}END\n",
            "nproc": "echo 8\n",
        }
        for name, text in programs.items():
            program = self.path("/bin") / name
            program.write_text("#!/bin/sh\n" + text)
            program.chmod(0o755)
