"""Cuts tensors up and picks numbers out of them along logical axes, wherever these are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .attributes import Type
from .graph import Graph
from .layout import Shape, arranged, groups_around, moves_nothing, product_of
from .values import Array, Value

largest_index = 2**31 - 1


def ints(graph: Graph, numbers: Sequence[int] | Array) -> Value:
    """Return whole numbers as a constant vector, int32."""
    return graph.constant(np.array(numbers, np.int32))


def scalar(graph: Graph, number: int) -> Value:
    """Return one whole number as a constant, int32 []."""
    return graph.constant(np.array(number, np.int32))


def cut(graph: Graph, x: Value, ranges: Mapping[int, tuple[int, int]]) -> Value:
    """Return what lies from a start over so many elements, along logical axes whose length is known.

    Args:
        graph: that is built.
        x: any.
        ranges: start and size, by axis.
    """
    ranges = {axis: (start, size) for axis, (start, size) in ranges.items() if (start, size) != (0, x.shape[axis])}
    if not ranges:
        return x
    if x.array is not None:
        slices = [slice(None)] * x.rank
        for axis, (start, size) in ranges.items():
            slices[axis] = slice(start, start + size)
        return graph.constant(x.array[tuple(slices)])
    shape = tuple(ranges[axis][1] if axis in ranges else n for axis, n in enumerate(x.shape))
    if 0 in shape and None not in shape and x.dtype != "string":
        return graph.constant(np.zeros([n or 0 for n in shape], x.dtype), x.type)
    begins = ints(graph, [ranges[axis][0] if axis in ranges else 0 for axis in x.order])
    sizes = ints(graph, [ranges[axis][1] if axis in ranges else -1 for axis in x.order])
    return graph.op("Slice", [x, begins, sizes], shape=shape, order=x.order)


def every(graph: Graph, x: Value, axis: int, start: int, step: int, count: int) -> Value:
    """Return so many elements of an axis of known length, each a step after the one before."""
    length = x.shape[axis]
    if step == 1 or count == 1 or length is None or x.dtype != "float32" or x.array is not None:
        return take(graph, x, axis, range(start, start + (count - 1) * step + 1, step))
    begins, ends, steps = [0] * x.rank, [0] * x.rank, [1] * x.rank
    place = x.axis(axis)
    begins[place], ends[place], steps[place] = start, start + (count - 1) * step + 1, step
    untouched = ((1 << x.rank) - 1) & ~(1 << place)
    shape = tuple(count if other == axis else n for other, n in enumerate(x.shape))
    inputs = [x, *(ints(graph, numbers) for numbers in (begins, ends, steps))]
    return strided(graph, inputs, shape, begin_mask=untouched, end_mask=untouched)


def strided(graph: Graph, inputs: Sequence[Value], shape: Shape, *, begin_mask: int = 0, end_mask: int = 0) -> Value:
    """Add a StridedSlice that keeps all axes, where they are stored.

    Args:
        graph: that is built.
        inputs: a value, and begins, ends and steps by stored axis.
        shape: of the result, with logical axes.
        begin_mask: a bit for each stored axis whose begin does not count.
        end_mask: a bit for each stored axis whose end does not count.
    """
    return graph.op(
        "StridedSlice",
        inputs,
        shape=shape,
        order=inputs[0].order,
        begin_mask=begin_mask,
        end_mask=end_mask,
        ellipsis_mask=0,
        new_axis_mask=0,
        shrink_axis_mask=0,
        Index=Type("int32"),
    )


def take(graph: Graph, x: Value, axis: int, places: Sequence[int] | Array) -> Value:
    """Return the elements at known places of an axis, in this order; as slices or turned round where they are that."""
    numbers = [int(place) for place in places]
    length = x.shape[axis]
    if x.array is not None:
        return graph.constant(np.take(x.array, numbers, axis))
    if not numbers:
        return cut(graph, x, {axis: (0, 0)})
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return cut(graph, x, {axis: (numbers[0], len(numbers))})
    if length is not None and numbers == list(range(length))[::-1]:
        return reverse(graph, x, [axis])
    return gather(graph, x, axis, ints(graph, numbers))


def reverse(graph: Graph, x: Value, axes: Sequence[int]) -> Value:
    """Turn axes round; truth values go as numbers, which wasm's kernel needs."""
    if x.dtype == "bool":
        return graph.cast(reverse(graph, graph.cast(x, "int32"), axes), "bool")
    where = ints(graph, sorted(x.axes(list(axes))))
    return graph.op("ReverseV2", [x, where], shape=x.shape, order=x.order)


def gather(graph: Graph, x: Value, axis: int, places: Value) -> Value:
    """Return the elements at places of an axis, which is replaced by the axes of ``places``.

    Args:
        graph: that is built.
        x: any.
        axis: logical, from 0.
        places: whole numbers from 0.
    """
    more = places.rank - 1
    order: list[int] = []
    for stored in x.order:
        if stored == axis:
            order += [axis + other for other in places.order]
        else:
            order.append(stored if stored < axis else stored + more)
    shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    where = scalar(graph, x.axis(axis))
    found = [x, graph.cast(places, "int32"), where]
    return graph.op("GatherV2", found, shape=shape, order=tuple(order), batch_dims=0)


def length_of(graph: Graph, x: Value, axis: int) -> Value:
    """Return the length of an axis, int32 [1]: known, or computed when the graph runs."""
    length = x.shape[axis]
    if length is not None:
        return ints(graph, [length])
    lengths = graph.op("Shape", [x], shape=(x.rank,), type_name="int32", out_type=Type("int32"))
    return graph.op("Slice", [lengths, ints(graph, [x.axis(axis)]), ints(graph, [1])], shape=(1,))


def count_of(graph: Graph, x: Value, axis: int) -> Value:
    """Return the length of an axis, int32 []: known, or computed when the graph runs."""
    return graph.squeeze(length_of(graph, x, axis), [0])


def positions(graph: Graph, x: Value, axis: int) -> Value:
    """Return 0, 1, 2 … along an axis, int32 [length]."""
    length = x.shape[axis]
    if length is not None:
        return ints(graph, range(length))
    return graph.op(
        "Range",
        [scalar(graph, 0), count_of(graph, x, axis), scalar(graph, 1)],
        shape=(None,),
        type_name="int32",
        Tidx=Type("int32"),
    )


def joined(graph: Graph, parts: Sequence[Value], axis: int) -> Value:
    """Put values behind one another along an axis, in the order of the first that is computed."""
    if len(parts) == 1:
        return parts[0]
    first = next((part for part in parts if part.array is None), parts[0])
    lengths = [part.shape[axis] for part in parts]
    shape = list(first.shape)
    shape[axis] = None if None in lengths else sum(n or 0 for n in lengths)
    ordered = [graph.ordered(part, first.order) for part in parts]
    where = scalar(graph, first.axis(axis))
    return graph.op("ConcatV2", [*ordered, where], shape=tuple(shape), order=first.order, N=len(parts))


def from_front(graph: Graph, places: Value, x: Value, axis: int) -> Value:
    """Return places of which negative ones count from the end as ones that all count from 0, int32."""
    length = x.shape[axis]
    if places.array is not None and length is not None:
        return graph.constant(np.where(places.array < 0, places.array + length, places.array).astype(np.int32))
    if places.array is not None and (places.array >= 0).all():
        return graph.cast(places, "int32")
    return graph.elementwise("FloorMod", [graph.cast(places, "int32"), count_of(graph, x, axis)])


def reshaped_around(graph: Graph, x: Value, shape: Shape, same: Sequence[tuple[int, int]]) -> Value | None:
    """Return a value with other logical axes, of which several are open; None where it would have to be moved.

    Args:
        graph: that is built.
        x: any.
        shape: with its open lengths.
        same: an axis before and one after, of open lengths that are the same.
    """
    kept = {after: before for before, after in same}
    rest = [axis for axis, n in enumerate(shape) if n is None and axis not in kept]
    matched = groups_around(x.shape, shape, same)
    if matched is None or len(rest) > 1 or 0 in x.shape:
        return None
    first, order = arranged(x.shape, shape, x.order, matched)
    if not moves_nothing(x.shape, x.order, first):
        return None  # what has to be moved anyway had better be moved to where all else is
    x = graph.ordered(x, first)
    parts = []
    for axis in order:
        length = shape[axis]
        if axis in kept:
            parts.append(length_of(graph, x, kept[axis]))
        else:
            parts.append(ints(graph, [-1 if length is None else length]))
    return graph.op("Reshape", [x, joined(graph, parts, 0)], shape=shape, type_name=x.type, order=order)


def spread(graph: Graph, numbers: Value, axes: Value, rank: int, otherwise: int) -> Value:
    """Return one number for each axis, int32 [rank]: those given for some axes, which are computed, and another one."""
    places = graph.elementwise("FloorMod", [graph.cast(axes, "int32"), scalar(graph, rank)])
    rows = graph.unsqueeze(places, [1])
    whole = ints(graph, [otherwise] * rank)
    given = graph.cast(numbers, "int32")
    return graph.op("TensorScatterUpdate", [whole, rows, given], shape=(rank,), Tindices=Type("int32"))


def along(graph: Graph, x: Value, axis: int, matrix: Value) -> Value:
    """Multiply one axis by a matrix [after, before]; the others stay where they are stored.

    At most one of the others may be open.
    """
    place = x.axis(axis)
    after, before = matrix.shape
    lengths = x.stored_shape
    head, tail = product_of(lengths[:place]), product_of(lengths[place + 1 :])
    shape = (*x.shape[:axis], after, *x.shape[axis + 1 :])
    if tail == 1:
        flat = graph.op("Reshape", [x, ints(graph, [-1, before or 0])], shape=(head, before))
        found = graph.op("MatMul", [flat, matrix], shape=(head, after), transpose_a=False, transpose_b=True)
    else:
        stack = ints(
            graph, [1 if place == 0 else -1, before or 0, tail] if tail is not None else [head or 1, before or 0, -1]
        )
        flat = graph.op("Reshape", [x, stack], shape=(head, before, tail))
        found = graph.op(
            "BatchMatMulV2",
            [graph.unsqueeze(matrix, [0]), flat],
            shape=(head, after, tail),
            type_name=x.type,
            adj_x=False,
            adj_y=False,
        )
    target = ints(
        graph,
        [after or 0 if other == axis else (-1 if x.shape[other] is None else x.shape[other] or 0) for other in x.order],
    )
    return graph.op("Reshape", [found, target], shape=shape, order=x.order)
