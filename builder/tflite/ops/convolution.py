"""Convolutions; kernels are stored in TensorFlow's order at build time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SourceError
from ...lowering.attributes import Type
from ...lowering.values import Value
from ..registry import Context, lowers
from .windows import attributes, padding, strides, window_lengths


@lowers("CONV_2D")
def conv_2d(c: Context) -> Value:
    """Lower CONV_2D: a kernel [out, h, w, in], in groups where it has fewer input channels than the picture."""
    x, kernel = _pictures(c, 0, 1)
    outputs, height, width, inputs = (n or 0 for n in kernel.shape)
    steps, dilations = strides(c), _dilations(c)
    pad = padding(c)
    shape = (x.shape[0], *window_lengths(x, (height, width), steps, dilations, pad), outputs)
    settings = attributes(steps, dilations, pad)
    if x.shape[3] in (inputs, None):
        stored = c.graph.ordered(kernel, (1, 2, 3, 0))
        found = c.graph.op("Conv2D", [x, stored], shape=shape, name=c.name, **settings)
        return c.activated(add_bias(c, found, c.optional(2)))
    groups, rest = divmod(x.shape[3] or 0, max(inputs, 1))
    if rest or not groups or outputs % groups:
        c.refuse("channels that cannot be divided into groups")
    found = _grouped(c, x, kernel, groups, shape, settings)
    return c.activated(add_bias(c, found, c.optional(2)))


def _grouped(
    c: Context, x: Value, kernel: Value, groups: int, shape: tuple[int | None, ...], settings: dict[str, Any]
) -> Value:
    """Lower groups as convolutions side by side, which TensorFlow.js lacks."""
    graph = c.graph
    if kernel.array is None:
        c.refuse("groups with a kernel that is computed while the model runs")
    axis = c.whole(3)
    part = (x.type, (*x.shape[:3], (x.shape[3] or 0) // groups), None)
    pieces = graph.ops("Split", [axis, x], [part] * groups, num_split=groups, T=Type(x.dtype))
    each = (*shape[:3], (shape[3] or 0) // groups)
    found = [
        graph.op(
            "Conv2D",
            [piece, graph.ordered(graph.constant(array, name=f"{c.name}_kernel_{number}"), (1, 2, 3, 0))],
            shape=each,
            name=c.name,
            **settings,
        )
        for number, (piece, array) in enumerate(zip(pieces, np.split(kernel.array, groups), strict=True))
    ]
    return graph.op("ConcatV2", [*found, axis], shape=shape, N=groups)


@lowers("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(c: Context) -> Value:
    """Lower DEPTHWISE_CONV_2D: a kernel [1, h, w, out], several for each channel where there are more of them."""
    x, kernel = _pictures(c, 0, 1)
    _, height, width, outputs = (n or 0 for n in kernel.shape)
    channels = x.shape[3] or max(outputs // max(int(c.option("depth_multiplier", 1)), 1), 1)
    if outputs % channels:
        c.refuse("a number of outputs that is no multiple of the channels")
    steps, dilations = strides(c), _dilations(c)
    pad = padding(c)
    shape = (x.shape[0], *window_lengths(x, (height, width), steps, dilations, pad), outputs)
    stored = c.graph.reshape(kernel, (height, width, channels, outputs // channels))
    settings = attributes(steps, dilations, pad)
    found = c.graph.op("DepthwiseConv2dNative", [x, stored], shape=shape, name=c.name, **settings)
    return c.activated(add_bias(c, found, c.optional(2)))


@lowers("TRANSPOSE_CONV")
def transpose_conv(c: Context) -> Value:
    """Lower TRANSPOSE_CONV: lengths of the result, a kernel [out, h, w, in], the picture, a bias."""
    x, kernel = _pictures(c, 2, 1)
    lengths = c.arranged(0)
    known: tuple[int | None, ...] = (x.shape[0], None, None, kernel.shape[0])
    if lengths.array is not None:
        known = tuple(int(n) for n in lengths.array)
        if x.shape[0] is None:  # the converter writes the batch that it saw
            lengths, known = _open_batch(c, x, known), (None, *known[1:])
    found = transposed(c, x, kernel, lengths, known, (strides(c), padding(c)))
    return c.activated(add_bias(c, found, c.optional(3)))


def _open_batch(c: Context, x: Value, known: tuple[int | None, ...]) -> Value:
    graph = c.graph
    batch = graph.op("Slice", [graph.shape_of(x), c.whole([0]), c.whole([1])], shape=(1,), type_name="int32")
    rest = c.whole([n or 0 for n in known[1:]])
    return graph.op("ConcatV2", [batch, rest, c.whole(0)], shape=(4,), type_name="int32", N=2)


def transposed(
    c: Context,
    x: Value,
    kernel: Value,
    lengths: Value,
    shape: tuple[int | None, ...],
    window: tuple[tuple[int, int], str],
) -> Value:
    """Return a transposed convolution; the kernel [out, h, w, in] is stored as [h, w, out, in]."""
    stored = c.graph.ordered(kernel, (1, 2, 0, 3))
    settings = attributes(window[0], (1, 1), window[1])
    return c.graph.op(
        "Conv2DBackpropInput", [c.graph.cast(lengths, "int32"), stored, x], shape=shape, type_name=x.type,
        name=c.name, T=Type(x.dtype), **settings,
    )  # fmt: skip


def add_bias(c: Context, x: Value, bias: Value | None) -> Value:
    """Add one number to each channel of what has its channels last."""
    if bias is None:
        return x
    if bias.rank != 1:
        return c.graph.elementwise("AddV2", [x, bias])
    return c.graph.op("BiasAdd", [x, bias], shape=x.shape, data_format="NHWC")


def _pictures(c: Context, *indices: int) -> list[Value]:
    """Return inputs of four axes."""
    found = [c.input(index) for index in indices]
    if any(value.rank != 4 for value in found):
        c.refuse("an input or a kernel that does not have four axes")
    return found


def _dilations(c: Context) -> tuple[int, int]:
    found = int(c.option("dilation_h_factor", 1)) or 1, int(c.option("dilation_w_factor", 1)) or 1
    if min(found) < 1:
        raise SourceError("a dilation is below 1", code="SP-386", hint="Convert it again")
    return found
