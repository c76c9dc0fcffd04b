"""Exports networks as ONNX files and checks them against the network in ONNX Runtime."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from backend.core.artifact import TensorSpec
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.files import slug
from backend.core.node import Params, node
from backend.core.views import Verdict
from backend.data.batches import spread_pictures
from backend.data.vision import open_split
from backend.export.verify import Parity, ParityError, golden, golden_path, verify
from backend.exported import random_pictures
from backend.fields import Checked, OpenBatch, Tolerance
from backend.values import Artifact, Classifier, Data, Generator, Pairs


class OnnxParams(Params):
    """How to export."""

    opset: Literal[17, 18, 19, 20, 21] = Field(
        default=17,
        title="Operator set",
        description="Version of the operator set; 17 is read by every runtime in use.",
    )
    dynamic_batch: OpenBatch = True
    any_size: bool = Field(
        default=False,
        title="Any picture size",
        description="Leave height and width open, for a network that edits pictures.",
    )
    checked: Checked = 256
    tolerance: Tolerance = None


@node("export.onnx", title="Export ONNX", views=("verdict",))
def export_float(
    ctx: Context,
    p: OnnxParams,
    model: Classifier | Generator,
    data: Data | Pairs | None = None,
) -> Artifact:
    """Write a float ONNX file and check it against the network, picture by picture.

    The check uses validation pictures of the linked data or pairs, else random ones. A file that
    disagrees fails the node and names the layer. Batch norms are folded into convolutions.
    """
    from backend.export.onnx import export_onnx

    if isinstance(model, Generator):
        from backend.methods.export_generator import export_generator

        return export_generator(ctx, p, model, data)
    if isinstance(data, Pairs):
        raise FretsawError(
            f'"{model.label}" tells classes apart; pairs of pictures are no use to it.',
            "Link the data that it was trained on.",
        )
    if p.any_size:
        raise FretsawError(
            f'"{model.label}" tells classes apart, at one picture size.',
            'Switch "Any picture size" off.',
        )
    inputs = _inputs(model, data, p.checked, ctx.seed)
    path = ctx.folder / f"{slug(model.label)}.onnx"
    module = copy.deepcopy(model.module).cpu().eval()
    export_onnx(
        module,
        inputs[:2],
        path,
        opset=p.opset,
        dynamic_batch=p.dynamic_batch,
        metadata=_metadata(model),
    )
    return _verified(ctx, model, module, path, inputs, "onnx", p.tolerance, ())


class QdqParams(Params):
    """How to export."""

    weights: Literal["int8", "uint8"] = Field(
        default="int8",
        title="Weight type",
        description="How weights are stored; uint8 avoids saturation on x86 without VNNI.",
    )
    opset: Literal[17, 18, 19, 20, 21] = Field(
        default=17,
        title="Operator set",
        description="Version of the operator set; above 8 bits needs 21.",
    )
    dynamic_batch: OpenBatch = True
    checked: Checked = 256
    tolerance: Tolerance = None


@node("export.qdq", title="Export ONNX QDQ", views=("verdict",))
def export_quantized(
    ctx: Context, p: QdqParams, model: Classifier, data: Data | None = None
) -> Artifact:
    """Write a quantized network as ONNX with QuantizeLinear and DequantizeLinear, and check it.

    Weights are stored as integers, biases as 32-bit integers, scales as the network describes them.
    """
    from backend.export.qdq import export_qdq

    if not hasattr(model.module, "lowered"):
        raise FretsawError(
            f'"{model.label}" is not quantized.', "Use Export ONNX, or quantize it before."
        )
    inputs = _inputs(model, data, p.checked, ctx.seed)
    path = ctx.folder / f"{slug(model.label)}.qdq.onnx"
    lowered = copy.deepcopy(model.module).cpu().eval().lowered()
    notes = export_qdq(
        lowered,
        inputs[:2],
        path,
        weight_type=p.weights,
        opset=p.opset,
        dynamic_batch=p.dynamic_batch,
        metadata=_metadata(model),
    )
    return _verified(ctx, model, lowered, path, inputs, "onnx-qdq", p.tolerance, notes)


def _verified(
    ctx: Context,
    model: Classifier,
    module: nn.Module,
    path: Path,
    inputs: Tensor,
    format: str,
    tolerance: float | None,
    notes: tuple[str, ...],
) -> Artifact:
    parity = checked(ctx, module, path, inputs, tolerance)
    for note in (*notes, *([parity.warning] if parity.warning else [])):
        ctx.log(note, level="warning")
    golden(path, inputs[:1])
    show(ctx, parity, path)
    shape = (None, model.image.channels, model.image.height, model.image.width)
    return Artifact.of(
        path,
        format,
        TensorSpec("image", shape, "float32"),
        TensorSpec("logits", (None, len(model.classes)), "float32"),
        golden=golden_path(path),
        facts={
            "label": model.label,
            "classes": list(model.classes),
            "image": asdict(model.image),
            "epochs": model.facts.get("epochs"),
            "parity": {k: v for k, v in asdict(parity).items() if v is not None},
        },
    )


def checked(
    ctx: Context, module: nn.Module, path: Path, inputs: Tensor, tolerance: float | None
) -> Parity:
    """Compare the file with the network; show that they disagree before it is an error.

    Raises:
        ParityError: they do.
    """
    try:
        return verify(module, path, inputs, tolerance=tolerance)
    except ParityError as error:
        verdict = Verdict(
            title="Parity with ONNX Runtime",
            caption=str(error),
            claim=f"{path.name} computes what the network computes",
            holds=False,
            samples=len(inputs),
        )
        ctx.view(verdict, name="parity")
        raise


def show(ctx: Context, parity: Parity, path: Path, *, classes: bool = True) -> None:
    """Report how far the file is from the network; ``classes``: they tell classes apart."""
    agreement = {"same answer, %": 100 * parity.argmax_agreement} if classes else {}
    ctx.metric(
        0,
        max_error=parity.max_error,
        optimized_max_error=parity.optimized_max_error,
        bytes=path.stat().st_size,
        **({"agreement": 100 * parity.argmax_agreement} if classes else {}),
    )
    ctx.view(
        Verdict(
            title="Parity with ONNX Runtime",
            caption="The file, run as it is written, against the network on the same pictures.",
            claim=f"{path.name} computes what the network computes",
            holds=parity.passed,
            evidence={
                "largest error": parity.max_error,
                "mean error": parity.mean_error,
                "tolerance": parity.tolerance,
                **agreement,
                "largest error, optimised": parity.optimized_max_error,
            },
            samples=parity.samples,
        ),
        name="parity",
    )


def _inputs(model: Classifier, data: Data | None, count: int, seed: int) -> Tensor:
    if data is None:
        return random_pictures(model.image, min(count, 16), seed)
    return spread_pictures(open_split(data.manifest, "val"), model.image, count)


def _metadata(model: Classifier) -> dict[str, str]:
    return {
        "fretsaw.label": model.label,
        "fretsaw.classes": json.dumps(list(model.classes)),
        "fretsaw.image": json.dumps(asdict(model.image)),
        "fretsaw.recipe": json.dumps(model.recipe.to_json()),
    }
