"""Writes the ops about the main diagonal of matrices as a choice by a mask."""

from __future__ import annotations

from .formulas import (
    count_up,
    expand,
    join,
    number,
    part,
    pick,
    select,
    shape_vector,
    spread_mask,
    two,
)
from .nodes import NodeBuilder, float32, int32


def matrix_diag(build: NodeBuilder) -> str:
    """The diagonal where row and column are the same, else the padding."""
    node = build.node
    kind = node.attr["T"].type
    _check_main(build, 1)
    if any(_is_given(build, place) for place in (2, 3)):
        raise build.refuse("only square matrices can be")
    shape = build.shape_of(node.input[0])
    if shape is None:
        raise build.refuse("the rank of its input is not known")
    lengths = shape_vector(build, node.input[0], kind)
    length = part(build, lengths, len(shape) - 1, 1)
    whole = join(build, [lengths, length], 0)
    mask = _mask(build, pick(build, length, 0), pick(build, length, 0), whole)
    padding = node.input[4] if len(node.input) > 4 else number(build, 0, kind)
    rows = build.add("BroadcastTo", [expand(build, node.input[0], -1, kind), whole], T=kind, Tidx=int32)
    return select(build, mask, rows, build.add("BroadcastTo", [padding, whole], T=kind, Tidx=int32), kind)


def matrix_diag_part(build: NodeBuilder) -> str:
    """The sum over each row of what is on the diagonal: one number and zeros."""
    node = build.node
    kind = node.attr["T"].type
    _check_main(build, 1)
    shape = _matrix_shape(build)
    lengths = shape_vector(build, node.input[0], kind)
    rows, columns = (pick(build, lengths, len(shape) - back) for back in (2, 1))
    mask = _mask(build, rows, columns, lengths)
    zeros = build.add("ZerosLike", [node.input[0]], T=kind)
    chosen = select(build, mask, node.input[0], zeros, kind)
    found = build.add("Sum", [chosen, build.const(-1)], T=kind, Tidx=int32, keep_dims=False)
    # Where matrices are higher than wide, the last rows have no number of the diagonal.
    count = expand(build, two(build, "Minimum", rows, columns, int32), 0, int32)
    size = join(build, [part(build, lengths, 0, len(shape) - 2), count], 0) if len(shape) > 2 else count
    return build.add("Slice", [found, build.const([0] * (len(shape) - 1)), size], T=kind, Index=int32)


def matrix_set_diag(build: NodeBuilder) -> str:
    """The new diagonal where row and column are the same, else what was there."""
    node = build.node
    kind = node.attr["T"].type
    _check_main(build, 2)
    shape = _matrix_shape(build)
    lengths = shape_vector(build, node.input[0], kind)
    rows, columns = (pick(build, lengths, len(shape) - back) for back in (2, 1))
    mask = _mask(build, rows, columns, lengths)
    high, wide = shape[-2:]
    axis = -2 if high is not None and wide is not None and high > wide else -1
    diagonal = build.add("BroadcastTo", [expand(build, node.input[1], axis, kind), lengths], T=kind, Tidx=int32)
    return select(build, mask, diagonal, node.input[0], kind)


def _check_main(build: NodeBuilder, place: int) -> None:
    """Refuse other diagonals than the main one; the first version of each op knows only that."""
    if build.node.attr["T"].type not in {float32, int32}:
        raise build.refuse("only float32 and int32 can be")
    if len(build.node.input) <= place or build.node.op in {"MatrixDiagPart", "MatrixSetDiag"}:
        return
    which = build.value_of(build.node.input[place])
    if which is None or which.any():
        raise build.refuse("only the main diagonal can be")


def _is_given(build: NodeBuilder, place: int) -> bool:
    if len(build.node.input) <= place:
        return False
    value = build.value_of(build.node.input[place])
    return value is None or int(value.ravel()[0]) != -1


def _matrix_shape(build: NodeBuilder) -> list[int | None]:
    shape = build.shape_of(build.node.input[0])
    if shape is None:
        raise build.refuse("the rank of its input is not known")
    return shape


def _mask(build: NodeBuilder, rows: str, columns: str, shape: str) -> str:
    down, across = expand(build, count_up(build, rows), 1, int32), expand(build, count_up(build, columns), 0, int32)
    return spread_mask(build, two(build, "Equal", down, across, int32), shape)
