"""Replaces ops that TensorFlow.js lacks by ops it has, where both give the same numbers. One small function an op.

A rewrite gets a ``NodeBuilder`` and the node, adds nodes, and gives the tensor that stands for the node's. The node
itself stays under its name as an identity, so nobody who refers to it has to change.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from builder.graphs.colours import adjust_hue, adjust_saturation, hsv_to_rgb, rgb_to_hsv
from builder.graphs.nodes import NodeBuilder, ShapeOf, boolean, float32, int32
from builder.graphs.ops import identities, watchers
from builder.graphs.outline import source_of


def _roll(build: NodeBuilder) -> str:
    """x[i] comes from x[(i - shift) mod n], along each axis."""
    node = build.node
    tensor, shift, axis = node.input[:3]
    kind, axes, shape = node.attr["T"].type, build.value_of(axis), build.shape_of(node.input[0])
    if axes is None or shape is None:
        raise build.refuse("its axis or the rank of its input is not constant")
    shift = build.cast(shift, node.attr["Tshift"].type, int32)
    shift = build.add("Reshape", [shift, build.const([-1])], T=int32, Tshape=int32)
    for number, place in enumerate(int(value) % len(shape) for value in axes.ravel()):
        length = _pick(build, build.add("Shape", [tensor], T=kind, out_type=int32), place)
        index = build.add("Range", [build.const(0), length, build.const(1)], Tidx=int32)
        index = build.add("Sub", [index, _pick(build, shift, number)], T=int32)
        index = build.add("FloorMod", [index, length], T=int32)
        gather = {"Tparams": kind, "Tindices": int32, "Taxis": int32, "batch_dims": 0}
        tensor = build.add("GatherV2", [tensor, index, build.const(place)], **gather)
    return str(tensor)


def _pick(build: NodeBuilder, vector: str, number: int) -> str:
    """Give one element of a vector, as a scalar."""
    bounds = [build.const([number]), build.const([number + 1]), build.const([1])]
    return build.add("StridedSlice", [vector, *bounds], T=int32, Index=int32, shrink_axis_mask=1, begin_mask=0,
                     end_mask=0, ellipsis_mask=0, new_axis_mask=0)  # fmt: skip


def _adjust_contrast(build: NodeBuilder) -> str:
    """(x - mean over the picture) * factor + mean."""
    node = build.node
    kind = node.attr["T"].type or float32
    image, factor = build.cast(node.input[0], kind, float32), node.input[1]
    mean = build.add("Mean", [image, build.const([-3, -2])], T=float32, Tidx=int32, keep_dims=True)
    apart = build.add("Sub", [image, mean], T=float32)
    scaled = build.add("Mul", [apart, factor], T=float32)
    return build.cast(build.add("AddV2", [scaled, mean], T=float32), float32, kind)


def _segment_sum(build: NodeBuilder) -> str:
    """A matrix product with the segments' one-hot rows."""
    node = build.node
    data, ids = node.input[:2]
    kind, ids_kind = node.attr["T"].type, node.attr["Tindices"].type
    shape, ids_shape = build.shape_of(data), build.shape_of(ids)
    if kind not in {float32, int32} or shape is None or ids_shape is None or len(ids_shape) != 1:
        raise build.refuse("only float32 and int32 of known rank with a vector of segments can be")
    count = _segment_count(build)
    rows = build.add("Shape", [data], T=kind, out_type=int32)
    flat = build.add("Reshape", [build.cast(data, kind, float32), _flat_shape(build, rows, len(shape))], T=float32,
                     Tshape=int32)  # fmt: skip
    on, off = build.const(1, float32), build.const(0, float32)
    marks = build.add("OneHot", [build.cast(ids, ids_kind, int32), build.const(count), on, off], T=float32, TI=int32,
                      axis=-1)  # fmt: skip
    sums = build.add("MatMul", [marks, flat], T=float32, transpose_a=True, transpose_b=False)
    if len(shape) == 1:
        target = build.const([count])
    else:
        rest = build.add("Slice", [rows, build.const([1]), build.const([len(shape) - 1])], T=int32, Index=int32)
        target = build.add("ConcatV2", [build.const([count]), rest, build.const(0)], T=int32, Tidx=int32, N=2)
    return build.cast(build.add("Reshape", [sums, target], T=float32, Tshape=int32), float32, kind)


def _segment_count(build: NodeBuilder) -> int:
    node = build.node
    if node.op == "UnsortedSegmentSum":
        known = build.value_of(node.input[2])
    else:
        ids = build.value_of(node.input[1])
        known = None if ids is None else ids.max() + 1
    if known is not None:
        return int(known)
    shape = build.shape_of(node.name)
    if not shape or shape[0] is None:
        raise build.refuse("the number of segments is not constant")
    return shape[0]


def _flat_shape(build: NodeBuilder, rows: str, rank: int) -> str:
    """Give [n, the rest] of a shape; -1 alone would not do for no rows."""
    first = build.add("Slice", [rows, build.const([0]), build.const([1])], T=int32, Index=int32)
    rest = build.const([1]) if rank == 1 else build.const([-1])
    return build.add("ConcatV2", [first, rest, build.const(0)], T=int32, Tidx=int32, N=2)


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
    bottom = build.add("AddV2", [build.add("Abs", [x], T=float32), build.const(1, float32)], T=float32)
    return build.add("RealDiv", [x, bottom], T=float32)


def _l2_loss(build: NodeBuilder) -> str:
    """Half the sum of squares."""
    x = build.node.input[0]
    flat = build.add("Reshape", [x, build.const([-1])], T=float32, Tshape=int32)
    total = build.add("Sum", [build.add("Square", [flat], T=float32), build.const(0)], T=float32, Tidx=int32,
                      keep_dims=False)  # fmt: skip
    return build.add("Mul", [total, build.const(0.5, float32)], T=float32)


def _x_times(op: str) -> Callable[[NodeBuilder], str]:
    def rewrite(build: NodeBuilder) -> str:
        x, y = build.node.input[:2]
        if op == "Xdivy":
            value = build.add("RealDiv", [x, y], T=float32)
        else:
            value = build.add("Mul", [x, build.add("Log" if op == "Xlogy" else "Log1p", [y], T=float32)], T=float32)
        is_zero = build.add("Equal", [x, build.const(0, float32)], T=float32)
        zeros = build.add("ZerosLike", [value], T=float32)
        # The mask has x's shape, the value that of both.
        shape = build.add("Shape", [value], T=float32, out_type=int32)
        number = build.add("BroadcastTo", [build.cast(is_zero, boolean, int32), shape], T=int32, Tidx=int32)
        return build.add("SelectV2", [build.cast(number, int32, boolean), zeros, value], T=float32)

    return rewrite


def _renamed(op: str, source: str = "T", **defaults: bool) -> Callable[[NodeBuilder], str]:
    def rewrite(build: NodeBuilder) -> str:
        node = build.node
        flags = {key: node.attr[key].b if key in node.attr else value for key, value in defaults.items()}
        return build.add(op, list(node.input), T=node.attr[source].type, **flags)

    return rewrite


rewrites = MappingProxyType(
    {
        "AdjustContrastv2": _adjust_contrast,
        "AdjustHue": adjust_hue,
        "AdjustSaturation": adjust_saturation,
        "BatchMatMulV3": _renamed("BatchMatMulV2", "Tout", adj_x=False, adj_y=False),
        "Bucketize": _bucketize,
        "HSVToRGB": hsv_to_rgb,
        "Inv": _renamed("Reciprocal"),
        "L2Loss": _l2_loss,
        "RGBToHSV": rgb_to_hsv,
        "Rint": _renamed("Round"),
        "Roll": _roll,
        "SegmentSum": _segment_sum,
        "Softsign": _softsign,
        "SpaceToDepth": _space_to_depth,
        "UnsortedSegmentSum": _segment_sum,
        "Xdivy": _x_times("Xdivy"),
        "Xlog1py": _x_times("Xlog1py"),
        "Xlogy": _x_times("Xlogy"),
    }
)
rewritten_ops = frozenset(rewrites)
float_only = frozenset(
    ("AdjustHue", "AdjustSaturation", "HSVToRGB", "L2Loss", "RGBToHSV", "Softsign", "Xdivy", "Xlog1py", "Xlogy")
)


def drop_watchers(graph: Any) -> None:
    """Remove checks and printing: nothing takes their tensors, they only wait at the ends of control edges."""
    gone = {node.name for node in graph.node if node.op in watchers - {"NoOp"}}
    for node in graph.node:
        kept = [text for text in node.input if not (text.startswith("^") and source_of(text) in gone)]
        if len(kept) < len(node.input):
            node.input[:] = kept
    for number in reversed(range(len(graph.node))):
        if graph.node[number].name in gone:
            del graph.node[number]


def drop_identities(graph: Any, supported: frozenset[str]) -> None:
    """Turn what only watches a tensor on its way, or stopped gradients, into plain identities."""
    for node in graph.node:
        if node.op in identities and node.op not in supported:
            kind = node.attr["T"].type or node.attr["dtype"].type
            node.op = "Identity"
            del node.input[1:]
            for key in list(node.attr):
                del node.attr[key]
            node.attr["T"].type = kind


def rewrite_ops(graph: Any, supported: frozenset[str], shape_of: ShapeOf, where: str) -> None:
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
        rewrite = rewrites.get(node.op)
        if rewrite is None or node.op in supported:
            continue
        build = NodeBuilder(graph, node, shape_of, where)
        kind = node.attr["T"].type
        if node.op in float_only and kind != float32:
            raise build.refuse("it is not of float32")
        result = rewrite(build)
        output = {"Bucketize": int32, "BatchMatMulV3": node.attr["Tout"].type}.get(node.op, kind or float32)
        node.op = "Identity"
        node.input[:] = [result]
        for key in list(node.attr):
            del node.attr[key]
        node.attr["T"].type = output
