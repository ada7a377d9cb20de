"""Operations on bits: TensorFlow.js' converter reads the inputs of BitwiseAnd by names that it does not have."""

from __future__ import annotations

import numpy as np

from ...lowering.graph import Graph
from ...lowering.pieces import scalar
from ...lowering.values import Value
from ...lowering.whole_numbers import floor_divided, narrow, wrapped
from ..registry import Context, lowers
from .reductions import reduce

combined = {"BitwiseAnd": "Mul", "BitwiseOr": "Maximum", "BitwiseXor": "NotEqual"}
half = 16  # bits of which floats hold all numbers exactly


@lowers(*combined)
def bitwise(c: Context) -> Value:
    """Lower to arithmetic with single bits, along an axis of their own; of wide numbers in two halves."""
    graph = c.graph
    a, b = c.input(0), c.input(1)
    if a.type in narrow:
        return wrapped(graph, _combined(c, a, b, 8 * np.dtype(a.type).itemsize), a.type)
    size = scalar(graph, 1 << half)
    lows = [graph.elementwise("FloorMod", [x, size], "int32") for x in (a, b)]
    # Of what is left no more than 16 bits are set, so that the quotient is exact.
    rests = [graph.elementwise("Sub", [x, low], "int32") for x, low in zip((a, b), lows, strict=True)]
    highs = [graph.elementwise("FloorDiv", [rest, size]) for rest in rests]
    high, low = (_combined(c, one, other, half) for one, other in (highs, lows))
    found = graph.elementwise("AddV2", [graph.elementwise("Mul", [high, size]), low])
    return graph.cast(found, a.type)


def _combined(c: Context, a: Value, b: Value, count: int) -> Value:
    """Combine the lowest bits of two numbers."""
    graph = c.graph
    powers = graph.constant((1 << np.arange(count)).astype(np.int32))
    bits = [_bits(graph, x, powers) for x in (a, b)]
    both = graph.cast(graph.elementwise(combined[c.op], bits, "bool" if c.op == "BitwiseXor" else "int32"), "int32")
    worth = graph.elementwise("Mul", [both, powers])
    return reduce(c, "Sum", worth, [worth.rank - 1], keep=False)


def _bits(graph: Graph, x: Value, powers: Value) -> Value:
    apart = graph.elementwise("FloorDiv", [graph.unsqueeze(x, [x.rank]), powers], "int32")
    return graph.elementwise("FloorMod", [apart, scalar(graph, 2)])


@lowers("BitwiseNot")
def bitwise_not(c: Context) -> Value:
    """Lower the opposite of all bits, -1 - x."""
    x = c.input(0)
    return wrapped(c.graph, c.graph.elementwise("Sub", [scalar(c.graph, -1), x], "int32"), x.type)


@lowers("BitShift")
def bit_shift(c: Context) -> Value:
    """Lower shifts as products with powers of two, or as quotients, of which the floor is taken."""
    graph = c.graph
    x, by = c.input(0), c.input(1)
    if by.array is not None:
        factor = graph.constant((2 ** by.array.astype(np.int64)).astype(np.int32))
    else:
        powers = graph.elementwise("Pow", [graph.constant(np.float32(2)), graph.cast(by, "float32")])
        factor = graph.cast(graph.elementwise("Round", [powers]), "int32")
    if c.attribute("direction", "") == "LEFT":
        return wrapped(graph, graph.elementwise("Mul", [x, factor], "int32"), x.type)
    if x.type in narrow:
        return graph.elementwise("FloorDiv", [x, factor])
    return floor_divided(graph, x, factor)[0]
