"""Exports networks that edit pictures; the node is ``export.onnx``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.files import slug
from backend.data.manifest import DataError, ImageSet, Split
from backend.data.pairs import PairSet, open_pairs
from backend.data.vision import open_split
from backend.export.verify import ParityError, golden
from backend.exported import (
    generator_artifact,
    gmacs_of,
    metadata_of,
    random_pictures,
    tolerance_of,
    write_thumb,
)
from backend.models.editing import edit_as
from backend.values import Artifact, Data, Generator, Pairs

if TYPE_CHECKING:
    from backend.methods.export import OnnxParams

_MOST = 8  # pictures: each is a whole picture of errors
_RANDOM = 4


def export_generator(
    ctx: Context, p: OnnxParams, model: Generator, data: Data | Pairs | None
) -> Artifact:
    """Write ``model`` as a float ONNX file, checked on pictures, with a golden pair and a thumb."""
    from backend.export.fold import folded
    from backend.export.onnx import export_onnx
    from backend.methods.export import checked, show

    if p.any_size and not model.any_size:
        raise FretsawError(
            f'"{model.label}" edits pictures of one size only.',
            'Switch "Any picture size" off.',
        )
    pictures = pictures_of(data, min(p.checked, _MOST))
    if pictures is None:
        inputs = random_pictures(model.image, min(p.checked, _RANDOM), ctx.seed)
    else:
        inputs = model.image.batch(pictures).contiguous()
    module = folded(model.module)
    path = ctx.folder / f"{slug(model.label)}.onnx"
    ctx.progress(0, 3)
    export_onnx(
        module,
        inputs[:1],
        path,
        opset=p.opset,
        dynamic_batch=p.dynamic_batch,
        any_size=model.multiple if p.any_size else 0,
        output_name="edited",
        metadata=metadata_of(model),
    )
    ctx.progress(1, 3)
    tolerance = tolerance_of(model) if p.tolerance is None else p.tolerance
    fixed = inputs if p.dynamic_batch else inputs[:1]
    parity = checked(ctx, module, path, fixed, tolerance)
    ctx.progress(2, 3)
    _require_equal(model, module, fixed, tolerance)
    if parity.warning:
        ctx.log(parity.warning, level="warning")
    golden(path, inputs[:1])
    show(ctx, parity, path, classes=False)
    thumb = None
    if pictures is not None:
        edited, _ = edit_as(model, module, pictures[:1])
        thumb = write_thumb(edited[0], path.with_suffix(".thumb.jpg"))
        ctx.image("before, after", np.concatenate([pictures[0], edited[0]], 1))
    gmacs = gmacs_of(module, model.image)
    ctx.metric(0, gmacs=gmacs)
    ctx.progress(3, 3)
    told = {k: v for k, v in asdict(parity).items() if v is not None and k != "argmax_agreement"}
    return generator_artifact(
        model,
        path,
        node=ctx.node,
        dynamic_batch=p.dynamic_batch,
        any_size=p.any_size,
        facts={"gmacs": gmacs, "parity": told},
        thumb=thumb,
    )


def _require_equal(
    model: Generator, module: torch.nn.Module, inputs: torch.Tensor, tolerance: float
) -> None:
    """Check that folding batch norms changed nothing that can be seen."""
    import copy

    with torch.no_grad():
        before = copy.deepcopy(model.module).cpu().eval()(inputs)
        error = float((before - module(inputs)).abs().max())
    if not error <= tolerance:
        raise ParityError(
            f'The exported "{model.label}" differs by {error:.3g} from the network, allowed is '
            f"{tolerance:.3g}: its batch norms cannot be folded into the convolutions."
        )


def pictures_of(data: Data | Pairs | None, count: int) -> np.ndarray | None:
    """Return validation pictures, or training ones where there are none: (N, H, W, 3) uint8."""
    if data is None:
        return None
    found: PairSet | ImageSet
    for split in _SPLITS:
        try:
            if isinstance(data, Pairs):
                found = open_pairs(data.manifest, split)
            else:
                found = open_split(data.manifest, split)
        except DataError:
            if split == _SPLITS[-1]:
                raise
            continue
        chosen = np.unique(np.linspace(0, len(found) - 1, count).astype(np.int64))
        taken = found.take(chosen)
        pixels = taken[0] if isinstance(taken, tuple) else taken
        return np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    return None


_SPLITS: Sequence[Split] = ("val", "train")
