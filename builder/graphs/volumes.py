"""Writes the transposed convolution of volumes as a convolution over what was spread out, and pools otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .formulas import number, reshape, transpose
from .known import ShapeOf
from .messages import NodeDef
from .nodes import NodeBuilder, float32, int32

if TYPE_CHECKING:
    from numpy.typing import NDArray

lowest = -3.4028234663852886e38  # of float32


def transposed_conv3d(build: NodeBuilder) -> str:
    """Spread the input out by the strides, with zeros between and around, and convolve with the kernel turned round."""
    node = build.node
    kernel, tensor = node.input[1:3]
    shape, target, window = (build.shape_of(name) for name in (tensor, node.name, kernel))
    if shape is None or target is None or window is None or None in [*shape[1:], *target[1:], *window]:
        raise build.refuse("the lengths of its input or output are not known")
    if node.attr["data_format"].s not in {b"", b"NDHWC"} or set(node.attr["dilations"].list.i) - {1}:
        raise build.refuse("only channels last without dilations can be")
    strides, is_same = list(node.attr["strides"].list.i), node.attr["padding"].s == b"SAME"
    known = [int(length or 0) for length in shape]
    for axis in (1, 2, 3):
        length, long, size = known[axis], int(target[axis] or 0), int(window[axis - 1] or 0)
        matrix = build.const(_spread(length, long, size, strides[axis], is_same=is_same)[None], float32)
        behind = math.prod(known[axis + 1 :])
        flat = reshape(build, tensor, [-1, length, behind])
        spread = build.add("BatchMatMulV2", [matrix, flat], T=float32, adj_x=False, adj_y=False)
        known[axis] = long + size - 1
        tensor = reshape(build, spread, [-1, *known[1:]])
    turned = build.add("ReverseV2", [kernel, build.const([0, 1, 2])], T=float32, Tidx=int32)
    found = build.add("Conv3D", [tensor, transpose(build, turned, [0, 1, 2, 4, 3])], T=float32)
    attributes = build.graph.node[-1].attr
    attributes["strides"].list.i.extend([1] * 5)
    attributes["dilations"].list.i.extend([1] * 5)
    attributes["padding"].s, attributes["data_format"].s = b"VALID", b"NDHWC"
    return found


def pools_volumes(node: NodeDef, shape_of: ShapeOf) -> bool:
    """Return whether a MaxPool3D can be written otherwise: the wasm backend begins at 0 where all are below."""
    shape, target = shape_of(node.input[0]), shape_of(node.name)
    return (
        node.attr["T"].type == float32
        and node.attr["data_format"].s in {b"", b"NDHWC"}
        and shape is not None
        and target is not None
        and None not in [*shape[1:], *target[1:]]
    )


def max_pool_volumes(build: NodeBuilder) -> str:
    """The largest of each plane, and then of what lies behind one another."""
    node = build.node
    shape, target = (list(build.shape_of(name) or ()) for name in (node.input[0], node.name))
    (_, deep, *size, _), (_, stride, *strides, _) = (list(node.attr[key].list.i) for key in ("ksize", "strides"))
    planes = reshape(build, node.input[0], [-1, *(int(length or 0) for length in shape[2:])])
    found = _max_pool(build, planes, size, strides)
    high, wide, channels = (int(length or 0) for length in target[2:])
    columns = reshape(build, found, [-1, int(shape[1] or 0), high * wide, channels])
    found = _max_pool(build, columns, [deep, 1], [stride, 1])
    return reshape(build, found, [-1, int(target[1] or 0), high, wide, channels])


def is_padded(node: NodeDef, _: ShapeOf) -> bool:
    """Return whether a MaxPool has borders of its own, which TensorFlow.js does not take."""
    return bool(node.attr["padding"].s == b"EXPLICIT")


def padded_max_pool(build: NodeBuilder) -> str:
    """Put the least number round the picture, and pool without borders."""
    node = build.node
    borders = [list(pair) for pair in zip(*[iter(node.attr["explicit_paddings"].list.i)] * 2, strict=True)]
    if node.attr["data_format"].s not in {b"", b"NHWC"} or node.attr["T"].type != float32:
        raise build.refuse("only float32 with channels last can be")
    tensor = build.add("PadV2", [node.input[0], build.const(borders), number(build, lowest)], T=float32,
                       Tpaddings=int32)  # fmt: skip
    (_, *size, _), (_, *strides, _) = (list(node.attr[key].list.i) for key in ("ksize", "strides"))
    return _max_pool(build, tensor, size, strides, b"VALID")


def _max_pool(build: NodeBuilder, tensor: str, size: list[int], strides: list[int], padding: bytes = b"") -> str:
    name = build.add("MaxPool", [tensor], T=float32)
    attributes = build.graph.node[-1].attr
    attributes["ksize"].list.i.extend([1, *size, 1])
    attributes["strides"].list.i.extend([1, *strides, 1])
    attributes["padding"].s, attributes["data_format"].s = padding or build.node.attr["padding"].s, b"NHWC"
    return name


def _spread(length: int, target: int, size: int, stride: int, *, is_same: bool) -> NDArray[Any]:
    """Return the matrix [target + size - 1, length] that puts each element where its window ends."""
    import numpy as np

    before = max(0, (length - 1) * stride + size - target) // 2 if is_same else 0
    found = np.zeros((target + size - 1, length), np.float32)
    for place in range(length):
        found[place * stride + size - 1 - before, place] = 1
    return found
