"""Operators that make tensors larger: Pad, Tile, Expand and their like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.attributes import Type
from ...lowering.graph import Graph
from ...lowering.layout import broadcast_shape
from ...lowering.pieces import cut, gather, ints, joined, length_of, scalar, spread, take
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers

numpy_modes = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@lowers("Pad")
def pad(c: Context) -> Value:
    """Lower Pad in all its modes; negative numbers cut off."""
    x, graph = c.input(0), c.graph
    mode = c.attribute("mode", "constant")
    if mode != "constant" and mode not in numpy_modes:
        c.refuse(f"mode {mode!r}")
    given = c.optional(1) if c.opset >= 11 else None
    which = c.optional(3) if c.opset >= 18 else None
    if which is not None and which.array is None:
        return _computed_pad(c, graph.plain(x), _spread_pads(c, x, c.input(1), which), list(range(x.rank)), mode)
    axes = list(range(x.rank)) if which is None else [axis % x.rank for axis in c.numbers(3) or []]
    if given is not None and given.array is None:
        return _computed_pad(c, x, given, axes, mode)
    numbers = c.numbers(1, "pads") or []
    before, after = [0] * x.rank, [0] * x.rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = numbers[place], numbers[place + len(axes)]
    if mode != "constant":
        return _mirrored(c, x, before, after, mode)
    x = _cut_off(c, x, before, after)
    return padded(graph, x, before, after, _fill(c, x))


def _fill(c: Context, x: Value) -> Value:
    value = c.optional(2) if c.opset >= 11 else None
    if value is not None:
        return c.graph.reshape(value, ()) if value.rank else value
    return c.scalar(c.attribute("value", 0.0) if c.opset < 11 else 0, x)


def _cut_off(c: Context, x: Value, before: list[int], after: list[int]) -> Value:
    """Cut off what negative numbers ask for, and set them to 0."""
    ranges = {}
    for axis in range(x.rank):
        first, last = max(-before[axis], 0), max(-after[axis], 0)
        if not first and not last:
            continue
        length = x.shape[axis]
        if length is None and last:
            c.refuse("negative pads of an open length", fix_lengths)
        ranges[axis] = (first, -1 if length is None else length - first - last)
        before[axis], after[axis] = max(before[axis], 0), max(after[axis], 0)
    if any(size < 0 for _, size in ranges.values()):
        c.refuse("negative pads beyond the length")
    return cut(c.graph, x, ranges)


def padded(graph: Graph, x: Value, before: Sequence[int], after: Sequence[int], fill: Value) -> Value:
    """Return a tensor with one number around it; what is added is given by logical axes."""
    if not any((*before, *after)):
        return x
    shape = tuple(
        None if n is None else n + first + last for n, first, last in zip(x.shape, before, after, strict=True)
    )
    if x.dtype == "bool":
        return graph.cast(padded(graph, graph.cast(x, "int32"), before, after, graph.cast(fill, "int32")), "bool")
    pairs = ints(graph, np.array([[before[axis], after[axis]] for axis in x.order]))
    return graph.op("PadV2", [x, pairs, fill], shape=shape, order=x.order, Tpaddings=Type("int32"))


def _mirrored(c: Context, x: Value, before: list[int], after: list[int], mode: str) -> Value:
    """Repeat what a tensor has near its edges, or at its other end."""
    graph = c.graph
    pads = [(axis, before[axis], after[axis]) for axis in range(x.rank) if before[axis] or after[axis]]
    inside = all(
        min(first, last) >= 0 and (x.shape[axis] is None or max(first, last) < (x.shape[axis] or 0))
        for axis, first, last in pads
    )
    if mode == "reflect" and inside and x.dtype == "float32" and x.rank <= 4:
        shape = tuple(None if n is None else n + before[axis] + after[axis] for axis, n in enumerate(x.shape))
        pairs = ints(graph, np.array([[before[axis], after[axis]] for axis in x.order]))
        return graph.op("MirrorPad", [x, pairs], shape=shape, order=x.order, mode="REFLECT", Tpaddings=Type("int32"))
    for axis, first, last in pads:
        length = x.shape[axis]
        if length is not None:
            places = _mirrored_places(length, first, last, mode)
            x = take(graph, x, axis, places)
        else:
            x = _filled_up(c, x, axis, ints(graph, [first]), ints(graph, [last]), mode)
    return x


def _mirrored_places(length: int, first: int, last: int, mode: str) -> list[int]:
    """Return the places that an axis has after it was cut, where numbers are negative, and filled up."""
    kept = np.arange(length)[max(-first, 0) : length - max(-last, 0)]
    return np.pad(kept, (max(first, 0), max(last, 0)), mode=mode).tolist()  # type: ignore[no-any-return, call-overload]


def _filled_up(c: Context, x: Value, axis: int, first: Value, last: Value, mode: str) -> Value:
    """Fill up an axis by numbers of places that are computed when the model runs, int32 [1]."""
    graph = c.graph
    length = length_of(graph, x, axis)
    begin = graph.squeeze(graph.elementwise("Neg", [first]), [0])
    end = graph.squeeze(graph.elementwise("AddV2", [length, last]), [0])
    places = graph.op("Range", [begin, end, scalar(graph, 1)], shape=(None,), type_name="int32", Tidx=Type("int32"))
    one, zero = ints(graph, [1]), ints(graph, [0])
    final = graph.elementwise("Sub", [length, one])
    if mode == "wrap":
        places = graph.elementwise("FloorMod", [places, length])
    elif mode == "reflect":  # back and forth, in turns of twice the steps from end to end
        turn = graph.elementwise("Maximum", [graph.elementwise("Mul", [final, ints(graph, [2])]), one])
        places = graph.elementwise("FloorMod", [places, turn])
        places = graph.elementwise("Minimum", [places, graph.elementwise("Sub", [turn, places])])
    places = graph.elementwise("Minimum", [graph.elementwise("Maximum", [places, zero]), final])
    return gather(graph, x, axis, places)


def _spread_pads(c: Context, x: Value, given: Value, axes: Value) -> Value:
    """Return pads for all axes from those for some, which are computed when the model runs."""
    graph, count = c.graph, axes.shape[0]
    if count is None:
        c.refuse("an open number of axes")
    halves = graph.reshape(graph.cast(given, "int32"), (2, count))
    parts = [graph.squeeze(cut(graph, halves, {0: (half, 1)}), [0]) for half in (0, 1)]
    return joined(graph, [spread(graph, part, axes, x.rank, 0) for part in parts], 0)


def tiled(graph: Graph, x: Value, times: Sequence[int]) -> Value:
    """Return a tensor so many times behind itself, along logical axes."""
    if all(number == 1 for number in times):
        return x
    shape = tuple(None if n is None else n * number for n, number in zip(x.shape, times, strict=True))
    repeats = ints(graph, [times[axis] for axis in x.order])
    return graph.op("Tile", [x, repeats], shape=shape, order=x.order, Tmultiples=Type("int32"))


def _computed_pad(c: Context, x: Value, given: Value, axes: list[int], mode: str) -> Value:
    """Add as much as is computed when the model runs; a negative number then ends in an error of TensorFlow.js."""
    graph = c.graph
    if mode != "constant":
        numbers = graph.cast(given, "int32")
        for place, axis in enumerate(axes):
            first, last = (cut(graph, numbers, {0: (at, 1)}) for at in (place, place + len(axes)))
            x = _filled_up(c, x, axis, first, last, mode)
        return x
    # Pairs in the order of the stored axes are picked out of [before…, after…, 0].
    count = len(axes)
    picks = [[axes.index(axis), axes.index(axis) + count] if axis in axes else [2 * count] * 2 for axis in x.order]
    parts = [graph.cast(given, "int32"), ints(graph, [0]), scalar(graph, 0)]
    numbers = graph.op("ConcatV2", parts, shape=(2 * count + 1,), type_name="int32", N=2)
    pairs = gather(graph, numbers, 0, ints(graph, np.array(picks)))
    known = c.shape()
    fixed = known if known is not None and len(known) == x.rank else (None,) * x.rank
    shape = tuple(fixed[axis] if axis in axes else n for axis, n in enumerate(x.shape))
    return graph.op("PadV2", [x, pairs, _fill(c, x)], shape=shape, order=x.order, Tpaddings=Type("int32"))


@lowers("Tile")
def tile(c: Context) -> Value:
    """Lower repetition along axes."""
    x, times, graph = c.input(0), c.input(1), c.graph
    if times.array is not None:
        return tiled(graph, x, [int(number) for number in times.array])
    repeats = graph.cast(times, "int32")
    if not x.is_plain:
        repeats = gather(graph, repeats, 0, ints(graph, x.order))
    return graph.op("Tile", [x, repeats], shape=c.shape() or (None,) * x.rank, order=x.order, Tmultiples=Type("int32"))


@lowers("Expand")
def expand(c: Context) -> Value:
    """Lower a broadcast to another shape, of which each length may be 1 where the tensor has more."""
    x, target, graph = c.input(0), c.input(1), c.graph
    known = c.shape()
    if target.array is not None:
        known = broadcast_shape([x.shape, tuple(int(n) for n in target.array)])
    if known is not None and None not in known:
        return expanded(graph, x, known)
    rank = max(x.rank, target.shape[0] or 0) if known is None else len(known)
    if x.array is not None and x.size == 1:
        value = graph.reshape(x, ())
        return graph.op("Fill", [graph.cast(target, "int32"), value], shape=known or (None,) * rank, type_name=x.type,
                        T=Type(x.dtype))  # fmt: skip
    plain = graph.plain(x)
    lengths = graph.op(
        "BroadcastArgs", [graph.shape_of(plain), graph.cast(target, "int32")], shape=(rank,), type_name="int32"
    )
    return graph.op("BroadcastTo", [plain, lengths], shape=known or (None,) * rank, Tidx=Type("int32"))


def expanded(graph: Graph, x: Value, shape: Sequence[int | None]) -> Value:
    """Return a tensor that is broadcast to a known shape."""
    if tuple(shape) == x.shape:
        return x
    x = graph.unsqueeze(x, list(range(len(shape) - x.rank))) if len(shape) > x.rank else x
    lengths = ints(graph, [shape[axis] or 0 for axis in x.order])
    return graph.op("BroadcastTo", [x, lengths], shape=tuple(shape), order=x.order, Tidx=Type("int32"))


@lowers("ConstantOfShape")
def constant_of_shape(c: Context) -> Value:
    """Lower a tensor of one number, of computed lengths."""
    lengths, graph = c.input(0), c.graph
    value = np.asarray(c.attribute("value", np.zeros(1, np.float32))).reshape(())
    shape = c.shape() or (None,) * (lengths.shape[0] or 0)
    found = graph.constant(value)
    return graph.op(
        "Fill", [graph.cast(lengths, "int32"), found], shape=shape, type_name=found.type, T=Type(found.dtype)
    )


@lowers("Size")
def size(c: Context) -> Value:
    """Lower the number of elements."""
    x, graph = c.input(0), c.graph
    if x.is_static:
        return graph.constant(np.array(x.size, np.int64))
    return graph.op("Prod", [graph.shape_of(x), ints(graph, [0])], shape=(), type_name="int64", keep_dims=False)
