"""Custom operators of MediaPipe; their options are C structures of 32-bit numbers (``builtin_op_data.h``)."""

from __future__ import annotations

import struct

import numpy as np

from ...lowering.values import Value
from ..registry import Context, fix_size, lowers
from .convolution import add_bias, transposed

paddings = {1: "SAME", 2: "VALID"}  # TfLitePadding, which counts otherwise than the schema


def _options(c: Context, count: int) -> tuple[int, ...]:
    """Return the first numbers of the options."""
    content = bytes(c.option("custom", b""))
    if len(content) < 4 * count:
        c.refuse("options that are too short")
    return struct.unpack_from(f"<{count}i", content)


@lowers("custom Convolution2DTransposeBias")
def transpose_conv_bias(c: Context) -> Value:
    """Lower a transposed convolution with a bias, whose result is as large as its picture and padding say."""
    x, kernel = c.input(0), c.input(1)
    pad, across, down = _options(c, 3)
    if pad not in paddings or min(across, down) < 1 or x.rank != 4 or kernel.rank != 4:
        c.refuse("an unknown padding, a stride below 1, or an input or a kernel that does not have four axes")
    rows, columns = (
        _length(c, n, size or 0, stride, paddings[pad])
        for n, size, stride in zip(x.shape[1:3], kernel.shape[1:3], (down, across), strict=True)
    )
    shape = (x.shape[0], rows, columns, kernel.shape[0])
    if x.shape[0] is None:
        c.refuse("an open batch", fix_size)
    lengths = c.whole([n or 0 for n in shape])
    found = transposed(c, x, kernel, lengths, shape, ((down, across), paddings[pad]))
    return add_bias(c, found, c.optional(2))


def _length(c: Context, length: int | None, size: int, stride: int, pad: str) -> int:
    if length is None:
        c.refuse("a picture of an open length", fix_size)
    cut = max(0, size - (length - 1) % stride - 1) if pad == "SAME" else 0
    return stride * (length - 1) + size - cut


def _windows(c: Context, x: Value) -> tuple[int, int]:
    """Return the size of a pool's windows, which have to lie side by side."""
    _, across, down, width, height = _options(c, 5)
    if x.rank != 4 or not x.is_static:
        c.refuse("a picture of an open length", fix_size)
    if (across, down) != (width, height) or min(width, height) < 1:
        c.refuse("windows that overlap")
    return height, width


@lowers("custom MaxPoolingWithArgmax2D")
def max_pool_argmax(c: Context) -> list[Value | None]:
    """Lower the largest numbers of windows and where in its window each is, counted by rows, plus 0.1."""
    x = c.input(0)
    height, width = _windows(c, x)
    n, rows, columns, channels = (length or 0 for length in x.shape)
    if rows % height or columns % width:
        c.refuse("windows that reach beyond the picture")
    parted = c.graph.reshape(x, (n, rows // height, height, columns // width, width, channels))
    sorted_ = c.graph.plain(c.graph.transpose(parted, (0, 1, 3, 2, 4, 5)))
    windows = c.graph.reshape(sorted_, (n, rows // height, columns // width, height * width, channels))
    shape = (n, rows // height, columns // width, channels)
    largest = c.graph.op("Max", [windows, c.whole([3])], shape=shape, name=c.name, keep_dims=False)
    places = c.graph.op("ArgMax", [windows, c.whole(3)], shape=shape, type_name="int32")
    numbers = c.graph.cast(places, "float32")
    return [largest, c.graph.elementwise("AddV2", [numbers, c.graph.constant(np.float32(0.1))])]


@lowers("custom MaxUnpooling2D")
def max_unpool(c: Context) -> Value:
    """Lower numbers put back to where in their window they came from, among zeros."""
    x, places = c.input(0), c.input(1)
    height, width = _windows(c, x)
    n, rows, columns, channels = (length or 0 for length in x.shape)
    whole = c.graph.cast(places, "int32")  # a cast cuts the 0.1 off
    numbers = c.graph.reshape(whole, (n, rows, columns, 1, channels))
    window = c.graph.constant(np.arange(height * width, dtype=np.int32).reshape(1, 1, 1, -1, 1))
    here = c.graph.cast(c.graph.elementwise("Equal", [numbers, window], "bool"), "float32")
    values = c.graph.elementwise("Mul", [here, c.graph.reshape(x, (n, rows, columns, 1, channels))])
    parted = c.graph.reshape(values, (n, rows, columns, height, width, channels))
    sorted_ = c.graph.plain(c.graph.transpose(parted, (0, 1, 3, 2, 4, 5)))
    return c.graph.reshape(sorted_, (n, rows * height, columns * width, channels))
