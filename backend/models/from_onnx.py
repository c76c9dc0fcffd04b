"""ONNX files as networks of torch: ``onnx:SHA256``.

The importer makes a torch.fx graph whose layers are those of torch (``Conv2d``, ``Linear``,
``BatchNorm2d``, ``ReLU`` ...), so that whatever works on layers works on an imported network too.
The file travels with the recipe as ``SHA256.onnx``. An operator that is not in the list is refused
by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from backend.models import onnx_layers, onnx_ops, onnx_resize  # noqa: F401  (they register operators)
from backend.models.errors import RecipeError, first_names
from backend.models.onnx_graph import OPERATORS, OnnxError, Site, Sizes, Target, Value
from backend.models.onnx_sizes import compute_sizes
from backend.models.recipe import Recipe, builder
from backend.models.state import to_meta
from backend.models.tensors import read_bytes

OPSETS = range(11, 22)

_STANDARD = {"", "ai.onnx"}


def operators() -> list[str]:
    """Return the names of all ONNX operators that are understood."""
    return sorted(OPERATORS)


def import_onnx(source: str | Path | bytes) -> tuple[fx.GraphModule, Recipe]:
    """Read an ONNX file: the network with its weights, in evaluation mode, and its recipe.

    Tensors kept in files beside it are taken in. A batch size fixed by the export becomes free
    where nothing but reshapes depends on it.

    Raises:
        OnnxError: no ONNX file, another opset than 11 to 21, or operators that are not understood;
        the
            message names them and the nodes.
    """
    data = source if isinstance(source, bytes) else _with_external(Path(source))
    network = _convert(_parse(data))
    sha256 = hashlib.sha256(data).hexdigest()
    return network, Recipe(f"onnx:{sha256}", files={f"{sha256}.onnx": data})


@builder("onnx")
def build_onnx(rest: str, files: Mapping[str, bytes]) -> nn.Module:
    """Build the network of the attached file whose SHA-256 is ``rest``."""
    data = files.get(f"{rest}.onnx")
    if data is None:
        raise RecipeError(f"The file {rest[:80]}.onnx that the network is built from is missing.")
    if hashlib.sha256(data).hexdigest() != rest:
        raise RecipeError(
            f"The file {rest[:80]}.onnx is not the one that the network was made from."
        )
    device = torch.get_default_device()
    # Constants are computed with while building, which the meta device cannot do.
    with torch.device("cpu"):
        network = _convert(_parse(data))
    return to_meta(network) if device.type == "meta" else network.to(device)


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise RecipeError(
            "ONNX files need the package onnx; install it with 'pip install onnx'."
        ) from error
    return onnx


def _with_external(path: Path) -> bytes:
    data = read_bytes(path)
    model = _decode(data)
    # Nothing taken in: the file is the recipe's byte for byte.
    return model.SerializeToString(deterministic=True) if _take_in(model, path.parent) else data


def _take_in(model: Any, folder: Path) -> bool:
    """Read the tensors that lie in files of their own; tell whether there were any."""
    onnx = _onnx()
    from onnx.external_data_helper import load_external_data_for_model, uses_external_data

    if not any(uses_external_data(one) for one in model.graph.initializer):
        return False
    try:
        load_external_data_for_model(model, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise OnnxError(f"The tensors beside the ONNX file cannot be read: {error}") from error
    return True


def load_model(data: bytes, folder: Path | None = None) -> Any:
    """Return the model of an ONNX file, tensors in files in ``folder`` taken in.

    Raises:
        OnnxError: no ONNX file, or a tensor beside it cannot be read.
    """
    model = _decode(data)
    if folder is not None:
        _take_in(model, folder)
    return model


def _decode(data: bytes) -> Any:
    onnx = _onnx()
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's exception depends on which of its versions is installed
        raise OnnxError("The file is truncated, damaged or no ONNX file.") from error
    if not model.graph.node:
        raise OnnxError("The file is no ONNX network: it holds no nodes.")
    return model


def _parse(data: bytes) -> Any:
    """Return the checked model with its local functions written out and shapes inferred."""
    onnx = _onnx()
    model = _decode(data)
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    versions = [one.version for one in model.opset_import if one.domain in _STANDARD]
    if not versions or versions[0] not in OPSETS:
        raise OnnxError(
            f"The file has the opset {versions[0] if versions else 'of another domain'}; "
            f"understood are {OPSETS[0]} to {OPSETS[-1]}. Export it again with opset_version=17."
        )
    _refuse_unknown(model)
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise OnnxError(f"The ONNX network contradicts itself: {str(error).strip()}") from error


def _refuse_unknown(model: Any) -> None:
    unknown: dict[str, list[str]] = {}
    for i, node in enumerate(model.graph.node):
        if node.op_type not in OPERATORS or node.domain not in _STANDARD:
            kind = node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"
            unknown.setdefault(kind, []).append(node.name or f"node {i}")
    if unknown:
        listed = "; ".join(
            f"{kind} in {first_names(names, 8)}" for kind, names in sorted(unknown.items())
        )
        hint = ""
        if {"QuantizeLinear", "DequantizeLinear", "ConvInteger", "QLinearConv"} & set(unknown):
            hint = " The network is quantized already; give its float version."
        raise OnnxError(f"The ONNX file uses operators that are not understood: {listed}.{hint}")


def _convert(model: Any) -> fx.GraphModule:
    onnx = _onnx()
    target, values = Target(), {}
    for one in model.graph.initializer:
        values[one.name] = _tensor(onnx, one)
        target.initializers[id(values[one.name])] = one.name
    shapes = _shapes(model)
    inputs = [one.name for one in model.graph.input if one.name not in values]
    for name in inputs:
        values[name] = target.graph.placeholder(target.free_name(name))
    batch = (shapes.get(inputs[0]) or (None,))[0] if inputs else None
    opset = next(one.version for one in model.opset_import if one.domain in _STANDARD)
    for i, node in enumerate(model.graph.node):
        site = Site(
            target,
            node.op_type,
            _label(node, i),
            [_value(values, name) for name in node.input],
            {one.name: _attribute(onnx, one) for one in node.attribute},
            [shapes.get(name) for name in node.input],
            list(node.output),
            opset,
            batch,
        )
        values.update(zip(node.output, _results(site), strict=False))
    outputs = tuple(_output(target, _value(values, one.name)) for one in model.graph.output)
    target.graph.output(outputs[0] if len(outputs) == 1 else outputs)
    target.graph.lint()
    return fx.GraphModule(target.root, target.graph, "OnnxNetwork").eval()


def _results(site: Site) -> list[Value]:
    try:
        result = None
        if any(isinstance(value, Sizes) for value in site.inputs):
            result = compute_sizes(site)
        if result is None:
            result = OPERATORS[site.kind](site)
    except OnnxError:
        raise
    except (
        ValueError,
        TypeError,
        RuntimeError,
        IndexError,
        KeyError,
        NotImplementedError,
    ) as error:
        site.refuse(f"cannot be converted ({type(error).__name__}: {str(error).splitlines()[0]})")
    return result if isinstance(result, list) else [result]


def _value(values: dict[str, Value], name: str) -> Value:
    if name and name not in values:
        raise OnnxError(f"The ONNX network contradicts itself: nothing computes {name!r}.")
    return values[name] if name else None


def _output(target: Target, value: Value) -> fx.Node:
    if isinstance(value, Sizes) or value is None:
        raise OnnxError("The ONNX network gives sizes out, which is not understood.")
    return target.attribute(value) if isinstance(value, Tensor) else value


def _label(node: Any, index: int) -> str:
    return node.name or f"{node.op_type}_{index}"


def _tensor(onnx: Any, proto: Any) -> Tensor:
    import numpy as np

    try:
        array = onnx.numpy_helper.to_array(proto)
        # A copy: torch wants to own memory that it may write to.
        return torch.from_numpy(np.array(array))
    except (TypeError, ValueError, OSError) as error:
        raise OnnxError(
            f"The tensor {proto.name!r} of the ONNX file cannot be read: {error}."
        ) from error


def _attribute(onnx: Any, proto: Any) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return _tensor(onnx, value)
    return list(value) if not isinstance(value, (int, float, str)) else value


def _shapes(model: Any) -> dict[str, tuple[int | None, ...]]:
    known = {}
    for one in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        kind = one.type.tensor_type
        if kind.HasField("shape"):
            known[one.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim
            )
    return known
