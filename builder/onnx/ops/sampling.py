"""Operators that take numbers from between the pixels of pictures and volumes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ...lowering.graph import Graph
from ...lowering.layout import channels_last
from ...lowering.pieces import cut, gather, ints, positions
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, lowers


@dataclass(frozen=True, slots=True)
class Tap:
    """A neighbour of a place along one axis: which element, as a whole float32 inside, and how much it weighs."""

    place: Value
    weight: Value | None


@lowers("GridSample")
def grid_sample(c: Context) -> Value:
    """Lower samples of a picture or a volume at places between -1 and 1."""
    x, grid, graph = c.input(0), c.graph.plain(c.input(1)), c.graph
    count = x.rank - 2
    if None in x.shape[1:]:
        c.refuse("a picture of open lengths", "Export the model with a fixed size")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(c.attribute("mode", "linear"), c.attribute("mode", "linear"))
    if mode not in ("linear", "nearest", "cubic"):
        c.refuse(f"mode {mode!r}")
    padding, is_aligned = c.attribute("padding_mode", "zeros"), bool(c.attribute("align_corners", 0))
    reckon = Reckoning(graph)
    axes = []
    for axis in range(count):
        length = x.shape[axis + 2] or 1
        # The last number of the grid belongs to the first axis.
        at = graph.squeeze(cut(graph, grid, {grid.rank - 1: (count - 1 - axis, 1)}), [grid.rank - 1])
        factor, summand = ((length - 1) / 2, (length - 1) / 2) if is_aligned else (length / 2, (length - 1) / 2)
        at = reckon("AddV2", reckon("Mul", at, factor), summand)
        axes.append(taps(reckon, at, length, mode, padding, is_aligned=is_aligned))
    found = sampled(graph, x, axes)
    shape = (grid.shape[0], x.shape[1], *grid.shape[1:-1])
    return Value(x.type, shape, channels_last(x.rank), found.name)


def taps(reckon: Reckoning, at: Value, length: int, mode: str, padding: str, *, is_aligned: bool = False) -> list[Tap]:
    """Return the neighbours of places along an axis.

    Args:
        reckon: of the graph.
        at: the places, in elements, float32.
        length: of the axis.
        mode: ``nearest``, ``linear`` or ``cubic``.
        padding: what lies outside: ``zeros``, ``border`` or ``reflection``.
        is_aligned: reflections are at the middle of the outermost elements, not at their edges.
    """
    if mode == "nearest":
        at = reckon("Round", at)  # the even one of two that are as near
    low, high = (0.0, length - 1.0) if is_aligned else (-0.5, length - 0.5)

    def reflected(value: Value) -> Value:
        if high <= low:
            return reckon("Mul", value, 0.0)
        turn = reckon("FloorMod", reckon("Sub", value, low), 2 * (high - low))
        return reckon("AddV2", reckon("Minimum", turn, reckon("Sub", 2 * (high - low), turn)), low)

    if padding == "border" and mode != "cubic":  # of which ONNX Runtime clamps the neighbours only
        outside = reckon("Maximum", reckon.compare("Less", at, low), reckon.compare("Greater", at, high))
        inside = reckon.clamped(at, 0.0, length - 1.0)
        at = reckon("AddV2", at, reckon("Mul", outside, reckon("Sub", inside, at)))
    elif padding == "reflection":
        at = reflected(at)

    def tap(place: Value, weight: Value | None) -> Tap:
        if padding == "reflection":
            place = reckon("Floor", reckon("AddV2", reflected(place), 1e-3))
        inside = reckon.clamped(place, 0.0, length - 1.0)
        if padding == "zeros":
            counts = reckon.compare("Equal", inside, place)
            weight = counts if weight is None else reckon("Mul", weight, counts)
        return Tap(inside, weight)

    if mode == "nearest":
        return [tap(at, None)]
    below = reckon("Floor", at)
    share = reckon("Sub", at, below)
    if mode == "linear":
        return [tap(below, reckon("Sub", 1.0, share)), tap(reckon("AddV2", below, 1.0), share)]
    shares = cubic_shares(reckon, share, -0.75)
    return [tap(reckon("AddV2", below, float(step)) if step else below, part) for step, part in shares.items()]


def cubic_shares(reckon: Reckoning, share: Value, a: float) -> dict[int, Value]:
    """Return the weights of the elements from one before to two after a place."""

    def polynomial(x: Value, *factors: float) -> Value:
        found: Value | float = factors[0]
        for factor in factors[1:]:
            found = reckon("AddV2", reckon("Mul", found, x), factor)
        assert isinstance(found, Value)  # noqa: S101
        return found

    rest = reckon("Sub", 1.0, share)
    inner, outer = (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)
    return {
        -1: polynomial(reckon("AddV2", share, 1.0), *outer),
        0: polynomial(share, *inner),
        1: polynomial(rest, *inner),
        2: polynomial(reckon("AddV2", rest, 1.0), *outer),
    }


def flat_pixels(graph: Graph, x: Value) -> Value:
    """Return the pixels of a picture [n, c, spatial…] as rows [n spatial…, c]."""
    x = graph.ordered(x, channels_last(x.rank))
    rows = None if x.shape[0] is None else x.shape[0] * math.prod(n or 0 for n in x.shape[2:])
    return graph.op("Reshape", [x, ints(graph, [-1, x.shape[1] or 0])], shape=(rows, x.shape[1]))


def sampled(graph: Graph, x: Value, axes: list[list[Tap]], batch: Value | None = None) -> Value:
    """Weigh the pixels at all neighbours.

    Args:
        graph: that is built.
        x: [n, c, spatial…], of known lengths but for the batch.
        axes: for each spatial axis, the neighbours of places [n, …].
        batch: which picture each row is of, int32 [n]; None: those of the batch.

    Returns:
        [n, …, c] as stored.
    """
    flat, lengths = flat_pixels(graph, x), [n or 0 for n in x.shape[2:]]
    reckon = Reckoning(graph)
    first = None
    rank = axes[0][0].place.rank
    if x.shape[0] != 1:
        numbers = positions(graph, x, 0) if batch is None else graph.cast(batch, "int32")
        first = graph.elementwise("Mul", [numbers, ints(graph, [math.prod(lengths)])])
        first = graph.unsqueeze(first, list(range(1, rank)))
    rows = [
        [graph.elementwise("Mul", [graph.cast(tap.place, "int32"), ints(graph, [math.prod(lengths[axis + 1 :])])])
         for tap in found]
        for axis, found in enumerate(axes)
    ]  # fmt: skip
    parts = []
    for numbers_of_taps in itertools.product(*(range(len(found)) for found in axes)):
        row, weight = first, None
        for axis, number in enumerate(numbers_of_taps):
            row = rows[axis][number] if row is None else graph.elementwise("AddV2", [row, rows[axis][number]])
            own = axes[axis][number].weight
            weight = own if weight is None or own is None else reckon("Mul", weight, own)
        assert row is not None  # noqa: S101
        pixels = gather(graph, flat, 0, graph.plain(row))
        if weight is not None:
            pixels = reckon("Mul", pixels, graph.unsqueeze(graph.plain(weight), [weight.rank]))
        parts.append(pixels)
    return reckon.total(parts)


@lowers("AffineGrid")
def affine_grid(c: Context) -> Value:
    """Lower the places that affine maps give for all pixels of a picture or a volume."""
    theta, graph, known = c.input(0), c.graph, c.shape()
    count = (theta.shape[1] or 0) if theta.shape[1] is not None else len(known or ()) - 2
    sizes = c.input(1).array
    lengths = [int(n) for n in sizes[2:]] if sizes is not None else list((known or (None,) * (count + 2))[1:-1])
    if None in lengths or count not in (2, 3):
        c.refuse("a size that is computed while the model runs", "Export the model with a fixed size")
    fixed, is_aligned = tuple(n or 1 for n in lengths), bool(c.attribute("align_corners", 0))
    if is_aligned and 1 in fixed:
        c.refuse("align_corners of a length of 1")
    lines = [np.linspace(-1, 1, n) if is_aligned else (2 * np.arange(n) + 1) / n - 1 for n in fixed]
    places = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(fixed)], -1)
    base = graph.constant(places.reshape(1, -1, count + 1).astype(np.float32))
    total = math.prod(fixed)
    found = graph.op(
        "BatchMatMulV2", [base, graph.plain(theta)], shape=(theta.shape[0], total, count), adj_x=False, adj_y=True
    )
    return graph.reshape(found, (theta.shape[0], *fixed, count))
