"""Transposed convolutions, which run with the channels last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...lowering.graph import Graph
from ...lowering.layout import Shape, channels_last
from ...lowering.pieces import cut, ints, joined, length_of, reverse, scalar
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .convolution import add_bias, convolved
from .windows import Window, dilated, pad_spatial, zeros_between


@dataclass(frozen=True, slots=True)
class Spread:
    """How a kernel is spread by each element, for each spatial axis.

    Attributes:
        kernel: elements from its first to its last, once dilated.
        strides: in elements of the output.
        begin: what is cut off before.
        added: how much longer than (length - 1) stride + kernel the output is; negative where it is cut off.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    begin: tuple[int, ...]
    added: tuple[int, ...]

    def length(self, axis: int, length: int | None) -> int | None:
        """Return the length after."""
        if length is None:
            return None
        return (length - 1) * self.strides[axis] + self.kernel[axis] + self.added[axis]


@lowers("ConvTranspose")
def conv_transpose(c: Context) -> Value:
    """Lower ConvTranspose of one to three spatial axes."""
    x, kernel, graph = c.input(0), c.input(1), c.graph
    if x.rank not in (3, 4, 5) or None in kernel.shape:
        c.refuse(f"a transposed convolution over {x.rank - 2} axes, or with a kernel of unknown shape")
    is_line = x.rank == 3
    spatial = x.shape[2:]
    s = _spread(c, kernel, spatial)
    kernel = dilated(c, kernel, c.attribute("dilations", [1] * (x.rank - 2)))
    if is_line:
        x, kernel = graph.unsqueeze(x, [2]), graph.unsqueeze(kernel, [2])
        s = Spread((1, *s.kernel), (1, *s.strides), (0, *s.begin), (0, *s.added))
    group = c.attribute("group", 1)
    is_depthwise = group > 1 and kernel.shape[1] == 1 and x.shape[1] == group and None not in spatial
    lower = _stuffed if x.rank == 5 or is_depthwise else _grouped
    found = lower(c, x, kernel, s, group)
    found = add_bias(c, found, c.optional(2))
    return graph.squeeze(found, [2]) if is_line else found


def _spread(c: Context, kernel: Value, spatial: Shape) -> Spread:
    """Read the attributes."""
    count = len(spatial)
    strides = tuple(c.attribute("strides", [1] * count))
    dilations = tuple(c.attribute("dilations", [1] * count))
    more = tuple(c.attribute("output_padding", [0] * count))
    extent = tuple(((k or 0) - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True))
    mode, wanted = c.attribute("auto_pad", "NOTSET"), c.attribute("output_shape", None)
    if wanted is None and mode in ("NOTSET", "VALID"):
        pads = tuple(c.attribute("pads", [0] * 2 * count)) if mode == "NOTSET" else (0,) * 2 * count
        added = (extra - first - last for extra, first, last in zip(more, pads[:count], pads[count:], strict=True))
        return Spread(extent, strides, pads[:count], tuple(added))
    begins, added_all = [], []
    for axis, length in enumerate(spatial):
        whole = None if length is None else (length - 1) * strides[axis] + extent[axis]
        if wanted is not None:
            if whole is None:
                c.refuse("output_shape for an open length", fix_lengths)
            total = whole + more[axis] - wanted[-count:][axis]
        else:
            total = extent[axis] + more[axis] - strides[axis]  # so that lengths are multiplied by the strides
            if total < 0:  # ONNX says that, ONNX Runtime gives less
                c.refuse(f"auto_pad {mode} with a kernel that is smaller than its stride", "Export it with pads")
        cut_off = max(total, 0)
        begins.append(cut_off // 2 if mode == "SAME_UPPER" else cut_off - cut_off // 2)
        added_all.append(more[axis] - total)
    return Spread(extent, strides, tuple(begins), tuple(added_all))


def _grouped(c: Context, x: Value, kernel: Value, s: Spread, group: int) -> Value:
    """Run one convolution for each group."""
    graph = c.graph
    if group == 1:
        return _picture(c, x, kernel, s)
    channels = x.shape[1]
    if channels is None:
        c.refuse("groups of an open number of channels", fix_lengths)
    size = channels // group
    parts = []
    for number in range(group):
        at = (number * size, size)
        parts.append(_picture(c, cut(graph, x, {1: at}), cut(graph, kernel, {0: at}), s))
    return joined(graph, parts, 1)


def _picture(c: Context, x: Value, kernel: Value, s: Spread) -> Value:
    """Lower the gradient of a convolution, which TensorFlow.js has, with a kernel [in, out, h, w]."""
    graph = c.graph
    x = graph.ordered(x, channels_last(4))
    stored = graph.ordered(kernel, (2, 3, 1, 0))
    # It gives what the borders cut off in full; more than that is padded.
    after = [max(added + first, 0) for added, first in zip(s.added, s.begin, strict=True)]
    fits = [min(more, stride - 1) for more, stride in zip(after, s.strides, strict=True)]
    ends = [more - fit for more, fit in zip(after, fits, strict=True)]
    inner = Spread(s.kernel, s.strides, s.begin, tuple(a - e for a, e in zip(s.added, ends, strict=True)))
    lengths = [inner.length(axis, x.shape[axis + 2]) for axis in (0, 1)]
    outputs = kernel.shape[1]
    shape = (x.shape[0], outputs, *lengths)
    cuts = [pair for axis in (0, 1) for pair in (s.begin[axis], max(-inner.added[axis] - s.begin[axis], 0))]
    padding = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, *cuts, 0, 0]} if any(cuts) else {"padding": "VALID"}
    found = graph.op(
        "Conv2DBackpropInput",
        [_output_shape(graph, x, inner, outputs or 0), stored, x],
        shape=shape,
        type_name=x.type,
        order=x.order,
        name=c.name,
        strides=[1, *s.strides, 1],
        dilations=[1, 1, 1, 1],
        data_format="NHWC",
        **padding,
    )
    return pad_spatial(c, found, (0, 0), ends) if any(ends) else found


def _output_shape(graph: Graph, x: Value, s: Spread, outputs: int) -> Value:
    """Return the lengths after, as stored, int32 [4]."""
    parts = [length_of(graph, x, 0)]
    for axis in (0, 1):
        length = x.shape[axis + 2]
        known = s.length(axis, length)
        if known is not None:
            parts.append(ints(graph, [known]))
            continue
        steps = graph.elementwise("Mul", [length_of(graph, x, axis + 2), ints(graph, [s.strides[axis]])])
        more = s.kernel[axis] + s.added[axis] - s.strides[axis]
        parts.append(graph.elementwise("AddV2", [steps, ints(graph, [more])]))
    parts.append(ints(graph, [outputs]))
    if all(part.array is not None for part in parts):
        return ints(graph, [int(part.array[0]) for part in parts if part.array is not None])
    return graph.op("ConcatV2", [*parts, scalar(graph, 0)], shape=(4,), type_name="int32", N=4)


def _stuffed(c: Context, x: Value, kernel: Value, s: Spread, group: int) -> Value:
    """Put zeros between the elements, and convolve with the kernel turned round."""
    graph = c.graph
    x = graph.ordered(x, channels_last(x.rank))
    for axis, stride in enumerate(s.strides):
        x = zeros_between(c, x, axis + 2, stride)
    spatial = list(range(2, x.rank))
    turned = reverse(graph, kernel, spatial) if kernel.array is None else graph.constant(
        np.ascontiguousarray(np.flip(kernel.array, spatial)))  # fmt: skip
    inputs, outputs = kernel.shape[0] or 0, kernel.shape[1] or 0
    # [in, out, …] in groups becomes [out, in of a group, …].
    parted = graph.reshape(turned, (group, inputs // group, outputs, *kernel.shape[2:]))
    swapped = graph.transpose(parted, (0, 2, 1, *range(3, x.rank + 1)))
    straight = graph.reshape(swapped, (group * outputs, inputs // group, *kernel.shape[2:]))
    # (length - 1) stride + 1 elements are followed by stride - 1 zeros that do not count.
    begin = [size - 1 - first for size, first in zip(s.kernel, s.begin, strict=True)]
    end = [
        size - 1 + added + first - (stride - 1)
        for size, added, first, stride in zip(s.kernel, s.added, s.begin, s.strides, strict=True)
    ]
    for axis, (first, last) in enumerate(zip(begin, end, strict=True)):
        length = x.shape[axis + 2]
        if first >= 0 and last >= 0:
            continue
        if length is None:
            c.refuse("pads that are larger than the kernel, of an open length", fix_lengths)
        x = cut(graph, x, {axis + 2: (max(-first, 0), length - max(-first, 0) - max(-last, 0))})
    ones = (1,) * len(s.kernel)
    w = Window(s.kernel, ones, ones, tuple(max(n, 0) for n in begin), tuple(max(n, 0) for n in end))
    return convolved(c, x, straight, w, group)
