"""Replaces ops that TensorFlow.js lacks by ops it has, where both give the same numbers. One small function an op.

A rewrite gets a ``NodeBuilder`` and the node, adds nodes, and gives the tensor that stands for the node's. The node
itself stays under its name as an identity, so nobody who refers to it has to change.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from .bands import band_part, is_band
from .colours import adjust_hue, adjust_saturation, hsv_to_rgb, rgb_to_hsv
from .diagonals import matrix_diag, matrix_diag_part, matrix_set_diag
from .fake_quant import fake_quant
from .formulas import number, one, reshape, select, shape_vector, spread_mask, two
from .groups import grouped_convolution, is_grouped
from .known import ShapeOf
from .messages import GraphDef, NodeDef
from .nodes import NodeBuilder, boolean, float32, int32, int64
from .norms import fused_batch_norm, is_wrong_norm
from .ops import identities, watchers
from .outline import source_of
from .patches import image_patches
from .resizing import resize_area, resize_bicubic, scale_and_translate
from .segments import segment_extreme, segment_mean, segment_sum
from .sequences import (
    batched_gather,
    cumulate,
    has_batches,
    has_rank,
    invert_permutation,
    reverse_sequence,
    roll,
    scatter_add,
    select_rows,
    selects_rows,
    unravel_index,
)
from .volumes import is_padded, max_pool_volumes, padded_max_pool, pools_volumes, transposed_conv3d


def _adjust_contrast(build: NodeBuilder) -> str:
    """(x - mean over the picture) * factor + mean."""
    node = build.node
    kind = node.attr["T"].type or float32
    image, factor = build.cast(node.input[0], kind, float32), node.input[1]
    mean = build.add("Mean", [image, build.const([-3, -2])], T=float32, Tidx=int32, keep_dims=True)
    apart = build.add("Sub", [image, mean], T=float32)
    scaled = build.add("Mul", [apart, factor], T=float32)
    return build.cast(build.add("AddV2", [scaled, mean], T=float32), float32, kind)


def _space_to_depth(build: NodeBuilder) -> str:
    """Every s-th pixel from each offset, one behind the other."""
    node = build.node
    kind, size = node.attr["T"].type, node.attr["block_size"].i
    if node.attr["data_format"].s not in {b"", b"NHWC"}:
        raise build.refuse("only channels last can be")
    parts = []
    for offset in range(size * size):
        bounds = [build.const([0, offset // size, offset % size, 0]), build.const([0, 0, 0, 0])]
        steps = build.const([1, size, size, 1])
        parts.append(build.add("StridedSlice", [node.input[0], *bounds, steps], T=kind, Index=int32, begin_mask=0b1001,
                               end_mask=0b1111, shrink_axis_mask=0, ellipsis_mask=0, new_axis_mask=0))  # fmt: skip
    return build.add("ConcatV2", [*parts, build.const(3)], T=kind, Tidx=int32, N=len(parts))


def _bucketize(build: NodeBuilder) -> str:
    """The number of boundaries that are not above x."""
    node = build.node
    values = build.cast(node.input[0], node.attr["T"].type, float32)
    last = build.add("ExpandDims", [values, build.const(-1)], T=float32, Tdim=int32)
    passed = build.add("GreaterEqual", [last, build.const(list(node.attr["boundaries"].list.f), float32)], T=float32)
    return build.add("Sum", [build.cast(passed, boolean, int32), build.const(-1)], T=int32, Tidx=int32, keep_dims=False)


def _softsign(build: NodeBuilder) -> str:
    """One operation a letter: x / (1 + |x|)."""
    x = build.node.input[0]
    return two(build, "RealDiv", x, two(build, "AddV2", one(build, "Abs", x), number(build, 1)))


def _l2_loss(build: NodeBuilder) -> str:
    """Half the sum of squares."""
    squares = one(build, "Square", reshape(build, build.node.input[0], [-1]))
    total = build.add("Sum", [squares, build.const(0)], T=float32, Tidx=int32, keep_dims=False)
    return two(build, "Mul", total, number(build, 0.5))


def _zero_at(op: str, place: int) -> Callable[[NodeBuilder], str]:
    """Return the rewrite by ``op`` that is zero where the argument at ``place`` is, whatever the other is."""

    def rewrite(build: NodeBuilder) -> str:
        x, y = build.node.input[:2]
        value = two(build, "Mul", x, one(build, op, y)) if op in {"Log", "Log1p"} else two(build, op, x, y)
        is_zero = two(build, "Equal", build.node.input[place], number(build, 0))
        mask = spread_mask(build, is_zero, shape_vector(build, value))
        return select(build, mask, one(build, "ZerosLike", value), value)

    return rewrite


def _erfc(build: NodeBuilder) -> str:
    """1 - erf(x)."""
    return two(build, "Sub", number(build, 1), one(build, "Erf", build.node.input[0]))


def _truncated(op: str) -> Callable[[NodeBuilder], str]:
    """Return the rewrite of division, or of what it leaves, that rounds towards zero, of whole numbers."""

    def rewrite(build: NodeBuilder) -> str:
        x, y = build.node.input[:2]
        if build.node.attr["T"].type != int32:
            raise build.refuse("only int32 can be")
        return _towards_zero(build, op, x, y)

    return rewrite


def _towards_zero(build: NodeBuilder, op: str, x: str, y: str) -> str:
    above, below = (one(build, "Abs", tensor, int32) for tensor in (x, y))
    found = two(build, op, above, below, int32)
    sign = one(build, "Sign", x, int32)
    if op == "FloorDiv":
        sign = two(build, "Mul", sign, one(build, "Sign", y, int32), int32)
    return two(build, "Mul", sign, found, int32)


def _is_whole(node: NodeDef, _: ShapeOf) -> bool:
    """Return whether a mean is of whole numbers, and is one; TensorFlow.js gives fractions."""
    return node.attr["T"].type in {int32, int64}


def _whole_mean(build: NodeBuilder) -> str:
    """The sum, divided by the number of its parts, towards zero."""
    node = build.node
    kind, axes_kind, keeps = node.attr["T"].type, node.attr["Tidx"].type or int32, node.attr["keep_dims"].b
    x = build.cast(node.input[0], kind, int32)
    axes = build.cast(node.input[1], axes_kind, int32)
    total, count = (
        build.add("Sum", [tensor, axes], T=int32, Tidx=int32, keep_dims=keeps)
        for tensor in (x, build.add("OnesLike", [x], T=int32))
    )
    return build.cast(_towards_zero(build, "FloorDiv", total, count), int32, kind)


def _batch_norm(build: NodeBuilder) -> str:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, gamma only if it is wanted."""
    node = build.node
    x, mean, variance, beta, gamma = node.input[:5]
    factor = one(build, "Rsqrt", two(build, "AddV2", variance, number(build, node.attr["variance_epsilon"].f)))
    if node.attr["scale_after_normalization"].b:
        factor = two(build, "Mul", factor, gamma)
    return two(build, "AddV2", two(build, "Mul", two(build, "Sub", x, mean), factor), beta)


def _non_max_suppression(build: NodeBuilder) -> str:
    """The second version takes its threshold as an input."""
    threshold = number(build, build.node.attr["iou_threshold"].f if "iou_threshold" in build.node.attr else 0.5)
    return build.add("NonMaxSuppressionV2", [*build.node.input[:3], threshold], T=float32, T_threshold=float32)


def _blocks(op: str) -> Callable[[NodeBuilder], str]:
    """Return the rewrite of what has one size of blocks for both sides of a picture."""

    def rewrite(build: NodeBuilder) -> str:
        node = build.node
        borders = build.cast(node.input[1], node.attr["Tpaddings" if op == "SpaceToBatchND" else "Tidx"].type or int32,
                             int32)  # fmt: skip
        size = build.const([node.attr["block_size"].i] * 2)
        extra = {"Tpaddings": int32} if op == "SpaceToBatchND" else {"Tcrops": int32}
        return build.add(op, [node.input[0], size, borders], T=node.attr["T"].type, Tblock_shape=int32, **extra)

    return rewrite


def _projected(build: NodeBuilder) -> str:
    """The third version takes what lies outside as an input."""
    node = build.node
    found = build.add("ImageProjectiveTransformV3", [*node.input[:3], number(build, 0)], dtype=node.attr["dtype"].type)
    for key in ("interpolation", "fill_mode"):
        build.graph.node[-1].attr[key].s = node.attr[key].s
    return found


def _summed(build: NodeBuilder) -> str:
    node = build.node
    return build.add("AddN", list(node.input), T=node.attr["T"].type, N=len(node.input))


def _renamed(op: str, source: str = "T", **defaults: bool) -> Callable[[NodeBuilder], str]:
    def rewrite(build: NodeBuilder) -> str:
        node = build.node
        flags = {key: node.attr[key].b if key in node.attr else value for key, value in defaults.items()}
        return build.add(op, list(node.input), T=node.attr[source].type, **flags)

    return rewrite


rewrites = MappingProxyType(
    {
        "AccumulateNV2": _summed,
        "AdjustContrastv2": _adjust_contrast,
        "AdjustHue": adjust_hue,
        "AdjustSaturation": adjust_saturation,
        "BatchMatMulV3": _renamed("BatchMatMulV2", "Tout", adj_x=False, adj_y=False),
        "BatchNormWithGlobalNormalization": _batch_norm,
        "BatchToSpace": _blocks("BatchToSpaceND"),
        "BiasAddV1": _renamed("BiasAdd"),
        "Bucketize": _bucketize,
        "Conv2D": grouped_convolution,
        "Conv3D": grouped_convolution,
        "Conv3DBackpropInputV2": transposed_conv3d,
        "Cumprod": cumulate,
        "Cumsum": cumulate,
        "Erfc": _erfc,
        "ExtractImagePatches": image_patches,
        "FakeQuantWithMinMaxArgs": fake_quant,
        "FakeQuantWithMinMaxVars": fake_quant,
        "FakeQuantWithMinMaxVarsPerChannel": fake_quant,
        "FusedBatchNorm": fused_batch_norm,
        "FusedBatchNormV2": fused_batch_norm,
        "FusedBatchNormV3": fused_batch_norm,
        "GatherV2": batched_gather,
        "GuaranteeConst": _renamed("Identity"),
        "HSVToRGB": hsv_to_rgb,
        "ImageProjectiveTransformV2": _projected,
        "Inv": _renamed("Reciprocal"),
        "InvertPermutation": invert_permutation,
        "L2Loss": _l2_loss,
        "MatrixBandPart": band_part,
        "MatrixDiag": matrix_diag,
        "MatrixDiagPart": matrix_diag_part,
        "MatrixDiagPartV2": matrix_diag_part,
        "MatrixDiagPartV3": matrix_diag_part,
        "MatrixDiagV2": matrix_diag,
        "MatrixDiagV3": matrix_diag,
        "MatrixSetDiag": matrix_set_diag,
        "MatrixSetDiagV2": matrix_set_diag,
        "MatrixSetDiagV3": matrix_set_diag,
        "MaxPool": padded_max_pool,
        "MaxPool3D": max_pool_volumes,
        "Mean": _whole_mean,
        "MulNoNan": _zero_at("Mul", 1),
        "NonMaxSuppression": _non_max_suppression,
        "RGBToHSV": rgb_to_hsv,
        "ResizeArea": resize_area,
        "ResizeBicubic": resize_bicubic,
        "ReverseSequence": reverse_sequence,
        "Rint": _renamed("Round"),
        "Roll": roll,
        "ScaleAndTranslate": scale_and_translate,
        "SegmentMax": segment_extreme("Max"),
        "SegmentMean": segment_mean,
        "SegmentMin": segment_extreme("Min"),
        "SegmentProd": segment_extreme("Prod"),
        "SegmentSum": segment_sum,
        "Select": select_rows,
        "Softsign": _softsign,
        "SpaceToBatch": _blocks("SpaceToBatchND"),
        "SpaceToDepth": _space_to_depth,
        "TensorScatterAdd": scatter_add("AddV2"),
        "TensorScatterSub": scatter_add("Sub"),
        "TruncateDiv": _truncated("FloorDiv"),
        "TruncateMod": _truncated("FloorMod"),
        "UnravelIndex": unravel_index,
        "UnsortedSegmentMax": segment_extreme("Max"),
        "UnsortedSegmentMin": segment_extreme("Min"),
        "UnsortedSegmentProd": segment_extreme("Prod"),
        "UnsortedSegmentSum": segment_sum,
        "Xdivy": _zero_at("RealDiv", 0),
        "Xlog1py": _zero_at("Log1p", 0),
        "Xlogy": _zero_at("Log", 0),
    }
)
rewritten_ops = frozenset(rewrites)
# Ops that TensorFlow.js has, with nodes that it, or one of its backends, gets wrong.
wrong_nodes = MappingProxyType(
    {
        "Cumprod": has_rank,
        "Cumsum": has_rank,
        "Conv2D": is_grouped,
        "Conv3D": is_grouped,
        "FusedBatchNorm": is_wrong_norm,
        "FusedBatchNormV2": is_wrong_norm,
        "FusedBatchNormV3": is_wrong_norm,
        "GatherV2": has_batches,
        "MatrixBandPart": is_band,
        "MaxPool": is_padded,
        "MaxPool3D": pools_volumes,
        "Mean": _is_whole,
        "Select": selects_rows,
    }
)
float_only = frozenset(
    ("AdjustHue", "AdjustSaturation", "BatchNormWithGlobalNormalization", "Conv3DBackpropInputV2", "Erfc",
     "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "HSVToRGB", "L2Loss", "MulNoNan", "RGBToHSV",
     "Softsign", "Xdivy", "Xlog1py", "Xlogy")
)  # fmt: skip
# The type of what a node gives, where its attribute T does not say: a number of DataType, or another attribute.
result_types: dict[str, int | str] = {
    "BatchMatMulV3": "Tout",
    "Bucketize": int32,
    "GatherV2": "Tparams",
    "ImageProjectiveTransformV2": "dtype",
    "NonMaxSuppression": int32,
    "ResizeArea": float32,
    "ResizeBicubic": float32,
    "ScaleAndTranslate": float32,
    "UnravelIndex": "Tidx",
}


def drop_watchers(graph: GraphDef) -> None:
    """Remove checks and printing: nothing takes their tensors, they only wait at the ends of control edges."""
    gone = {node.name for node in graph.node if node.op in watchers - {"NoOp"}}
    for node in graph.node:
        kept = [text for text in node.input if not (text.startswith("^") and source_of(text) in gone)]
        if len(kept) < len(node.input):
            node.input[:] = kept
    for place in reversed(range(len(graph.node))):
        if graph.node[place].name in gone:
            del graph.node[place]


def drop_identities(graph: GraphDef, supported: frozenset[str]) -> None:
    """Turn what only watches a tensor on its way, or stopped gradients, into plain identities."""
    for node in graph.node:
        if node.op in identities and node.op not in supported:
            kind = node.attr["T"].type or node.attr["dtype"].type
            node.op = "Identity"
            del node.input[1:]
            for key in list(node.attr):
                del node.attr[key]
            node.attr["T"].type = kind


def may_need_rewrite(node: NodeDef, supported: frozenset[str]) -> bool:
    """Return whether a node's op is one that is rewritten, always or in some cases."""
    return node.op in rewrites and (node.op not in supported or node.op in wrong_nodes)


def rewrite_ops(graph: GraphDef, supported: frozenset[str], shape_of: ShapeOf, where: str) -> None:
    """Rewrite all nodes of ``graph`` that can and must be.

    Args:
        graph: a GraphDef, changed in place.
        supported: ops that TensorFlow.js has; they stay.
        shape_of: gives what is known of a tensor's shape.
        where: the file, for messages.

    Raises:
        UnsupportedOpsError: a node is not of the kind that its rewrite can do.
    """
    for node in list(graph.node):
        if not may_need_rewrite(node, supported):
            continue
        if node.op in supported and not wrong_nodes[node.op](node, shape_of):
            continue
        build = NodeBuilder(graph, node, shape_of, where)
        kind = node.attr["T"].type
        if node.op in float_only and kind != float32:
            raise build.refuse("it is not of float32")
        result = rewrites[node.op](build)
        told = result_types.get(node.op, "T")
        output = (node.attr[told].type or (float32 if told == "T" else int32)) if isinstance(told, str) else told
        node.op = "Identity"
        node.input[:] = [result]
        for key in list(node.attr):
            del node.attr[key]
        node.attr["T"].type = output
