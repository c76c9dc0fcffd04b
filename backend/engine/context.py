"""The context of a node that runs: events out, stop in, checkpoints kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.core import events as ev
from backend.core.context import Context
from backend.core.errors import FretsawError, Stopped
from backend.core.files import slug
from backend.core.views import INLINE_BYTES, AnyPayload, write_payload
from backend.engine.checkpoint import CheckpointError, Checkpoints, Saved, restore
from backend.engine.recorder import Recorder
from backend.engine.settings import seconds

_STOP_POLL_SECONDS = 0.25
_PROGRESS_SECONDS = 0.2


class RunContext(Context):
    """Implements :class:`backend.core.context.Context` for one node of one run."""

    def __init__(
        self,
        recorder: Recorder,
        node: str,
        *,
        seed: int,
        device: str,
        threads: int,
        key: str = "",
        every: str | int | None = None,
    ) -> None:
        self.node = node
        self.seed = seed
        self.device = device
        self.threads = threads
        self._recorder = recorder
        self._run_folder = recorder.run.path
        self._node_folder = recorder.run.node_folder(node)
        self.folder = self._node_folder / "files"
        self.folder.mkdir(parents=True, exist_ok=True)
        # By fingerprint: a checkpoint of other code, data or parameters must not be gone on from.
        self._checkpoints = Checkpoints(self._node_folder / "checkpoints" / (key or "once"))
        self._every = every
        self._stages: list[tuple[str, int, int]] = []
        self._loops = 0
        self._in_loop = False
        self._seq = 0
        self._last_stop_poll = self._last_progress = 0.0
        self._stop = False
        done, self._kept = self._checkpoints.furthest()
        if recorder.has_started(node):
            recorder.write(ev.Resumed(node=node, step=done, seq=self._kept))

    # -- loop, stage, stop -----------------------------------------------------------------------

    def loop(
        self,
        total: int,
        state: Mapping[str, Any] | None = None,
        every: str | int = "60s",
    ) -> Iterator[int]:
        """Yield the steps from the last checkpoint to ``total``; see the protocol."""
        if self._in_loop:
            raise FretsawError(
                "A loop of this node runs inside another one, which could not be resumed.",
                "Use one loop over all steps, or ctx.stage around one loop after the other.",
            )
        self._in_loop = True
        try:
            yield from self._steps(total, state or {}, every)
        finally:
            self._in_loop = False

    def _steps(self, total: int, state: Mapping[str, Any], every: str | int) -> Iterator[int]:
        ordinal = self._loops
        self._loops += 1
        first = 0
        saved = self._load(ordinal)
        if saved is not None:
            restore(saved, state)
            first, self._seq = saved.done, saved.seq
        interval = _Interval(self._every or every)
        began = time.monotonic()
        self._obey_stop()
        for step in range(first, total):
            yield step
            done = step + 1
            self._show_progress(done, total, began, done - first)
            # Asked once: a stop that comes between saving and leaving would lose the checkpoint.
            is_stopped = self._stop_asked()
            if is_stopped or done == total or interval.is_due(done):
                self._save(ordinal, done, state)
            if is_stopped:
                raise Stopped

    @contextmanager
    def stage(self, name: str, i: int = 0, n: int = 1) -> Iterator[None]:
        """Name a part of the work; metrics of it carry its name."""
        self._obey_stop()
        self._stages.append((name, i, n))
        try:
            yield
        finally:
            self._stages.pop()

    def progress(self, done: int, total: int) -> None:
        """Report progress of work that is not a loop; raises Stopped when asked to stop."""
        self._show_progress(done, total, None, 0)
        if self._stop_asked():
            raise Stopped

    # -- events ----------------------------------------------------------------------------------

    def metric(self, step: int, **values: float) -> None:
        """Report figures at a step."""
        plain = {name: float(value) for name, value in values.items()}
        seq = self._next()
        if seq is not None:
            event = ev.Metric(
                node=self.node, step=step, values=plain, stage=self._stage_name(), seq=seq
            )
            self._recorder.write_limited(event, key=("metric", event.stage, *sorted(plain)))

    def view(self, payload: AnyPayload, name: str = "", step: int | None = None) -> None:
        """Show a picture of data; above 16 kB it goes to a file."""
        seq = self._next()
        if seq is None:
            return
        name = name or payload.kind
        data: AnyPayload | None = payload
        path = None
        if len(payload.model_dump_json()) > INLINE_BYTES:
            file = self._node_folder / "views" / f"{slug(name)}-{seq:06d}.json.gz"
            write_payload(file, payload)
            data, path = None, file.relative_to(self._run_folder).as_posix()
        event = ev.View(
            node=self.node, view=payload.kind, name=name, step=step, data=data, path=path, seq=seq
        )
        self._recorder.write_limited(event, key=("view", name))

    def image(self, name: str, pixels: Any) -> None:
        """Write a picture as PNG and show it."""
        seq = self._next()
        if seq is None:
            return
        from PIL import Image

        file = self._node_folder / "images" / f"{slug(name)}-{seq:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
        path = file.relative_to(self._run_folder).as_posix()
        self._recorder.write(ev.Image(node=self.node, name=name, path=path, seq=seq))

    def log(self, text: str, level: str = "info") -> None:
        """Write a line to the log."""
        seq = self._next()
        if seq is not None:
            self._recorder.write(ev.Log(node=self.node, level=level, text=text, seq=seq))  # type: ignore[arg-type]

    def snapshot(self, path: Path, step: int) -> None:
        """Announce weights that a follower may export."""
        seq = self._next()
        if seq is not None:
            name = path.relative_to(self._run_folder).as_posix()
            self._recorder.write(ev.Snapshot(node=self.node, path=name, step=step, seq=seq))

    # -- inner -----------------------------------------------------------------------------------

    def _next(self) -> int | None:
        """Number an event; None when it was written before the checkpoint this attempt is from."""
        self._seq += 1
        return None if self._seq <= self._kept else self._seq

    def _save(self, ordinal: int, done: int, state: Mapping[str, Any]) -> None:
        # Events first: a checkpoint must never claim an event that is not on disk.
        self._recorder.flush()
        self._checkpoints.save(ordinal, done, self._seq, state)

    def _load(self, ordinal: int) -> Saved | None:
        try:
            return self._checkpoints.load(ordinal)
        except CheckpointError as error:
            # Not numbered: an attempt with a whole checkpoint would not say this.
            text = f"{error.message} The work that it held is done again."
            self._recorder.write(ev.Log(node=self.node, level="warning", text=text))
            return None

    def _stage_name(self) -> str:
        return "/".join(name for name, _, _ in self._stages)

    def _show_progress(self, done: int, total: int, began: float | None, steps: int) -> None:
        now = time.monotonic()
        if now - self._last_progress < _PROGRESS_SECONDS and done != total:
            return
        self._last_progress = now
        eta = (now - began) / steps * (total - done) if began is not None and steps else None
        words = [f"{name} {i + 1}/{n}" if n > 1 else name for name, i, n in self._stages]
        self._recorder.write(
            ev.Progress(node=self.node, stage=", ".join(words), done=done, total=total, eta=eta)
        )

    def _stop_asked(self) -> bool:
        now = time.monotonic()
        if not self._stop and now - self._last_stop_poll >= _STOP_POLL_SECONDS:
            self._last_stop_poll = now
            self._stop = self._recorder.run.stop_requested()
        return self._stop

    def _obey_stop(self) -> None:
        if self._stop_asked():
            raise Stopped


class _Interval:
    """When the next checkpoint is due: after a time, or after a number of steps."""

    def __init__(self, every: str | int) -> None:
        self._steps = every if isinstance(every, int) else 0
        self._seconds = 0.0 if isinstance(every, int) else seconds(every)
        self._last = time.monotonic()

    def is_due(self, done: int) -> bool:
        if self._steps:
            return done % self._steps == 0
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
