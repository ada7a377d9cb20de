"""Reductions along axes."""

from __future__ import annotations

import numpy as np

from ...lowering.layout import without
from ...lowering.values import Value
from ..registry import Context, lowers

same_ops = {"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max", "ReduceMin": "Min", "ReduceProd": "Prod"}


@lowers(*same_ops)
def reduction(c: Context) -> Value:
    """Lower what TensorFlow.js has."""
    axes = reduced_axes(c)
    return (
        c.input(0)
        if axes is None
        else reduce(c, same_ops[c.op], c.input(0), axes, keep=bool(c.attribute("keepdims", 1)))
    )


def reduced_axes(c: Context) -> list[int] | None:
    """Return the axes that a reduction names, all if it names none; None where it then does nothing."""
    axes = c.numbers(1, "axes")
    if not axes:
        return None if c.attribute("noop_with_empty_axes", 0) else list(range(c.input(0).rank))
    return [axis % c.input(0).rank for axis in axes]


def reduce(c: Context, op: str, x: Value, axes: list[int], *, keep: bool) -> Value:
    """Reduce logical axes, wherever they are stored."""
    where = c.graph.constant(np.array(sorted(x.axes(axes)), np.int32))
    if keep:
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        return c.graph.op(op, [x, where], shape=shape, order=x.order, keep_dims=True)
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    return c.graph.op(op, [x, where], shape=shape, order=without(x.order, axes), keep_dims=False)
