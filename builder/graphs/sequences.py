"""Writes the ops that move elements about by indices."""

from __future__ import annotations

from collections.abc import Callable

from .formulas import count_up, expand, join, part, pick, reshape, select, shape_vector, transpose, two
from .known import ShapeOf
from .messages import NodeDef
from .nodes import NodeBuilder, boolean, int32, int64


def roll(build: NodeBuilder) -> str:
    """x[i] comes from x[(i - shift) mod n], along each axis."""
    node = build.node
    tensor, shift, axis = node.input[:3]
    kind, axes, shape = node.attr["T"].type, build.value_of(axis), build.shape_of(node.input[0])
    if axes is None or shape is None:
        raise build.refuse("its axis or the rank of its input is not constant")
    shift = reshape(build, build.cast(shift, node.attr["Tshift"].type, int32), [-1], int32)
    for number, place in enumerate(int(value) % len(shape) for value in axes.ravel()):
        length = pick(build, shape_vector(build, tensor, kind), place)
        index = two(build, "Sub", count_up(build, length), pick(build, shift, number), int32)
        index = two(build, "FloorMod", index, length, int32)
        tensor = _gather(build, tensor, index, place, kind)
    return str(tensor)


def reverse_sequence(build: NodeBuilder) -> str:
    """x[i] comes from x[length - 1 - i] before the length of its row, and from x[i] behind it."""
    node = build.node
    kind, shape = node.attr["T"].type, build.shape_of(node.input[0])
    if shape is None:
        raise build.refuse("the rank of its input is not known")
    batch, time = node.attr["batch_dim"].i % len(shape), node.attr["seq_dim"].i % len(shape)
    order = [batch, time, *(place for place in range(len(shape)) if place not in {batch, time})]
    tensor = node.input[0] if order == sorted(order) else transpose(build, node.input[0], order, kind)
    steps = count_up(build, pick(build, shape_vector(build, tensor, kind), 1))
    lengths = expand(build, build.cast(node.input[1], node.attr["Tlen"].type or int64, int32), 1, int32)
    back = two(build, "Sub", two(build, "Sub", lengths, build.const(1), int32), steps, int32)
    # A row's place is the larger of the two before its length only when it is turned there; numbers choose exactly.
    inside = build.cast(two(build, "GreaterEqual", back, build.const(0), int32), boolean, int32)
    apart = two(build, "Mul", inside, two(build, "Sub", back, steps, int32), int32)
    found = _gather_rows(build, tensor, two(build, "AddV2", steps, apart, int32), kind, len(shape))
    return (
        found if order == sorted(order) else transpose(build, found, [order.index(n) for n in range(len(shape))], kind)
    )


def has_batches(node: NodeDef, _: ShapeOf) -> bool:
    """Return whether a GatherV2 gathers per batch: the wasm backend then takes rows of other batches."""
    return int(node.attr["batch_dims"].i) != 0


def batched_gather(build: NodeBuilder) -> str:
    """One gathering from all batches, the indices of each moved to where it begins."""
    node = build.node
    kind, indices_kind = node.attr["Tparams"].type, node.attr["Tindices"].type
    shape, axis = build.shape_of(node.input[0]), build.value_of(node.input[2])
    batches = node.attr["batch_dims"].i
    if shape is None or axis is None or int(axis) % len(shape) != batches:
        raise build.refuse("the dimensions of its batches are not directly before that of its elements")
    tensor, rank = node.input[0], len(shape) + 1 - batches
    if batches > 1:
        rest = part(build, shape_vector(build, tensor, kind), batches, rank - 1)
        tensor = reshape(build, tensor, join(build, [build.const([-1]), rest], 0), kind)
    return _gather_rows(build, tensor, build.cast(node.input[1], indices_kind, int32), kind, rank)


def has_rank(node: NodeDef, shape_of: ShapeOf) -> bool:
    """Return whether a node's place among dimensions can be counted from the first one."""
    return shape_of(node.input[0]) is not None


def cumulate(build: NodeBuilder) -> str:
    """The same along an axis that is not negative: TensorFlow.js puts others in the wrong place."""
    node = build.node
    axis, rank = build.value_of(node.input[1]), len(build.shape_of(node.input[0]) or ())
    place = node.input[1] if axis is None else build.const(int(axis) % rank)
    flags = {key: node.attr[key].b for key in ("exclusive", "reverse")}
    kind = node.attr["Tidx"].type if axis is None else int32
    return build.add(node.op, [node.input[0], place], T=node.attr["T"].type, Tidx=kind, **flags)


def selects_rows(node: NodeDef, shape_of: ShapeOf) -> bool:
    """Return whether a Select may choose whole rows by a vector, which TensorFlow.js lays along the last dimension."""
    condition, shape = shape_of(node.input[0]), shape_of(node.input[1])
    return condition is not None and len(condition) == 1 and shape is not None and len(shape) > 1


def select_rows(build: NodeBuilder) -> str:
    """The condition along the first dimension."""
    node = build.node
    rank = len(build.shape_of(node.input[1]) or ())
    condition = reshape(build, node.input[0], [-1, *[1] * (rank - 1)], boolean)
    return select(build, condition, node.input[1], node.input[2], node.attr["T"].type)


def invert_permutation(build: NodeBuilder) -> str:
    """The place of each number: its column of marks times the places."""
    x = build.cast(build.node.input[0], build.node.attr["T"].type, int32)
    steps = count_up(build, pick(build, shape_vector(build, x, int32), 0))
    marks = build.cast(
        two(build, "Equal", expand(build, steps, 1, int32), expand(build, x, 0, int32), int32), boolean, int32
    )
    places = two(build, "Mul", marks, expand(build, steps, 0, int32), int32)
    found = build.add("Sum", [places, build.const(1)], T=int32, Tidx=int32, keep_dims=False)
    return build.cast(found, int32, build.node.attr["T"].type)


def unravel_index(build: NodeBuilder) -> str:
    """The quotients by the products of the lengths behind each, without what lengths before take."""
    node = build.node
    kind = node.attr["Tidx"].type or int32
    dims, shape = build.value_of(node.input[1]), build.shape_of(node.input[0])
    if dims is None or shape is None:
        raise build.refuse("the shape that it counts in is not constant")
    index = build.cast(node.input[0], kind, int32)
    rows = []
    for place, length in enumerate(dims.ravel()):
        behind = build.const(int(dims.ravel()[place + 1 :].prod()))
        quotient = two(build, "FloorDiv", index, behind, int32)
        rows.append(two(build, "FloorMod", quotient, build.const(int(length)), int32))
    found = build.add("Pack", rows, T=int32, N=len(rows), axis=0)
    return build.cast(found, int32, kind)


def scatter_add(op: str) -> Callable[[NodeBuilder], str]:
    """Return the rewrite that scatters over zeros, where equal indices add up, and then adds or subtracts."""

    def rewrite(build: NodeBuilder) -> str:
        node = build.node
        kind = node.attr["T"].type
        indices = build.cast(node.input[1], node.attr["Tindices"].type, int32)
        shape = shape_vector(build, node.input[0], kind)
        spread = build.add("ScatterNd", [indices, node.input[2], shape], T=kind, Tindices=int32)
        return two(build, op, node.input[0], spread, kind)

    return rewrite


def _gather(build: NodeBuilder, tensor: str, index: str, axis: int, kind: int) -> str:
    attributes = {"Tparams": kind, "Tindices": int32, "Taxis": int32, "batch_dims": 0}
    return build.add("GatherV2", [tensor, index, build.const(axis)], **attributes)


def _gather_rows(build: NodeBuilder, tensor: str, index: str, kind: int, rank: int) -> str:
    """Gather from [batch, n, …] by indices of int32, as many for each batch."""
    lengths, places = shape_vector(build, tensor, kind), shape_vector(build, index, int32)
    starts = two(build, "Mul", count_up(build, pick(build, lengths, 0)), pick(build, lengths, 1), int32)
    rows = join(build, [part(build, lengths, 0, 1), build.const([-1])], 0)
    moved = two(build, "AddV2", reshape(build, index, rows, int32), expand(build, starts, 1, int32), int32)
    whole = join(build, [build.const([-1]), part(build, lengths, 2, rank - 2)], 0) if rank > 2 else build.const([-1])
    return _gather(build, reshape(build, tensor, whole, kind), reshape(build, moved, places, int32), 0, kind)
