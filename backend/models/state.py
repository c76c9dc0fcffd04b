"""Weights of any origin: read them from a file, fit them into a network."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.errors import RecipeError, first_names
from backend.models.tensors import read_tensors

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.")


def load_state(path: str | Path) -> dict[str, Tensor]:
    """Read the weights in a ``.safetensors``, ``.pt`` or ``.pth`` file onto the CPU, names as keys.

    A training checkpoint that keeps them under ``state_dict`` or ``model`` is understood, and so
    are the prefixes that data-parallel and compiled training put before every name.

    Raises:
        RecipeError: the file is missing, damaged, holds no weights, or would run code when opened.
    """
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"There is no file {path}.")
    if path.suffix == ".safetensors":
        found: Any = read_tensors(path).tensors
    elif path.suffix in {".pt", ".pth", ".bin"}:
        found = _load_torch(path)
    else:
        raise RecipeError(
            f"{path.name} is no file of weights that is understood; give a .safetensors, .pt or "
            ".pth file."
        )
    return _without_prefixes(_tensors_in(found, path))


def fit_state(module: nn.Module, state: Mapping[str, Tensor], *, assign: bool = False) -> None:
    """Put ``state`` into ``module`` if every name and shape fits; else nothing is changed.

    With ``assign`` the tensors themselves become the parameters (needed on the meta device) instead
    of being copied into them; a tensor under two names becomes one shared parameter.

    Raises:
        RecipeError: names what is missing, too many or of another shape, in one sentence.
    """
    own = module.state_dict(keep_vars=True)
    # Files from before torch counted the batches lack these counters; they start at zero.
    counters = [name for name in own if name.endswith("num_batches_tracked") and name not in state]
    state = {**state, **{name: torch.zeros((), dtype=torch.long) for name in counters}}
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    shapes = [
        f"{name}: {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and _differ(tensor, state[name])
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    reasons = [
        f"{len(names)} {what} ({first_names(names)})" for what, names in found.items() if names
    ]
    if reasons:
        raise RecipeError(
            f"The weights do not fit the network and its {len(own)} tensors: {', '.join(reasons)}. "
            "Choose the network, and its options, that the weights were made with."
        )
    module.load_state_dict(_shared(own, state) if assign else state, assign=assign)


def to_meta(module: nn.Module) -> nn.Module:
    """Move ``module`` itself to the meta device; other than by ``to``, shared tensors stay so."""
    made: dict[int, Tensor] = {}
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is not None and id(tensor) not in made:
                    made[id(tensor)] = _empty(tensor)
                table[name] = None if tensor is None else made[id(tensor)]
    return module


def _empty(tensor: Tensor) -> Tensor:
    empty = tensor.detach().to("meta")
    is_parameter = isinstance(tensor, nn.Parameter)
    return nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty


def _differ(own: Any, given: Any) -> bool:
    if not (isinstance(own, Tensor) and isinstance(given, Tensor)):
        return isinstance(own, Tensor) != isinstance(given, Tensor)
    return own.shape != given.shape


def _shared(own: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # load_state_dict(assign=True) wraps each plain tensor in a new Parameter, which would untie
    # shared ones; handing over one Parameter object under all its names keeps them one.
    made: dict[int, nn.Parameter] = {}
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if isinstance(own[name], nn.Parameter):
            if id(tensor) not in made:
                made[id(tensor)] = nn.Parameter(tensor.detach(), own[name].requires_grad)
            result[name] = made[id(tensor)]
        else:
            result[name] = tensor
    return result


def _load_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on protocols of pickle, decided below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(path):
            raise RecipeError(_damaged(path)) from error
        raise RecipeError(
            f"{path.name} holds more than weights: opening it would run code that came with it. "
            "Save only the weights, torch.save(network.state_dict(), ...), and load that file."
        ) from error
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise RecipeError(_damaged(path)) from error


def _is_pickle(path: Path) -> bool:
    # torch writes zip files; before version 1.6, and anyone else, the bare pickle.
    with path.open("rb") as file:
        return file.read(2).startswith((b"PK", b"\x80"))


def _damaged(path: Path) -> str:
    return f"{path.name} is truncated, damaged or not a file of torch; take it from a copy."


def _tensors_in(found: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(3):
        if not isinstance(found, Mapping):
            break
        if found and all(isinstance(value, Tensor) for value in found.values()):
            return {str(name): tensor.detach() for name, tensor in found.items()}
        inner = next((found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    raise RecipeError(
        f"{path.name} holds no table of weights, neither at its top nor under 'state_dict' or "
        "'model'; save network.state_dict() and load that file."
    )


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for _ in range(len(_PREFIXES)):
        for prefix in _PREFIXES:
            if state and all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state
