"""Pictures computed here for a phone that cannot: one worker process an edit, ended when idle."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from backend.core.errors import FretsawError
from device_bridge.frames import HEADER, Frame, mix_message
from device_bridge.protocol import MAX_FRAME, Mix, ProtocolError

ANSWER_S = 20.0
IDLE_S = 60.0


@dataclass
class _Worker:
    process: asyncio.subprocess.Process
    folder: Path
    end: asyncio.TimerHandle | None = None
    mix: Mix | None = None


class Desktop:
    """The workers of all edits that a phone asked the desktop to compute."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}
        self._lock = asyncio.Lock()

    async def compute(self, id: str, folder: Path, frame: Frame, mix: Mix | None = None) -> Frame:
        """Return the edited picture for ``frame``, of a mix of concepts where the edit has some.

        Raises:
            FretsawError: the worker cannot run this edit, and why.
        """
        async with self._lock:
            worker = await self._worker(id, folder)
            try:
                async with asyncio.timeout(ANSWER_S):
                    if mix is not None and mix != worker.mix:
                        _tell(worker, mix)
                    return await _ask(worker.process, frame)
            except (OSError, TimeoutError, ProtocolError, asyncio.IncompleteReadError) as error:
                why = await self._why(id)
                raise FretsawError(
                    f"The desktop cannot compute this edit: {why or type(error).__name__}.",
                    "Export it again, or choose another edit on the phone.",
                ) from error

    def forget(self, id: str) -> None:
        """End the worker of an edit that is gone or new."""
        worker = self._workers.pop(id, None)
        if worker is not None:
            _kill(worker)

    async def close(self) -> None:
        """End all workers."""
        for id, worker in list(self._workers.items()):
            self.forget(id)
            with contextlib.suppress(ProcessLookupError):
                await worker.process.wait()

    async def _worker(self, id: str, folder: Path) -> _Worker:
        worker = self._workers.get(id)
        if worker is None or worker.process.returncode is not None:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "device_bridge", "worker", str(folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            worker = self._workers[id] = _Worker(process, folder)
        if worker.end is not None:
            worker.end.cancel()
        worker.end = asyncio.get_running_loop().call_later(IDLE_S, self.forget, id)
        return worker

    async def _why(self, id: str) -> str:
        worker = self._workers.pop(id, None)
        if worker is None:
            return ""
        _kill(worker)
        _, said = await worker.process.communicate()
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1].rstrip(".") if lines else ""


def _tell(worker: _Worker, mix: Mix) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(mix_message(mix.model_dump_json()))
    worker.mix = mix


async def _ask(process: asyncio.subprocess.Process, frame: Frame) -> Frame:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(frame.pack())
    await process.stdin.drain()
    head = await process.stdout.readexactly(HEADER.size)
    length = HEADER.unpack(head)[3]
    if length > MAX_FRAME:
        raise ProtocolError("The answer is too large.")
    return Frame.unpack(head + await process.stdout.readexactly(length))


def _kill(worker: _Worker) -> None:
    if worker.end is not None:
        worker.end.cancel()
    if worker.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            worker.process.kill()
