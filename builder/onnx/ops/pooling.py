"""Pools over pictures, with the channels last."""

from __future__ import annotations

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.values import Value
from ..registry import Context, lowers
from .windows import Window, pad_spatial, window


@lowers("MaxPool")
def max_pool(c: Context) -> Value:
    """Lower MaxPool; what is added around a picture can never be the largest."""
    if len(c.names) > 1 and c.names[1]:
        c.refuse("its second output, the places of the largest numbers")
    return _pool(c, "MaxPool", fill=-3.0e38)


@lowers("AveragePool")
def average_pool(c: Context) -> Value:
    """Lower AveragePool: sums, divided by how many numbers of the picture there were unless added ones count."""
    x, w, ceil = _window(c)
    if not any((*w.begin, *w.end)) and not _overhang(x, w, ceil):
        return _pool(c, "AvgPool", fill=0.0)
    found = _pool(c, "AvgPool", fill=0.0)
    if c.attribute("count_include_pad", 0) and not _overhang(x, w, ceil):
        return found
    return _shares(c, x, w, found, ceil=ceil)


def _shares(c: Context, x: Value, w: Window, means: Value, *, ceil: bool) -> Value:
    """Divide means by the share of each window that counts."""
    shares = np.ones((1, 1, 1, 1), np.float32)
    include = bool(c.attribute("count_include_pad", 0))
    for axis, length in enumerate(x.shape[2:]):
        places = w.length(axis, length, ceil=ceil)
        if length is None or places is None:
            c.refuse("an average over what was added to an open length", "Export the model with a fixed size")
        first, last = (-w.begin[axis], length + w.end[axis]) if include else (0, length)
        starts = np.arange(places) * w.strides[axis] - w.begin[axis]
        taps = starts[:, None] + np.arange(w.kernel[axis]) * w.dilations[axis]
        counts = ((taps >= first) & (taps < last)).mean(1).astype(np.float32)
        shares = shares * counts.reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1))
    return c.graph.elementwise("RealDiv", [means, c.graph.constant(shares)])


@lowers("GlobalAveragePool", "GlobalMaxPool")
def global_pool(c: Context) -> Value:
    """Lower a pool over all spatial axes as a reduction."""
    x = c.input(0)
    axes = list(range(2, x.rank))
    where = c.graph.constant(np.array(sorted(x.axes(axes)), np.int32))
    shape = (*x.shape[:2], *([1] * len(axes)))
    op = "Mean" if c.op == "GlobalAveragePool" else "Max"
    return c.graph.op(op, [x, where], shape=shape, order=x.order, keep_dims=True)


def _window(c: Context) -> tuple[Value, Window, bool]:
    x = c.input(0)
    if x.rank == 3:
        x = c.graph.unsqueeze(x, [2])
        w = window(c, c.attribute("kernel_shape", []), x.shape[3:])
        w = Window((1, *w.kernel), (1, *w.strides), (1, *w.dilations), (0, *w.begin), (0, *w.end))
    elif x.rank == 4:
        w = window(c, c.attribute("kernel_shape", []), x.shape[2:])
    else:
        c.refuse(f"a pool over {x.rank - 2} axes")
    return x, w, bool(c.attribute("ceil_mode", 0))


def _overhang(x: Value, w: Window, ceil: bool) -> list[int]:
    """Return how far the last window of each axis reaches beyond what was added; empty where none does."""
    if not ceil:
        return []
    found = []
    for axis, length in enumerate(x.shape[2:]):
        places = w.length(axis, length, ceil=True)
        if length is None or places is None:
            return []
        reach = (places - 1) * w.strides[axis] + w.extent[axis] - w.begin[axis] - w.end[axis] - length
        found.append(max(reach, 0))
    return found if any(found) else []


def _pool(c: Context, op: str, fill: float) -> Value:
    x, w, ceil = _window(c)
    if any(n != 1 for n in w.dilations):
        c.refuse("dilations")
    if ceil and not x.is_static:
        c.refuse("ceil_mode of an open length", "Export the model with a fixed size")
    over = _overhang(x, w, ceil) or [0, 0]
    padded = pad_spatial(c, x, w.begin, [end + more for end, more in zip(w.end, over, strict=True)], fill)
    shape = (*x.shape[:2], *(w.length(axis, length, ceil=ceil) for axis, length in enumerate(x.shape[2:])))
    found = c.graph.op(
        op,
        [padded],
        shape=shape,
        order=channels_last(4),
        name=c.name,
        ksize=[1, *w.kernel, 1],
        strides=[1, *w.strides, 1],
        padding="VALID",
        data_format="NHWC",
    )
    return c.graph.squeeze(found, [2]) if c.input(0).rank == 3 else found
