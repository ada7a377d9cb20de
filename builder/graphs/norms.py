"""Writes normalisation by a batch's own statistics: TensorFlow.js takes it for that by statistics from training.

Keras 2 makes LayerNormalization of it, with the rows as channels.
"""

from __future__ import annotations

from .formulas import number, one, reshape, two
from .known import ShapeOf
from .messages import NodeDef
from .nodes import NodeBuilder, float32, int32
from .outline import source_of

channels_first = frozenset(("NCHW", "NCDHW"))


def is_wrong_norm(node: NodeDef, _shape_of: ShapeOf) -> bool:
    """Return whether a FusedBatchNorm normalises by its own statistics, or has its channels first."""
    return _is_training(node) or _layout(node) in channels_first


def _layout(node: NodeDef) -> str:
    """Return a letter an axis: V3 has volumes, too."""
    return node.attr["data_format"].s.decode() or "NHWC"


def _is_training(node: NodeDef) -> bool:
    return "is_training" not in node.attr or bool(node.attr["is_training"].b)


def fused_batch_norm(build: NodeBuilder) -> str:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset."""
    node = build.node
    x, scale, offset, mean, variance = node.input[:5]
    others = {f"{node.name}:{place}" for place in range(1, 6)}
    if any(text in others for user in build.graph.node for text in user.input if source_of(text) == node.name):
        raise build.refuse("its statistics are used too")
    layout = _layout(node)
    channels = [-1 if axis == "C" else 1 for axis in layout]
    if _is_training(node):
        axes = build.const([place for place, axis in enumerate(layout) if axis != "C"])
        mean = _mean(build, x, axes)
        apart = two(build, "Sub", x, mean)
        variance = _mean(build, one(build, "Square", apart), axes)
    else:
        apart = two(build, "Sub", x, reshape(build, mean, channels))
        variance = reshape(build, variance, channels)
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
    factor = one(build, "Rsqrt", two(build, "AddV2", variance, number(build, epsilon)))
    factor = two(build, "Mul", factor, reshape(build, scale, channels))
    return two(build, "AddV2", two(build, "Mul", apart, factor), reshape(build, offset, channels))


def _mean(build: NodeBuilder, tensor: str, axes: str) -> str:
    return build.add("Mean", [tensor, axes], T=float32, Tidx=int32, keep_dims=True)
