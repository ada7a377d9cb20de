"""Integer codes as the real numbers that they stand for."""

from __future__ import annotations

import numpy as np

from ..lowering.codes import Codes
from ..lowering.constants import least_coded
from ..lowering.graph import Graph
from ..lowering.values import Array, Value
from .types import Scales, Subgraph


def real_numbers(array: Array, scales: Scales) -> Array:
    """Return the real numbers that codes stand for, as float32."""
    scale, zero = scales.spread(array.ndim)
    return ((array.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)


def constant(graph: Graph, array: Array, scales: Scales, name: str) -> Value:
    """Return a quantised constant as real numbers, which keeps its codes where they are of 16 bits or fewer."""
    scale, zero = scales.spread(array.ndim)
    if array.dtype.itemsize > 2 or array.size < least_coded:
        return graph.constant(real_numbers(array, scales), name=name)
    return graph.coded(Codes.of(array, scale, zero), name=name)


def decoded(graph: Graph, value: Value, scales: Scales) -> Value:
    """Return computed codes, as pages give them, as real numbers."""
    numbers = graph.cast(value, "float32")
    scale, zero = scales.spread(value.rank)
    if np.any(zero):
        numbers = graph.elementwise("Sub", [numbers, graph.constant(zero.astype(np.float32))])
    return graph.elementwise("Mul", [numbers, graph.constant(scale)])


def largest_step(subgraph: Subgraph) -> float:
    """Return the longest step that a graph rounds what it computes to, or 0; constants are rounded for good."""
    numbers = (number for operator in subgraph.operators for number in operator.outputs if number >= 0)
    tensors = (subgraph.tensors[number] for number in numbers)
    steps = (
        float(np.max(tensor.scales.scale, initial=0))
        for tensor in tensors
        if tensor.scales is not None and tensor.array is None and tensor.type in {"int8", "uint8", "int16"}
    )
    return max(steps, default=0.0)


def is_hybrid(subgraph: Subgraph) -> bool:
    """Whether real numbers meet quantised weights: the interpreter then rounds these numbers to 8 bits, row by row."""
    return any(
        subgraph.tensors[operator.inputs[0]].type == "float32"
        and subgraph.tensors[operator.inputs[1]].type == "int8"
        and subgraph.tensors[operator.inputs[1]].quantized
        for operator in subgraph.operators
        if operator.op in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
        and min(operator.inputs[:2]) >= 0
    )
