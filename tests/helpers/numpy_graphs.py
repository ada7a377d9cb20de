"""Runs lowered graphs with NumPy, op by op as TensorFlow defines them, where a test wants numbers without Node."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from builder.lowering.attributes import encode
from builder.lowering.graph import Graph
from builder.lowering.values import Value, narrowed

Array = npt.NDArray[Any]
Attributes = Mapping[str, Any]
types = {"DT_FLOAT": np.float32, "DT_INT32": np.int32, "DT_BOOL": np.bool_}


def run_graph(graph: Graph, outputs: Mapping[str, Value], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Compute the outputs of a graph that is not written yet.

    Args:
        graph: all nodes.
        outputs: by their names.
        feeds: by the names of the inputs, as they are stored.

    Returns:
        The outputs, by their names, as they are stored.
    """
    wanted = {name: graph.stored(value) for name, value in outputs.items()}
    found = {name: _decoded(array, graph.quantizations.get(name)) for name, array in graph.weights.items()}
    found |= {graph.inputs[name].name: array for name, array in feeds.items()}
    for node in graph.nodes:
        attributes = {name: encode(attribute) for name, attribute in node.attributes.items()}
        _run_node(found, node.name, node.op, node.inputs, attributes)
    return {name: found[output] for name, output in wanted.items()}


def run_model(model_json: Path, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Compute the outputs of a model.

    Args:
        model_json: with its weights beside it.
        feeds: by the names of the signature.

    Returns:
        The outputs, by the names of the signature.
    """
    content = json.loads(model_json.read_text(encoding="utf-8"))
    found = _weights(content, model_json.parent)
    signature = content["signature"]
    for name, info in signature["inputs"].items():
        found[info["name"].partition(":")[0]] = feeds[name].astype(types[info["dtype"]])
    for node in content["modelTopology"]["node"]:
        _run_node(found, node["name"], node["op"], node.get("input", []), node.get("attr", {}))
    return {name: found[info["name"].removesuffix(":0")] for name, info in signature["outputs"].items()}


def _run_node(found: dict[str, Array], name: str, op: str, inputs: list[str], attributes: Attributes) -> None:
    """Compute the outputs of one node, in the types that TensorFlow.js holds."""
    if op in ("Const", "Placeholder"):
        return
    with np.errstate(all="ignore"):
        result = run_op(op, [found[reference] for reference in inputs], attributes)
    for number, output in enumerate(result if isinstance(result, list) else [result]):
        found[f"{name}:{number}" if number else name] = narrowed(output)


def _weights(content: dict[str, Any], folder: Path) -> dict[str, Array]:
    found = {}
    for group in content["weightsManifest"]:
        raw, at = (folder / group["paths"][0]).read_bytes(), 0
        for spec in group["weights"]:
            quantization = spec.get("quantization")
            dtype = np.dtype(quantization["dtype"] if quantization else spec["dtype"])
            count = math.prod(spec["shape"])
            array = np.frombuffer(raw, dtype, count, at).reshape(spec["shape"])
            found[spec["name"]] = _decoded(array, quantization)
            at += count * dtype.itemsize
    return found


def _decoded(array: Array, quantization: Mapping[str, Any] | None) -> Array:
    """Return a constant as TensorFlow.js decodes it."""
    if quantization is None or "scale" not in quantization:
        return array.astype(np.float32) if array.dtype == np.float16 else array
    values = array.astype(np.float64) * quantization["scale"] + quantization["min"]
    return values.astype(quantization["original_dtype"])


def run_op(op: str, inputs: list[Any], attributes: Attributes) -> Any:
    """Compute one op."""
    if op in elementwise:
        return elementwise[op](*inputs)
    return structural[op](inputs, attributes)


elementwise: dict[str, Callable[..., Array]] = {
    "Abs": np.abs, "Add": np.add, "AddV2": np.add, "BiasAdd": np.add, "Ceil": np.ceil,
    "ClipByValue": np.clip, "Equal": np.equal, "Erf": np.vectorize(math.erf, otypes=[np.float32]), "Exp": np.exp,
    "Expm1": np.expm1, "Floor": np.floor, "FloorDiv": np.floor_divide, "FloorMod": np.mod, "Greater": np.greater,
    "GreaterEqual": np.greater_equal, "Identity": np.asarray, "IsInf": np.isinf, "IsNan": np.isnan, "Less": np.less,
    "LessEqual": np.less_equal, "Log": np.log, "LogicalAnd": np.logical_and, "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or, "Maximum": np.maximum, "Minimum": np.minimum, "Mul": np.multiply, "Neg": np.negative,
    "NotEqual": np.not_equal, "OnesLike": np.ones_like, "Pow": np.power, "RealDiv": np.divide,
    "Relu": lambda x: np.maximum(x, 0), "Relu6": lambda x: np.clip(x, 0, 6), "Round": np.rint, "SelectV2": np.where,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Sign": np.sign, "Softplus": lambda x: np.logaddexp(x, 0),
    "Square": np.square, "Sqrt": np.sqrt, "Sub": np.subtract, "Tanh": np.tanh,
    "Rsqrt": lambda x: 1 / np.sqrt(x), "SquaredDifference": lambda x, y: (x - y) ** 2, "ZerosLike": np.zeros_like,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)), "Prelu": lambda x, slopes: np.where(x < 0, x * slopes, x),
    "DivNoNan": lambda x, y: np.where(y == 0, 0, x / np.where(y == 0, 1, y)),
}  # fmt: skip


def _ints(attribute: Any) -> list[int]:
    return [int(number) for number in attribute["list"]["i"]]


def _flag(attributes: Attributes, name: str) -> bool:
    return bool(attributes.get(name, {}).get("b", False))


def _mask(attributes: Attributes, name: str) -> int:
    return int(attributes.get(name, {}).get("i", 0))


def _slice(inputs: list[Any], _: Attributes) -> Array:
    x, begins, sizes = inputs
    return np.asarray(x[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begins, sizes, strict=True))])


def _strided(inputs: list[Any], attributes: Attributes) -> Array:
    x, begins, ends, steps = inputs
    first, last = _mask(attributes, "begin_mask"), _mask(attributes, "end_mask")
    slices = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        length = x.shape[axis]
        # Beyond either end is the end, which Python says with None where it goes backwards.
        start = None if first >> axis & 1 else int(begin)
        stop = None if last >> axis & 1 or (step < 0 and end < -length) else int(end)
        slices.append(slice(start, stop, int(step)))
    return np.asarray(x[tuple(slices)])


def _gather(inputs: list[Any], attributes: Attributes) -> Array:
    x, places, axis = inputs
    assert int(attributes.get("batch_dims", {}).get("i", 0)) == 0
    assert places.size == 0 or (places.min() >= 0 and places.max() < x.shape[int(axis)])
    return np.asarray(np.take(x, places, int(axis)))


def _gather_nd(inputs: list[Any], _: Attributes) -> Array:
    x, places = inputs
    assert (places >= 0).all()
    return np.asarray(x[tuple(np.moveaxis(places, -1, 0))])


def _scatter_update(inputs: list[Any], _: Attributes) -> Array:
    x, places, updates = inputs
    found = x.copy()
    found[tuple(np.moveaxis(places, -1, 0))] = updates
    return np.asarray(found)


def _scatter_add(inputs: list[Any], _: Attributes) -> Array:
    places, updates, shape = inputs
    found = np.zeros(shape, updates.dtype)
    np.add.at(found, tuple(np.moveaxis(places, -1, 0)), updates)
    return found


def _conv(inputs: list[Any], attributes: Attributes) -> Array:
    x, kernel = inputs[:2]
    strides, dilations = _ints(attributes["strides"])[1:-1], _ints(attributes["dilations"])[1:-1]
    padding = _text(attributes["padding"])
    if padding == "EXPLICIT":
        x = np.pad(x, np.array(_ints(attributes["explicit_paddings"])).reshape(-1, 2))
    assert padding in ("EXPLICIT", "VALID")
    assert max(strides) == 1 or max(dilations) == 1
    windows = _windows(x, kernel.shape[:-2], strides, dilations)
    return np.tensordot(windows, kernel, kernel.ndim - 1).astype(np.float32)


def _depthwise(inputs: list[Any], attributes: Attributes) -> Array:
    x, kernel = inputs[:2]
    parts = [_conv([x[..., [channel]], kernel[:, :, [channel], :]], attributes) for channel in range(x.shape[-1])]
    return np.concatenate(parts, -1)


def _windows(x: Array, size: tuple[int, ...], strides: list[int], dilations: list[int]) -> Array:
    """Return what lies under each place of a kernel, [n, places…, size…, channels]."""
    extent = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    axes = tuple(range(1, x.ndim - 1))
    view = np.lib.stride_tricks.sliding_window_view(x, tuple(extent), axes)  # type: ignore[call-overload]
    view = view[(slice(None), *(slice(None, None, s) for s in strides))]
    view = view[(..., *(slice(None, None, d) for d in dilations))]
    return np.moveaxis(view, len(axes) + 1, -1)


def _conv_transpose(inputs: list[Any], attributes: Attributes) -> Array:
    shape, kernel, x = inputs
    strides = _ints(attributes["strides"])[1:3]
    pads = _ints(attributes["explicit_paddings"])[2:6] if "explicit_paddings" in attributes else [0] * 4
    height, width, outputs, _ = kernel.shape
    whole = np.zeros((shape[0], shape[1] + pads[0] + pads[1], shape[2] + pads[2] + pads[3], outputs), np.float32)
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            at = row * strides[0], column * strides[1]
            whole[:, at[0] : at[0] + height, at[1] : at[1] + width] += np.einsum(
                "nc,hwoc->nhwo", x[:, row, column], kernel
            )
    return whole[:, pads[0] : pads[0] + shape[1], pads[2] : pads[2] + shape[2]]


def _pool(reduce: Callable[..., Array]) -> Callable[[list[Any], Attributes], Array]:
    def pool(inputs: list[Any], attributes: Attributes) -> Array:
        x = inputs[0]
        size, strides = tuple(_ints(attributes["ksize"])[1:3]), _ints(attributes["strides"])[1:3]
        if _text(attributes["padding"]) == "SAME":
            pairs = [(0, 0)]
            for length, k, s in zip(x.shape[1:3], size, strides, strict=True):
                total = max((-(-length // s) - 1) * s + k - length, 0)
                pairs.append((total // 2, total - total // 2))
            x = np.pad(x, [*pairs, (0, 0)], constant_values=-np.inf)
        return reduce(_windows(x, size, strides, [1, 1]), axis=(3, 4))

    return pool


def _text(attribute: Any) -> str:
    return base64.b64decode(attribute["s"]).decode()


def _fused(plain: Callable[[list[Any], Attributes], Array]) -> Callable[[list[Any], Attributes], Array]:
    def fused(inputs: list[Any], attributes: Attributes) -> Array:
        steps = [base64.b64decode(text).decode() for text in attributes["fused_ops"]["list"]["s"]]
        found = plain(inputs[:2], attributes) + inputs[2]
        for step in steps[1:]:
            found = elementwise[step](found)
        return np.asarray(found)

    return fused


def _matmul(inputs: list[Any], attributes: Attributes) -> Array:
    left, right = inputs[:2]
    left = left.T if _flag(attributes, "transpose_a") else left
    return np.asarray(left @ (right.T if _flag(attributes, "transpose_b") else right))


def _batch_matmul(inputs: list[Any], attributes: Attributes) -> Array:
    left, right = inputs
    left = np.swapaxes(left, -1, -2) if _flag(attributes, "adj_x") else left
    return np.asarray(left @ (np.swapaxes(right, -1, -2) if _flag(attributes, "adj_y") else right))


def _reduced(reduce: Callable[..., Array]) -> Callable[[list[Any], Attributes], Array]:
    def reduction(inputs: list[Any], attributes: Attributes) -> Array:
        x, axes = inputs
        found = reduce(x, axis=tuple(np.atleast_1d(axes)), keepdims=_flag(attributes, "keep_dims"))
        return np.asarray(found, x.dtype)

    return reduction


def _cumulative(function: Callable[..., Array], start: int) -> Callable[[list[Any], Attributes], Array]:
    def cumulative(inputs: list[Any], attributes: Attributes) -> Array:
        axis, is_reversed = int(inputs[1]), _flag(attributes, "reverse")
        x = np.flip(inputs[0], axis) if is_reversed else inputs[0]
        found = function(x, axis=axis)
        if _flag(attributes, "exclusive"):
            first = np.full_like(np.take(x, [0], axis), start)
            found = np.concatenate([first, np.delete(found, -1, axis)], axis)
        return np.flip(found, axis) if is_reversed else found

    return cumulative


def _leaky_relu(inputs: list[Any], attributes: Attributes) -> Array:
    return np.where(inputs[0] < 0, attributes["alpha"]["f"] * inputs[0], inputs[0])


def _top(inputs: list[Any], _: Attributes) -> list[Array]:
    x, k = inputs[0], int(inputs[1])
    places = np.argsort(-x.astype(np.float64), axis=-1, kind="stable")[..., :k]
    return [np.take_along_axis(x, places, -1), places]


def _unique(inputs: list[Any], _: Attributes) -> list[Array]:
    numbers = inputs[0].tolist()
    values = list(dict.fromkeys(numbers))
    return [np.array(values, inputs[0].dtype), np.array([values.index(number) for number in numbers])]


def _softmax(inputs: list[Any], _: Attributes) -> Array:
    powers = np.exp(inputs[0] - inputs[0].max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _depth_to_space(inputs: list[Any], attributes: Attributes) -> Array:
    size = int(attributes["block_size"]["i"])
    n, h, w, c = inputs[0].shape
    parted = inputs[0].reshape(n, h, w, size, size, c // size**2)
    return np.asarray(parted.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * size, w * size, c // size**2))


def _resize(inputs: list[Any], attributes: Attributes) -> Array:
    """ResizeNearestNeighbor of centred pixels."""
    x, size = inputs
    assert _flag(attributes, "half_pixel_centers")
    rows, columns = (((np.arange(n) + 0.5) * x.shape[axis + 1] / n).astype(int) for axis, n in enumerate(size))
    return np.asarray(x[:, rows][:, :, columns])


def _bilinear(inputs: list[Any], attributes: Attributes) -> Array:
    x, size = inputs
    for axis, count in enumerate(size):
        length = x.shape[axis + 1]
        if _flag(attributes, "align_corners") and count > 1:
            at = np.arange(count) * (length - 1) / (count - 1)
        elif _flag(attributes, "half_pixel_centers"):
            at = (np.arange(count) + 0.5) * length / count - 0.5
        else:
            at = np.arange(count) * length / count
        low = np.clip(np.floor(at), 0, length - 1).astype(int)
        high = np.clip(np.ceil(at), 0, length - 1).astype(int)
        share = (at - low).reshape([-1 if other == axis + 1 else 1 for other in range(4)])
        x = np.take(x, low, axis + 1) * (1 - share) + np.take(x, high, axis + 1) * share
    return np.asarray(x, np.float32)


structural: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "All": _reduced(np.all),
    "Any": _reduced(np.any),
    "ArgMax": lambda i, _: i[0].argmax(int(i[1])),
    "ArgMin": lambda i, _: i[0].argmin(int(i[1])),
    "AvgPool": _pool(np.mean),
    "BatchMatMulV2": _batch_matmul,
    "BroadcastArgs": lambda i, _: np.array(np.broadcast_shapes(tuple(i[0]), tuple(i[1])), np.int32),
    "BroadcastTo": lambda i, _: np.broadcast_to(i[0], i[1]),
    "Cast": lambda i, a: i[0].astype(types[a["DstT"]["type"]]),
    "ConcatV2": lambda i, _: np.concatenate(i[:-1], int(i[-1])),
    "Conv2D": _conv,
    "Conv2DBackpropInput": _conv_transpose,
    "Conv3D": _conv,
    "Cumprod": _cumulative(np.cumprod, 1),
    "Cumsum": _cumulative(np.cumsum, 0),
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv2dNative": _depthwise,
    "ExpandDims": lambda i, _: np.expand_dims(i[0], int(i[1])),
    "Fill": lambda i, _: np.full(i[0], i[1]),
    "FusedDepthwiseConv2dNative": _fused(_depthwise),
    "GatherNd": _gather_nd,
    "GatherV2": _gather,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": lambda i, a: np.log(_softmax(i, a)),
    "MatMul": _matmul,
    "Max": _reduced(np.max),
    "MaxPool": _pool(np.max),
    "Mean": _reduced(np.mean),
    "Min": _reduced(np.min),
    "MirrorPad": lambda i, _: np.pad(i[0], i[1], mode="reflect"),
    "OneHot": lambda i, _: np.where(i[0][..., None] == np.arange(int(i[1])), i[2], i[3]),
    "Pad": lambda i, _: np.pad(i[0], i[1]),
    "PadV2": lambda i, _: np.pad(i[0], i[1], constant_values=i[2]),
    "Prod": _reduced(np.prod),
    "Range": lambda i, _: np.arange(*map(int, i)),
    "Reshape": lambda i, _: i[0].reshape(i[1]),
    "ResizeBilinear": _bilinear,
    "ResizeNearestNeighbor": _resize,
    "ReverseV2": lambda i, _: np.flip(i[0], tuple(i[1])),
    "ScatterNd": _scatter_add,
    "Shape": lambda i, _: np.array(i[0].shape, np.int32),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": lambda i, a: np.split(i[1], int(a["num_split"]["i"]), int(i[0])),
    "SplitV": lambda i, _: np.split(i[0], np.cumsum(i[1])[:-1], int(i[2])),
    "Squeeze": lambda i, a: i[0].squeeze(tuple(_ints(a["squeeze_dims"]))),
    "StridedSlice": _strided,
    "Sum": _reduced(np.sum),
    "TensorScatterUpdate": _scatter_update,
    "Tile": lambda i, _: np.tile(i[0], i[1]),
    "TopKV2": _top,
    "Transpose": lambda i, _: i[0].transpose(i[1]),
    "Unique": _unique,
    "Unpack": lambda i, a: list(np.moveaxis(i[0], int(a.get("axis", {}).get("i", 0)), 0)),
    "Where": lambda i, _: np.argwhere(i[0]),
    "_FusedConv2D": _fused(_conv),
    "_FusedMatMul": _fused(_matmul),
}
