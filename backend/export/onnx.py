"""Writes a float network as an ONNX file that older runtimes read."""

from __future__ import annotations

import ast
import contextlib
import copy
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from backend.export.opset import to_opset_17
from backend.export.require import require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LOWEST_OPSET = 18  # what torch's exporter writes; 17 is reached by `to_opset_17`
_LIMIT = 2**31 - 1  # protobuf holds no larger message


class ExportError(ValueError):
    """The network cannot be written as the file that was asked for."""

    for_user = True


def export_onnx(
    module: nn.Module,
    example: Tensor,
    path: str | Path,
    *,
    opset: int = 17,
    dynamic_batch: bool = True,
    any_size: int = 0,
    input_name: str = "image",
    output_name: str = "logits",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``module`` in evaluation mode to ``path``: one input, one output, batch norm folded.

    Nodes and the tensors between them are named ``<module path>/<operator>``, which is what
    `verify` matches layers by. The file appears whole or not at all; ``module`` is not changed.

    Args:
        module: any network that ``torch.export`` can trace.
        example: an input ``(N, C, H, W)``; only its shape and dtype matter.
        path: the file to write.
        opset: 17 (read by every runtime in use) or higher.
        dynamic_batch: leave N open, named ``batch``; else N is that of ``example``.
        any_size: leave H and W open, in multiples of this; 0 fixes those of ``example``.
        input_name: name of the input.
        output_name: name of the output.
        metadata: strings to store in the file.

    Raises:
        ExportError: the network cannot be traced, or the file would exceed 2 GB.
        OpsetError: the network needs an operator that ``opset`` lacks.
    """
    model = trace(
        module,
        example,
        opset=opset,
        dynamic_batch=dynamic_batch,
        any_size=any_size,
        input_name=input_name,
        output_name=output_name,
    )
    write_model(model, path, metadata=metadata)


def trace(
    module: nn.Module,
    example: Tensor,
    *,
    opset: int,
    dynamic_batch: bool,
    input_name: str,
    output_name: str,
    any_size: int = 0,
    erase: str = "",
) -> ModelProto:
    """Return ``module`` as an ONNX model in memory; arguments as in `export_onnx`.

    ``erase`` is a component that is left out of module paths: the name under which a wrapper holds
    what it wraps.
    """
    require("onnxscript")
    if opset < 17:
        raise ExportError(f"ONNX opset {opset} is not written; the lowest is 17.")
    still = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    example = example.detach().cpu()
    axes = {}
    if dynamic_batch:
        if example.shape[0] < 2:  # torch.export takes a size of 1 for a constant
            example = example.expand(2, *example.shape[1:]).clone()
        axes[0] = torch.export.Dim("batch")
    if any_size:
        axes |= {2: any_size * torch.export.Dim("h"), 3: any_size * torch.export.Dim("w")}
    shapes = (axes,) if axes else None
    try:
        with _quiet():
            program = torch.onnx.export(
                still,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=max(opset, _LOWEST_OPSET),
                input_names=[input_name],
                output_names=[output_name],
                dynamic_shapes=shapes,
            )
    except (torch.onnx.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
        raise ExportError(_explain(error, dynamic_batch)) from error
    model = program.model_proto
    if len(model.graph.output) != 1:
        raise ExportError(
            f"The network returns {len(model.graph.output)} tensors; only networks with one output "
            "can be exported. Wrap it in a module that returns the one that is wanted."
        )
    _tidy(model, erase)
    if opset == 17:
        to_opset_17(model)
    return model


def write_model(
    model: ModelProto,
    path: str | Path,
    *,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> None:
    """Check ``model`` with the ONNX checker and put it at ``path`` atomically.

    ``check`` is off for a graph whose weights are still to be written.

    Raises:
        ExportError: the model is larger than the 2 GB that one ONNX file holds.
    """
    onnx = require("onnx")
    # The lowest IR version that the operator set allows, but 9, which every runtime in use reads.
    model.ir_version = max(9, onnx.helper.find_min_ir_version_for(model.opset_import))
    onnx.helper.set_model_props(model, dict(metadata or {}))
    if model.ByteSize() > _LIMIT:
        raise ExportError("The network is larger than 2 GB, the most that one ONNX file can hold.")
    if check:
        onnx.checker.check_model(model, full_check=True)
    write_atomic(Path(path), model.SerializeToString())


def write_atomic(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``: readers see the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        part = Path(file.name)
    try:
        part.write_bytes(content)
        part.chmod(0o644)  # temporary files are private, results are not
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _tidy(model: ModelProto, erase: str) -> None:
    """Name nodes and tensors after modules; drop what tells of the machine that exported."""
    graph = model.graph
    outside = {value.name for value in (*graph.input, *graph.output)}
    renamed = {
        tensor.name: path
        for tensor in graph.initializer
        if (path := _without(tensor.name, erase)) != tensor.name
    }
    count: Counter[str] = Counter()
    for node in graph.node:
        stem = f"{_without(_scope(node), erase)}/{node.op_type}"
        node.name = f"{stem}_{count[stem]}" if count[stem] else stem
        count[stem] += 1
        if len(node.output) == 1 and node.output[0] not in outside:
            renamed[node.output[0]] = node.name
        node.doc_string = ""
        del node.metadata_props[:]
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        renamed.clear()  # a nested graph refers to names of the outer one
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = renamed.get(value.name, value.name)
        value.doc_string = ""
        del value.metadata_props[:]
    # Types of constants repeat what the constants say.
    constants = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.value_info if value.name not in constants]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    graph.doc_string = model.doc_string = ""
    del graph.metadata_props[:]


def _scope(node: NodeProto) -> str:
    """Path of the module whose forward made ``node``; empty for the network itself."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            return ast.literal_eval(entry.value)[-2]  # the last one names the operator
    return ""


def _without(path: str, component: str) -> str:
    if not component:
        return path
    return ".".join(part for part in path.split(".") if part != component)


def _explain(error: BaseException, dynamic_batch: bool) -> str:
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    lines = [line.strip() for line in str(root).splitlines() if line.strip()]
    reason = lines[0][:300].rstrip(".") if lines else type(root).__name__
    text = f"The network cannot be traced for ONNX: {reason}."
    if dynamic_batch and ("batch" in str(root) or "Constraints violated" in str(root)):
        text += " If it works for one batch size only, export with dynamic_batch=False."
    return text


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks on missing torchvision and its own deprecated calls."""
    families = ("torch", "onnxscript", "onnx_ir")
    loggers = [logging.getLogger(name) for name in families]
    loggers += [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger) and logger.level and name.split(".")[0] in families
    ]
    loggers = list(dict.fromkeys(loggers))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
