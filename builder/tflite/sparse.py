"""Sparse constants as dense ones.

The form is that of TensorFlow Lite's schema (``SparsityParameters``), after Chou et al., "Format Abstraction for
Sparse Tensor Algebra Compilers": dimensions in an order of their own, blocks as further dimensions, and for each level
either all indices or those that a compressed row lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..lowering.values import Array


@dataclass(frozen=True, slots=True)
class Level:
    """One level: ``size`` indices each, or (-1) those of ``indices`` from ``segments[i]`` to ``segments[i + 1]``."""

    size: int
    segments: Array = field(default_factory=lambda: np.zeros(1, np.int64))
    indices: Array = field(default_factory=lambda: np.zeros(0, np.int64))


def densify(
    values: Array, shape: Sequence[int], order: Sequence[int], block_map: Sequence[int], levels: Sequence[Level]
) -> Array:
    """Return a dense constant.

    Args:
        values: what is not zero, in the order of the levels.
        shape: of the dense tensor.
        order: which dimension each level is; those from the rank on are blocks.
        block_map: which dimension each block divides.
        levels: one for each of ``order``.

    Raises:
        ValueError, IndexError: the parts contradict each other.
    """
    rank = len(shape)
    if sorted(order) != list(range(rank + len(block_map))) or len(levels) != len(order):
        raise ValueError("the order of a sparse constant is malformed")
    most = max(values.size, int(np.prod(shape, dtype=np.float64)))
    positions = np.zeros(1, np.int64)  # of each branch, among those of its level
    found: dict[int, Array] = {}
    for dimension, level in zip(order, levels, strict=True):
        if level.size >= 0:
            parents = np.repeat(np.arange(positions.size), _bounded(level.size, positions.size, most))
            indices = np.tile(np.arange(level.size), positions.size)
            positions = positions[parents] * level.size + indices
        else:
            starts, stops = level.segments[positions], level.segments[positions + 1]
            counts = stops - starts
            if (counts < 0).any() or int(counts.sum()) > values.size:
                raise ValueError("a row of a sparse constant is malformed")
            parents = np.repeat(np.arange(positions.size), counts)
            within = np.arange(parents.size) - np.repeat(np.cumsum(counts) - counts, counts)
            positions = starts[parents] + within
            indices = level.indices[positions]
        found = {axis: chosen[parents] for axis, chosen in found.items()} | {dimension: indices}
    if positions.size != values.size or (positions < 0).any():
        raise ValueError("a sparse constant has another number of values")
    places = [found[axis] for axis in range(rank)]
    sizes = {dimension: level.size for dimension, level in zip(order, levels, strict=True)}
    for number, axis in enumerate(block_map):
        if sizes[rank + number] < 0 or not 0 <= axis < rank:
            raise ValueError("a block of a sparse constant is malformed")
        places[axis] = places[axis] * sizes[rank + number] + found[rank + number]
    for place, length in zip(places, shape, strict=True):
        if place.size and not 0 <= int(place.min()) <= int(place.max()) < length:
            raise IndexError("an index of a sparse constant lies outside of it")
    dense = np.zeros(shape, values.dtype)
    dense[tuple(places)] = values[positions]
    return dense


def _bounded(size: int, branches: int, most: int) -> int:
    if size * branches > most:
        raise ValueError("a level of a sparse constant is larger than the constant")
    return size
