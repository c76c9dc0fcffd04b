"""Checkpoints of a loop: tensors in safetensors, everything else in JSON, written atomically.

Random state is part of it, so a loop that goes on from a checkpoint takes the same path, bit for
bit, as one that was never interrupted.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import FretsawError
from backend.core.files import inside, parse_json, write_atomic


class CheckpointError(FretsawError):
    """A checkpoint that cannot be read."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint on disk: steps done, number of events so far, and the state."""

    done: int
    seq: int
    state: Any
    random: Any


class Checkpoints:
    """The checkpoints of one node in one run, by the ordinal of the loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def furthest(self) -> tuple[int, int]:
        """Return ``(steps done, events)`` of the loop that got furthest; zeros without any."""
        best = (0, 0)
        for path in sorted(self.folder.glob("loop-*.json")):
            head = _head(_read(path))
            if head is not None and head["seq"] >= best[1]:
                best = (head["done"], head["seq"])
        return best

    def save(self, ordinal: int, done: int, seq: int, state: Mapping[str, Any]) -> None:
        """Write the checkpoint of loop ``ordinal``; the previous one stays until it is complete."""
        tensors: dict[str, Any] = {}
        body = {
            "state": _encode({name: _state_of(item) for name, item in state.items()}, tensors),
            "random": _encode(_random_state(), tensors),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        # The JSON names the tensor file it belongs to, so the pair changes in one rename.
        tensor_file = f"loop-{ordinal:03d}-{done}.safetensors" if tensors else ""
        if tensors:
            from safetensors.torch import save

            write_atomic(self.folder / tensor_file, save(tensors))
        head = {"done": done, "seq": seq, "tensors": tensor_file}
        write_atomic(self._path(ordinal), json.dumps({"head": head, **body}))
        for old in self.folder.glob(f"loop-{ordinal:03d}-*.safetensors"):
            if old.name != tensor_file:
                old.unlink(missing_ok=True)

    def load(self, ordinal: int) -> Saved | None:
        """Read the checkpoint of loop ``ordinal``; None when there is none.

        Raises:
            CheckpointError: it cannot be read.
        """
        path = self._path(ordinal)
        if not path.is_file():
            return None
        try:
            data = parse_json(path.read_bytes())
            head = data["head"]
            tensors: dict[str, Any] = {}
            if head["tensors"]:
                from safetensors.torch import load

                tensors = load(inside(self.folder, head["tensors"]).read_bytes())
            state, rng = _decode(data["state"], tensors), _decode(data["random"], tensors)
            return Saved(int(head["done"]), int(head["seq"]), state, rng)
        except Exception as error:  # whatever is wrong with it, it cannot be used
            raise CheckpointError(
                f'The checkpoint "{path}" is damaged.',
                "Delete its folder to begin this node anew.",
                repr(error),
            ) from error

    def _path(self, ordinal: int) -> Path:
        return self.folder / f"loop-{ordinal:03d}.json"


def _read(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _head(data: Any) -> dict[str, Any] | None:
    head = data.get("head") if isinstance(data, dict) else None
    is_whole = isinstance(head, dict) and all(isinstance(head.get(k), int) for k in ("done", "seq"))
    return head if is_whole else None


def restore(saved: Saved, state: Mapping[str, Any]) -> None:
    """Put a checkpoint back into the objects of ``state`` and into the random generators.

    Raises:
        FretsawError: the checkpoint is of other objects, so the code changed in between.
    """
    if set(saved.state) != set(state):
        raise FretsawError(
            f"The checkpoint holds {sorted(saved.state)}, but the node now keeps {sorted(state)}.",
            "The code changed in between. Start a new run of this graph.",
        )
    for name, item in state.items():
        if hasattr(item, "load_state_dict"):
            item.load_state_dict(saved.state[name])
        else:
            item.clear()
            item.update(saved.state[name])
    _set_random_state(saved.random)


def _state_of(item: Any) -> Any:
    return item.state_dict() if hasattr(item, "state_dict") else item


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {"python": random.getstate()}
    if "numpy" in sys.modules:
        kind, keys, position, has_gauss, gauss = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, keys.tolist(), position, has_gauss, gauss]
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            state["cuda"] = list(torch.cuda.get_rng_state_all())
    return state


def _set_random_state(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    if "numpy" in state:
        import numpy as np

        kind, keys, position, has_gauss, gauss = state["numpy"]
        np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    if "torch" in state:
        import torch

        torch.set_rng_state(state["torch"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])


def _encode(item: Any, tensors: dict[str, Any]) -> Any:
    """Turn nested state into JSON; tensors move to ``tensors`` and leave their key behind."""
    if item is None or isinstance(item, bool | int | float | str):
        return item
    if isinstance(item, Mapping):
        pairs = [[_encode(k, tensors), _encode(v, tensors)] for k, v in item.items()]
        return {"dict": pairs}
    if isinstance(item, tuple):
        return {"tuple": [_encode(x, tensors) for x in item]}
    if isinstance(item, list):
        return [_encode(x, tensors) for x in item]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(item, torch.Tensor):
        key = f"t{len(tensors)}"
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[key] = item.detach().to("cpu").contiguous().clone()
        return {"tensor": key}
    if hasattr(item, "item") and getattr(item, "ndim", None) == 0:
        return item.item()
    raise FretsawError(
        f"A loop's state holds a {type(item).__name__}, which cannot be kept in a checkpoint.",
        "Keep tensors, numbers, texts, lists and dictionaries there.",
    )


def _decode(item: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(item, list):
        return [_decode(x, tensors) for x in item]
    if isinstance(item, dict):
        kind, inner = next(iter(item.items()))
        if kind == "tensor":
            return tensors[inner]
        if kind == "tuple":
            return tuple(_decode(x, tensors) for x in inner)
        return {_decode(k, tensors): _decode(v, tensors) for k, v in inner}
    return item
