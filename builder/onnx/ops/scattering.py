"""Operators that put numbers into tensors by their places."""

from __future__ import annotations

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import from_front, ints
from ...lowering.values import Array, Value
from ..registry import Context, fix_lengths, lowers
from .gathering import rows_from_front

largest_match = 1 << 22  # elements of a table of which update goes where
most_rounds = 64
pairwise = {"mul": "Mul", "max": "Maximum", "min": "Minimum"}
totals = {"mul": "Prod", "max": "Max", "min": "Min"}


@lowers("Scatter", "ScatterElements")
def scatter_elements(c: Context) -> Value:
    """Lower updates along an axis as updates of the flat tensor."""
    x, places, updates, graph = c.input(0), c.input(1), c.input(2), c.graph
    axis = c.attribute("axis", 0) % x.rank
    if not x.is_static or not places.is_static:
        c.refuse("data or indices of an open length", fix_lengths)
    places = from_front(graph, places, x, axis)
    lengths = [n or 0 for n in x.shape]
    strides = [int(np.prod(lengths[other + 1 :])) for other in range(x.rank)]
    grid = np.indices([1 if other == axis else n or 0 for other, n in enumerate(places.shape)], dtype=np.int64)
    base = sum(grid[other] * strides[other] for other in range(x.rank) if other != axis)
    if places.array is not None:
        flat = graph.constant((places.array * strides[axis] + base).astype(np.int32))
    else:
        flat = graph.plain(places)
        if strides[axis] != 1:
            flat = graph.elementwise("Mul", [flat, ints(graph, [strides[axis]])])
        if x.rank > 1:
            flat = graph.elementwise("AddV2", [flat, ints(graph, np.asarray(base))])
    rows = graph.reshape(graph.plain(flat), (places.size, 1))
    found = scatter(
        c, graph.reshape(graph.plain(x), (x.size,)), rows, graph.reshape(graph.plain(updates), (places.size,))
    )
    return graph.reshape(found, x.shape)


@lowers("ScatterND")
def scatter_nd(c: Context) -> Value:
    """Lower updates at places that are given as rows of numbers."""
    x, places, updates = c.input(0), c.input(1), c.input(2)
    depth = places.shape[-1]
    if depth is None:
        c.refuse("indices of an open depth", fix_lengths)
    places = rows_from_front(c, places, x)
    return scatter(c, c.graph.plain(x), c.graph.plain(places), c.graph.plain(updates))


def scatter(c: Context, x: Value, rows: Value, updates: Value) -> Value:
    """Return a plain tensor with updates put in at rows of places, or reckoned up with what is there."""
    graph, how = c.graph, c.attribute("reduction", "none")
    if x.dtype == "bool":
        if how not in ("none", "max", "min"):
            c.refuse(f"reduction {how!r} of bool")
        whole = scatter(c, graph.cast(x, "int32"), rows, graph.cast(updates, "int32"))
        return graph.cast(whole, "bool")
    if 0 in (*rows.shape, *updates.shape):
        return x
    if how == "none" or (how != "add" and rows.array is not None):
        return _rounds(c, x, rows, updates, how)
    if how == "add":
        sums = graph.op(
            "ScatterNd",
            [rows, updates, graph.shape_of(x)],
            shape=x.shape,
            type_name=x.type,
            T=Type(x.dtype),
            Tindices=Type("int32"),
        )
        return graph.elementwise("AddV2", [x, sums])
    if how not in pairwise:
        c.refuse(f"reduction {how!r}")
    return _matched(c, x, rows, updates, how)


def _rounds(c: Context, x: Value, rows: Value, updates: Value, how: str) -> Value:
    """Put updates in, those that go to the same place one after the other."""
    graph = c.graph
    if rows.array is None:
        return _put(c, x, rows, updates)
    depth = rows.array.shape[-1]
    known = rows.array.reshape(-1, depth)
    turns = _turns(known)
    if how == "none":
        kept = np.flatnonzero(_is_last(known))
        turns = np.zeros(len(known), np.int64)
        if len(kept) == len(known):
            return _put(c, x, rows, updates)
        turns[~_is_last(known)] = 1
    count = int(turns.max()) + 1 if how != "none" else 1
    if count > most_rounds:
        c.refuse(f"reduction {how!r} of more than {most_rounds} updates at one place")
    flat = graph.reshape(updates, (len(known), *x.shape[depth:]))
    for turn in range(count):
        chosen = np.flatnonzero(turns == turn)
        places = graph.constant(known[chosen].astype(np.int32))
        part = _rows_of(c, flat, chosen, len(known))
        if how != "none":
            there = graph.op("GatherNd", [x, places], shape=part.shape, Tindices=Type("int32"))
            part = graph.elementwise(pairwise[how], [there, part])
        x = _put(c, x, places, part)
    return x


def _rows_of(c: Context, flat: Value, chosen: Array, count: int) -> Value:
    from ...lowering.pieces import take

    return flat if len(chosen) == count else c.graph.plain(take(c.graph, flat, 0, chosen))


def _turns(known: Array) -> Array:
    """Return for each row how many equal ones are before it."""
    seen: dict[tuple[int, ...], int] = {}
    found = []
    for row in map(tuple, known.tolist()):
        found.append(seen.get(row, 0))
        seen[row] = found[-1] + 1
    return np.array(found, np.int64)


def _is_last(known: Array) -> Array:
    """Return for each row whether no equal one follows."""
    return np.asarray(_turns(known[::-1])[::-1] == 0)


def _put(c: Context, x: Value, rows: Value, updates: Value) -> Value:
    return c.graph.op("TensorScatterUpdate", [x, rows, updates], shape=x.shape, T=Type(x.dtype), Tindices=Type("int32"))


def _matched(c: Context, x: Value, rows: Value, updates: Value, how: str) -> Value:
    """Reckon up, for each place, the updates that go there, out of a table of all updates for all places."""
    graph, depth = c.graph, rows.shape[-1] or 0
    if not (x.is_static and rows.is_static):
        c.refuse(f"reduction {how!r} at computed places of an open length", fix_lengths)
    lengths = [n or 0 for n in x.shape]
    places, rest, count = int(np.prod(lengths[:depth])), int(np.prod(lengths[depth:])), rows.size // depth
    if places * rest * count > largest_match:
        c.refuse(f"reduction {how!r} at computed places of a large tensor")
    strides = [int(np.prod(lengths[axis + 1 : depth])) for axis in range(depth)]
    steps = graph.elementwise("Mul", [graph.reshape(rows, (count, depth)), ints(graph, strides)])
    flat = graph.op("Sum", [steps, ints(graph, [1])], shape=(count,), type_name="int32", keep_dims=False)
    hits = graph.elementwise(
        "Equal", [ints(graph, np.arange(places)[:, None]), graph.reshape(flat, (1, count))], type_name="bool"
    )
    hits = graph.reshape(hits, (places, count, 1))
    moved = graph.reshape(updates, (1, count, rest))
    nothing = graph.constant(np.array(_neutral(how, x.dtype), x.dtype))
    spread = graph.op("SelectV2", [hits, moved, nothing], shape=(places, count, rest), type_name=x.type)
    best = graph.op(totals[how], [spread, ints(graph, [1])], shape=(places, rest), keep_dims=False)
    return graph.elementwise(pairwise[how], [x, graph.reshape(best, x.shape)])


def _neutral(how: str, dtype: str) -> float:
    if how == "mul":
        return 1
    if dtype == "float32":
        return -np.inf if how == "max" else np.inf
    limits = np.iinfo(np.int32)
    return int(limits.min if how == "max" else limits.max)
