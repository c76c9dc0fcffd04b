"""What a node function sees of the run that it is part of."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from backend.core.views import AnyPayload


class Context(Protocol):
    """The way out of a node: figures, pictures, words, and a loop that can stop and resume.

    ``seed`` is the run's; order and augmentation of data derive from (seed, epoch, index), never
    from a global generator. ``folder`` is the only place a node may write to.
    """

    node: str
    seed: int
    device: str
    threads: int
    folder: Path

    def loop(
        self,
        total: int,
        state: Mapping[str, Any] | None = None,
        every: str | int = "60s",
    ) -> Iterator[int]:
        """Yield the steps from the last checkpoint to ``total``; show progress, stop, save.

        Args:
            total: number of steps.
            state: what a step changes: objects with ``state_dict`` and ``load_state_dict``
                (modules, optimizers, schedulers), or dictionaries of tensors and JSON data,
                which are restored in place.
            every: time between checkpoints (``"60s"``, ``"5min"``) or a number of steps.

        Raises:
            Stopped: the user asked for it; a checkpoint was written first.
        """
        ...

    def stage(self, name: str, i: int = 0, n: int = 1) -> AbstractContextManager[None]:
        """Name a part of the work (a round, an arm, a seed): part ``i`` of ``n``."""
        ...

    def metric(self, step: int, **values: float) -> None:
        """Report figures at a step; names say what they are (``loss``, ``val_top1``)."""
        ...

    def view(self, payload: AnyPayload, name: str = "", step: int | None = None) -> None:
        """Show a picture of data; the same name again replaces it at a later step."""
        ...

    def image(self, name: str, pixels: Any) -> None:
        """Show a picture: uint8 array (H, W, 3) or (H, W)."""
        ...

    def log(self, text: str, level: str = "info") -> None:
        """Write a line to the log; level is ``info``, ``warning`` or ``error``."""
        ...

    def snapshot(self, path: Path, step: int) -> None:
        """Announce weights that a follower may export while training goes on."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Report progress of work that is not a loop; raises Stopped when asked to stop."""
        ...

    @staticmethod
    def quiet(
        seed: int = 0, *, device: str = "cpu", threads: int = 1, folder: Path | None = None
    ) -> Context:
        """Return a context that shows nothing, to call a node as the plain function it is."""
        return QuietContext(seed=seed, device=device, threads=threads, folder=folder)


class QuietContext(Context):
    """A context outside any run: loops plainly and remembers metrics, writes no events."""

    def __init__(
        self,
        seed: int = 0,
        *,
        device: str = "cpu",
        threads: int = 1,
        folder: Path | None = None,
    ) -> None:
        self.node = "quiet"
        self.seed = seed
        self.device = device
        self.threads = threads
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """Where the node may write; a temporary folder unless one was given."""
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="fretsaw-")
            self._folder = Path(self._temporary.name)
        return self._folder

    @folder.setter
    def folder(self, path: Path) -> None:
        self._folder = path

    def loop(
        self,
        total: int,
        state: Mapping[str, Any] | None = None,
        every: str | int = "60s",
    ) -> Iterator[int]:
        """Yield every step; nothing is saved."""
        yield from range(total)

    def stage(self, name: str, i: int = 0, n: int = 1) -> AbstractContextManager[None]:
        """Do nothing."""
        return contextlib.nullcontext()

    def metric(self, step: int, **values: float) -> None:
        """Remember the figures in ``metrics``."""
        self.metrics.append((step, values))

    def view(self, payload: AnyPayload, name: str = "", step: int | None = None) -> None:
        """Do nothing."""

    def image(self, name: str, pixels: Any) -> None:
        """Do nothing."""

    def log(self, text: str, level: str = "info") -> None:
        """Do nothing."""

    def snapshot(self, path: Path, step: int) -> None:
        """Do nothing."""

    def progress(self, done: int, total: int) -> None:
        """Do nothing."""
