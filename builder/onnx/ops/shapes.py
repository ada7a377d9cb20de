"""Operators that only arrange numbers anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.layout import Shape, product_of
from ...lowering.lengths import KnownLengths
from ...lowering.pieces import cut, ints, joined, reshaped_around, scalar
from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("Identity")
def identity(c: Context) -> Sequence[Value | None]:
    """Lower what does nothing at inference."""
    if len(c.names) > 1 and c.names[1]:
        c.refuse("its mask, which only training needs")
    return [c.input(0)]


@lowers("Constant")
def constant(c: Context) -> Value:
    """Lower constants in any of their forms."""
    for name, kind in (
        ("value", ""),
        ("value_float", "float32"),
        ("value_floats", "float32"),
        ("value_int", "int64"),
        ("value_ints", "int64"),
    ):
        if name in c.attributes:
            return c.graph.constant(np.asarray(c.attributes[name], dtype=kind or None), name=c.names[0])
    return c.refuse(f"a constant of the form {', '.join(c.attributes)}")


@lowers("Shape")
def shape(c: Context) -> Value:
    """Lower the lengths of axes from ``start`` to ``end``."""
    x = c.input(0)
    lengths = x.shape[slice(c.attribute("start", 0), c.attribute("end", None))]
    if None not in lengths:
        return c.graph.constant(np.array(lengths, np.int64))
    found = c.graph.shape_of(x)
    first = range(x.rank)[slice(c.attribute("start", 0), c.attribute("end", None))]
    begin, size = (ints(c.graph, [n]) for n in (first.start, len(first)))
    whole = len(first) == x.rank
    part = found if whole else c.graph.op("Slice", [found, begin, size], shape=(len(first),), type_name="int32")
    numbers = np.array([np.nan if n is None else n for n in lengths], np.float64)
    c.graph.lengths[part.name] = KnownLengths(numbers, tuple((x.name, x.axis(axis)) for axis in first))
    return c.graph.cast(part, "int64")


@lowers("Reshape", "Flatten")
def reshape(c: Context) -> Value:
    """Lower another shape; 0 stands for the length that the axis had, -1 for what is left."""
    x = c.input(0)
    if c.op == "Flatten":
        axis = c.attribute("axis", 1)
        axis = axis + x.rank if axis < 0 else axis
        lengths = [product_of(x.shape[:axis]), product_of(x.shape[axis:])]
        return c.graph.reshape(x, tuple(lengths), flat_lengths(c, x, axis) if lengths.count(None) > 1 else None)
    wanted = c.input(1)
    known = c.shape()
    if wanted.array is None:
        if known is not None and wanted.shape[0] not in (None, len(known)):
            known = None  # files declare outputs of another rank, which no runtime minds
        found = _own_lengths(c, x, wanted)
        if found is not None:
            return found
        if known is not None and known.count(None) > 1:
            found = _kept(c, x, known)
            if found is not None:
                return found
        if known is None or known.count(None) > 1:
            known = known or (None,) * (wanted.shape[0] or 0)
            return c.graph.reshape(x, known, _without_zeros(c, x, wanted))
        return c.graph.reshape(x, known)
    numbers = [int(n) for n in wanted.array]
    copied = not c.attribute("allowzero", 0)
    lengths = [x.shape[axis] if n == 0 and copied else (None if n == -1 else n) for axis, n in enumerate(numbers)]
    if known is not None and len(known) == len(lengths):
        lengths = [n if n is not None else other for n, other in zip(lengths, known, strict=True)]
    if x.is_static and lengths.count(None) == 1:
        rest = product_of(tuple(n for n in lengths if n is not None)) or 1
        lengths[lengths.index(None)] = x.size // rest
    target = None
    found = _kept(c, x, tuple(lengths)) if lengths.count(None) > 1 else None
    if found is not None:
        return found
    if lengths.count(None) > 1:
        target = _wanted_lengths(c, x, numbers, copied=copied)
    return c.graph.reshape(x, tuple(lengths), target)


def _without_zeros(c: Context, x: Value, wanted: Value) -> Value:
    """Put the input's lengths where a computed shape may be 0, which stands for them."""
    graph, count = c.graph, wanted.shape[0]
    known = graph.lengths.get(wanted.name)
    if c.attribute("allowzero", 0) or count is None or (known is not None and 0 not in known.numbers):
        return wanted
    own = cut(graph, graph.shape_of(x), {0: (0, min(count, x.rank))})
    own = joined(graph, [own, ints(graph, [1] * (count - x.rank))], 0) if count > x.rank else own
    target, zero = graph.cast(wanted, "int32"), scalar(graph, 0)
    return graph.elementwise("SelectV2", [graph.elementwise("Equal", [target, zero], "bool"), own, target], "int32")


def _own_lengths(c: Context, x: Value, wanted: Value) -> Value | None:
    """Reshape to computed lengths of which some are the tensor's own; None where it would have to be moved."""
    known = c.graph.lengths.get(wanted.name)
    if known is None or x.is_plain or known.are_known or known.numbers.ndim != 1 or (known.numbers == 0).any():
        return None
    shape = tuple(None if np.isnan(n) or n < 0 else int(n) for n in known.numbers)
    same = [
        (x.order[origin[1]], axis)
        for axis, (length, origin) in enumerate(zip(shape, known.origins, strict=True))
        if length is None and origin is not None and origin[0] == x.name and x.shape[x.order[origin[1]]] is None
    ]
    return reshaped_around(c.graph, x, shape, same) if same else None


def _kept(c: Context, x: Value, shape: Shape) -> Value | None:
    """Reshape without a move, where the names of open lengths tell which are the same; None where that is not so."""
    symbols, wanted = c.given[0].symbols, c.outputs[0].symbols
    within = c.scope.parent is not None  # where a length may be another one in each round
    if within or x.is_plain or len(symbols) != x.rank or len(wanted) != len(shape):
        return None
    same = [
        (before, wanted.index(name))
        for before, name in enumerate(symbols)
        if name and x.shape[before] is None and symbols.count(name) == 1 and wanted.count(name) == 1
    ]
    return reshaped_around(c.graph, x, shape, [(a, b) for a, b in same if shape[b] is None])


def _wanted_lengths(c: Context, x: Value, numbers: list[int], *, copied: bool) -> Value:
    """Compute the lengths of which several are those that the input has when the model runs."""
    lengths = c.graph.shape_of(x)
    parts = []
    for axis, n in enumerate(numbers):
        if n == 0 and copied:
            begin, size = (ints(c.graph, [m]) for m in (axis, 1))
            parts.append(c.graph.op("Slice", [lengths, begin, size], shape=(1,), type_name="int32"))
        else:
            parts.append(ints(c.graph, [n]))
    axis_0 = scalar(c.graph, 0)
    return c.graph.op("ConcatV2", [*parts, axis_0], shape=(len(numbers),), type_name="int32", N=len(parts))


def flat_lengths(c: Context, x: Value, axis: int) -> Value:
    """Compute the two lengths that are left when the axes before one are joined, and the others too."""
    lengths = c.graph.shape_of(x)
    begin, size = (ints(c.graph, [n]) for n in (0, axis))
    head = c.graph.op("Slice", [lengths, begin, size], shape=(axis,), type_name="int32")
    where = ints(c.graph, [0])
    first = c.graph.op("Prod", [head, where], shape=(1,), type_name="int32", keep_dims=True)
    axis_0 = scalar(c.graph, 0)
    rest = ints(c.graph, [-1])
    return c.graph.op("ConcatV2", [first, rest, axis_0], shape=(2,), type_name="int32", N=2)


@lowers("Transpose")
def transpose(c: Context) -> Value:
    """Lower a transpose, for which nothing is moved until an op needs it."""
    x = c.input(0)
    return c.graph.transpose(x, c.attribute("perm", list(range(x.rank))[::-1]))


@lowers("Squeeze")
def squeeze(c: Context) -> Value:
    """Lower the loss of axes of length 1."""
    x = c.input(0)
    if _has_computed_axes(c):
        return c.graph.reshape(x, c.shape() or ())
    axes = c.numbers(1, "axes")
    if axes is None:
        if not x.is_static:
            c.refuse(
                "no axes, so that it depends on open lengths which it drops",
                "Give its inputs' lengths in [models.NAME.inputs]",
            )
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    return c.graph.squeeze(x, axes)


def _has_computed_axes(c: Context) -> bool:
    """Whether axes are computed when the model runs; then the shape is known, or it is refused."""
    axes = c.optional(1)
    if axes is None or axes.array is not None:
        return False
    known = c.shape()
    if known is None or known.count(None) > 1:
        c.refuse("axes that are computed while the model runs")
    return True


@lowers("Unsqueeze")
def unsqueeze(c: Context) -> Value:
    """Lower new axes of length 1."""
    if _has_computed_axes(c):
        return c.graph.reshape(c.input(0), c.shape() or ())
    return c.graph.unsqueeze(c.input(0), c.numbers(1, "axes") or [])


@lowers("Concat")
def concat(c: Context) -> Value:
    """Lower a concatenation, in the order in which most of its parts are stored."""
    values = [value for value in c.inputs if value is not None]
    axis = c.attribute("axis", 0) % values[0].rank
    orders = [value.order for value in values if value.array is None] or [values[0].order]
    order = max(orders, key=orders.count)
    lengths = list(values[0].shape)
    for value in values[1:]:
        lengths = [n if n is not None else other for n, other in zip(lengths, value.shape, strict=True)]
    parts = [value.shape[axis] for value in values]
    lengths[axis] = None if None in parts else sum(n or 0 for n in parts)
    ordered = [c.graph.ordered(value, order) for value in values]
    where = scalar(c.graph, order.index(axis))
    return c.graph.op("ConcatV2", [*ordered, where], shape=tuple(lengths), order=order, name=c.name, N=len(values))
