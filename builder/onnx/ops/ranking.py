"""Places of the largest and smallest numbers, and running sums and products."""

from __future__ import annotations

from collections.abc import Sequence

from ...lowering.layout import without
from ...lowering.pieces import count_of, reverse, scalar
from ...lowering.values import Value
from ...lowering.whole_numbers import negative
from ..registry import Context, lowers


@lowers("ArgMax", "ArgMin")
def arg(c: Context) -> Value:
    """Lower the place of the largest or smallest number, the first or the last of several."""
    x, graph = c.input(0), c.graph
    axis = c.attribute("axis", 0) % max(x.rank, 1)
    last = bool(c.attribute("select_last_index", 0))
    if last:
        x = reverse(c.graph, x, [axis])
    shape, order = without_axis(x.shape, axis), without(x.order, [axis])
    where = scalar(graph, x.axis(axis))
    found = graph.op(c.op, [x, where], shape=shape, type_name="int64", order=order)
    if last:
        found = graph.elementwise("Sub", [_last_place(c, x, axis), found], "int64")
    return graph.unsqueeze(found, [axis]) if c.attribute("keepdims", 1) else found


def _last_place(c: Context, x: Value, axis: int) -> Value:
    length = x.shape[axis]
    if length is not None:
        return scalar(c.graph, length - 1)
    return c.graph.elementwise("Sub", [count_of(c.graph, x, axis), scalar(c.graph, 1)], "int32")


def without_axis(shape: tuple[int | None, ...], axis: int) -> tuple[int | None, ...]:
    """Return a shape that lacks one axis."""
    return (*shape[:axis], *shape[axis + 1 :])


@lowers("TopK")
def top_k(c: Context) -> Sequence[Value]:
    """Lower the largest or smallest numbers along an axis, which is stored last, and their places."""
    x, graph = c.input(0), c.graph
    axis = c.attribute("axis", -1) % x.rank
    order = (*(other for other in x.order if other != axis), axis)
    moved = graph.ordered(x, order)
    largest = bool(c.attribute("largest", 1))
    turned = moved if largest else _opposite(c, moved)
    count, k = _count(c)
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    results = [(x.type, shape, order), ("int64", shape, order)]
    values, places = graph.ops("TopKV2", [turned, k], results, sorted=True)
    return [values if largest else _opposite(c, values), places]


def _opposite(c: Context, x: Value) -> Value:
    return negative(c.graph, x) if x.dtype == "int32" else c.graph.elementwise("Neg", [x])


def _count(c: Context) -> tuple[int | None, Value]:
    """Return how many are wanted, as far as that is known: an attribute in old files."""
    if "k" in c.attributes:
        return int(c.attributes["k"]), scalar(c.graph, int(c.attributes["k"]))
    k = c.input(1)
    if k.array is not None:
        return int(k.array.item()), scalar(c.graph, int(k.array.item()))
    return None, c.graph.reshape(c.graph.cast(k, "int32"), ())


@lowers("CumSum", "CumProd")
def cumulative(c: Context) -> Value:
    """Lower running sums and products; wasm's kernels need the axis from the front."""
    x, axis, graph = c.input(0), c.input(1), c.graph
    if axis.array is not None:
        where = scalar(graph, x.axis(int(axis.array.item())))
    else:
        x = graph.plain(x)
        given = graph.reshape(graph.cast(axis, "int32"), ())
        where = graph.elementwise("FloorMod", [given, scalar(graph, x.rank)])
    return graph.op(
        "Cumsum" if c.op == "CumSum" else "Cumprod",
        [x, where],
        shape=x.shape,
        order=x.order,
        exclusive=bool(c.attribute("exclusive", 0)),
        reverse=bool(c.attribute("reverse", 0)),
    )
