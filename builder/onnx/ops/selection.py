"""Operators whose results are as long as there is something to select."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import count_of, scalar
from ...lowering.values import Value
from ...lowering.whole_numbers import negative
from ..registry import Context, lowers
from .reductions import reduce


@lowers("NonZero")
def non_zero(c: Context) -> Value:
    """Lower the places of what is not zero, an axis a row."""
    x = c.graph.plain(c.input(0))
    if x.rank == 0:
        c.refuse("of a tensor without axes", "Export the model with a vector of one number")
    places = c.graph.op("Where", [c.graph.cast(x, "bool")], shape=(None, x.rank), type_name="int64")
    return c.graph.transpose(places, (1, 0))


@lowers("Compress")
def compress(c: Context) -> Value:
    """Lower the choice of slices along an axis, or of single numbers, by a vector of truth values."""
    graph, x, condition = c.graph, c.input(0), c.input(1)
    if "axis" in c.attributes:
        axis = c.attributes["axis"] % x.rank
    else:
        x, axis = graph.reshape(graph.plain(x), (x.size if x.is_static else None,)), 0
    if condition.array is not None:
        places = graph.constant(np.flatnonzero(condition.array).astype(np.int32))
    else:
        found = graph.op("Where", [condition], shape=(None, 1), type_name="int32")
        places = graph.squeeze(found, [1])
    shape = (*x.shape[:axis], places.shape[0], *x.shape[axis + 1 :])
    where = scalar(graph, x.axis(axis))
    return graph.op("GatherV2", [x, places, where], shape=shape, order=x.order)


@lowers("Unique")
def unique(c: Context) -> Sequence[Value | None]:
    """Lower the numbers that occur, in order or as they come, with their first places, all places, and counts."""
    graph, x = c.graph, c.input(0)
    if "axis" in c.attributes and x.rank > 1:
        c.refuse("along an axis")
    flat = graph.reshape(graph.plain(x), (x.size if x.is_static else None,))
    if flat.dtype == "bool":
        c.refuse("of the type bool", "Export the model with a cast to int32 before it")
    ints = ("int32", flat.shape, None)
    found, inverse = graph.ops("Unique", [flat], [(x.type, (None,), None), ints], out_idx=Type("int32"))
    in_order = bool(c.attribute("sorted", 1))
    if in_order:
        found = _sorted(c, found)
    wanted = [bool(name) for name in (*c.names, "", "", "")[:4]]
    if not any(wanted[1:]):
        return [found]
    # [which number, where]: few enough to compare each with each.
    same = graph.elementwise("Equal", [graph.unsqueeze(found, [1]), graph.unsqueeze(flat, [0])], "bool")
    marks = graph.cast(same, "int32")
    first = graph.op("ArgMax", [marks, scalar(graph, 1)], shape=(None,), type_name="int64")
    if in_order:
        inverse = graph.op("ArgMax", [marks, scalar(graph, 0)], shape=flat.shape, type_name="int64")
    counts = reduce(c, "Sum", marks, [1], keep=False)
    return [found, first, graph.cast(inverse, "int64"), graph.cast(counts, "int64")]


def _sorted(c: Context, x: Value) -> Value:
    """Sort a vector, the smallest first."""
    opposite = negative(c.graph, x) if x.dtype == "int32" else c.graph.elementwise("Neg", [x])
    results = [(x.type, x.shape, None), ("int32", x.shape, None)]
    values = c.graph.ops("TopKV2", [opposite, count_of(c.graph, x, 0)], results, sorted=True)[0]
    return negative(c.graph, values) if x.dtype == "int32" else c.graph.elementwise("Neg", [values])
