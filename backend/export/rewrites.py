"""Rewrites of graphs that make generators faster where one thread of WASM computes them.

Weights stay as they are, and are added up or turned in the graph itself, so weights that a graph is
told with every picture need not be known. Results are the same up to rounding.

*Up-sampling joined with its convolution.* A pixel that nearest up-sampling has doubled is read
twice by the 3 x 3 convolution behind it; the two weights can be added before. Each of the four
places of an output pixel in its square of two by two has 2 x 2 weights then: 16 products for four
pixels instead of 36, and no large picture in between. With rows: place 0 reads pixels i - 1, i with
the weights k0, k1 + k2; place 1 reads i, i + 1 with k0 + k1, k2. Reflecting an up-sampled picture
by one repeats its edge, so the small one's edge is repeated.

*Rows of a convolution with few outputs.* The last one of a generator has 3 outputs and reads 7 x 7
pixels: a product of 3 long rows, for which kernels are not made, and much copying of windows. As
seven convolutions of 1 x 7 at once, 21 outputs, and the sum of their rows it is the same.

*Attention in parts.* The scores of 1,024 positions in 4 heads take 16 MB, which are written and
read four times. A part of the queries after the other they stay in the processor's cache.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.export.require import require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_FEW = 4
"""Outputs up to which a convolution is computed row by row."""
_WIDE = 5
"""Weights of a row from which on that pays."""
_MOST_SCORES = 2**20
"""Scores of attention above which it is computed in parts."""
_PARTS = 4
_END = 2**31
_ROWS = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
"""Which of the three weights of a row are added: place, pixel, weight."""


def join_upsampling(model: ModelProto) -> int:
    """Rewrite ``model`` in place; return how many convolutions were joined with an up-sampling.

    Only nearest up-sampling by exactly two, reflected by one, before a dense 3 x 3 convolution with
    a bias and stride one. Weights stay as they are, and are added up in the graph.
    """
    shapes, joined = _shapes(model), 0
    for conv in list(model.graph.node):
        found = _chain(model, conv, shapes)
        if found is not None:
            source = found[0].input[0]
            made = _joined(_Builder(model, conv), source, shapes[conv.input[1]])
            _replace(model, conv, made)
            for old in found:
                model.graph.node.remove(old)
            joined += 1
    _drop_unused(model)
    return joined


def _chain(
    model: ModelProto, conv: NodeProto, shapes: dict[str, tuple[int, ...]]
) -> tuple[NodeProto, NodeProto] | None:
    """Return up-sampling and padding before a convolution that can be joined with them."""
    if not _is_plain(conv) or shapes.get(conv.input[1], ())[2:] != (3, 3):
        return None
    nodes = list(model.graph.node)
    pad = _only_source(nodes, conv.input[0], "Pad")
    resize = _only_source(nodes, pad.input[0], "Resize") if pad is not None else None
    if pad is None or resize is None:
        return None
    way = _attributes(resize)
    is_nearest = way.get("mode", "nearest") == "nearest" and way.get("nearest_mode") == "floor"
    is_nearest = is_nearest and way.get("coordinate_transformation_mode") == "asymmetric"
    scales = _constant(model, resize.input[2]) if len(resize.input) == 3 else None
    pads = _constant(model, pad.input[1])
    if not is_nearest or scales is None or scales.tolist() != [1, 1, 2, 2]:
        return None
    if _attributes(pad).get("mode") != "reflect" or pads is None:
        return None
    return (resize, pad) if pads.tolist() == [0, 0, 1, 1, 0, 0, 1, 1] else None


def compute_in_rows(model: ModelProto) -> int:
    """Rewrite ``model`` in place; return how many convolutions are computed row by row.

    Only dense ones with a bias, few outputs, a wide square kernel, no stride and no padding.
    """
    shapes = _shapes(model)
    count = 0
    for conv in list(model.graph.node):
        if not _is_plain(conv) or conv.input[1] not in shapes:
            continue
        out, _, height, width = shapes[conv.input[1]]
        if out <= _FEW and height == width and height >= _WIDE:
            _replace(model, conv, _rows(_Builder(model, conv), shapes[conv.input[1]]))
            count += 1
    return count


def attend_in_parts(model: ModelProto) -> int:
    """Rewrite ``model`` in place; return how many attentions are computed part by part.

    Only softmax(Q K) V with scores (N, heads, T, S) whose size is known, large, and used for this
    alone.
    """
    shapes = inferred_shapes(model)
    count = 0
    for last in list(model.graph.node):
        nodes = list(model.graph.node)
        if last.op_type != "MatMul":
            continue
        softmax = _only_source(nodes, last.input[0], "Softmax")
        first = _only_source(nodes, softmax.input[0], "MatMul") if softmax is not None else None
        if softmax is None or first is None or _attributes(softmax).get("axis", -1) not in (-1, 3):
            continue
        scores = shapes.get(first.output[0], ())
        if len(scores) != 4 or math.prod(scores) < _MOST_SCORES or scores[2] % _PARTS:
            continue
        _replace(model, last, _in_parts(_Builder(model, last), first, last))
        for old in (softmax, first):
            model.graph.node.remove(old)
        count += 1
    return count


def _in_parts(make: _Builder, first: NodeProto, last: NodeProto) -> list[NodeProto]:
    queries = [f"{last.name}/faster/queries{i}" for i in range(_PARTS)]
    make.add_many("Split", "queries", [first.input[0]], queries, axis=2)
    parts = []
    for i, query in enumerate(queries):
        scores = make.add("MatMul", f"scores{i}", [query, first.input[1]])
        shares = make.add("Softmax", f"shares{i}", [scores], axis=-1)
        parts.append(make.add("MatMul", f"part{i}", [shares, last.input[1]]))
    return make.end("Concat", parts, axis=2)


def inferred_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of a graph as far as they can be inferred; open sides 0."""
    return _shapes(require("onnx").shape_inference.infer_shapes(model))


class _Builder:
    """Makes the nodes that take another one's place."""

    def __init__(self, model: ModelProto, conv: NodeProto) -> None:
        self._onnx = require("onnx")
        self._model, self.conv = model, conv
        self.nodes: list[NodeProto] = []

    def put(self, name: str, values: Any) -> str:
        """Add a constant."""
        full = f"{self.conv.name}/faster/{name}"
        array = np.ascontiguousarray(values)
        self._model.graph.initializer.append(self._onnx.numpy_helper.from_array(array, full))
        return full

    def add(self, operator: str, name: str, sources: list[str], **attributes: Any) -> str:
        """Add a node with one output."""
        full = f"{self.conv.name}/faster/{name}"
        node = self._onnx.helper.make_node(operator, sources, [full], full, **attributes)
        self.nodes.append(node)
        return full

    def add_many(
        self, operator: str, name: str, sources: list[str], targets: list[str], **attributes: Any
    ) -> None:
        """Add a node with several outputs."""
        full = f"{self.conv.name}/faster/{name}"
        node = self._onnx.helper.make_node(operator, sources, targets, full, **attributes)
        self.nodes.append(node)

    def spread(self, matrix: np.ndarray, shape: tuple[int, int], sides: tuple[int, int]) -> str:
        """Return the kernel (4 out, in, *sides): each (out, in) kernel times ``matrix``.

        Columns of ``matrix`` are places of the square and then weights.
        """
        out, inputs = shape
        flat = self.add("Reshape", "flat", [
            self.conv.input[1], self.put("rows", np.array([-1, len(matrix)]))
        ])  # fmt: skip
        sums = self.add("MatMul", "sums", [flat, self.put("places", matrix)])
        five = self.put("five", np.array([out, inputs, 4, *sides]))
        apart = self.add("Reshape", "apart", [sums, five])
        turned = self.add("Transpose", "turned", [apart], perm=[2, 0, 1, 3, 4])
        four = self.put("four", np.array([4 * out, inputs, *sides]))
        return self.add("Reshape", "kernel", [turned, four])

    def end(self, operator: str, sources: list[str], **attributes: Any) -> list[NodeProto]:
        """Add the node that gives what the convolution gave; return all nodes."""
        conv = self.conv
        made = self._onnx.helper.make_node(
            operator, sources, list(conv.output), conv.name, **attributes
        )
        return [*self.nodes, made]


def _rows(make: _Builder, shape: tuple[int, ...]) -> list[NodeProto]:
    out, inputs, side, _ = shape
    turned = make.add("Transpose", "turned", [make.conv.input[1]], perm=[2, 0, 1, 3])
    four = make.put("four", np.array([side * out, inputs, 1, side]))
    kernel = make.add("Reshape", "kernel", [turned, four])
    zeros = make.put("zeros", np.zeros((side - 1) * out, np.float32))
    bias = make.add("Concat", "bias", [make.conv.input[2], zeros], axis=0)
    rows = make.add("Conv", "conv", [make.conv.input[0], kernel, bias], kernel_shape=[1, side])
    axes, parts = make.put("axes", np.array([1, 2])), []
    for row in range(side):
        begin = make.put(f"begin{row}", np.array([row * out, row]))
        until = make.put(f"end{row}", np.array([(row + 1) * out, row - side + 1 or _END]))
        parts.append(make.add("Slice", f"row{row}", [rows, begin, until, axes]))
    return make.end("Sum", parts)


def _joined(make: _Builder, source: str, shape: tuple[int, ...]) -> list[NodeProto]:
    out, inputs = shape[:2]
    kernel = make.spread(_places(), (out, inputs), (2, 2))
    edges = make.put("edges", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    wide = make.add("Pad", "edge", [source, edges], mode="edge")
    bias = make.add("Concat", "bias", [make.conv.input[2]] * 4, axis=0)
    places = make.add("Conv", "conv", [wide, kernel, bias], kernel_shape=[2, 2])
    axes, parts = make.put("axes", np.array([1, 2, 3])), []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        first = (2 * row + column) * out
        begin = make.put(f"begin{row}{column}", np.array([first, row, column]))
        until = np.array([first + out, row - 1 or _END, column - 1 or _END])
        bounds = [begin, make.put(f"end{row}{column}", until), axes]
        parts.append(make.add("Slice", f"place{row}{column}", [places, *bounds]))
    square = make.add("Concat", "square", parts, axis=1)
    return make.end("DepthToSpace", [square], blocksize=2, mode="DCR")


def _is_plain(conv: NodeProto) -> bool:
    """Tell whether it is a dense convolution with a bias, no stride, no padding, no holes."""
    if conv.op_type != "Conv" or len(conv.input) != 3:
        return False
    about = _attributes(conv)
    return (
        about.get("group", 1) == 1
        and set(about.get("dilations", [1])) == {1}
        and set(about.get("strides", [1])) == {1}
        and not any(about.get("pads", [0]))
        and about.get("auto_pad", "NOTSET") == "NOTSET"
    )


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of inputs, outputs and constants; an open side is 0."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    return shapes


def _replace(model: ModelProto, old: NodeProto, made: list[NodeProto]) -> None:
    nodes = list(model.graph.node)
    at = nodes.index(old)
    nodes[at : at + 1] = made
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _drop_unused(model: ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _places() -> np.ndarray:
    """Return the (9, 16) matrix from weights (a, b) to those of a place (p, q) and pixel (u, v)."""
    both = np.einsum("pua,qvb->abpquv", _ROWS, _ROWS)
    return np.ascontiguousarray(both.reshape(9, 16))


def _only_source(nodes: list[NodeProto], name: str, operator: str) -> NodeProto | None:
    """Return the node that makes ``name``, if nothing else reads it."""
    readers = sum(name in node.input for node in nodes)
    found = [node for node in nodes if name in node.output and node.op_type == operator]
    return found[0] if readers == 1 and found else None


def _attributes(node: NodeProto) -> dict[str, Any]:
    onnx = require("onnx")
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def _constant(model: ModelProto, name: str) -> np.ndarray | None:
    onnx = require("onnx")
    found = next((t for t in model.graph.initializer if t.name == name), None)
    return None if found is None else onnx.numpy_helper.to_array(found)
