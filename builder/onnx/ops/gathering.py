"""Operators that pick numbers out of tensors by their places."""

from __future__ import annotations

import numpy as np

from ...lowering.attributes import Type
from ...lowering.layout import Order
from ...lowering.pieces import cut, from_front, gather, ints, joined, positions, scalar
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers


@lowers("Gather")
def gather_(c: Context) -> Value:
    """Lower a choice of places along one axis; a single known one is a slice."""
    x, places = c.input(0), c.input(1)
    axis = c.attribute("axis", 0) % x.rank
    places = from_front(c.graph, places, x, axis)
    if places.array is not None and places.size == 1 and x.array is None:
        found = cut(c.graph, x, {axis: (int(places.array.ravel()[0]), 1)})
        if places.rank == 0:
            return c.graph.squeeze(found, [axis])
        return c.graph.unsqueeze(found, list(range(axis, axis + places.rank - 1)))
    if places.array is not None and places.rank == 1 and x.array is None:
        numbers = places.array.tolist()
        if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return cut(c.graph, x, {axis: (numbers[0], len(numbers))})
    return gather(c.graph, x, axis, places)


@lowers("GatherElements")
def gather_elements(c: Context) -> Value:
    """Lower a choice of places along an axis that is another one for each place of the others."""
    x, places, graph = c.input(0), c.input(1), c.graph
    axis = c.attribute("axis", 0) % x.rank
    places = from_front(graph, places, x, axis)
    ranges = {}
    for other, (length, wanted) in enumerate(zip(x.shape, places.shape, strict=True)):
        if other != axis and length is not None and wanted is not None and wanted != length:
            ranges[other] = (0, wanted)
        elif other != axis and (length is None) != (wanted is None):
            c.refuse("indices of open lengths where those of the data are fixed", fix_lengths)
    x = cut(graph, x, ranges)
    order: Order = (*(other for other in x.order if other != axis), axis)
    return rows_gathered(c, graph.ordered(x, order), graph.ordered(places, order))


def rows_gathered(c: Context, x: Value, places: Value) -> Value:
    """Return from each row, along the axis that is stored last, the elements at places of that row.

    GatherV2 can do that with ``batch_dims``, but its kernel on wasm reads elsewhere.
    """
    graph = c.graph
    length, count = x.stored_shape[-1], places.stored_shape[-1]
    rows = places.stored_shape[:-1]
    if length is None or count is None or rows.count(None) > 1:
        c.refuse("open lengths", fix_lengths)
    total = None if None in rows else int(np.prod([n or 0 for n in rows]))
    flat = graph.op("Reshape", [x, ints(graph, [-1])], shape=(None if total is None else total * length,))
    table = graph.op("Reshape", [places, ints(graph, [-1, count])], shape=(total, count))
    firsts = graph.elementwise("Mul", [graph.unsqueeze(positions(graph, table, 0), [1]), scalar(graph, length)])
    found = gather(graph, flat, 0, graph.elementwise("AddV2", [table, firsts]))
    lengths = ints(graph, [-1 if n is None else n for n in places.stored_shape])
    return graph.op("Reshape", [found, lengths], shape=places.shape, type_name=x.type, order=places.order)


@lowers("GatherND")
def gather_nd(c: Context) -> Value:
    """Lower a choice of places that are given as rows of numbers."""
    x, places, graph = c.input(0), c.input(1), c.graph
    batch = c.attribute("batch_dims", 0)
    if batch:
        return _gather_nd_batch(c, x, places, batch)
    depth = places.shape[-1]
    if depth is None:
        c.refuse("indices of an open depth", fix_lengths)
    shape = (*places.shape[:-1], *x.shape[depth:])
    inputs = [graph.plain(x), graph.plain(rows_from_front(c, places, x))]
    if depth == x.rank or x.rank <= 5:
        return graph.op("GatherNd", inputs, shape=shape, Tindices=Type("int32"))
    return c.refuse(f"data of {x.rank} axes; at most 5 are possible")


def rows_from_front(c: Context, places: Value, x: Value, first: int = 0) -> Value:
    """Return rows of places, of which negative ones count from the end, as ones that all count from 0.

    Args:
        c: the node.
        places: [..., depth], of known depth.
        x: what they are places of.
        first: the axis that the first number of a row is for.
    """
    graph, depth = c.graph, places.shape[-1] or 0
    lengths = x.shape[first : first + depth]
    if places.array is not None and (None not in lengths or (places.array >= 0).all()):
        known = np.array([n or 1 for n in lengths])
        return graph.constant(np.where(places.array < 0, places.array + known, places.array).astype(np.int32))
    if None in lengths:
        whole = cut(graph, graph.shape_of(x), {0: (first, depth)})
    else:
        whole = ints(graph, [n or 0 for n in lengths])
    return graph.elementwise("FloorMod", [graph.cast(places, "int32"), whole])


def _gather_nd_batch(c: Context, x: Value, places: Value, batch: int) -> Value:
    """Put the number of the batch before each row."""
    graph = c.graph
    depth = places.shape[-1]
    if depth is None or (batch > 1 and not (x.is_static and places.is_static)):
        c.refuse("batch_dims of open lengths", fix_lengths)
    shape = (*places.shape[:-1], *x.shape[batch + depth :])
    places = rows_from_front(c, places, x, batch)
    if batch > 1:
        whole = int(np.prod([n or 0 for n in x.shape[:batch]]))
        x = graph.reshape(x, (whole, *x.shape[batch:]))
        places = graph.reshape(places, (whole, *places.shape[batch:]))
    places = graph.plain(places)
    zeros = graph.op("ZerosLike", [cut(graph, places, {places.rank - 1: (0, 1)})], shape=(*places.shape[:-1], 1))
    numbers = graph.unsqueeze(positions(graph, x, 0), list(range(1, places.rank)))
    rows = joined(graph, [graph.elementwise("AddV2", [zeros, numbers]), places], places.rank - 1)
    found_shape = (*places.shape[:-1], *x.shape[1 + depth :])
    found = graph.op("GatherNd", [graph.plain(x), graph.plain(rows)], shape=found_shape, type_name=x.type)
    return graph.reshape(found, shape) if batch > 1 else found
