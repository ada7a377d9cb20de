"""Turn an ONNX file into a TensorFlow function, for networks made of a few common ops.

    converted = Converted(tf, onnx.load("net.onnx"))
    outputs = converted({"image": tensor})

ONNX pictures are [batch, channels, height, width]; TensorFlow.js is fast with the channels last. So every tensor of
four dimensions is kept with the channels last here, and axes are renumbered where an op names them; what comes in and
goes out has the channels last, too. What depends on constants only is computed once, with ONNX' own reference of each
op.

An op that is not here ends the conversion with its name: add it to `_ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]

# Where the axes of [n, c, h, w] are in [n, h, w, c].
_places = (0, 3, 1, 2)


class UnknownOpError(Exception):
    """An op, or a way to use it, that this converter has not learnt."""


class Converted:
    """An ONNX graph as a function over TensorFlow tensors; weights are variables.

    Attributes:
        inputs: names and shapes of the graph's inputs; None where a length is open.
        outputs: names of its outputs.
        variables: the weights, by name.
    """

    def __init__(self, tf: Any, model: Any) -> None:
        """Read the weights and compute what is constant."""
        self._tf = tf
        self._graph = model.graph
        weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in self._graph.initializer}
        self.inputs = {
            value.name: [one.dim_value or None for one in value.type.tensor_type.shape.dim]
            for value in self._graph.input
            if value.name not in weights
        }
        self.outputs = [value.name for value in self._graph.output]
        # Scalars and integers are parts of the arithmetic, no weights.
        known = {name: array for name, array in weights.items() if array.dtype != np.float32 or not array.ndim}
        self._constants = {name: _channels_last(array) for name, array in self._fold(model, known).items()}
        self._kernels = {name for name in weights if name not in known and weights[name].ndim == 4}
        self.variables = {
            name: tf.Variable(_as_kernel(weights[name]), name=name.replace(".", "_"))
            for name in weights
            if name not in known
        }

    def _fold(self, model: Any, known: dict[str, Array]) -> dict[str, Array]:
        """Give every tensor that neither an input nor a weight goes into."""
        known = dict(known)
        for node in self._graph.node:
            if all(name in known for name in node.input if name):
                single = onnx.helper.make_graph([node], "one", [], [onnx.ValueInfoProto(name=n) for n in node.output])
                for name in node.input:
                    if name:
                        single.initializer.append(numpy_helper.from_array(known[name], name))
                alone = onnx.helper.make_model(single, opset_imports=list(model.opset_import))
                found = ReferenceEvaluator(alone).run(None, {})
                known.update(zip(node.output, (np.asarray(one) for one in found), strict=True))
        return known

    def __call__(self, given: dict[str, Any]) -> dict[str, Any]:
        """Run the graph on tensors; those of four dimensions have the channels last."""
        values: dict[str, Any] = {**self.variables, **given}
        for node in self._graph.node:
            if node.output[0] in self._constants:
                continue
            run = _ops.get(node.op_type)
            if run is None:
                raise UnknownOpError(f"{node.op_type} (node {node.name}) is not known to onnx_to_tensorflow.py.")
            options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            taken = [self._constants.get(name, values.get(name)) if name else None for name in node.input]
            _need(node.op_type == "Conv" or not self._kernels & set(node.input), f"A kernel in {node.op_type}")
            values[node.output[0]] = run(self._tf, taken, options)
        return {name: values[name] for name in self.outputs}


def _as_kernel(array: Array) -> Array:
    """Give a convolution's kernel [out, in, h, w] as TensorFlow has it, [h, w, in, out]; other weights as they are."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _channels_last(array: Array) -> Array:
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise UnknownOpError(f"{what} is not known to onnx_to_tensorflow.py.")


def _axes(taken: list[Any], options: dict[str, Any], rank: int) -> list[int]:
    """Give the axes of a reduction, as an input or as an attribute, where they are here."""
    named = taken[1] if len(taken) > 1 and taken[1] is not None else options.get("axes", range(rank))
    axes = [int(axis) % rank for axis in named]
    return [_places[axis] for axis in axes] if rank == 4 else axes


def _reduce(name: str) -> Any:
    def run(tf: Any, taken: list[Any], options: dict[str, Any]) -> Any:
        value = taken[0]
        return getattr(tf, name)(value, _axes(taken, options, len(value.shape)), bool(options.get("keepdims", 1)))

    return run


def _conv(tf: Any, taken: list[Any], options: dict[str, Any]) -> Any:
    value, kernel, *bias = taken
    _need(options.get("group", 1) == 1 and len(value.shape) == 4, "Conv with groups or of other ranks")
    top, left, bottom, right = options.get("pads", (0, 0, 0, 0))
    edges = [[0, 0], [top, bottom], [left, right], [0, 0]]
    strides, dilations = (options.get(name, (1, 1)) for name in ("strides", "dilations"))
    found = tf.nn.conv2d(value, kernel, strides, edges, dilations=dilations)
    return found + bias[0] if bias else found


def _pad(tf: Any, taken: list[Any], options: dict[str, Any]) -> Any:
    value, edges = taken[0], np.asarray(taken[1]).reshape(2, -1).T
    mode = options.get("mode", b"constant").decode()
    _need(mode in ("reflect", "constant"), f"Pad {mode}")
    _need(len(taken) < 3 or taken[2] is None or not np.any(taken[2]), "Pad with a value")
    if len(value.shape) == 4:
        edges = edges[[0, 2, 3, 1]]
    return tf.pad(value, edges, mode.upper())


def _resize(tf: Any, taken: list[Any], options: dict[str, Any]) -> Any:
    value, scales = taken[0], np.asarray(taken[2])
    way = tuple(options.get(name, b"").decode() for name in ("mode", "coordinate_transformation_mode", "nearest_mode"))
    _need(way == ("nearest", "asymmetric", "floor"), f"Resize {way}")
    factors = [int(scale) for scale in scales]
    _need(len(value.shape) == 4 and np.array_equal(scales, factors) and factors[:2] == [1, 1], f"Resize by {scales}")
    size = tf.shape(value)[1:3] * factors[2:]
    return tf.raw_ops.ResizeNearestNeighbor(images=value, size=size)


def _reshape(tf: Any, taken: list[Any], _: dict[str, Any]) -> Any:
    value, shape = taken[0], [int(length) for length in taken[1]]
    _need(len(value.shape) != 4, "Reshape of a picture")
    if len(shape) == 4:
        _need(sum(length != 1 for length in shape) == 1 and shape[1] != 1, f"Reshape to {shape}")
        shape = [shape[0], shape[2], shape[3], shape[1]]
    return tf.reshape(value, shape)


def _unsqueeze(tf: Any, taken: list[Any], _: dict[str, Any]) -> Any:
    value = taken[0]
    for axis in sorted(int(one) for one in taken[1]):
        value = tf.expand_dims(value, axis)
    _need(len(value.shape) < 4, "Unsqueeze to a picture")
    return value


def _binary(name: str) -> Any:
    def run(tf: Any, taken: list[Any], _: dict[str, Any]) -> Any:
        _need(all(len(one.shape) in (0, 4) for one in taken) or all(len(one.shape) < 4 for one in taken), name)
        return getattr(tf, name)(*taken)

    return run


def _unary(name: str) -> Any:
    return lambda tf, taken, _: getattr(tf, name)(taken[0])


_ops: dict[str, Any] = {
    "Add": _binary("add"),
    "Conv": _conv,
    "Div": _binary("divide"),
    "Mul": _binary("multiply"),
    "Pad": _pad,
    "Pow": _binary("pow"),
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "Relu": lambda tf, taken, _: tf.nn.relu(taken[0]),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _unary("sigmoid"),
    "Sqrt": _unary("sqrt"),
    "Sub": _binary("subtract"),
    "Unsqueeze": _unsqueeze,
}
