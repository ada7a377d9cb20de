"""Runs a lowered graph with NumPy, op by op as TensorFlow.js defines them, so that numbers are tested without Node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.lowering.graph import Graph
from builder.lowering.values import Value

Array = NDArray[Any]
kinds = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}

unary: dict[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Erf": np.vectorize(math.erf, otypes=[np.float32]),
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Floor": np.floor,
    "Identity": lambda x: x,
    "IsInf": np.isinf,
    "IsNan": np.isnan,
    "Log": np.log,
    "LogicalNot": np.logical_not,
    "Neg": np.negative,
    "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: np.clip(x, 0, 6),
    "Round": np.rint,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Sign": np.sign,
    "Softplus": lambda x: np.logaddexp(x, 0),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Tanh": np.tanh,
}
binary: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "AddV2": np.add,
    "BatchMatMulV2": np.matmul,
    "BiasAdd": np.add,
    "Equal": np.equal,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "LogicalAnd": np.logical_and,
    "LogicalOr": np.logical_or,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "NotEqual": np.not_equal,
    "Pow": np.power,
    "Prelu": lambda x, slope: np.where(x < 0, x * slope, x),
    "RealDiv": np.divide,
    "Reshape": lambda x, shape: x.reshape(shape),
    "BroadcastArgs": lambda one, other: np.array(np.broadcast_shapes(tuple(one), tuple(other)), np.int32),
    "BroadcastTo": np.broadcast_to,
    "DivNoNan": lambda x, y: np.where(y == 0, 0, x / np.where(y == 0, 1, y)),
    "SquaredDifference": lambda x, y: (x - y) ** 2,
    "Sub": np.subtract,
    "Tile": np.tile,
    "Transpose": lambda x, moves: x.transpose(moves),
}
reductions: dict[str, Callable[..., Array]] = {
    "All": np.all,
    "Any": np.any,
    "Max": np.max,
    "Mean": np.mean,
    "Min": np.min,
    "Prod": np.prod,
    "Sum": np.sum,
}


def run(graph: Graph, outputs: Mapping[str, Value], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of a graph, as they are stored, for inputs as they are stored."""
    known: dict[str, Array] = {graph.inputs[name].name: array for name, array in feeds.items()}
    wanted = {name: graph.stored(value) for name, value in outputs.items()}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            inputs = [known[name] for name in node.inputs]
            if node.op == "Placeholder":
                continue
            found = _constant(graph, node) if node.op == "Const" else _result(node, inputs)
            for index, array in enumerate(found if isinstance(found, tuple) else (found,)):
                known[f"{node.name}:{index}" if index else node.name] = _held(array)
    return {name: known[output] for name, output in wanted.items()}


def _held(array: Array) -> Array:
    array = np.asarray(array)
    kind = {"f": np.float32, "i": np.int32, "u": np.int32}.get(array.dtype.kind, array.dtype)
    return array.astype(kind)


def _constant(graph: Graph, node: Any) -> Array:
    """Decode a constant as TensorFlow.js does."""
    array, codes = graph.weights[node.name], graph.quantizations.get(node.name)
    if codes is None:
        return array
    values = array.astype(np.float64) * codes["scale"] + codes["min"]
    return values.astype(codes["original_dtype"])


def _result(node: Any, inputs: list[Array]) -> Array | tuple[Array, ...]:
    attributes = node.attributes
    if node.op in unary:
        return unary[node.op](inputs[0])
    if node.op == "BatchMatMulV2":
        turned = zip(inputs, ("adj_x", "adj_y"), strict=True)
        return np.matmul(*(x.swapaxes(-1, -2) if attributes[name] else x for x, name in turned))
    if node.op == "MatMul":
        turned = zip(inputs, ("transpose_a", "transpose_b"), strict=True)
        return np.matmul(*(x.T if attributes[name] else x for x, name in turned))
    if node.op in binary:
        return binary[node.op](inputs[0], inputs[1])
    if node.op in reductions:
        axes = tuple(int(axis) for axis in np.ravel(inputs[1]))
        return reductions[node.op](inputs[0], axis=axes, keepdims=attributes["keep_dims"])
    return special[node.op](inputs, attributes)


def _top(inputs: list[Array], _: Any) -> tuple[Array, Array]:
    x, k = inputs[0], int(inputs[1])
    places = np.argsort(-x.astype(np.float64), axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, places, -1), places


def _cumulative(function: Callable[..., Array], start: int) -> Callable[[list[Array], Any], Array]:
    def lower(inputs: list[Array], attributes: Any) -> Array:
        axis = int(inputs[1])
        x = np.flip(inputs[0], axis) if attributes["reverse"] else inputs[0]
        found = function(x, axis=axis)
        if attributes["exclusive"]:
            first = np.full_like(np.take(x, [0], axis), start)
            found = np.concatenate([first, np.delete(found, -1, axis)], axis)
        return np.flip(found, axis) if attributes["reverse"] else found

    return lower


def _softmax(inputs: list[Array], _: Any) -> Array:
    powers = np.exp(inputs[0] - inputs[0].max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


special: dict[str, Callable[[list[Array], Any], Any]] = {
    "ArgMax": lambda inputs, _: inputs[0].argmax(int(inputs[1])),
    "ArgMin": lambda inputs, _: inputs[0].argmin(int(inputs[1])),
    "Cast": lambda inputs, attributes: (
        np.trunc(inputs[0]).astype(kinds[attributes["DstT"].name])
        if attributes["DstT"].name == "int32"
        else inputs[0].astype(kinds[attributes["DstT"].name])
    ),
    "ClipByValue": lambda inputs, _: np.clip(*inputs),
    "ConcatV2": lambda inputs, _: np.concatenate(inputs[:-1], int(inputs[-1])),
    "Cumprod": _cumulative(np.cumprod, 1),
    "Cumsum": _cumulative(np.cumsum, 0),
    "Elu": lambda inputs, _: np.where(inputs[0] > 0, inputs[0], np.expm1(inputs[0])),
    "ExpandDims": lambda inputs, _: np.expand_dims(inputs[0], int(inputs[1])),
    "Fill": lambda inputs, _: np.full(inputs[0], inputs[1]),
    "GatherV2": lambda inputs, _: np.take(inputs[0], inputs[1], int(inputs[2])),
    "LeakyRelu": lambda inputs, attributes: np.where(inputs[0] < 0, attributes["alpha"] * inputs[0], inputs[0]),
    "LogSoftmax": lambda inputs, _: np.log(_softmax(inputs, _)),
    "OneHot": lambda inputs, _: np.where(inputs[0][..., None] == np.arange(int(inputs[1])), inputs[2], inputs[3]),
    "Range": lambda inputs, _: np.arange(*map(int, inputs)),
    "ReverseV2": lambda inputs, _: np.flip(inputs[0], tuple(inputs[1])),
    "SelectV2": lambda inputs, _: np.where(*inputs),
    "Shape": lambda inputs, _: np.array(inputs[0].shape, np.int32),
    "Slice": lambda inputs, _: inputs[0][
        tuple(slice(b, None if n < 0 else b + n) for b, n in zip(*inputs[1:], strict=True))
    ],
    "Softmax": _softmax,
    "Squeeze": lambda inputs, attributes: np.squeeze(inputs[0], tuple(attributes["squeeze_dims"])),
    "TopKV2": _top,
    "Unique": lambda inputs, _: tuple(_unique(inputs[0])),
    "Unpack": lambda inputs, attributes: tuple(np.moveaxis(inputs[0], attributes["axis"], 0)),
    "Where": lambda inputs, _: np.argwhere(inputs[0]),
}


def _unique(x: Array) -> tuple[Array, Array]:
    values = np.array(list(dict.fromkeys(x.tolist())), x.dtype)
    return values, np.array([values.tolist().index(item) for item in x.tolist()])
