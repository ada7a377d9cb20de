"""Convolutions whose kernels take numbers from places that are computed, and columns that go back into pictures."""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...lowering.attributes import Type
from ...lowering.graph import Graph
from ...lowering.layout import channels_last
from ...lowering.pieces import cut, ints, joined
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .convolution import add_bias, convolved
from .sampling import sampled, taps
from .windows import Window, window


@lowers("DeformConv")
def deform_conv(c: Context) -> Value:
    """Lower a convolution of a picture: all that its kernel takes for one place is put behind one another first."""
    x, kernel, offsets, graph = c.input(0), c.input(1), c.input(2), c.graph
    if x.rank != 4 or None in (*x.shape[1:], *kernel.shape):
        c.refuse("a picture of open lengths, or not of height and width", fix_lengths)
    w = window(c, [n or 0 for n in kernel.shape[2:]], x.shape[2:])
    rows, columns = (w.length(axis, length) or 0 for axis, length in enumerate(x.shape[2:]))
    groups, count = int(c.attribute("offset_group", 1)), math.prod(w.kernel)
    mask = c.optional(4)
    channels = (x.shape[1] or 0) // groups
    parts: list[list[Value]] = [[] for _ in range(count)]
    for group in range(groups):
        own = cut(graph, x, {1: (group * channels, channels)})
        for number, tap in enumerate(itertools.product(*map(range, w.kernel))):
            place = group * count + number
            axes = [_places(c, w, offsets, axis, tap[axis], 2 * place + axis, (rows, columns)[axis]) for axis in (0, 1)]
            reckon = Reckoning(graph)
            neighbours = [taps(reckon, at, x.shape[axis + 2] or 1, "linear", "zeros") for axis, at in enumerate(axes)]
            found = sampled(graph, own, neighbours)
            if mask is not None:
                weight = cut(graph, graph.plain(mask), {1: (place, 1)})
                found = reckon("Mul", found, graph.transpose(weight, (0, 2, 3, 1)))
                found = graph.plain(found)
            parts[number].append(found)
    # [n, rows, columns, taps of the channels]: the kernel [out, in, h, w] becomes [out, in h w, 1, 1] in that order.
    stacked = [joined(graph, found, 3) for found in parts]
    return _multiplied(c, stacked, kernel, (x.shape[0], rows, columns), int(c.attribute("group", 1)))


def _places(c: Context, w: Window, offsets: Value, axis: int, tap: int, channel: int, length: int) -> Value:
    """Return where a tap takes its numbers along one axis, float32 [n, rows, columns]."""
    graph = c.graph
    shift = graph.squeeze(cut(graph, graph.plain(offsets), {1: (channel, 1)}), [1])
    start = np.arange(length, dtype=np.float32) * w.strides[axis] - w.begin[axis] + tap * w.dilations[axis]
    return Reckoning(graph)("AddV2", shift, graph.constant(start.reshape((1, -1, 1) if axis == 0 else (1, 1, -1))))


def _multiplied(
    c: Context, parts: list[Value], kernel: Value, places: tuple[int | None, int, int], group: int
) -> Value:
    """Multiply what each tap takes by its part of the kernel."""
    graph = c.graph
    outputs, inputs, height, width = (n or 0 for n in kernel.shape)
    once = Window((1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
    total: Value | None = None
    for number, part in enumerate(parts):
        row, column = divmod(number, width)
        own = cut(graph, kernel, {2: (row, 1), 3: (column, 1)})
        shape = (places[0], inputs * group, *places[1:])
        picture = Value(part.type, shape, channels_last(4), part.name)
        product = convolved(c, picture, own, once, group)
        total = product if total is None else graph.elementwise("AddV2", [total, product])
    assert total is not None  # noqa: S101
    assert total.shape[1] == outputs  # noqa: S101
    assert len(parts) == height * width  # noqa: S101
    return add_bias(c, total, c.optional(3))


@lowers("Col2Im")
def col2im(c: Context) -> Value:
    """Lower columns of blocks that are added up in a picture or a volume."""
    x, graph = c.input(0), c.graph
    image = [int(n) for n in c.known(1, "image_shape")]
    block = [int(n) for n in c.known(2, "block_shape")]
    w = window(c, block, tuple(image))
    counts = [w.length(axis, length) or 0 for axis, length in enumerate(image)]
    size, total = math.prod(block), math.prod(counts)
    if not x.is_static or x.shape[2] != total:
        c.refuse("columns of open lengths, or not as many as blocks", fix_lengths)
    batch, channels = x.shape[0] or 0, (x.shape[1] or 0) // size
    whole = [n + first + last for n, first, last in zip(image, w.begin, w.end, strict=True)]
    rows = np.zeros((*block, *counts), np.int64)
    for axis in range(len(block)):
        taps_of_axis = np.arange(block[axis]) * w.dilations[axis]
        at = taps_of_axis[:, None] + np.arange(counts[axis]) * w.strides[axis]
        shape = [1] * rows.ndim
        shape[axis], shape[axis + len(block)] = at.shape
        rows += (at * math.prod(whole[axis + 1 :])).reshape(shape)
    # [n c, blocks' elements, places] is turned, so that each number is put into a row of all pictures and channels.
    flat = graph.reshape(graph.plain(x), (batch * channels, size * total))
    turned = graph.plain(graph.transpose(flat, (1, 0)))
    places = ints(graph, rows.reshape(-1, 1))
    found = _added(graph, places, turned, (math.prod(whole), batch * channels))
    picture = graph.reshape(graph.plain(graph.transpose(found, (1, 0))), (batch, channels, *whole))
    return cut(graph, picture, {axis + 2: (w.begin[axis], length) for axis, length in enumerate(image)})


def _added(graph: Graph, places: Value, updates: Value, shape: tuple[int, int]) -> Value:
    """Return rows added up at their places."""
    return graph.op(
        "ScatterNd", [places, updates, ints(graph, shape)], shape=shape, type_name=updates.type, Tindices=Type("int32")
    )
