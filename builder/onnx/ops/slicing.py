"""Operators that cut tensors up: Slice, Split, and their like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import cut, gather, ints, largest_index, reverse, scalar, spread, strided, take
from ...lowering.values import Array, Value
from ..registry import Context, fix_lengths, lowers


@lowers("Slice")
def slice_(c: Context) -> Value:
    """Lower a slice; ends beyond a tensor end with it, negative ones count from its end."""
    x = c.input(0)
    if c.opset < 10:
        starts, ends = (c.graph.constant(np.array(c.attributes[name], np.int64)) for name in ("starts", "ends"))
        axes, steps = c.attribute("axes", None), None
    else:
        starts, ends = c.input(1), c.input(2)
        if any(value is not None and value.array is None for value in (c.optional(3), c.optional(4))):
            return _spread_slice(c, x, starts, ends)
        axes, steps = c.numbers(3), c.numbers(4)
    count = starts.shape[0]
    if axes is None:
        axes = list(range(count if count is not None else x.rank))
    axes = [axis % x.rank for axis in axes]
    steps = steps or [1] * len(axes)
    if starts.array is None or ends.array is None:
        return _computed(c, x, starts, ends, axes, steps)
    ranges = list(zip(axes, _clipped(starts.array), _clipped(ends.array), steps, strict=True))
    for axis, start, end, step in ranges:
        length = x.shape[axis]
        if step < 0 and end >= largest_index:  # nothing, says ONNX; all, says ONNX Runtime
            c.refuse("a slice backwards that ends with INT_MAX", "Let it end with INT_MIN")
        if length is not None:
            x = take(c.graph, x, axis, range(length)[_bounds(start, end, step)])
    opened = [entry for entry in ranges if x.shape[entry[0]] is None]
    return _strided(c, x, opened) if opened else x


def _clipped(numbers: Array) -> list[int]:
    return [int(number) for number in _clip(numbers).ravel()]


def _bounds(start: int, end: int, step: int) -> slice:
    """Return a slice as Python has it: an end before the first element is none at all."""
    return slice(start, None if step < 0 and end <= -largest_index else end, step)


def _strided(c: Context, x: Value, ranges: Sequence[tuple[int, int, int, int]]) -> Value:
    """Slice axes of open length."""
    graph = c.graph
    backwards = [
        axis
        for axis, start, end, step in ranges
        if step == -1 and start in (-1, largest_index) and -end == largest_index
    ]
    if backwards:
        x = reverse(graph, x, backwards)
    ranges = [entry for entry in ranges if entry[0] not in backwards and entry[1:] != (0, largest_index, 1)]
    if not ranges:
        return x
    begins, ends, steps = [0] * x.rank, [0] * x.rank, [1] * x.rank
    shape, end_mask = list(x.shape), (1 << x.rank) - 1
    for axis, start, end, step in ranges:
        place = x.axis(axis)
        begins[place], ends[place], steps[place] = start, end, step
        shape[axis] = _length(start, end, step)
        if (end if step > 0 else -end) < largest_index:
            end_mask &= ~(1 << place)
    inputs = [x, *(ints(graph, numbers) for numbers in (begins, ends, steps))]
    return strided(graph, inputs, tuple(shape), end_mask=end_mask)


def _spread_slice(c: Context, x: Value, starts: Value, ends: Value) -> Value:
    """Slice along axes, or in steps, that are computed when the model runs."""
    graph, axes, steps = c.graph, c.optional(3), c.optional(4)
    x = graph.plain(x)
    if axes is None:
        axes = ints(graph, range(starts.shape[0] or 0))
    every = steps or ints(graph, [1] * (axes.shape[0] or 0))
    bounds = []
    for value, otherwise in ((starts, 0), (ends, largest_index), (every, 1)):
        numbers = value if value.array is None else graph.constant(_clip(value.array))
        bounds.append(spread(graph, numbers, axes, x.rank, otherwise))
    known = c.shape()
    return strided(graph, [x, *bounds], known or (None,) * x.rank)


def _clip(numbers: Array) -> Array:
    return np.clip(numbers, -largest_index, largest_index).astype(np.int32)


def _length(start: int, end: int, step: int) -> int | None:
    """Return the length of what is cut of an open axis where it is certain, which is nearly never."""
    return 0 if step > 0 and (start >= 0) == (end >= 0) and end <= start else None


def _computed(c: Context, x: Value, starts: Value, ends: Value, axes: list[int], steps: list[int]) -> Value:
    """Slice from and to places that are computed when the model runs."""
    graph = c.graph
    # One entry for each stored axis is picked out of what is given, with 0 behind it.
    picks = [axes.index(axis) if axis in axes else len(axes) for axis in x.order]
    known = c.shape()
    inputs = [x]
    for bounds in (starts, ends):
        if bounds.array is not None:
            given = np.array([*_clipped(bounds.array), 0], np.int32)
            inputs.append(ints(graph, given[picks]))
        else:
            parts = [graph.cast(bounds, "int32"), ints(graph, [0]), scalar(graph, 0)]
            given_value = graph.op("ConcatV2", parts, shape=(len(axes) + 1,), type_name="int32", N=2)
            inputs.append(gather(graph, given_value, 0, ints(graph, picks)))
    inputs.append(ints(graph, [steps[axes.index(axis)] if axis in axes else 1 for axis in x.order]))
    untouched = sum(1 << place for place, axis in enumerate(x.order) if axis not in axes)
    fixed = known if known is not None and len(known) == x.rank else (None,) * x.rank
    shape = tuple(fixed[axis] if axis in axes else n for axis, n in enumerate(x.shape))
    return strided(graph, inputs, shape, begin_mask=untouched, end_mask=untouched)


@lowers("Split")
def split(c: Context) -> Sequence[Value | None]:
    """Lower a split into parts of given lengths, or as equal as they can be."""
    x, graph = c.input(0), c.graph
    axis = c.attribute("axis", 0) % x.rank
    count, length = len(c.names), x.shape[axis]
    lengths = _part_lengths(c, axis)
    if lengths is None and length is not None:
        part = -(-length // count)
        lengths = [min(part, length - number * part) for number in range(count)]
    if lengths is None:
        if c.opset >= 18:
            c.refuse("parts of an open length, of which the last may be shorter", fix_lengths)
        results = [(x.type, x.shape, x.order)] * count
        return graph.ops("Split", [scalar(graph, x.axis(axis)), x], results, num_split=count, T=Type(x.dtype))
    if len(lengths) == 1:
        return [x]
    used = [number for number, name in enumerate(c.names) if name]
    starts = [sum(lengths[:number]) for number in range(count)]
    if len(used) == 1:
        only = used[0]
        part = cut(graph, x, {axis: (starts[only], lengths[only])})
        return [part if number == only else None for number in range(count)]
    shapes = [tuple(part if other == axis else n for other, n in enumerate(x.shape)) for part in lengths]
    inputs = [x, ints(graph, lengths), scalar(graph, x.axis(axis))]
    return graph.ops("SplitV", inputs, [(x.type, shape, x.order) for shape in shapes], num_split=count)


def _part_lengths(c: Context, axis: int) -> list[int] | None:
    """Return the lengths of parts, of which inference may know more than is constant."""
    given = c.optional(1)
    if given is None or given.array is not None:
        return c.numbers(1, "split")
    lengths = [None if known.shape is None else known.shape[axis] for known in c.outputs]
    if None in lengths:
        c.refuse("lengths of parts that are computed while the model runs", fix_lengths)
    return [length or 0 for length in lengths]
