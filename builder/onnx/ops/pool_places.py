"""Where the largest numbers of a pool came from, and how they go back there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import cut, every
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .padding import padded
from .windows import Window


def max_pool_places(c: Context, x: Value, w: Window, ceil: bool) -> list[Value]:
    """Return the largest numbers, and their places in the flat input.

    Args:
        c: the node.
        x: [n, c, spatial…], a line as a picture of height 1.
        w: the window.
        ceil: ``ceil_mode``.
    """
    from .pooling import bordered, lowest

    graph = c.graph
    if not x.is_static:
        c.refuse("the places of the largest numbers with open lengths", fix_lengths)
    lengths = [n or 0 for n in x.shape]
    counts = [w.length(axis, length, ceil=ceil) or 0 for axis, length in enumerate(lengths[2:])]
    whole = bordered(c, graph.cast(x, "float32"), w, ceil, lowest)
    best: Value | None = None
    where: Value | None = None
    for taps in itertools.product(*(range(size) for size in w.kernel)):
        part, place = whole, np.zeros([1] * x.rank, np.int64)
        for axis, tap in enumerate(taps):
            part = every(graph, part, axis + 2, tap * w.dilations[axis], w.strides[axis], counts[axis])
            at = np.arange(counts[axis]) * w.strides[axis] - w.begin[axis] + tap * w.dilations[axis]
            step = _step(lengths[2:], axis, by_columns=bool(c.attribute("storage_order", 0)))
            place = place + (at * step).reshape([-1 if other == axis + 2 else 1 for other in range(x.rank)])
        places = graph.constant(place.astype(np.int32))
        if best is None or where is None:
            best, where = part, places
            continue
        better = graph.elementwise("Greater", [part, best], "bool")
        where = graph.elementwise("SelectV2", [better, places, where], "int32")
        best = graph.elementwise("Maximum", [best, part])
    assert best is not None  # noqa: S101
    assert where is not None  # noqa: S101
    firsts = np.arange(lengths[0] * lengths[1]).reshape(*lengths[:2], *[1] * len(counts)) * math.prod(lengths[2:])
    found = graph.elementwise("AddV2", [where, graph.constant(firsts.astype(np.int32))], "int32")
    results = [graph.cast(best, c.input(0).type), graph.cast(found, "int64")]
    return [graph.squeeze(value, [2]) for value in results] if c.input(0).rank == 3 else results


def _step(lengths: Sequence[int], axis: int, *, by_columns: bool) -> int:
    return math.prod(lengths[:axis]) if by_columns else math.prod(lengths[axis + 1 :])


@lowers("MaxUnpool")
def max_unpool(c: Context) -> Value:
    """Lower MaxUnpool: each number goes back to its place, and zeros to all others."""
    x, places, graph = c.input(0), c.input(1), c.graph
    if not x.is_static:
        c.refuse("open lengths", fix_lengths)
    kernel = c.attribute("kernel_shape", [])
    count = len(kernel)
    strides, pads = c.attribute("strides", [1] * count), c.attribute("pads", [0] * 2 * count)
    lengths = [
        ((n or 0) - 1) * stride + size - before - after
        for n, stride, size, before, after in zip(x.shape[2:], strides, kernel, pads[:count], pads[count:], strict=True)
    ]
    shape = (x.shape[0] or 0, x.shape[1] or 0, *lengths)
    wanted = c.shape() if c.optional(2) is not None else shape
    if c.optional(2) is not None and c.input(2).array is not None:
        wanted = tuple(int(n) for n in c.known(2))
    if wanted is None or None in wanted:
        c.refuse("an output_shape that is computed while the model runs")
    rows = graph.reshape(graph.plain(graph.cast(places, "int32")), (x.size, 1))
    zeros = graph.constant(np.zeros(math.prod(shape), np.float32 if x.dtype == "float32" else np.int32))
    numbers = graph.reshape(graph.plain(x), (x.size,))
    flat = graph.op("TensorScatterUpdate", [zeros, rows, numbers], shape=zeros.shape, type_name=x.type,
                    Tindices=Type("int32"))  # fmt: skip
    found = graph.reshape(flat, shape)
    sizes = [(0, min(n or 0, length)) for n, length in zip(wanted, shape, strict=True)]
    found = cut(graph, found, dict(enumerate(sizes)))
    more = [(n or 0) - length for n, (_, length) in zip(wanted, sizes, strict=True)]
    return padded(graph, found, [0] * x.rank, more, c.scalar(0, x))
