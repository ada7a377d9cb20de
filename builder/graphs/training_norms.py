"""Writes batch normalisation by the batch's own statistics: TensorFlow.js takes those that the node was given.

Keras 2 computes its LayerNormalization so. The formula is that of tensorflow/core/kernels/fused_batch_norm_op.cc: the
mean and the variance (not corrected for its bias) of each channel over all other axes.
"""

from __future__ import annotations

from typing import Any

from builder.graphs.formulas import number, one, reshape, two
from builder.graphs.nodes import NodeBuilder, ShapeOf, float32, int32

channels_first = frozenset((b"NCHW", b"NCDHW"))


def takes_own_statistics(node: Any, _: ShapeOf) -> bool:
    """Tell whether a node is told to be in training, as it is where it says nothing."""
    return bool(node.attr["is_training"].b) if "is_training" in node.attr else True


def own_norm(build: NodeBuilder) -> str:
    """Give (x - mean) / √(variance + ε) · scale + offset, each of them for one channel.

    Raises:
        UnsupportedOpsError: it is of another type than float32, or the statistics themselves are used.
    """
    node = build.node
    if node.attr["T"].type != float32:
        raise build.refuse("it is not of float32")
    told = {f"{node.name}:{place}" for place in range(1, 6)}
    if any(told.intersection(other.input) for other in build.graph.node):
        raise build.refuse("it gives statistics of the batch to other nodes")
    tensor, scale, offset = node.input[:3]
    layout = node.attr["data_format"].s or b"NHWC"
    rank = len(layout)
    axes = [0, *range(2, rank)] if layout in channels_first else list(range(rank - 1))
    if layout in channels_first:
        scale, offset = (reshape(build, each, [1, -1, *[1] * (rank - 2)]) for each in (scale, offset))
    centred = two(build, "Sub", tensor, _mean(build, tensor, axes))
    variance = _mean(build, one(build, "Square", centred), axes)
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
    inverse = one(build, "Rsqrt", two(build, "AddV2", variance, number(build, epsilon)))
    normed = two(build, "Mul", centred, inverse)
    return two(build, "AddV2", two(build, "Mul", normed, scale), offset)


def _mean(build: NodeBuilder, tensor: str, axes: list[int]) -> str:
    return build.add("Mean", [tensor, build.const(axes)], T=float32, Tidx=int32, keep_dims=True)
