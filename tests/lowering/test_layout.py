"""Orders against NumPy: whatever is done to an order, the numbers stay where the logical axes say."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builder.lowering.layout import (
    Order,
    channels_last,
    groups,
    groups_around,
    moves_nothing,
    permutation_between,
    plain,
    reshaped,
    stored_shape,
    transposed,
    with_new,
    without,
)

Lengths = tuple[int, ...]


@functools.cache
def orders(rank: int) -> st.SearchStrategy[Order]:
    """Give all orders of some axes; one choice of many is made sooner than many of few."""
    return st.sampled_from(list(itertools.permutations(range(rank))))


@st.composite
def stored(draw: st.DrawFn, largest: int = 5) -> tuple[Lengths, Order]:
    """Return lengths, some of them 1, and an order."""
    lengths = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=largest)))
    return lengths, draw(orders(len(lengths)))


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[Lengths, Lengths, Order]:
    """Return two shapes of as many elements, whose axes are joined from the same factors, and an order of the first."""
    factors = draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))

    def joined() -> Lengths:
        cuts = draw(st.integers(0, 2 ** (len(factors) - 1) - 1))  # a bit for each place between two factors
        ends = [0, *[at for at in range(1, len(factors)) if cuts >> (at - 1) & 1], len(factors)]
        return tuple(math.prod(factors[a:b]) for a, b in itertools.pairwise(ends))

    before = joined()
    return before, joined(), draw(orders(len(before)))


def numbered(lengths: Lengths) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return an array in which no two numbers are the same."""
    return np.arange(math.prod(lengths)).reshape(lengths)


@given(reshapes())
def test_reshaped_keeps_every_number_in_its_place(case: tuple[Lengths, Lengths, Order]) -> None:
    before, after, order = case
    found = reshaped(before, after, order)
    assert found is not None
    first, result = found
    assert sorted(first) == list(range(len(before)))
    assert sorted(result) == list(range(len(after)))
    memory = numbered(before).transpose(first)
    kept = memory.reshape([length or 0 for length in stored_shape(after, result)])
    np.testing.assert_array_equal(kept, numbered(before).reshape(after).transpose(result))


@given(reshapes())
def test_reshaped_moves_nothing_that_is_stored_plain(case: tuple[Lengths, Lengths, Order]) -> None:
    before, after, _ = case
    found = reshaped(before, after, plain(len(before)))
    assert found is not None
    assert moves_nothing(before, plain(len(before)), found[0])
    assert moves_nothing(after, plain(len(after)), found[1])


@given(reshapes(), st.integers(0, 3))
def test_an_open_batch_changes_nothing_for_the_rest(case: tuple[Lengths, Lengths, Order], place: int) -> None:
    before, after, _ = case
    inner = groups(before, after)
    assert inner is not None
    opened = groups((None, *before), (None, *after))
    assert opened is not None
    assert opened[0] == ([0], [0])
    assert len(opened) == len(inner) + 1
    assert groups((*before[:place], None), (*after, None, None)) is None


@given(reshapes())
def test_groups_hold_the_same_elements(case: tuple[Lengths, Lengths, Order]) -> None:
    before, after, _ = case
    found = groups(before, after)
    assert found is not None
    for sources, targets in found:
        assert math.prod(before[axis] for axis in sources) == math.prod(after[axis] for axis in targets)
    held = [axis for sources, _ in found for axis in sources]
    assert held == [axis for axis, length in enumerate(before) if length != 1]


@given(stored(), st.data())
def test_new_axes_of_length_one_move_nothing(case: tuple[Lengths, Order], data: st.DataObject) -> None:
    lengths, order = case
    count = data.draw(st.integers(1, 3))
    rank = len(lengths) + count
    axes = sorted(data.draw(st.permutations(range(rank)))[:count])
    found = with_new(order, axes)
    wide = np.expand_dims(numbered(lengths), axes)
    memory = numbered(lengths).transpose(order)
    np.testing.assert_array_equal(memory.reshape(wide.transpose(found).shape), wide.transpose(found))
    assert without(found, axes) == order


@given(stored(), st.data())
def test_without_keeps_the_order_of_what_is_left(case: tuple[Lengths, Order], data: st.DataObject) -> None:
    lengths, order = case
    axes = data.draw(st.sets(st.sampled_from(range(len(lengths)))))
    ones = tuple(1 if axis in axes else length for axis, length in enumerate(lengths))
    memory = numbered(ones).transpose(order)
    expected = numbered(ones).squeeze(tuple(axes)).transpose(without(order, sorted(axes)))
    np.testing.assert_array_equal(memory.squeeze(tuple(order.index(axis) for axis in axes)), expected)


@given(stored(), st.data())
def test_a_logical_transpose_moves_nothing(case: tuple[Lengths, Order], data: st.DataObject) -> None:
    lengths, order = case
    permutation = data.draw(orders(len(lengths)))
    memory = numbered(lengths).transpose(order)
    turned = numbered(lengths).transpose(permutation)
    np.testing.assert_array_equal(memory, turned.transpose(transposed(order, permutation)))


@given(stored(), st.data())
def test_the_permutation_between_two_orders(case: tuple[Lengths, Order], data: st.DataObject) -> None:
    lengths, have = case
    want = data.draw(orders(len(lengths)))
    memory = numbered(lengths).transpose(have)
    moved = memory.transpose(permutation_between(have, want))
    np.testing.assert_array_equal(moved, numbered(lengths).transpose(want))
    assert moves_nothing(lengths, have, want) == bool((moved.ravel() == memory.ravel()).all())


def test_a_batch_of_one_is_stored_first() -> None:
    # A head that flattens places, [n, c, p] stored as [n, p, c], and makes a picture of it again.
    found = reshaped((1, 16, 80), (1, 4, 4, 80), (0, 2, 1))
    assert found == ((0, 2, 1), (0, 3, 1, 2))
    assert with_new((1, 0), [0]) == (0, 2, 1)


def test_channels_last_of_all_ranks() -> None:
    assert [channels_last(rank) for rank in (1, 2, 3, 4, 5)] == [
        (0,), (0, 1), (0, 2, 1), (0, 2, 3, 1), (0, 2, 3, 4, 1),
    ]  # fmt: skip


def test_known_open_lengths_tell_what_is_joined() -> None:
    before, after = (None, 82, None, None), (None, 82, None)
    assert groups(before, after) is None
    assert groups_around(before, after, [(0, 0)]) == [([0], [0]), ([1], [1]), ([2, 3], [2])]
    assert groups_around(before, after, []) is None  # n 82 h w could be anything


def test_lengths_that_are_not_known_to_be_the_same_are_not_matched() -> None:
    # Two parts of which neither is known: each could have taken from the other.
    assert groups_around((None, 3, None, None, 4), (None, 3, None, None, 2), [(2, 2)]) is None
    assert groups_around((None, None), (None, None), [(0, 1), (1, 0)]) is None  # turned round


def test_what_is_parted_is_matched_between_open_lengths() -> None:
    found = groups_around((None, None, 360), (None, None, 3, 120), [(0, 0), (1, 1)])
    assert found == [([0], [0]), ([1], [1]), ([2], [2, 3])]
