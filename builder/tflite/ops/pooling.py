"""Pools and sizes of pictures."""

from __future__ import annotations

from ...lowering.values import Value
from ..registry import Context, fix_size, lowers
from .windows import padding, strides, window_lengths


@lowers("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
def pool(c: Context) -> Value:
    """Lower pools; what lies outside of the picture does not count in any of them."""
    x = c.input(0)
    if x.rank != 4:
        c.refuse("an input that does not have four axes")
    size = int(c.option("filter_height", 0)), int(c.option("filter_width", 0))
    steps, pad = strides(c), padding(c)
    shape = (x.shape[0], *window_lengths(x, size, steps, (1, 1), pad), x.shape[3])
    op = "MaxPool" if c.op == "MAX_POOL_2D" else "AvgPool"
    value = c.graph.elementwise("Square", [x]) if c.op == "L2_POOL_2D" else x
    found = c.graph.op(
        op,
        [value],
        shape=shape,
        name=c.name,
        ksize=[1, *size, 1],
        strides=[1, *steps, 1],
        padding=pad,
        explicit_paddings=[],
        data_format="NHWC",
    )
    return c.activated(c.graph.elementwise("Sqrt", [found]) if c.op == "L2_POOL_2D" else found)


@lowers("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(c: Context) -> Value:
    """Lower resizes to a length that is known, or computed when the model runs."""
    x, size = c.input(0), c.arranged(1)
    if x.rank != 4:
        c.refuse("an input that does not have four axes")
    lengths = [int(n) for n in size.array.ravel()] if size.array is not None else (c.shape() or (None,) * 4)[1:3]
    shape = (x.shape[0], *lengths, x.shape[3])
    align, half = bool(c.option("align_corners", False)), bool(c.option("half_pixel_centers", False))
    if align and half:
        c.refuse("align_corners and half_pixel_centers together")
    op = "ResizeBilinear" if c.op == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
    return c.graph.op(
        op,
        [x, c.graph.cast(c.graph.plain(size), "int32")],
        shape=shape,
        type_name="float32" if op == "ResizeBilinear" else x.type,
        name=c.name,
        align_corners=align,
        half_pixel_centers=half,
    )


@lowers("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def blocks(c: Context) -> Value:
    """Lower pixels as channels, and back."""
    x, size = c.input(0), int(c.option("block_size", 0))
    if x.rank != 4 or size < 1:
        c.refuse("an input that does not have four axes, or a block_size below 1")
    rows, columns, channels = x.shape[1:]
    if c.op == "DEPTH_TO_SPACE":
        shape = (
            x.shape[0],
            None if rows is None else rows * size,
            None if columns is None else columns * size,
            None if channels is None else channels // size**2,
        )
        return c.graph.op("DepthToSpace", [x], shape=shape, name=c.name, block_size=size, data_format="NHWC")
    if rows is None or columns is None or channels is None:
        c.refuse("pictures of an open length", fix_size)
    parted = (x.shape[0], rows // size, size, columns // size, size, channels)
    if x.shape[0] is None:
        c.refuse("an open batch", fix_size)
    moved = c.graph.plain(c.graph.transpose(c.graph.reshape(x, parted), (0, 1, 3, 2, 4, 5)))
    return c.graph.reshape(moved, (x.shape[0], rows // size, columns // size, channels * size**2))


@lowers("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def batches(c: Context) -> Value:
    """Lower pixels as pictures of their own, and back."""
    x = c.input(0)
    block = c.numbers(1, "the block")
    pairs = [[int(n) for n in pair] for pair in c.known(2, "the paddings or crops")]
    forth = c.op == "SPACE_TO_BATCH_ND"
    lengths = []
    for axis, (size, (before, after)) in enumerate(zip(block, pairs, strict=True), start=1):
        n = x.shape[axis]
        lengths.append(None if n is None else (n + before + after) // size if forth else n * size - before - after)
    batch = x.shape[0]
    for size in block:
        batch = None if batch is None else batch * size if forth else batch // size
    shape = (batch, *lengths, *x.shape[1 + len(block) :])
    names = ("SpaceToBatchND", "paddings") if forth else ("BatchToSpaceND", "crops")
    return c.graph.op(names[0], [x, c.whole(block), c.whole(pairs)], shape=shape, name=c.name)
