"""Convolutions, which run with the channels last; kernels are transposed at build time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...lowering.attributes import Type
from ...lowering.layout import channels_last, moves_nothing
from ...lowering.pieces import cut, scalar
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .windows import Window, dilated, pad_spatial, window

swapped = (0, 3, 2, 1)


@lowers("Conv")
def conv(c: Context) -> Value:
    """Lower Conv of one to three spatial axes: depthwise where each channel has kernels of its own, else in groups."""
    x, kernel = c.input(0), c.input(1)
    if x.rank == 3:
        return _one_dimension(c, x, kernel)
    if x.rank not in (4, 5):
        c.refuse(f"a convolution over {x.rank - 2} axes")
    kernel_size = [n or 0 for n in kernel.shape[2:]]
    found = convolved(c, x, kernel, window(c, kernel_size, x.shape[2:]), c.attribute("group", 1))
    return add_bias(c, found, c.optional(2))


def _one_dimension(c: Context, x: Value, kernel: Value) -> Value:
    """Lower a convolution over a line as one over a picture of height 1."""
    w = window(c, [kernel.shape[2] or 0], x.shape[2:])
    flat = Window((1, *w.kernel), (1, *w.strides), (1, *w.dilations), (0, *w.begin), (0, *w.end))
    picture, flat_kernel = c.graph.unsqueeze(x, [2]), c.graph.unsqueeze(kernel, [2])
    found = convolved(c, picture, flat_kernel, flat, c.attribute("group", 1))
    return c.graph.squeeze(add_bias(c, found, c.optional(2)), [2])


def convolved(c: Context, x: Value, kernel: Value, w: Window, group: int) -> Value:
    """Return the convolution of a picture or a volume with a kernel [out, in, spatial…].

    Args:
        c: the node.
        x: [n, c, spatial…].
        kernel: it may be computed, but for groups.
        w: how the kernel goes over it.
        group: into how many parts the channels are split.
    """
    graph, order = c.graph, channels_last(x.rank)
    outputs, inputs = kernel.shape[:2]
    if outputs is None or inputs is None or None in kernel.shape:
        c.refuse("a kernel of unknown shape")
    is_sideways = x.rank == 4 and not moves_nothing(x.shape, x.order, order)
    # A picture that is stored on its side need not be moved for that.
    if is_sideways and moves_nothing(x.shape, x.order, swapped) and kernel.array is not None:
        x = graph.ordered(x, swapped)
        turn = (0, 1, 3, 2)
        sideways = Window(*(numbers[::-1] for numbers in (w.kernel, w.strides, w.dilations, w.begin, w.end)))
        found = convolved(c, graph.transpose(x, turn), graph.transpose(kernel, turn), sideways, group)
        return graph.transpose(found, turn)
    lengths = tuple(w.length(axis, length) for axis, length in enumerate(x.shape[2:]))
    padded = pad_spatial(c, x, w.begin, w.end)
    if max(w.strides) > 1 and max(w.dilations) > 1:  # which TensorFlow.js does not do together
        kernel = dilated(c, kernel, w.dilations)
        w = replace(w, kernel=w.extent, dilations=(1,) * len(w.kernel))
    attributes: dict[str, Any] = {
        "strides": [1, *w.strides, 1],
        "dilations": [1, *w.dilations, 1],
        "padding": "VALID",
        "data_format": "NHWC" if x.rank == 4 else "NDHWC",
    }
    if group == 1:
        # A kernel [out, in, h, w] is stored as [h, w, in, out].
        stored = graph.ordered(kernel, _stored_kernel(x.rank))
        shape = (x.shape[0], outputs, *lengths)
        return graph.op(_op(x.rank), [padded, stored], shape=shape, order=order, name=c.name, **attributes)
    if inputs == 1 and x.shape[1] == group and x.rank == 4:
        return _depthwise(c, padded, kernel, (x.shape[0], outputs, *lengths), attributes)
    return _grouped(c, padded, kernel, group, (x.shape[0], outputs // group, *lengths), attributes)


def _op(rank: int) -> str:
    return "Conv2D" if rank == 4 else "Conv3D"


def _stored_kernel(rank: int) -> tuple[int, ...]:
    return (*range(2, rank), 1, 0)


def _depthwise(c: Context, x: Value, kernel: Value, shape: tuple[int | None, ...], attributes: dict[str, Any]) -> Value:
    """Lower one kernel or several for each channel; TensorFlow stores them as [h, w, channel, number]."""
    graph = c.graph
    channels, outputs = x.shape[1] or 0, kernel.shape[0] or 0
    parted = graph.reshape(kernel, (channels, outputs // channels, *kernel.shape[2:]))
    stored = graph.ordered(parted, (2, 3, 0, 1))
    return graph.op(
        "DepthwiseConv2dNative", [x, stored], shape=shape, order=channels_last(4), name=c.name, **attributes
    )


def _grouped(
    c: Context,
    x: Value,
    kernel: Value,
    group: int,
    shape: tuple[int | None, ...],
    attributes: dict[str, Any],
) -> Value:
    """Lower groups as convolutions side by side, which TensorFlow.js lacks."""
    graph, order = c.graph, channels_last(x.rank)
    if x.shape[1] is None:
        c.refuse("groups of an open number of channels", fix_lengths)
    axis = scalar(graph, x.rank - 1)
    channels, outputs = x.shape[1] // group, (kernel.shape[0] or 0) // group
    part = (x.type, (x.shape[0], channels, *x.shape[2:]), order)
    pieces = graph.ops("Split", [axis, x], [part] * group, num_split=group, T=Type(x.dtype))
    kernels = [cut(graph, kernel, {0: (number * outputs, outputs)}) for number in range(group)]
    found = [
        graph.op(
            _op(x.rank),
            [piece, graph.ordered(one, _stored_kernel(x.rank))],
            shape=shape,
            order=order,
            name=c.name,
            **attributes,
        )
        for piece, one in zip(pieces, kernels, strict=True)
    ]
    whole = (shape[0], kernel.shape[0], *shape[2:])
    return graph.op("ConcatV2", [*found, axis], shape=whole, order=order, N=group)


def add_bias(c: Context, x: Value, bias: Value | None) -> Value:
    """Add one number to each channel of [n, c, spatial…], stored with the channels last."""
    if bias is None:
        return x
    return c.graph.op("BiasAdd", [x, bias], shape=x.shape, order=x.order, data_format="NHWC")
