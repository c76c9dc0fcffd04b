"""The last good epoch of a training that may break: kept, put back, written where it can be found.

Nothing is written while all is well: the copy is in memory and in the checkpoints.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from backend.train.gan_guard import CollapseError

FOLDER = "last_good"
"""The folder in that of the node with the weights of the last good epoch, once training broke."""


class LastGood:
    """Copies of what training changes, from the end of the last good epoch.

    Args:
        parts: objects with ``state_dict`` and ``load_state_dict``, by name; those that are networks
            are written.
        progress: data that a checkpoint keeps; its entry ``key`` belongs to this.
        key: where the copies are.
    """

    def __init__(
        self, parts: Mapping[str, Any], progress: dict[str, Any], key: str = "good"
    ) -> None:
        self.parts, self.progress, self.key = parts, progress, key
        progress[key] = {}

    @property
    def epoch(self) -> int | None:
        """The epoch (from 1; 0 is before the first) that was taken last; None: none yet."""
        found: int | None = self.progress[self.key].get("epoch")
        return found

    def take(self, epoch: int) -> None:
        """Copy all parts as they are after ``epoch``."""
        self.progress[self.key] = {
            "epoch": epoch,
            "parts": {name: _copied(part.state_dict()) for name, part in self.parts.items()},
        }

    def put_back(self) -> None:
        """Give all parts what :meth:`take` copied."""
        for name, state in self.progress[self.key]["parts"].items():
            self.parts[name].load_state_dict(_copied(state))

    def save(self, folder: Path) -> Path:
        """Write ``<name>.safetensors`` for each network into a folder below; return that folder."""
        from safetensors.torch import save_file

        inside = folder / FOLDER
        inside.mkdir(parents=True, exist_ok=True)
        for name, state in self.progress[self.key]["parts"].items():
            if all(isinstance(value, Tensor) for value in state.values()):
                tensors = {key: value.cpu().contiguous() for key, value in state.items()}
                save_file(tensors, inside / f"{name}.safetensors")
        return inside

    def collapsed(self, told: str, epoch: int, folder: Path) -> CollapseError:
        """Return the error that ends training which broke in ``epoch``; the weights are saved.

        Args:
            told: what broke, and the remedy, in sentences.
            epoch: when (from 1).
            folder: of the node.
        """
        if not self.epoch:
            return CollapseError(f"{told} No epoch before it is worth keeping.", epoch, 0)
        return CollapseError(
            f'{told} The weights of epoch {self.epoch} are in "{self.save(folder)}". Resuming '
            "would repeat the same steps, so change the settings first.",
            epoch,
            self.epoch,
        )


def _copied(state: Any) -> Any:
    """Copy nested state; tensors keep their memory format, and share nothing."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_copied(value) for value in state)
    return copy.deepcopy(state)
