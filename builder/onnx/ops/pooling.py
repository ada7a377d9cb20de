"""Pools, with the channels last: kernels of TensorFlow.js over two axes at a time, or slices of what is dilated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.pieces import cut, every, ints
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .reductions import reduce
from .windows import Window, pad_spatial, window

lowest = -3.4028234663852886e38  # of float32


@lowers("MaxPool")
def max_pool(c: Context) -> Value | Sequence[Value | None]:
    """Lower MaxPool; what is added around a picture can never be the largest."""
    x = c.input(0)
    if x.type in ("int64", "int32", "uint32", "uint64"):
        c.refuse(f"{x.type}, which a kernel for float32 would round")
    if len(c.names) > 1 and c.names[1]:
        from .pool_places import max_pool_places

        return max_pool_places(c, *_window(c))
    found = _pooled(c, "MaxPool", c.graph.cast(x, "float32") if x.dtype != "float32" else x, fill=lowest)
    return c.graph.cast(found, x.type)


@lowers("AveragePool")
def average_pool(c: Context) -> Value:
    """Lower AveragePool: sums, divided by how many numbers of the picture there were unless added ones count."""
    x, w, ceil = _window(c)
    over = overhang(x, w, ceil)
    found = _pooled(c, "AvgPool", c.input(0), fill=0.0)
    if not any((*w.begin, *w.end, *over)) or (c.attribute("count_include_pad", 0) and not any(over)):
        return found
    return _shares(c, x, w, found, ceil=ceil)


def _shares(c: Context, x: Value, w: Window, means: Value, *, ceil: bool) -> Value:
    """Divide means by the share of each window that counts."""
    rank = x.rank
    if None in x.shape[2:]:
        return _computed_shares(c, w, means)
    shares = np.ones([1] * rank, np.float32)
    include = bool(c.attribute("count_include_pad", 0))
    for axis, length in enumerate(x.shape[2:]):
        places = w.length(axis, length, ceil=ceil)
        assert length is not None  # noqa: S101
        assert places is not None  # noqa: S101
        first, last = (-w.begin[axis], length + w.end[axis]) if include else (0, length)
        starts = np.arange(places) * w.strides[axis] - w.begin[axis]
        taps = starts[:, None] + np.arange(w.kernel[axis]) * w.dilations[axis]
        counts = ((taps >= first) & (taps < last)).mean(1).astype(np.float32)
        shares = shares * counts.reshape([-1 if other == axis + 2 else 1 for other in range(rank)])
    return c.graph.elementwise("RealDiv", [means, c.graph.constant(shares.reshape(shares.shape[-means.rank :]))])


def _computed_shares(c: Context, w: Window, means: Value) -> Value:
    """Divide by the same pool of a picture of ones, which is made when the model runs."""
    x, graph = c.input(0), c.graph
    one = cut(graph, x, dict.fromkeys((0, 1), (0, 1)))
    ones = graph.op("OnesLike", [one], shape=one.shape, order=one.order)
    if any(n != 1 for n in w.dilations) or c.attribute("ceil_mode", 0):
        c.refuse("dilations or ceil_mode of an open length", fix_lengths)
    return graph.elementwise("RealDiv", [means, _pooled(c, "AvgPool", ones, fill=0.0)])


@lowers("LpPool")
def lp_pool(c: Context) -> Value:
    """Lower LpPool: the p-th root of sums of p-th powers."""
    x, graph, p = c.input(0), c.graph, float(c.attribute("p", 2))
    means = _pooled(c, "AvgPool", _power(c, x, p), fill=0.0)
    count = math.prod(c.attribute("kernel_shape", []))
    return _root(c, graph.elementwise("Mul", [means, c.scalar(float(count), means)]), p)


@lowers("GlobalLpPool")
def global_lp_pool(c: Context) -> Value:
    """Lower LpPool over all spatial axes."""
    x, p = c.input(0), float(c.attribute("p", 2))
    sums = reduce(c, "Sum", _power(c, x, p), list(range(2, x.rank)), keep=True)
    return _root(c, sums, p)


def _power(c: Context, x: Value, p: float) -> Value:
    if p == 2:
        return c.graph.elementwise("Square", [x])
    size = c.graph.elementwise("Abs", [x])
    return size if p == 1 else c.graph.elementwise("Pow", [size, c.scalar(p, x)])


def _root(c: Context, x: Value, p: float) -> Value:
    if p == 2:
        return c.graph.elementwise("Sqrt", [x])
    return x if p == 1 else c.graph.elementwise("Pow", [x, c.scalar(1 / p, x)])


@lowers("GlobalAveragePool", "GlobalMaxPool")
def global_pool(c: Context) -> Value:
    """Lower a pool over all spatial axes as a reduction."""
    op = "Mean" if c.op == "GlobalAveragePool" else "Max"
    return reduce(c, op, c.input(0), list(range(2, c.input(0).rank)), keep=True)


def _window(c: Context) -> tuple[Value, Window, bool]:
    """Return the input, a line as a picture of height 1, and the window over it."""
    x = c.input(0)
    if x.rank not in (3, 4, 5):
        c.refuse(f"a pool over {x.rank - 2} axes")
    w = window(c, c.attribute("kernel_shape", []), x.shape[2:])
    _check(c, x, w)
    if x.rank == 3:
        x = c.graph.unsqueeze(x, [2])
        w = Window((1, *w.kernel), (1, *w.strides), (1, *w.dilations), (0, *w.begin), (0, *w.end))
    return x, w, bool(c.attribute("ceil_mode", 0))


def _check(c: Context, x: Value, w: Window) -> None:
    """Refuse what ONNX and ONNX Runtime give different numbers for, and windows that have no place at all."""
    is_same = c.attribute("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    if is_same and any(n != 1 for n in w.dilations):
        c.refuse("auto_pad with dilations", "Export the model with pads")
    for axis, length in enumerate(x.shape[2:]):
        if length is None:
            continue
        room = length + w.begin[axis] + w.end[axis] - w.extent[axis]
        if room < 0:
            c.refuse("a window that is larger than its input")
        if is_same and room % w.strides[axis] >= 2 and not (w.begin[axis] or w.end[axis]):
            c.refuse("auto_pad with strides that leave out more than one row", "Export the model with pads")


def overhang(x: Value, w: Window, ceil: bool) -> list[int]:
    """Return how far the last window of each axis reaches beyond what was added."""
    found = []
    for axis, length in enumerate(x.shape[2:]):
        places = w.length(axis, length, ceil=True)
        if not ceil or length is None or places is None:
            found.append(0)
            continue
        reach = (places - 1) * w.strides[axis] + w.extent[axis] - w.begin[axis] - w.end[axis] - length
        found.append(max(reach, 0))
    return found


def _pooled(c: Context, op: str, x: Value, fill: float) -> Value:
    """Pool something of the shape of the input, but for batch and channels."""
    graph, is_line = c.graph, x.rank == 3
    given, w, ceil = _window(c)
    x = graph.unsqueeze(x, [2]) if is_line else x
    if ceil and None in given.shape[2:]:
        c.refuse("ceil_mode of an open length", fix_lengths)
    shape = (*x.shape[:2], *(w.length(axis, length, ceil=ceil) for axis, length in enumerate(given.shape[2:])))
    if any(n != 1 for n in w.dilations):
        found = _sliced(c, op, bordered(c, x, w, ceil, fill), w, shape)
    elif x.rank == 4:
        found = _kernel(c, op, x, w, ceil, fill, shape)
    else:
        found = _volume(c, op, bordered(c, x, w, ceil, fill), w, shape)
    return graph.squeeze(found, [2]) if is_line else found


def bordered(c: Context, x: Value, w: Window, ceil: bool, fill: float) -> Value:
    """Return a picture with all around it that windows reach."""
    ends = [end + more for end, more in zip(w.end, overhang(x, w, ceil), strict=True)]
    return pad_spatial(c, x, w.begin, ends, fill)


def _kernel(c: Context, op: str, x: Value, w: Window, ceil: bool, fill: float, shape: tuple[int | None, ...]) -> Value:
    """Pool a picture; where TensorFlow adds just as much around it, it does that itself."""
    graph = c.graph
    is_same = any((*w.begin, *w.end)) and not any(overhang(x, w, ceil)) and _is_same(x, w)
    if is_same and op == "MaxPool":
        x = graph.ordered(x, channels_last(4))
    else:
        x, is_same = bordered(c, x, w, ceil, fill), False
    return _run(c, op, x, w.kernel, w.strides, shape, "SAME" if is_same else "VALID")


def _run(
    c: Context,
    op: str,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    shape: tuple[int | None, ...],
    padding: str = "VALID",
) -> Value:
    attributes: dict[str, Any] = {"ksize": [1, *kernel, 1], "strides": [1, *strides, 1]}
    return c.graph.op(
        op, [x], shape=shape, order=channels_last(4), name=c.name, padding=padding, data_format="NHWC", **attributes
    )


def _is_same(x: Value, w: Window) -> bool:
    """Whether what is added is what TensorFlow adds with SAME."""
    for axis, length in enumerate(x.shape[2:]):
        if length is None and w.strides[axis] != 1:
            return False
        count = -(-(length or 1) // w.strides[axis])
        total = max((count - 1) * w.strides[axis] + w.extent[axis] - (length or 1), 0)
        if (w.begin[axis], w.end[axis]) != (total // 2, total - total // 2):
            return False
    return True


def _volume(c: Context, op: str, x: Value, w: Window, shape: tuple[int | None, ...]) -> Value:
    """Pool each plane of a volume, and then what lies behind one another."""
    graph = c.graph
    batch, channels, deep, height, width = x.shape
    if None in (channels, deep, height, width):
        c.refuse("a volume of open lengths", fix_lengths)
    # Stored as [n, d, h, w, c]: planes are [n d, h, w, c], columns [n, d, h w, c].
    planes = _stored(c, x, (None, height, width, channels))
    high, wide = shape[3], shape[4]
    found = _run(c, op, planes, w.kernel[1:], w.strides[1:], (None, channels, high, wide))
    columns = _stored(c, found, (None, deep, (high or 0) * (wide or 0), channels))
    found = _run(c, op, columns, (w.kernel[0], 1), (w.strides[0], 1), (batch, channels, shape[2], None))
    lengths = ints(graph, [-1, *(shape[axis] or 0 for axis in (2, 3, 4)), channels or 0])
    return graph.op("Reshape", [found, lengths], shape=shape, order=channels_last(5))


def _stored(c: Context, x: Value, stored: tuple[int | None, ...]) -> Value:
    """Return what is stored as if it were a picture of other lengths [n, h, w, c]."""
    lengths = ints(c.graph, [-1 if n is None else n for n in stored])
    shape = (stored[0], stored[3], stored[1], stored[2])
    return c.graph.op("Reshape", [x, lengths], shape=shape, order=channels_last(4))


def _sliced(c: Context, op: str, x: Value, w: Window, shape: tuple[int | None, ...]) -> Value:
    """Pool along one axis after the other, over slices that are as far apart as the kernel's elements."""
    graph = c.graph
    for axis, size in enumerate(w.kernel):
        if size == 1 and w.strides[axis] == 1:
            continue
        count = shape[axis + 2]
        if count is None:
            c.refuse("dilations over an open length", fix_lengths)
        found: Value | None = None
        for tap in range(size):
            part = every(graph, x, axis + 2, tap * w.dilations[axis], w.strides[axis], count)
            joint = "Maximum" if op == "MaxPool" else "AddV2"
            found = part if found is None else graph.elementwise(joint, [found, part])
        assert found is not None  # noqa: S101
        x = found if op == "MaxPool" else graph.elementwise("Mul", [found, c.scalar(1 / size, found)])
    return x
