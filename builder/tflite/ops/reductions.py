"""Reductions along axes."""

from __future__ import annotations

from ...lowering.values import Value
from ..registry import Context, lowers

names = {
    "MEAN": "Mean",
    "SUM": "Sum",
    "REDUCE_MAX": "Max",
    "REDUCE_MIN": "Min",
    "REDUCE_PROD": "Prod",
    "REDUCE_ANY": "Any",
    "REDUCE_ALL": "All",
}


@lowers(*names)
def reduce(c: Context) -> Value:
    """Lower reductions along axes that are known."""
    x = c.input(0)
    axes = sorted({axis % max(x.rank, 1) for axis in c.numbers(1, "the axes")})
    keep = bool(c.option("keep_dims", False))
    if keep:
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    else:
        shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    return c.graph.op(names[c.op], [x, c.whole(axes)], shape=shape, type_name=x.type, name=c.name, keep_dims=keep)


@lowers("ARG_MAX", "ARG_MIN")
def arg(c: Context) -> Value:
    """Lower the places of the largest or smallest numbers."""
    x = c.input(0)
    axis = c.numbers(1, "the axis")[0] % max(x.rank, 1)
    shape = tuple(n for other, n in enumerate(x.shape) if other != axis)
    op = "ArgMax" if c.op == "ARG_MAX" else "ArgMin"
    return c.graph.op(op, [x, c.whole(axis)], shape=shape, type_name=c.type(), name=c.name)


@lowers("CUMSUM")
def cumsum(c: Context) -> Value:
    """Lower running sums."""
    x = c.input(0)
    axis = c.numbers(1, "the axis")[0] % max(x.rank, 1)
    exclusive, reverse = bool(c.option("exclusive", False)), bool(c.option("reverse", False))
    return c.graph.op("Cumsum", [x, c.whole(axis)], shape=x.shape, name=c.name, exclusive=exclusive, reverse=reverse)


@lowers("TOPK_V2")
def top_k(c: Context) -> list[Value | None]:
    """Lower the k largest numbers of the last axis, and their places."""
    x, k = c.input(0), c.numbers(1, "k")[0]
    shape = (*x.shape[:-1], k)
    results = [(x.type, shape, None), ("int32", shape, None)]
    return list(c.graph.ops("TopKV2", [x, c.whole(k)], results, name=c.name, sorted=True))
