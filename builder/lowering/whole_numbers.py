"""Arithmetic of whole numbers, all of which TensorFlow.js holds in 32 bits.

Narrower types wrap around. Kernels that compute whole numbers as floats (Neg, Abs, FloorDiv on wasm) are
exact up to 2^24 only, so others stand for them.
"""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .pieces import scalar
from .values import Value

narrow = frozenset({"int8", "uint8", "int16", "uint16"})
unsigned = frozenset({"uint8", "uint16", "uint32", "uint64"})


def wrapped(graph: Graph, value: Value, kind: str) -> Value:
    """Return whole numbers as a type: of narrow ones, the lowest bits are kept."""
    if kind in narrow:
        size = 1 << (8 * np.dtype(kind).itemsize)
        half = 0 if kind in unsigned else size // 2
        if half:
            value = graph.elementwise("AddV2", [value, scalar(graph, half)], "int32")
        value = graph.elementwise("FloorMod", [value, scalar(graph, size)], "int32")
        if half:
            value = graph.elementwise("Sub", [value, scalar(graph, half)], "int32")
    return graph.cast(value, kind)


def negative(graph: Graph, value: Value) -> Value:
    """Return -x."""
    return graph.elementwise("Sub", [scalar(graph, 0), value], value.type)


def absolute(graph: Graph, value: Value) -> Value:
    """Return |x|."""
    return graph.elementwise("Maximum", [value, negative(graph, value)])


def divided(graph: Graph, a: Value, b: Value) -> Value:
    """Return a / b, cut towards zero."""
    if a.type in narrow:  # both fit into floats, and so does what their quotient differs by from a whole number
        quotient = graph.elementwise("RealDiv", [graph.cast(value, "float32") for value in (a, b)])
        return graph.cast(quotient, a.type)
    floor, rest = floor_divided(graph, a, b)
    if a.type in unsigned:
        return floor
    zero = scalar(graph, 0)
    signs = [graph.elementwise("Less", [value, zero], "bool") for value in (a, b)]
    up = graph.elementwise(
        "LogicalAnd",
        [graph.elementwise("NotEqual", signs, "bool"), graph.elementwise("NotEqual", [rest, zero], "bool")],
    )
    return graph.elementwise("AddV2", [floor, graph.cast(up, "int32")], a.type)


def floor_divided(graph: Graph, a: Value, b: Value) -> tuple[Value, Value]:
    """Return the floor of a / b, and what is left, which has the sign of b.

    A first quotient may be some units off; what then is left is a small multiple of b, which floats divide exactly.
    """
    rest = graph.elementwise("FloorMod", [a, b])
    first = graph.elementwise("FloorDiv", [a, b])
    left = graph.elementwise("Sub", [graph.elementwise("Sub", [a, rest]), graph.elementwise("Mul", [first, b])])
    ratio = graph.elementwise("RealDiv", [graph.cast(value, "float32") for value in (left, b)])
    more = graph.cast(graph.elementwise("Round", [ratio]), "int32")
    return graph.elementwise("AddV2", [first, more], a.type), rest
