"""The bridge as a process: ``python -m device_bridge serve`` or ``worker FOLDER``.

``serve`` reads commands of :mod:`device_bridge.wire` from standard input, one JSON object a line,
and writes events to standard output. It ends when standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from pathlib import Path

from device_bridge import wire
from device_bridge.protocol import ProtocolError

_REPAIR = "Install Fretsaw again."


def home() -> Path:
    """Return the folder of the bridge's certificate authority."""
    if os.environ.get("FRETSAW_HOME"):
        return Path(os.environ["FRETSAW_HOME"]).expanduser() / "bridge"
    from platformdirs import user_config_path

    return user_config_path("fretsaw") / "bridge"


async def serve() -> None:
    """Run the server until standard input ends."""
    from device_bridge.outlet import Outlet
    from device_bridge.server import Server, running

    # Whatever else prints must not get between the events.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    outlet = Outlet(sink)
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        # Not through a buffered reader: a thread inside one cannot be left behind at the end.
        rest = b""
        while data := os.read(0, 65_536):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line + b"\n")
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, name="commands", daemon=True).start()
    try:
        try:
            made = Server(outlet.put, home())
        except (OSError, ValueError, KeyError) as error:
            outlet.put(wire.Trouble(text=f"The phone page is damaged: {error}.", remedy=_REPAIR))
            return
        async with running(made) as server:
            while line := await lines.get():
                try:
                    command = wire.command(line)
                except ProtocolError as error:
                    outlet.put(wire.Trouble(text=str(error)))
                    continue
                await server.do(command)
    finally:
        outlet.close()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m device_bridge")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve phones; commands and events on standard streams")
    worker = commands.add_parser("worker", help="compute pictures for a phone that cannot")
    worker.add_argument("folder", type=Path, help="folder of an exported edit")
    timed = commands.add_parser("time", help="ms a frame in ONNX Runtime here, one thread")
    timed.add_argument("folder", type=Path, help="folder of an exported edit")
    timed.add_argument("--runs", type=int, default=30, help="frames that are timed")
    arguments = parser.parse_args()
    if arguments.command == "time":
        from device_bridge.worker import timing

        print(json.dumps(timing(arguments.folder, max(1, arguments.runs))))
        return 0
    if arguments.command == "worker":
        from device_bridge.worker import main as work

        return work(str(arguments.folder))
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
