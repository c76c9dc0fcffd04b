"""Classifiers in the transformers layout, from the hub or a folder: ``hub:ID@COMMIT``.

The configuration travels with the recipe, so a saved network is rebuilt without the hub.
``HF_HOME`` and ``HF_HUB_OFFLINE`` are honoured. Code that a repository brings is never run, and
weights are read from safetensors only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.errors import RecipeError, unknown
from backend.models.pretrained import Expects, Pretrained
from backend.models.recipe import Recipe, builder

_CONFIG = "config.json"
_PREPROCESSOR = "preprocessor_config.json"
_DEFAULT_SIZE = 224


class Logits(nn.Module):
    """A transformers classifier that takes a tensor and gives a tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W), float, to logits (N, classes)."""
        return self.network(pixel_values=x).logits


@builder("hub")
def build_hub(rest: str, files: Mapping[str, bytes]) -> nn.Module:
    """Build the classifier of the attached ``config.json``; ``rest`` tells where it came from."""
    transformers = _transformers()
    if _CONFIG not in files:
        raise RecipeError(f"The file {_CONFIG} that 'hub:{rest}' is built from is missing.")
    config = _json(files[_CONFIG], _CONFIG)
    kind = config.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise RecipeError(unknown("kind of transformers network", str(kind), _classifiers()))
    made = transformers.CONFIG_MAPPING[kind].from_dict(config)
    try:
        network = transformers.AutoModelForImageClassification.from_config(made)
    except ValueError as error:
        raise RecipeError(f"'hub:{rest}' ({kind}) is no image classifier.") from error
    return Logits(network)


def hub_network(
    source: str | Path, commit: str | None = None, *, download: bool = True
) -> Pretrained:
    """Load a classifier with its weights: a hub id such as ``microsoft/resnet-50``, or a folder.

    ``commit`` fixes the version; None takes the newest (or, offline, the cached one), and the
    recipe names the commit that was found. Without ``download`` only what is in the hub's cache on
    this computer is used.

    Raises:
        RecipeError: transformers is not installed, nothing of that name is to be had, or it is no
        image
            classifier with safetensors.
    """
    transformers = _transformers()
    folder = Path(source)
    where = str(folder) if folder.is_dir() else str(source)
    options = {
        "revision": commit or "main",
        "trust_remote_code": False,
        "local_files_only": not download,
    }
    try:
        loaded = transformers.AutoModelForImageClassification.from_pretrained(
            where, use_safetensors=True, dtype=torch.float32, **options
        )
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(_refusal(where, error)) from error
    # The loader maps the file; in memory of their own the weights are aligned like saved ones.
    for tensor in (*loaded.parameters(), *loaded.buffers()):
        tensor.data = tensor.data.clone()
    config = loaded.config
    kept = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
    files = {_CONFIG: (json.dumps(kept, indent=2, sort_keys=True) + "\n").encode()}
    preprocessor = _preprocessor(where, options["revision"])
    if preprocessor is not None:
        files[_PREPROCESSOR] = preprocessor
    if folder.is_dir():
        name, found = folder.resolve().name, f"sha256-{_weights_sha256(folder)}"
    else:
        name, found = where, getattr(config, "_commit_hash", None) or options["revision"]
    recipe = Recipe(f"hub:{name}@{found}", files=files)
    return Pretrained(
        Logits(loaded).eval(), recipe, _expects(preprocessor, config), _classes(config)
    )


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise RecipeError(
            "Networks of the hub need the package transformers; install it with "
            "'pip install fretsaw[hub]'."
        ) from error
    return transformers


def _classifiers() -> list[str]:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as NAMES,
    )

    return list(NAMES)


def _refusal(where: str, error: Exception) -> str:
    reason = str(error).split("\n")[0].strip()
    return (
        f"{where} cannot be loaded as an image classifier with safetensors weights ({reason}). "
        "Check the name; without a network (or with HF_HUB_OFFLINE set) it must be in the hub's "
        "cache, or give a folder that holds config.json and model.safetensors."
    )


def _preprocessor(where: str, revision: str) -> bytes | None:
    from transformers.utils import cached_file

    path = cached_file(
        where,
        _PREPROCESSOR,
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return Path(path).read_bytes() if path else None


def _expects(preprocessor: bytes | None, config: Any) -> Expects | None:
    if preprocessor is None:
        return None
    data = _json(preprocessor, _PREPROCESSOR)
    size = data.get("crop_size") or data.get("size") or _DEFAULT_SIZE
    if isinstance(size, dict):
        edge = size.get("shortest_edge", _DEFAULT_SIZE)
        height, width = size.get("height", edge), size.get("width", edge)
    else:
        height = width = size
    channels = int(getattr(config, "num_channels", 3))
    mean = data.get("image_mean") if data.get("do_normalize", True) else None
    std = data.get("image_std") if data.get("do_normalize", True) else None
    return Expects(
        int(height),
        int(width),
        tuple(map(float, mean or (0.0,) * channels)),
        tuple(map(float, std or (1.0,) * channels)),
        channels,
    )


def _classes(config: Any) -> tuple[str, ...]:
    return tuple(str(name) for _, name in sorted(config.id2label.items()))


def _weights_sha256(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        total.update(path.read_bytes())
    return total.hexdigest()


def _json(content: bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise RecipeError(f"{name} is damaged: it is no JSON object.")
    return data
