"""Sequences of tensors, which are lists at build time: how long they are has to be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...lowering.pieces import cut
from ...lowering.values import Value, sequence
from ..registry import Context, lowers, table


def listed(items: Sequence[Value]) -> Value:
    """Return a sequence."""
    return Value(sequence, (), (), items=tuple(items))


def items_of(c: Context) -> list[Value]:
    """Return what is in the sequence that is the first input."""
    found = c.input(0).items
    if found is None:
        c.refuse("a sequence whose length is not known")
    return list(found)


@lowers("SequenceEmpty", "SequenceConstruct")
def construct(c: Context) -> Value:
    """Lower a new sequence."""
    return listed([value for value in c.inputs if value is not None])


@lowers("SequenceInsert")
def insert(c: Context) -> Value:
    """Lower a sequence with another tensor in it, at its end if no place is given."""
    items = items_of(c)
    place = int(c.known(2, "position").item()) if c.optional(2) is not None else len(items)
    items.insert(place, c.input(1))
    return listed(items)


@lowers("SequenceErase")
def erase(c: Context) -> Value:
    """Lower a sequence without one of its tensors, the last if no place is given."""
    items = items_of(c)
    del items[int(c.known(1, "position").item()) if c.optional(1) is not None else -1]
    return listed(items)


@lowers("SequenceAt")
def at(c: Context) -> Value:
    """Lower a tensor of a sequence."""
    return items_of(c)[int(c.known(1, "position").item())]


@lowers("SequenceLength")
def length(c: Context) -> Value:
    """Lower how many tensors there are."""
    return c.graph.constant(np.array(len(items_of(c)), np.int64))


@lowers("ConcatFromSequence")
def concat(c: Context) -> Value:
    """Lower the tensors of a sequence as one, along an axis or a new one."""
    items, axis = items_of(c), c.attribute("axis", 0)
    if not items:
        c.refuse("an empty sequence")
    if c.attribute("new_axis", 0):
        items = [c.graph.unsqueeze(item, [axis % (item.rank + 1)]) for item in items]
        axis %= items[0].rank
    found = table["Concat"](replace(c, op="Concat", inputs=items, attributes={"axis": axis}))
    assert isinstance(found, Value)  # noqa: S101
    return found


@lowers("SplitToSequence")
def split(c: Context) -> Value:
    """Lower the parts of a tensor along an axis."""
    graph, x = c.graph, c.input(0)
    axis = c.attribute("axis", 0) % x.rank
    whole = x.shape[axis]
    if whole is None:
        c.refuse("an open length", "Export the model with a fixed size")
    given = c.optional(1)
    if given is None:
        sizes = [1] * whole
    else:
        numbers = [int(n) for n in c.known(1, "split").ravel()]
        step = numbers[0] if given.rank == 0 else 0
        sizes = [min(step, whole - start) for start in range(0, whole, step)] if step else numbers
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    parts = [cut(graph, x, {axis: (start, size)}) for start, size in zip(starts, sizes, strict=True)]
    if given is None and not c.attribute("keepdims", 1):
        parts = [graph.squeeze(part, [axis]) for part in parts]
    return listed(parts)
