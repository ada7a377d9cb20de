"""Operators that move numbers between channels and places."""

from __future__ import annotations

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.pieces import take
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers


@lowers("DepthToSpace")
def depth_to_space(c: Context) -> Value:
    """Lower DepthToSpace; TensorFlow's own takes channels in the order of DCR, so those of CRD are put into that."""
    x, graph, size = c.input(0), c.graph, int(c.attributes["blocksize"])
    channels = x.shape[1]
    if channels is None:
        c.refuse("an open number of channels", fix_lengths)
    x = graph.ordered(x, channels_last(4))
    if c.attribute("mode", "DCR") == "CRD":
        places = np.arange(channels).reshape(-1, size, size).transpose(1, 2, 0).ravel()
        x = take(graph, x, 1, places)
    lengths = (None if n is None else n * size for n in x.shape[2:])
    shape = (x.shape[0], channels // size**2, *lengths)
    return graph.op("DepthToSpace", [x], shape=shape, order=x.order, block_size=size, data_format="NHWC")


@lowers("SpaceToDepth")
def space_to_depth(c: Context) -> Value:
    """Lower SpaceToDepth, which TensorFlow.js lacks, as a turn of axes."""
    x, graph, size = c.input(0), c.graph, int(c.attributes["blocksize"])
    batch, channels, height, width = x.shape
    if channels is None or height is None or width is None:
        c.refuse("an open number of channels, rows or columns", fix_lengths)
    parted = graph.reshape(x, (batch, channels, height // size, size, width // size, size))
    turned = graph.transpose(parted, (0, 3, 5, 1, 2, 4))
    return graph.reshape(turned, (batch, channels * size**2, height // size, width // size))
