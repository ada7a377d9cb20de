"""Writes what is summed up by segments as work on a table of marks: which row belongs to which segment."""

from __future__ import annotations

from collections.abc import Callable

from .formulas import (
    count_up,
    expand,
    join,
    number,
    part,
    pick,
    reshape,
    select,
    shape_vector,
    spread_mask,
    two,
)
from .nodes import NodeBuilder, boolean, float32, int32

lowest = {float32: -3.4028234663852886e38, int32: -(1 << 31)}
highest = {float32: 3.4028234663852886e38, int32: (1 << 31) - 1}


def segment_sum(build: NodeBuilder) -> str:
    """A matrix product with the marks."""
    rows, kind = _rows(build)
    marks = build.cast(_marks(build), boolean, float32)
    return _shaped(build, build.cast(_sums(build, marks, rows, kind), float32, kind), kind)


def segment_mean(build: NodeBuilder) -> str:
    """The sums by the counts; 0 for a segment without rows."""
    rows, kind = _rows(build)
    marks = build.cast(_marks(build), boolean, float32)
    counts = build.add("Sum", [marks, build.const(0)], T=float32, Tidx=int32, keep_dims=False)
    counts = expand(build, two(build, "Maximum", counts, number(build, 1)), 1)
    return _shaped(
        build, build.cast(two(build, "RealDiv", _sums(build, marks, rows, kind), counts), float32, kind), kind
    )


def segment_extreme(op: str) -> Callable[[NodeBuilder], str]:
    """Return the rewrite by ``Max``, ``Min`` or ``Prod`` over the rows of each segment."""

    def rewrite(build: NodeBuilder) -> str:
        rows, kind = _rows(build)
        nothing = {"Max": lowest[kind], "Min": highest[kind], "Prod": 1}[op]
        marks = expand(build, _marks(build), 2, boolean)
        rows = expand(build, rows, 1, kind)
        pair = [pick(build, shape_vector(build, marks, boolean), place) for place in (0, 1)]
        pair.append(pick(build, shape_vector(build, rows, kind), 2))
        shape = build.add("Pack", pair, T=int32, N=3, axis=0)
        mask = spread_mask(build, marks, shape)
        rows = build.add("BroadcastTo", [rows, shape], T=kind, Tidx=int32)
        others = build.add("Fill", [shape, number(build, nothing, kind)], T=kind, index_type=int32)
        chosen = select(build, mask, rows, others, kind)
        found = build.add(op, [chosen, build.const(0)], T=kind, Tidx=int32, keep_dims=False)
        if not build.node.op.startswith("Unsorted") and op != "Prod":  # segments without rows are 0 there
            counts = build.add("Sum", [build.cast(mask, boolean, int32), build.const(0)], T=int32, Tidx=int32,
                               keep_dims=False)  # fmt: skip
            there = build.add("Greater", [counts, build.const(0)], T=int32)
            found = select(build, there, found, build.add("ZerosLike", [found], T=kind), kind)
        return _shaped(build, found, kind)

    return rewrite


def _rows(build: NodeBuilder) -> tuple[str, int]:
    """Return the data as a matrix, one row for each id, and their type."""
    data, ids = build.node.input[:2]
    kind = build.node.attr["T"].type
    shape, ids_shape = build.shape_of(data), build.shape_of(ids)
    if kind not in lowest or shape is None or ids_shape is None or len(ids_shape) != 1:
        raise build.refuse("only float32 and int32 of known rank with a vector of segments can be")
    # -1 alone would not do for no rows.
    lengths = [part(build, shape_vector(build, data, kind), 0, 1), build.const([1 if len(shape) == 1 else -1])]
    return reshape(build, data, join(build, lengths, 0), kind), kind


def _marks(build: NodeBuilder) -> str:
    """Return truth values [rows, segments]."""
    node = build.node
    ids = build.cast(node.input[1], node.attr["Tindices"].type, int32)
    return two(
        build, "Equal", expand(build, ids, 1, int32), expand(build, count_up(build, _count(build)), 0, int32), int32
    )


def _sums(build: NodeBuilder, marks: str, rows: str, kind: int) -> str:
    return build.add("MatMul", [marks, build.cast(rows, kind, float32)], T=float32, transpose_a=True, transpose_b=False)


def _count(build: NodeBuilder) -> str:
    """Return the number of segments, as a scalar."""
    node = build.node
    if node.op.startswith("Unsorted"):
        return build.cast(node.input[2], node.attr["Tnumsegments"].type or int32, int32)
    ids = build.cast(node.input[1], node.attr["Tindices"].type, int32)
    last = build.add("Max", [ids, build.const(0)], T=int32, Tidx=int32, keep_dims=False)
    return two(build, "AddV2", last, build.const(1), int32)


def _shaped(build: NodeBuilder, found: str, kind: int) -> str:
    """Return [segments, all else] the shape of the data behind their first dimension."""
    rank = len(build.shape_of(build.node.input[0]) or ())
    if rank == 1:
        return reshape(build, found, [-1], kind)
    segments = part(build, shape_vector(build, found, kind), 0, 1)
    rest = part(build, shape_vector(build, build.node.input[0], kind), 1, rank - 1)
    return reshape(build, found, join(build, [segments, rest], 0), kind)
