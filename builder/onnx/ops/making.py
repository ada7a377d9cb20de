"""Tensors that are made of a few numbers: ranges, marks, triangles, diagonals."""

from __future__ import annotations

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import count_of, scalar
from ...lowering.values import Value
from ...lowering.whole_numbers import floor_divided
from ..registry import Context, fix_lengths, lowers
from .casts import type_name
from .logic import select


@lowers("Range")
def arange(c: Context) -> Value:
    """Lower start + i delta below the limit; TensorFlow.js' own range counts downwards where nothing is wanted."""
    start, limit, delta = (c.input(index) for index in range(3))
    graph, kind = c.graph, start.type
    span = graph.elementwise("Sub", [limit, start], kind)
    if start.dtype == "int32":
        count = span if delta.array is not None and int(delta.array.item()) == 1 else _above(c, span, delta)
    else:
        count = graph.cast(graph.elementwise("Ceil", [graph.elementwise("RealDiv", [span, delta])]), "int32")
    count = graph.elementwise("Maximum", [count, scalar(graph, 0)])
    known = c.shape()
    steps = counted(c, count, known[0] if known else None)
    if start.dtype != "int32":
        steps = graph.cast(steps, kind)
    moved = graph.elementwise("Mul", [steps, delta], kind)
    return graph.elementwise("AddV2", [moved, start], kind)


def _above(c: Context, a: Value, b: Value) -> Value:
    """Return the next whole number above a / b, the opposite of what -a / b is cut to below."""
    graph = c.graph
    down = graph.elementwise("Sub", [scalar(graph, 0), a], "int32")
    floor = floor_divided(graph, down, graph.cast(b, "int32"))[0]
    return graph.elementwise("Sub", [scalar(graph, 0), floor], "int32")


def counted(c: Context, count: Value, length: int | None = None) -> Value:
    """Return 0, 1, 2, … as int32, as many as a scalar says."""
    if count.array is not None:
        (number,) = c.lengths((int(count.array.item()),))
        return c.graph.constant(np.arange(number, dtype=np.int32))
    ends = [scalar(c.graph, 0), count, scalar(c.graph, 1)]
    return c.graph.op("Range", ends, shape=(length,), type_name="int32", Tidx=Type("int32"))


@lowers("OneHot")
def one_hot(c: Context) -> Value:
    """Lower marks; what counts from the end is moved to the front, what is out of range marks nothing."""
    graph = c.graph
    indices, depth, values = graph.plain(c.input(0)), c.input(1), c.input(2)
    axis = c.attribute("axis", -1) % (indices.rank + 1)
    count = graph.reshape(graph.cast(depth, "int32"), ())
    known = c.shape()
    length = int(count.array) if count.array is not None else (known[axis] if known else None)
    indices = graph.cast(indices, "int32") if indices.dtype != "int32" else indices
    from_end = graph.elementwise("AddV2", [indices, count], "int32")
    below = graph.elementwise("Less", [indices, scalar(graph, 0)], "bool")
    places = graph.unsqueeze(select(c, below, graph.cast(from_end, indices.type), indices), [axis])
    classes = counted(c, count, length)
    classes = graph.reshape(classes, tuple(length if other == axis else 1 for other in range(indices.rank + 1)))
    hot = graph.elementwise("Equal", [places, classes], "bool")
    if values.array is not None and values.array.tolist() == [0, 1]:
        return graph.cast(hot, values.type)
    off, on = (_part(c, values, place) for place in (0, 1))
    return select(c, hot, on, off)


def _part(c: Context, values: Value, place: int) -> Value:
    if values.array is not None:
        return c.graph.constant(values.array[place])
    indices, zero = scalar(c.graph, place), scalar(c.graph, 0)
    return c.graph.op("GatherV2", [values, indices, zero], shape=(), type_name=values.type)


@lowers("EyeLike")
def eye_like(c: Context) -> Value:
    """Lower ones on a diagonal, in the shape of another matrix."""
    x = c.input(0)
    rows, columns = c.lengths(x.shape)
    kind = type_name(c.attributes["dtype"]) if "dtype" in c.attributes else x.type
    return c.graph.constant(np.eye(rows, columns, int(c.attribute("k", 0))).astype(kind))


@lowers("Trilu")
def triangle(c: Context) -> Value:
    """Lower the upper or lower triangle of matrices; all else is 0."""
    x, k, graph = c.input(0), c.optional(1), c.graph
    shift = graph.reshape(graph.cast(k, "int32"), ()) if k is not None else scalar(graph, 0)
    rows, columns = (counted(c, count_of(c.graph, x, axis), x.shape[axis]) for axis in (x.rank - 2, x.rank - 1))
    upper = bool(c.attribute("upper", 1))
    if rows.array is not None and columns.array is not None and shift.array is not None:
        c.lengths((rows.size, columns.size))
        apart = columns.array - rows.array[:, None]
        mask = graph.constant(apart >= shift.array if upper else apart <= shift.array)
    else:
        across = graph.elementwise("Sub", [columns, graph.unsqueeze(rows, [1])], "int32")
        mask = graph.elementwise("GreaterEqual" if upper else "LessEqual", [across, shift], "bool")
    if x.dtype == "bool":
        return graph.elementwise("LogicalAnd", [x, mask])
    return select(c, mask, x, c.scalar(0, x))


@lowers("Det")
def determinant(c: Context) -> Value:
    """Lower determinants of matrices of up to 3 rows by the sum of products along their diagonals."""
    graph, x = c.graph, c.graph.plain(c.input(0))
    size = x.shape[-1]
    if size is None or size != x.shape[-2] or size > 3:
        c.refuse(f"of matrices of {size or 'an open number of'} rows; up to 3 are possible")
    rest = x.shape[:-2]
    if rest.count(None) > 1:
        c.refuse("of several open lengths", fix_lengths)
    flat = graph.reshape(x, (*rest, size * size))
    part = (x.type, rest, None)
    cells = graph.ops("Unpack", [flat], [part] * size * size, num=size * size, axis=len(rest))
    rows = [cells[row * size : (row + 1) * size] for row in range(size)]
    return _expanded(c, rows)


def _expanded(c: Context, rows: list[list[Value]]) -> Value:
    """Expand a determinant along its first row."""
    if len(rows) == 1:
        return rows[0][0]
    found: Value | None = None
    for column, head in enumerate(rows[0]):
        minor = _expanded(c, [[cell for at, cell in enumerate(row) if at != column] for row in rows[1:]])
        term = c.graph.elementwise("Mul", [head, minor])
        found = term if found is None else c.graph.elementwise("Sub" if column % 2 else "AddV2", [found, term])
    assert found is not None  # noqa: S101
    return found
