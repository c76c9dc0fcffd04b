"""Compares an ONNX file with the torch module that it was made from, layer by layer if need be."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from backend.export.onnx import write_atomic
from backend.export.require import require
from backend.export.runtime import FileError, has_saturating_int8, session

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

_NOISE = 2.0**-20  # relative difference between two float32 orders of summation, at most
_TINY = 1e-6  # outputs below are as good as zero
_LAYER_SAMPLES = 8  # inputs for which every layer is compared


class ParityError(RuntimeError):
    """The file computes something else than the module."""

    for_user = True
    exit_code = 4


@dataclass(frozen=True)
class Parity:
    """How far an ONNX file is from its torch module; errors are absolute, in output units."""

    max_error: float
    mean_error: float
    argmax_agreement: float
    """Share of samples with the same largest output, 0 to 1."""
    samples: int
    tolerance: float
    optimized_max_error: float
    """Largest error with all of ONNX Runtime's optimisations, which is what users run."""
    saturates: bool
    """The optimised run on this processor is off because its 8-bit kernels saturate in 16 bits."""
    worst_layer: str | None
    """Module path at which the error enters, if any layer could be matched."""
    worst_layer_error: float
    """Largest error of that layer, relative to the largest value it puts out."""

    @property
    def passed(self) -> bool:
        """Whether the file, run as it is written, agrees with the module."""
        return self.max_error <= self.tolerance

    @property
    def warning(self) -> str | None:
        """What the user should know although the file is right; None if there is nothing."""
        if self.saturates:
            return (
                f"On this computer ONNX Runtime's 8-bit kernels saturate (error "
                f"{self.optimized_max_error:.3g} instead of {self.max_error:.3g}): the processor "
                "lacks VNNI. The file is right and other devices run it right. Export with "
                "weight_type='uint8' or with 7-bit weights, or switch graph optimisations off."
            )
        if self.optimized_max_error > max(self.tolerance, 2 * self.max_error):
            return (
                f"With graph optimisations the error is {self.optimized_max_error:.3g} instead of "
                f"{self.max_error:.3g}: the runtime's fused kernels round differently."
            )
        return None


def verify(
    module: nn.Module,
    path: str | Path,
    inputs: Tensor,
    *,
    tolerance: float | None = None,
    batch: int = 32,
) -> Parity:
    """Compare the file at ``path`` with ``module`` on ``inputs`` (N, C, H, W).

    The verdict is on the graph run as it is written, QDQ pairs in float; the optimised run is
    reported beside it.

    Args:
        module: the network, used in evaluation mode and not changed. For a quantized network the
            form that was exported: ``network.lowered()``.
        path: the ONNX file.
        inputs: samples, real ones if there are any.
        tolerance: largest error allowed. None: 1e-4 of the largest output. Where
            scales are not powers of two, a sum half way between two codes may be rounded to either,
            so allow one step of the last quantizer there.
        batch: samples at a time, if the batch size of the file is open.

    Raises:
        ParityError: the error exceeds ``tolerance``; the message names the worst layer.
        FileError: the file cannot be opened, or wants other inputs.
    """
    parity = _compare(module, Path(path), inputs.detach().cpu(), tolerance, batch)
    if not parity.passed:
        raise ParityError(_verdict(Path(path).name, parity))
    return parity


def _compare(
    module: nn.Module, path: Path, inputs: Tensor, tolerance: float | None, batch: int
) -> Parity:
    plain = session(path, optimize=False)
    wanted = _torch_outputs(module, inputs, batch)
    have = _run(plain, inputs, batch)
    if have.shape != wanted.shape:
        raise ParityError(
            f"{path.name} returns the shape {have.shape}, the network {wanted.shape}."
        )
    if tolerance is None:
        tolerance = 1e-4 * max(_TINY, float(np.abs(wanted).max(initial=0.0)))
    error = _distance(have, wanted)
    largest = float(error.max(initial=0.0))
    drift = float(_distance(_run(session(path), inputs, batch), wanted).max(initial=0.0))
    model = require("onnx").load(str(path))
    layer, layer_error = worst_layer(module, model, inputs[: _fixed(plain) or _LAYER_SAMPLES])
    return Parity(
        max_error=largest,
        mean_error=float(error.mean()),
        argmax_agreement=float((have.argmax(1) == wanted.argmax(1)).mean()),
        samples=len(inputs),
        tolerance=tolerance,
        optimized_max_error=drift,
        saturates=drift > max(tolerance, 2 * largest)
        and _has_signed_weights(model)
        and has_saturating_int8(),
        worst_layer=layer,
        worst_layer_error=layer_error,
    )


def worst_layer(module: nn.Module, model: ModelProto, inputs: Tensor) -> tuple[str | None, float]:
    """Find where the error enters: the module path and its error relative to its largest output.

    Outputs of all leaf modules are compared with those of the nodes named after them. Errors travel
    on, and may grow on their way; so the answer is the first layer, in order of execution, whose
    error stands out from float noise, not the one with the largest.
    """
    errors = layer_errors(module, model, inputs)
    if not any(errors.values()):
        return None, 0.0
    largest = max(errors, key=errors.__getitem__)
    threshold = math.sqrt(_NOISE * errors[largest])  # half way, in orders of magnitude
    if errors[largest] <= _NOISE:
        return largest, errors[largest]
    return next((name, value) for name, value in errors.items() if value >= threshold)


def layer_errors(module: nn.Module, model: ModelProto, inputs: Tensor) -> dict[str, float]:
    """Relative error of every leaf module that has a node of its name, in order of execution."""
    onnx = require("onnx")
    outputs = _leaf_outputs(module, inputs)
    extended = type(model)()
    extended.CopyFrom(model)
    nodes: dict[str, list[str]] = defaultdict(list)
    for node in extended.graph.node:
        if "/" in node.name and node.output:
            nodes[node.name.rpartition("/")[0]].append(node.output[0])
    there = {value.name for value in extended.graph.output}
    pairs: list[tuple[str, Tensor, str]] = []
    for name, calls in outputs.items():
        names = nodes.get(name, [])
        if not names or len(names) % len(calls):
            continue
        share = len(names) // len(calls)  # nodes that one call is made of; its last is the result
        pairs += [(name, call, names[(i + 1) * share - 1]) for i, call in enumerate(calls)]
    wanted = dict.fromkeys(tensor for _, _, tensor in pairs if tensor not in there)
    extended.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in wanted)
    run = session(extended.SerializeToString(), optimize=False)
    feed = {run.get_inputs()[0].name: inputs.numpy()}
    values = dict(zip([o.name for o in run.get_outputs()], run.run(None, feed), strict=True))
    errors: dict[str, float] = {}
    for name, call, tensor in pairs:
        reference, value = call.numpy(), values[tensor]
        if reference.shape != value.shape:
            continue
        scale = max(float(np.abs(reference).max(initial=0.0)), _TINY)
        error = float(_distance(value, reference).max(initial=0.0)) / scale
        errors[name] = max(error, errors.get(name, 0.0))
    return errors


def golden(path: str | Path, inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Run ``inputs`` (N, C, H, W) through the file as it is written and keep the pair beside it.

    Written to ``<name>.golden.npz`` as ``input`` and ``output``: a device that runs the file
    compares its own output with it, and so reports its own error.
    """
    image = np.ascontiguousarray(inputs.detach().cpu().numpy())
    output = _run(session(path, optimize=False), torch.from_numpy(image), len(image))
    buffer = io.BytesIO()
    np.savez(buffer, input=image, output=output)
    write_atomic(golden_path(path), buffer.getvalue())
    return image, output


def golden_path(path: str | Path) -> Path:
    """Where the golden pair of the file at ``path`` lies."""
    return Path(path).with_suffix(".golden.npz")


def _run(run: InferenceSession, inputs: Tensor, batch: int) -> np.ndarray:
    entry = run.get_inputs()[0]
    size = _fixed(run) or batch
    if entry.shape[1:] != list(inputs.shape[1:]) and all(
        isinstance(n, int) for n in entry.shape[1:]
    ):
        raise FileError(f"The file wants inputs {entry.shape}, not {list(inputs.shape)}.")
    if len(inputs) == 0 or (_fixed(run) and len(inputs) % size):
        raise FileError(f"The file takes {size} samples at a time; {len(inputs)} were given.")
    parts = [run.run(None, {entry.name: part.numpy()})[0] for part in inputs.split(size)]
    return np.concatenate(parts)


def _fixed(run: InferenceSession) -> int:
    """Batch size of the file; 0 if it is open."""
    size = run.get_inputs()[0].shape[0]
    return size if isinstance(size, int) else 0


def _torch_outputs(module: nn.Module, inputs: Tensor, batch: int) -> np.ndarray:
    with _evaluating(module) as device, torch.no_grad():
        parts = [module(part.to(device)).cpu() for part in inputs.split(batch)]
    return torch.cat(parts).numpy()


def _leaf_outputs(module: nn.Module, inputs: Tensor) -> dict[str, list[Tensor]]:
    """Outputs of all leaf modules, one a call, in order of first execution."""
    outputs: dict[str, list[Tensor]] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
            if isinstance(output, Tensor) and output.is_floating_point():
                # A copy, since a ReLU in place may follow.
                outputs.setdefault(name, []).append(output.detach().to("cpu", copy=True))

        return hook

    leaves = [(n, m) for n, m in module.named_modules() if not any(True for _ in m.children())]
    handles = [leaf.register_forward_hook(keep(name)) for name, leaf in leaves]
    try:
        with _evaluating(module) as device, torch.no_grad():
            module(inputs.to(device))
    finally:
        for handle in handles:
            handle.remove()
    return outputs


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[torch.device]:
    """Put ``module`` in evaluation mode for a while; gives the device it lies on."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    first = next(module.parameters(), None)
    try:
        yield first.device if first is not None else torch.device("cpu")
    finally:
        for part in training:
            part.training = True


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Absolute differences; infinite where only one is a number."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return np.where(np.isnan(apart) & ~((a == b) | (np.isnan(a) & np.isnan(b))), np.inf, apart)


def _has_signed_weights(model: ModelProto) -> bool:
    """Whether a constant is stored as int8 and dequantized."""
    codes = {tensor.name for tensor in model.graph.initializer if tensor.data_type == 3}  # INT8
    nodes = (node for node in model.graph.node if node.op_type == "DequantizeLinear")
    return any(node.input[0] in codes for node in nodes)


def _verdict(name: str, parity: Parity) -> str:
    text = (
        f"{name} does not compute what the network computes: largest error {parity.max_error:.3g}, "
        f"allowed {parity.tolerance:.3g}, over {parity.samples} samples."
    )
    if parity.worst_layer is None:
        return f"{text} No layer of the file could be matched with one of the network."
    return (
        f"{text} The error enters at layer {parity.worst_layer!r} "
        f"(relative error {parity.worst_layer_error:.3g})."
    )
