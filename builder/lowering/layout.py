"""In which order the axes of a tensor are stored, as pure functions.

An *order* lists logical axes in the order in which they are stored: ``order[k]`` is the logical axis that is the
``k``-th in memory. A picture [n, c, h, w] that is stored with its channels last has the order (0, 2, 3, 1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

Order = tuple[int, ...]
Groups = list[tuple[list[int], list[int]]]
Shape = tuple[int | None, ...]


def plain(rank: int) -> Order:
    """Return the order of a tensor whose axes are stored as they are numbered."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """Return the order [n, spatial…, c] of a tensor [n, c, spatial…]."""
    return (0, *range(2, rank), 1) if rank > 2 else plain(rank)


def stored_shape(shape: Sequence[int | None], order: Order) -> Shape:
    """Return lengths in the order in which they are stored."""
    return tuple(shape[axis] for axis in order)


def product_of(lengths: Sequence[int | None]) -> int | None:
    """Return the product of lengths; None where one is open."""
    known = [length for length in lengths if length is not None]
    return math.prod(known) if len(known) == len(lengths) else None


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of what is broadcast together; None where that is open.

    Raises:
        ValueError: the shapes do not fit.
    """
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result: list[int | None] = []
    for lengths in zip(*padded, strict=True):
        fixed = {n for n in lengths if n is not None and n != 1}
        if len(fixed) > 1:
            raise ValueError(f"shapes {list(shapes)} cannot be broadcast together")
        result.append(fixed.pop() if fixed else (None if None in lengths else 1))
    return tuple(result)


def transposed(order: Order, permutation: Sequence[int]) -> Order:
    """Return the order after a logical transpose, for which nothing is moved: new axis ``i`` is ``permutation[i]``."""
    place = {axis: new for new, axis in enumerate(permutation)}
    return tuple(place[axis] for axis in order)


def permutation_between(have: Order, want: Order) -> Order:
    """Return the permutation of stored axes that turns one order into another."""
    place = {axis: stored for stored, axis in enumerate(have)}
    return tuple(place[axis] for axis in want)


def moves_nothing(shape: Sequence[int | None], have: Order, want: Order) -> bool:
    """Whether two orders hold the same bytes, as only axes of length 1 change their places."""
    moved = [axis for axis in have if shape[axis] != 1]
    return moved == [axis for axis in want if shape[axis] != 1]


def without(order: Order, axes: Sequence[int]) -> Order:
    """Return the order that is left when logical axes are taken out, and the others numbered anew."""
    left = [axis for axis in range(len(order)) if axis not in axes]
    place = {axis: new for new, axis in enumerate(left)}
    return tuple(place[axis] for axis in order if axis in place)


def with_new(order: Order, axes: Sequence[int]) -> Order:
    """Return the order with new logical axes of length 1, each stored before the next one, the first axis first.

    Args:
        order: of the old axes.
        axes: the new ones, as numbered afterwards.
    """
    rank = len(order) + len(axes)
    old = [axis for axis in range(rank) if axis not in axes]
    stored = [old[axis] for axis in order]
    for axis in sorted(axes, reverse=True):
        following = [place for place, other in enumerate(stored) if other == axis + 1 and axis]
        stored.insert(following[0] if following else (len(stored) if axis else 0), axis)
    return tuple(stored)


def groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Match the axes of two shapes of one tensor: each group of axes before holds the same elements as one after.

    Axes of length 1 belong to no group. A length that is open is matched with another that is open, where all the rest
    fits; None: that cannot be told.
    """
    open_before, open_after = (shape.count(None) for shape in (before, after))
    if open_before != open_after or open_before > 1:
        return None
    if open_before:
        at, to = before.index(None), after.index(None)
        head, tail = groups(before[:at], after[:to]), groups(before[at + 1 :], after[to + 1 :])
        if head is None or tail is None:
            return None
        return [*head, ([at], [to]), *_shifted(tail, at + 1, to + 1)]
    found: list[tuple[list[int], list[int]]] = []
    left, right = _lengths(before), _lengths(after)
    while True:
        one, other = next(left, None), next(right, None)
        if one is None or other is None:
            return found if one is other else None
        sources, targets = [one[0]], [other[0]]
        have, want = one[1], other[1]
        while have != want:
            more = next(left if have < want else right, None)
            if more is None:
                return None
            if have < want:
                sources.append(more[0])
                have *= more[1]
            else:
                targets.append(more[0])
                want *= more[1]
        found.append((sources, targets))


def _lengths(shape: Shape) -> Iterator[tuple[int, int]]:
    return iter([(axis, length) for axis, length in enumerate(shape) if length is not None and length != 1])


def _shifted(found: list[tuple[list[int], list[int]]], by: int, to: int) -> list[tuple[list[int], list[int]]]:
    return [([axis + by for axis in sources], [axis + to for axis in targets]) for sources, targets in found]


def reshaped(before: Shape, after: Shape, order: Order) -> tuple[Order, Order] | None:
    """Return how a stored tensor takes another shape: the order that it must have first, and that of the result.

    The order it has is kept where the axes that are put together lie side by side in it; else those of a group are
    brought together, which moves the tensor once. None: the shapes cannot be matched.
    """
    if math.prod(length for length in before if length is not None) == 0:
        return None
    matched = groups(before, after)
    return None if matched is None else arranged(before, after, order, matched)


def groups_around(before: Shape, after: Shape, same: Sequence[tuple[int, int]]) -> Groups | None:
    """Match the axes of two shapes as ``groups`` does, where some open lengths before are known to be those after.

    What lies between them is matched by its lengths. Of one part these need not be known: as all the others hold the
    same elements before and after, so does that.

    Args:
        before: lengths.
        after: lengths of the same tensor.
        same: an axis before and one after, of open lengths that are the same.
    """
    ends = [(-1, -1), *sorted(same), (len(before), len(after))]
    found: Groups = []
    guessed = 0
    for (start, begin), (stop, end) in itertools.pairwise(ends):
        if start >= 0:
            found.append(([start], [begin]))
        if end <= begin or stop <= start:
            return None
        sources, targets = before[start + 1 : stop], after[begin + 1 : end]
        if None in sources or None in targets:
            guessed += 1
        part = groups(sources, targets)
        if part is None:
            part = _ends_matched(sources, targets)
        if part is None:
            return None
        found += _shifted(part, start + 1, begin + 1)
    return found if guessed <= 1 else None


def _ends_matched(before: Shape, after: Shape) -> Groups | None:
    """Match equal lengths from both ends, and put all that is between into one axis."""
    left, right = ([axis for axis, length in enumerate(shape) if length != 1] for shape in (before, after))
    found: Groups = []
    for end in (0, -1):
        while left and right and before[left[end]] is not None and before[left[end]] == after[right[end]]:
            found.append(([left.pop(end)], [right.pop(end)]))
    if len(right) != 1 or not left or after[right[0]] is not None:
        return None
    return [*found, (left, right)]


def arranged(before: Shape, after: Shape, order: Order, matched: Groups) -> tuple[Order, Order]:
    """Return the order that a tensor must have before its axes are matched so, and that of the result."""
    place = {axis: stored for stored, axis in enumerate(order)}
    ones = [axis for axis in range(len(before)) if not any(axis in sources for sources, _ in matched)]
    arranged = sorted(matched, key=lambda group: min(place[axis] for axis in group[0]))
    first = (*ones, *(axis for sources, _ in arranged for axis in sources))
    result = tuple(axis for _, targets in arranged for axis in targets)
    new_ones = [axis for axis in range(len(after)) if axis not in result]
    if moves_nothing(before, order, first):
        first = order
    return first, _with_ones(result, new_ones, len(after))


def _with_ones(order: Order, ones: Sequence[int], rank: int) -> Order:
    """Put axes of length 1 before those that follow them, and the first axis, the batch, before all."""
    stored = list(order)
    for axis in sorted(ones, reverse=True):
        following = [place for place, other in enumerate(stored) if other == axis + 1 and axis]
        stored.insert(following[0] if following else (len(stored) if axis == rank - 1 else 0), axis)
    return tuple(stored)


def without_leading_ones(shape: Shape) -> list[int]:
    """Return the known lengths of a shape from the first that is not 1."""
    count = next((axis for axis, length in enumerate(shape) if length != 1), len(shape))
    return [length or 0 for length in shape[count:]]
