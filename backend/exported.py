"""Artifacts of generators: an ONNX file and what a device must know to feed and to show it."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.core.artifact import Artifact, TensorSpec, file_sha256
from backend.core.errors import FretsawError
from backend.core.files import write_atomic
from backend.data.preprocess import ImageInput
from backend.export.verify import golden_path
from backend.values import Generator

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TASK = "image_to_image"
THUMB = 96  # pixels
_JPEG = 80


def generator_artifact(
    model: Generator,
    path: Path,
    *,
    node: str,
    dynamic_batch: bool,
    any_size: bool,
    facts: dict[str, Any],
    weights: Path | None = None,
    thumb: Path | None = None,
) -> Artifact:
    """Describe the file at ``path``, its golden pair beside it, as an artifact."""
    image = model.image
    size = (None, None) if any_size else (image.height, image.width)
    shape = (None if dynamic_batch else 1, 3, *size)
    found: dict[str, Any] = {
        "task": TASK,
        "label": model.label,
        "image": asdict(image),
        "output": {"low": model.low, "high": model.high},
        "multiple": model.multiple if any_size else 1,
        "bytes": path.stat().st_size,
        "node": node,
        "epochs": model.facts.get("epochs"),
        **facts,
    }
    if weights is not None:
        size_of = weights.stat().st_size
        found["weights"] = {
            "path": weights.name,
            "sha256": file_sha256(weights),
            "bytes": size_of,
        }
        found["bytes"] += size_of
    if thumb is not None:
        found["thumb"] = thumb.name
    return Artifact.of(
        path,
        "onnx",
        TensorSpec("image", shape, "float32"),
        TensorSpec("edited", shape, "float32"),
        golden=golden_path(path),
        facts=found,
    )


def metadata_of(model: Generator) -> dict[str, str]:
    """Return the strings that the file itself carries."""
    return {
        "fretsaw.label": model.label,
        "fretsaw.task": TASK,
        "fretsaw.image": json.dumps(asdict(model.image)),
        "fretsaw.output": json.dumps([model.low, model.high]),
        "fretsaw.recipe": json.dumps(model.recipe.to_json()),
    }


def tolerance_of(model: Generator) -> float:
    """Return the largest error allowed of a file: 1e-4 for outputs in -1 .. 1."""
    return 1e-4 * abs(model.high - model.low) / 2


def gmacs_of(module: nn.Module, image: ImageInput) -> float:
    """Return the multiply-accumulates of one picture of the network's size, in billions."""
    from backend.profile import profile

    example = torch.zeros(1, image.channels, image.height, image.width)
    return profile(module, example).macs / 1e9


def random_pictures(image: ImageInput, count: int, seed: int) -> Tensor:
    """Return random inputs (count, C, H, W) float32 of the network's size."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, image.height, image.width, image.channels)
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return image.to_float(pixels).contiguous()


def write_thumb(edited: np.ndarray, path: Path, side: int = THUMB) -> Path:
    """Write one picture (H, W, 3) uint8 as a JPEG of at most ``side`` pixels; return ``path``."""
    from PIL import Image

    picture = Image.fromarray(edited)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG, optimize=True)
    write_atomic(path, buffer.getvalue())
    return path


class FileEdit(nn.Module):
    """An exported generator as a network: runs in ONNX Runtime, a batch of its size at a time."""

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        """Open the file as it is written, QDQ pairs in float, as a phone's exact kernels compute.

        Raises:
            FretsawError: it is no file that edits pictures.
            FileError: it cannot be opened.
        """
        from backend.export.runtime import session

        super().__init__()
        facts = artifact.facts
        if facts.get("task") != TASK:
            raise FretsawError(
                f"{artifact.path.name} does not edit pictures.",
                "Link a file that was exported from a generator, or use Evaluate exported file.",
            )
        self.image = ImageInput(**facts["image"])
        self.low, self.high = float(facts["output"]["low"]), float(facts["output"]["high"])
        self.any_size = artifact.input.shape[2] is None
        self.multiple = int(facts.get("multiple", 1))
        self._batch = artifact.input.shape[0]
        self._name = artifact.input.name
        self._run: InferenceSession = session(artifact.path, optimize=False, threads=threads)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the same shape."""
        parts = x.split(self._batch) if self._batch else [x]
        answers = [self._run.run(None, {self._name: _dense(part)})[0] for part in parts]
        return torch.from_numpy(np.concatenate(answers))


def _dense(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.detach().cpu().numpy())
