"""Operators that only arrange numbers anew."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...lowering.attributes import Type
from ...lowering.layout import Shape
from ...lowering.values import Value
from ..registry import Context, fix_size, lowers


@lowers("RESHAPE")
def reshape(c: Context) -> Value:
    """Lower another shape, known or computed; -1 stands for what is left."""
    x, known = c.input(0), c.shape()
    wanted = c.optional(1)
    if wanted is not None and wanted.array is None:
        if known is None or known.count(None) > 1:
            known = known or (None,) * (wanted.shape[0] or 0)
            return c.graph.reshape(x, known, wanted)
        return c.graph.reshape(x, known)
    numbers = c.numbers(1) if wanted is not None else [int(n) for n in c.option("new_shape", [])]
    lengths: list[int | None] = [None if n < 0 else n for n in numbers]
    if lengths.count(None) > 1:
        c.refuse("a shape with more than one open length")
    if x.is_static and None in lengths:
        rest = math.prod([n for n in lengths if n is not None]) or 1
        lengths[lengths.index(None)] = x.size // rest
    return c.graph.reshape(x, tuple(lengths))


@lowers("SQUEEZE")
def squeeze(c: Context) -> Value:
    """Lower the loss of axes of length 1."""
    x = c.arranged(0)
    axes = [int(axis) for axis in c.option("squeeze_dims", [])]
    return c.graph.squeeze(x, axes or [axis for axis, n in enumerate(x.shape) if n == 1])


@lowers("EXPAND_DIMS")
def expand_dims(c: Context) -> Value:
    """Lower a new axis of length 1."""
    return c.graph.unsqueeze(c.arranged(0), c.numbers(1, "the axis")[:1])


@lowers("TRANSPOSE")
def transpose(c: Context) -> Value:
    """Lower a transpose, for which nothing is moved until an operator needs it."""
    return c.graph.transpose(c.arranged(0), c.numbers(1, "the permutation"))


@lowers("SHAPE")
def shape(c: Context) -> Value:
    """Lower the lengths of axes."""
    return c.graph.cast(c.graph.shape_of(c.arranged(0)), c.type())


@lowers("RANK")
def rank(c: Context) -> Value:
    """Lower the number of axes, which is known."""
    return c.whole(c.arranged(0).rank)


@lowers("ZEROS_LIKE")
def zeros_like(c: Context) -> Value:
    """Lower zeros."""
    x = c.arranged(0)
    return c.graph.op("ZerosLike", [x], shape=x.shape, order=x.order, name=c.name)


@lowers("PACK")
def pack(c: Context) -> Value:
    """Lower tensors as the slices of one."""
    values = [c.input(index) for index in range(len(c.inputs))]
    axis = int(c.option("axis", 0)) % (values[0].rank + 1)
    shape = list(_common(values))
    shape.insert(axis, len(values))
    return c.graph.op("Pack", values, shape=tuple(shape), name=c.name, axis=axis, N=len(values))


@lowers("UNPACK")
def unpack(c: Context) -> list[Value | None]:
    """Lower the slices of a tensor."""
    x = c.input(0)
    axis, count = int(c.option("axis", 0)) % max(x.rank, 1), len(c.outputs)
    shape = tuple(n for other, n in enumerate(x.shape) if other != axis)
    return list(c.graph.ops("Unpack", [x], [(x.type, shape, None)] * count, name=c.name, axis=axis, num=count))


@lowers("CONCATENATION")
def concatenation(c: Context) -> Value:
    """Lower a concatenation."""
    values = [c.input(index) for index in range(len(c.inputs)) if c.inputs[index] is not None]
    axis = int(c.option("axis", 0)) % max(values[0].rank, 1)
    lengths = list(_common(values))
    parts = [value.shape[axis] for value in values]
    lengths[axis] = None if None in parts else sum(n or 0 for n in parts)
    found = c.graph.op(
        "ConcatV2", [*values, c.whole(axis)], shape=tuple(lengths), type_name=values[0].type, name=c.name, N=len(values)
    )
    return c.activated(found)


@lowers("SPLIT", "SPLIT_V")
def split(c: Context) -> list[Value | None]:
    """Lower parts along an axis, equal ones or of known lengths."""
    first = c.op == "SPLIT"
    x = c.input(1 if first else 0)
    axis = c.numbers(0 if first else 2, "the axis")[0] % max(x.rank, 1)
    count, whole = len(c.outputs), x.shape[axis]

    def shape(length: int | None) -> Shape:
        return (*x.shape[:axis], length, *x.shape[axis + 1 :])

    if first:
        part = None if whole is None else whole // count
        results = [(x.type, shape(part), None)] * count
        return list(c.graph.ops("Split", [c.whole(axis), x], results, name=c.name, num_split=count))
    sizes = c.numbers(1, "the lengths")
    if -1 in sizes:
        if whole is None:
            c.refuse("a part of an open length", fix_size)
        sizes = [n if n >= 0 else whole - sum(size for size in sizes if size >= 0) for n in sizes]
    results = [(x.type, shape(n), None) for n in sizes]
    return list(c.graph.ops("SplitV", [x, c.whole(sizes), c.whole(axis)], results, name=c.name, num_split=count))


@lowers("TILE")
def tile(c: Context) -> Value:
    """Lower repetitions."""
    x, times = c.input(0), c.input(1)
    shape: Shape = (None,) * x.rank
    if times.array is not None:
        pairs = zip(x.shape, times.array.ravel().tolist(), strict=True)
        shape = tuple(None if n is None else n * int(count) for n, count in pairs)
    return c.graph.op("Tile", [x, c.graph.cast(times, "int32")], shape=shape, type_name=x.type, name=c.name)


@lowers("PAD", "PADV2")
def pad(c: Context) -> Value:
    """Lower numbers around a tensor."""
    x = c.input(0)
    pairs = [[int(n) for n in pair] for pair in c.known(1, "the paddings")]
    shape = tuple(None if n is None else n + sum(pair) for n, pair in zip(x.shape, pairs, strict=True))
    fill = c.optional(2)
    if fill is None or (fill.array is not None and not fill.array.any()):
        return c.graph.op("Pad", [x, c.whole(pairs)], shape=shape, name=c.name)
    return c.graph.op("PadV2", [x, c.whole(pairs), fill], shape=shape, name=c.name)


@lowers("MIRROR_PAD")
def mirror_pad(c: Context) -> Value:
    """Lower mirrored numbers around a tensor."""
    x = c.input(0)
    pairs = [[int(n) for n in pair] for pair in c.known(1, "the paddings")]
    shape = tuple(None if n is None else n + sum(pair) for n, pair in zip(x.shape, pairs, strict=True))
    mode = "SYMMETRIC" if int(c.option("mode", 0)) else "REFLECT"
    return c.graph.op("MirrorPad", [x, c.whole(pairs)], shape=shape, name=c.name, mode=mode)


@lowers("REVERSE_V2")
def reverse(c: Context) -> Value:
    """Lower axes the other way round."""
    x = c.input(0)
    axes = [axis % max(x.rank, 1) for axis in c.numbers(1, "the axes")]
    return c.graph.op("ReverseV2", [x, c.whole(axes)], shape=x.shape, name=c.name)


@lowers("BROADCAST_TO")
def broadcast_to(c: Context) -> Value:
    """Lower a tensor repeated to a shape."""
    return _expanded(c, c.input(0), c.input(1))


@lowers("FILL")
def fill(c: Context) -> Value:
    """Lower one number repeated to a shape."""
    return _expanded(c, c.input(1), c.input(0))


def _expanded(c: Context, x: Value, wanted: Value) -> Value:
    """Repeat a tensor along axes, up to lengths that are known or computed."""
    shape: Shape | None = c.shape()
    if wanted.array is not None:
        shape = tuple(int(n) for n in wanted.array)
    if shape is None:
        shape = (None,) * (wanted.shape[0] or 0)
    return c.graph.op("BroadcastTo", [x, c.graph.cast(wanted, "int32")], shape=shape, name=c.name)


@lowers("RANGE")
def range_(c: Context) -> Value:
    """Lower numbers in steps."""
    values = [c.input(index) for index in (0, 1, 2)]
    return c.graph.op(
        "Range", values, shape=c.shape() or (None,), type_name=values[0].type, name=c.name, Tidx=Type(values[0].dtype)
    )


def _common(values: Sequence[Value]) -> Shape:
    """Return the lengths that tensors of one shape have, as far as any tells."""
    lengths = list(values[0].shape)
    for value in values[1:]:
        lengths = [n if n is not None else other for n, other in zip(lengths, value.shape, strict=True)]
    return tuple(lengths)
