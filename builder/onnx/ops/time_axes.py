"""Operators on sequences, of which each of a batch has a length or a place of its own."""

from __future__ import annotations

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import gather, ints, positions, scalar
from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("ReverseSequence")
def reverse_sequence(c: Context) -> Value:
    """Lower sequences that are turned round up to their lengths."""
    x, lengths, graph = c.input(0), c.graph.cast(c.input(1), "int32"), c.graph
    batch, time = c.attribute("batch_axis", 1) % x.rank, c.attribute("time_axis", 0) % x.rank
    steps, rest = x.shape[time], [axis for axis in range(x.rank) if axis not in (batch, time)]
    if steps is None or any(x.shape[axis] is None for axis in rest):
        c.refuse("open lengths besides the batch", "Export the model with a fixed size")
    order = (batch, time, *rest)
    rows = graph.ordered(x, order)
    at = graph.unsqueeze(positions(graph, x, time), [0])
    ends = graph.unsqueeze(lengths, [1])
    turned = graph.elementwise("Sub", [graph.elementwise("Sub", [ends, at]), scalar(graph, 1)])
    within = graph.elementwise("Less", [at, ends], "bool")
    places = graph.elementwise("SelectV2", [within, turned, at], "int32")
    firsts = graph.elementwise("Mul", [positions(graph, x, batch), scalar(graph, steps)])
    places = graph.elementwise("AddV2", [places, graph.unsqueeze(firsts, [1])])
    size = int(np.prod([x.shape[axis] or 0 for axis in rest], dtype=np.int64))
    flat = graph.op("Reshape", [rows, ints(graph, [-1, size])], shape=(None, size))
    found = gather(graph, flat, 0, graph.plain(places))
    stored = ints(graph, [-1, steps, *(x.shape[axis] or 0 for axis in rest)])
    return graph.op("Reshape", [found, stored], shape=x.shape, type_name=x.type, order=order)


@lowers("TensorScatter")
def tensor_scatter(c: Context) -> Value:
    """Lower new steps of a cache, written at a place of its own for each of the batch."""
    cache, update, graph = c.input(0), c.input(1), c.graph
    axis = c.attribute("axis", -2) % cache.rank
    if not (cache.is_static and update.is_static):
        c.refuse("open lengths", "Export the model with a fixed size")
    batch, length, count = (n or 0 for n in (cache.shape[0], cache.shape[axis], update.shape[axis]))
    rest = [other for other in range(1, cache.rank) if other != axis]
    order = (0, axis, *rest)
    size = int(np.prod([cache.shape[other] or 0 for other in rest], dtype=np.int64))
    places: Value = graph.constant(np.arange(count, dtype=np.int32)[None])
    if c.optional(2) is not None:
        starts = graph.unsqueeze(graph.cast(c.input(2), "int32"), [1])
        places = graph.elementwise("AddV2", [places, starts])
    if c.attribute("mode", "linear") == "circular":
        places = graph.elementwise("FloorMod", [places, scalar(graph, length)])
    firsts = graph.constant((np.arange(batch, dtype=np.int32) * length)[:, None])
    rows = graph.reshape(graph.plain(graph.elementwise("AddV2", [firsts, places])), (batch * count, 1))
    flat = graph.op("Reshape", [graph.ordered(cache, order), ints(graph, [-1, size])], shape=(batch * length, size))
    new = graph.op("Reshape", [graph.ordered(update, order), ints(graph, [-1, size])], shape=(batch * count, size))
    found = graph.op("TensorScatterUpdate", [flat, rows, new], shape=flat.shape, Tindices=Type("int32"))
    stored = ints(graph, [cache.shape[other] or 0 for other in order])
    return graph.op("Reshape", [found, stored], shape=cache.shape, order=order)
