"""What convolutions and pools have in common: strides, and zeros around a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...lowering.layout import Shape, channels_last
from ...lowering.pieces import cut, ints
from ...lowering.values import Value
from ..registry import Context, fix_lengths


@dataclass(frozen=True, slots=True)
class Window:
    """How a kernel goes over a picture, for each spatial axis.

    Attributes:
        kernel, strides, dilations: in pixels.
        begin, end: pixels that are added before and after.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """Pixels from the kernel's first to its last."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def length(self, axis: int, length: int | None, *, ceil: bool = False) -> int | None:
        """Return how many places a kernel has along an axis of ``length`` pixels."""
        if length is None:
            return None
        room = length + self.begin[axis] + self.end[axis] - self.extent[axis]
        steps = -(-room // self.strides[axis]) if ceil else room // self.strides[axis]
        if ceil and steps * self.strides[axis] >= length + self.begin[axis]:
            steps -= 1  # it would begin in what was added after the picture
        return steps + 1


def window(c: Context, kernel: Sequence[int], spatial: Shape) -> Window:
    """Read the attributes of a convolution or a pool."""
    count = len(kernel)
    strides = tuple(c.attribute("strides", [1] * count))
    dilations = tuple(c.attribute("dilations", [1] * count))
    pads = tuple(c.attribute("pads", [0] * 2 * count))
    begin, end = pads[:count], pads[count:]
    mode = c.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        begin = end = (0,) * count
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        added = []
        for length, size, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
            if length is None and stride == 1:
                added.append((size - 1) * dilation)  # whatever the length
                continue
            if length is None:
                c.refuse(f"auto_pad {mode} of an open length", fix_lengths)
            added.append(max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0))
        small, large = tuple(n // 2 for n in added), tuple(n - n // 2 for n in added)
        begin, end = (small, large) if mode == "SAME_UPPER" else (large, small)
    return Window(tuple(kernel), strides, dilations, begin, end)


def pad_spatial(c: Context, x: Value, begin: Sequence[int], end: Sequence[int], fill: float = 0.0) -> Value:
    """Return a picture [n, c, spatial…], stored with its channels last, with pixels added around it."""
    order = channels_last(x.rank)
    x = c.graph.ordered(x, order)
    if not any((*begin, *end)):
        return x
    shape = list(x.shape)
    pairs = [[0, 0]] * x.rank
    for axis, (before, after) in enumerate(zip(begin, end, strict=True)):
        pairs[order.index(axis + 2)] = [before, after]
        length = x.shape[axis + 2]
        shape[axis + 2] = None if length is None else length + before + after
    values = [x, c.graph.constant(np.array(pairs, np.int32))]
    if fill:
        return c.graph.op("PadV2", [*values, c.scalar(fill, x)], shape=tuple(shape), order=order)
    return c.graph.op("Pad", values, shape=tuple(shape), order=order)


def dilated(c: Context, kernel: Value, dilations: Sequence[int]) -> Value:
    """Return a kernel [_, _, spatial…] with zeros between its elements."""
    for axis, dilation in enumerate(dilations):
        whole = ((kernel.shape[axis + 2] or 0) - 1) * dilation + 1
        if dilation == 1:
            continue
        if kernel.array is None:
            kernel = cut(c.graph, zeros_between(c, kernel, axis + 2, dilation), {axis + 2: (0, whole)})
            continue
        lengths = list(kernel.array.shape)
        lengths[axis + 2] = whole
        wide = np.zeros(lengths, kernel.array.dtype)
        wide[(slice(None),) * (axis + 2) + (slice(None, None, dilation),)] = kernel.array
        kernel = c.graph.constant(wide)
    return kernel


def zeros_between(c: Context, x: Value, axis: int, stride: int) -> Value:
    """Put zeros behind each element of an axis; stored behind the others, they are one block for each."""
    if stride == 1:
        return x
    graph, place = c.graph, x.axis(axis)
    lengths = x.stored_shape
    if None in lengths[1:]:
        c.refuse("strides over an open length, in groups or over volumes", fix_lengths)
    known = [n or 0 for n in lengths[1:]]
    head, tail = math.prod(known[:place]), math.prod(known[place:])
    rows = graph.op(
        "Reshape", [x, ints(graph, [-1, tail])], shape=(None if lengths[0] is None else lengths[0] * head, tail)
    )
    pairs = ints(graph, np.array([[0, 0], [0, tail * (stride - 1)]]))
    filled = graph.op("Pad", [rows, pairs], shape=(rows.shape[0], tail * stride))
    known[place - 1] *= stride
    shape = tuple(n * stride if number == axis and n is not None else n for number, n in enumerate(x.shape))
    return graph.op("Reshape", [filled, ints(graph, [-1, *known])], shape=shape, order=x.order)
