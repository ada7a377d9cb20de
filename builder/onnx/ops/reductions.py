"""Reductions along axes."""

from __future__ import annotations

import math

import numpy as np

from ...lowering.attributes import Type
from ...lowering.layout import Shape, without
from ...lowering.pieces import scalar
from ...lowering.values import Value
from ...lowering.whole_numbers import absolute, divided, wrapped
from ..registry import Context, fix_lengths, lowers

same_ops = {"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max", "ReduceMin": "Min", "ReduceProd": "Prod"}
of_nothing = {
    "ReduceL1": 0.0,
    "ReduceL2": 0.0,
    "ReduceLogSum": -math.inf,
    "ReduceLogSumExp": -math.inf,
    "ReduceMax": -math.inf,
    "ReduceMean": math.nan,
    "ReduceMin": math.inf,
    "ReduceProd": 1.0,
    "ReduceSum": 0.0,
    "ReduceSumSquare": 0.0,
}
least = -3.4028234663852886e38  # of float32


@lowers(*same_ops, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")
def reduction(c: Context) -> Value:
    """Lower a reduction; one over nothing at all is known."""
    x, keep = c.input(0), bool(c.attribute("keepdims", 1))
    axes = reduced_axes(c)
    if 0 in x.shape and (empty := _shape_of_nothing(c, x, axes, keep=keep)) is not None:
        return _of_nothing(c, x, empty)
    if c.op in ("ReduceMax", "ReduceMin") and x.dtype == "bool":
        return reduce(c, "Any" if c.op == "ReduceMax" else "All", x, axes, keep=keep)
    if x.dtype == "int32":
        return _whole(c, x, axes, keep=keep)
    return _floats(c, x, axes, keep=keep)


def _floats(c: Context, x: Value, axes: list[int] | Value, *, keep: bool) -> Value:
    graph = c.graph
    if c.op in same_ops:
        return reduce(c, same_ops[c.op], x, axes, keep=keep)
    if c.op == "ReduceL1":
        return reduce(c, "Sum", graph.elementwise("Abs", [x]), axes, keep=keep)
    if c.op in ("ReduceL2", "ReduceSumSquare"):
        found = reduce(c, "Sum", graph.elementwise("Square", [x]), axes, keep=keep)
        return graph.elementwise("Sqrt", [found]) if c.op == "ReduceL2" else found
    if c.op == "ReduceLogSum":
        return graph.elementwise("Log", [reduce(c, "Sum", x, axes, keep=keep)])
    # Less the largest, so that no exponential is too large; that of minus infinity alone is kept finite.
    largest = graph.elementwise("Maximum", [reduce(c, "Max", x, axes, keep=True), c.scalar(least, x)])
    powers = graph.elementwise("Exp", [graph.elementwise("Sub", [x, largest])])
    logs = graph.elementwise("Log", [reduce(c, "Sum", powers, axes, keep=True)])
    found = graph.elementwise("AddV2", [logs, largest])
    if keep:
        return found
    return graph.squeeze(found, axes) if not isinstance(axes, Value) else reduce(c, "Max", found, axes, keep=False)


def _whole(c: Context, x: Value, axes: list[int] | Value, *, keep: bool) -> Value:
    """Reduce whole numbers, exactly where ONNX does; roots and logarithms are cut towards zero."""
    graph = c.graph
    if c.op in ("ReduceMax", "ReduceMin"):
        return reduce(c, same_ops[c.op], x, axes, keep=keep)
    if c.op in ("ReduceL2", "ReduceLogSum", "ReduceLogSumExp"):
        return graph.cast(_floats(c, graph.cast(x, "float32"), axes, keep=keep), x.type)
    if c.op == "ReduceMean":
        if isinstance(axes, Value):
            c.refuse(f"of {x.type} along axes that are computed while the model runs")
        lengths = [x.shape[axis] for axis in axes]
        if None in lengths:
            c.refuse(f"of {x.type} along an open length", fix_lengths)
        count = scalar(graph, math.prod(n or 0 for n in lengths))
        total = graph.cast(reduce(c, "Sum", x, axes, keep=keep), "int32")
        return graph.cast(divided(graph, total, count), x.type)
    if c.op == "ReduceL1":
        x = absolute(graph, x)
    elif c.op == "ReduceSumSquare":
        x = graph.elementwise("Mul", [x, x])
    return wrapped(graph, reduce(c, "Prod" if c.op == "ReduceProd" else "Sum", x, axes, keep=keep), x.type)


def _shape_of_nothing(c: Context, x: Value, axes: list[int] | Value, *, keep: bool) -> Shape | None:
    """Return the shape of what a reduction along an axis of length 0 gives; None where it reduces no such axis."""
    if isinstance(axes, Value):
        found = c.shape()
        if found is None or None in found:
            c.refuse("of an empty tensor along axes that are computed while the model runs")
        return None if 0 in found else found
    if all(x.shape[axis] != 0 for axis in axes):
        return None
    return tuple(1 if axis in axes else n for axis, n in enumerate(x.shape) if keep or axis not in axes)


def _of_nothing(c: Context, x: Value, shape: Shape) -> Value:
    """Return what a reduction gives along an axis of length 0, where wasm's kernels give what was in memory."""
    number = of_nothing[c.op]
    if x.dtype != "float32" and not math.isfinite(number):
        if c.op not in ("ReduceMax", "ReduceMin"):
            c.refuse(f"of an empty tensor of the type {x.type}")
        limits = (False, True) if x.dtype == "bool" else (np.iinfo(x.type).min, np.iinfo(x.type).max)
        number = limits[c.op == "ReduceMin"]
    return c.made(shape, number, "float32" if x.dtype == "float32" else x.type)


def reduced_axes(c: Context) -> list[int] | Value:
    """Return the axes that a reduction names, all if it names none; a value where they are computed."""
    given = c.optional(1)
    if given is not None and given.array is None and given.shape != (0,):
        return given
    axes = None if given is not None and given.shape == (0,) else c.numbers(1, "axes")
    if not axes:
        return [] if c.attribute("noop_with_empty_axes", 0) else list(range(c.input(0).rank))
    return [axis % c.input(0).rank for axis in axes]


def reduce(c: Context, op: str, x: Value, axes: list[int] | Value, *, keep: bool) -> Value:
    """Reduce logical axes, wherever they are stored."""
    if isinstance(axes, Value):
        return _computed(c, op, x, axes, keep=keep)
    if not axes:
        return x
    where = c.graph.constant(np.array(sorted(x.axes(axes)), np.int32))
    if keep:
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        return c.graph.op(op, [x, where], shape=shape, order=x.order, keep_dims=True)
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    return c.graph.op(op, [x, where], shape=shape, order=without(x.order, axes), keep_dims=False)


def _computed(c: Context, op: str, x: Value, axes: Value, *, keep: bool) -> Value:
    """Reduce axes that are computed while the model runs."""
    count = axes.shape[0] if axes.rank else 1
    rank = x.rank if keep else (None if count is None else x.rank - count)
    if rank is None:
        rank = len(c.shape() or ()) if c.shape() is not None else None
    if rank is None:
        c.refuse("along an unknown number of axes that are computed while the model runs")
    plain, where = c.graph.plain(x), c.graph.cast(axes, "int32")
    return c.graph.op(op, [plain, where], shape=(None,) * rank, T=Type(x.dtype), keep_dims=keep)
