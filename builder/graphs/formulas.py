"""Small steps that rewrites share; each adds nodes and gives the name of the last."""

from __future__ import annotations

from .nodes import NodeBuilder, boolean, float32, int32


def number(build: NodeBuilder, value: float, kind: int = float32) -> str:
    """Return a constant without dimensions."""
    return build.const(value, kind)


def one(build: NodeBuilder, op: str, tensor: str, kind: int = float32) -> str:
    """Apply an op to a tensor."""
    return build.add(op, [tensor], T=kind)


def two(build: NodeBuilder, op: str, left: str, right: str, kind: int = float32) -> str:
    """Apply an op to two tensors of one type."""
    return build.add(op, [left, right], T=kind)


def select(build: NodeBuilder, condition: str, yes: str, no: str, kind: int = float32) -> str:
    """Choose between two tensors, element by element."""
    return build.add("SelectV2", [condition, yes, no], T=kind)


def shape_vector(build: NodeBuilder, tensor: str, kind: int = float32) -> str:
    """Return a tensor's shape."""
    return build.add("Shape", [tensor], T=kind, out_type=int32)


def pick(build: NodeBuilder, vector: str, place: int) -> str:
    """Return one element of a vector of int32, as a scalar."""
    bounds = [build.const([place]), build.const([place + 1]), build.const([1])]
    return build.add("StridedSlice", [vector, *bounds], T=int32, Index=int32, shrink_axis_mask=1, begin_mask=0,
                     end_mask=0, ellipsis_mask=0, new_axis_mask=0)  # fmt: skip


def part(build: NodeBuilder, vector: str, start: int, count: int) -> str:
    """Return some elements of a vector of int32."""
    return build.add("Slice", [vector, build.const([start]), build.const([count])], T=int32, Index=int32)


def join(build: NodeBuilder, tensors: list[str], axis: int, kind: int = int32) -> str:
    """Put tensors behind one another."""
    return build.add("ConcatV2", [*tensors, build.const(axis)], T=kind, Tidx=int32, N=len(tensors))


def count_up(build: NodeBuilder, limit: str) -> str:
    """Return 0, 1, … below a scalar of int32."""
    return build.add("Range", [build.const(0), limit, build.const(1)], Tidx=int32)


def reshape(build: NodeBuilder, tensor: str, shape: str | list[int], kind: int = float32) -> str:
    """Return a tensor in another shape."""
    target = build.const(shape) if isinstance(shape, list) else shape
    return build.add("Reshape", [tensor, target], T=kind, Tshape=int32)


def expand(build: NodeBuilder, tensor: str, axis: int, kind: int = float32) -> str:
    """Return a tensor one more dimension."""
    return build.add("ExpandDims", [tensor, build.const(axis)], T=kind, Tdim=int32)


def transpose(build: NodeBuilder, tensor: str, order: list[int], kind: int = float32) -> str:
    """Return a tensor with its dimensions in another order."""
    return build.add("Transpose", [tensor, build.const(order)], T=kind, Tperm=int32)


def spread_mask(build: NodeBuilder, mask: str, shape: str) -> str:
    """Return truth values in a larger shape, by way of numbers: TensorFlow.js broadcasts those."""
    numbers = build.add("BroadcastTo", [build.cast(mask, boolean, int32), shape], T=int32, Tidx=int32)
    return build.cast(numbers, int32, boolean)
