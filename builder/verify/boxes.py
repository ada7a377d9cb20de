"""Reads outputs as boxes and matches those of two models: the metric ``boxes``.

A box counts where its score is at least ``min_score``. Two boxes match if they are of the same class and their
intersection is at least ``iou`` of their union; each matches once, boxes of higher score first. The measure is
``F1 = 2 matches / (boxes of one model + boxes of the other)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import VerificationError
from .types import BoxRules

Array = NDArray[np.generic]
Floats = NDArray[np.float64]
corners = 4
tiny = 1e-12


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one picture, of falling score.

    Attributes:
        corners: [n, 4] left, top, right, bottom, in whatever unit.
        classes: [n] what is in each.
        rows: [n] the row of the output each came from.
    """

    corners: Floats
    classes: NDArray[np.int64]
    rows: NDArray[np.int64]


def match_boxes(got: Mapping[str, Array], expected: Mapping[str, Array], rules: BoxRules) -> tuple[int, int]:
    """Return (2 · matches, boxes of both sides) over all pictures of one case.

    Raises:
        VerificationError: the outputs do not have the shapes that the rules speak of.
    """
    lefts, rights = _read(got, rules), _read(expected, rules)
    if len(lefts) != len(rights):
        return 0, sum(len(boxes.rows) for boxes in (*lefts, *rights))
    matches = sum(_matches(left, right, rules) for left, right in zip(lefts, rights, strict=True))
    return 2 * matches, sum(len(boxes.rows) for boxes in (*lefts, *rights))


def overlaps(left: Floats, right: Floats) -> Floats:
    """Return intersection over union of boxes [n or 1, 4] with others [n, 4], row by row."""
    low, high = np.maximum(left[:, :2], right[:, :2]), np.minimum(left[:, 2:], right[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = (np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (left, right))
    found: Floats = shared / (sum(areas) - shared + tiny)
    return found


def _matches(left: Boxes, right: Boxes, rules: BoxRules) -> int:
    free = np.ones(len(right.rows), np.bool_)
    matches = 0
    for corner, kind, row in zip(left.corners, left.classes, left.rows, strict=True):
        fits = free & (right.classes == kind)
        if rules.anchored:
            fits &= right.rows == row
        shares = np.where(fits, overlaps(corner[None], right.corners), -1.0)
        if shares.size and shares.max() >= rules.iou:
            free[int(shares.argmax())] = False
            matches += 1
    return matches


def read_rows(tensors: Mapping[str, Array], rules: BoxRules) -> tuple[Floats, Floats, Floats | None]:
    """Return corners [pictures, n, 4], scores [pictures, n, 1 or classes], and classes [pictures, n] if they are told.

    Raises:
        VerificationError: the outputs do not have the shapes that the rules speak of.
    """
    table = _output(tensors, rules.boxes).astype(np.float64)
    if rules.columns_first:
        table = np.swapaxes(table, -1, -2)
    if table.ndim < 2 or table.shape[-1] < corners:
        raise _unfit(rules.boxes, table, "[…, boxes, at least 4 numbers]")
    table = table.reshape(-1, *table.shape[-2:])
    pictures, count = table.shape[:2]
    if rules.scores is not None:
        scores = _reshaped(tensors, rules.scores, pictures, count)
    elif table.shape[-1] > corners:
        scores = table[..., corners : corners + 1] if rules.classes_last else table[..., corners:]
    else:
        raise _unfit(rules.boxes, table, "scores in its columns, or verify.boxes.scores naming their output")
    classes = None
    if rules.classes is not None:
        classes = _reshaped(tensors, rules.classes, pictures, count)[..., 0]
    elif rules.scores is None and rules.classes_last:
        classes = table[..., -1]
    return _corners(table[..., :corners], rules.format), scores, classes


def _read(tensors: Mapping[str, Array], rules: BoxRules) -> list[Boxes]:
    """Return the boxes of each picture."""
    found, scores, told = read_rows(tensors, rules)
    # Rounded, as pages do: where constants are codes, class 2 may be 1.988.
    classes = scores.argmax(axis=-1) if told is None else np.rint(told).astype(np.int64)
    best = scores.max(axis=-1)
    return [_chosen(found[picture], best[picture], classes[picture], rules) for picture in range(len(found))]


def _output(tensors: Mapping[str, Array], name: str) -> Array:
    if name in tensors:
        return tensors[name]
    if len(tensors) == 1:  # TensorFlow and TensorFlow.js may name a single output differently
        return next(iter(tensors.values()))
    raise VerificationError(
        f"there is no output {name!r} to read boxes from",
        code="SP-545",
        where="verify.boxes",
        hint=f"Use one of {', '.join(map(repr, tensors))}",
    )


def _reshaped(tensors: Mapping[str, Array], name: str, pictures: int, count: int) -> Floats:
    array = _output(tensors, name).astype(np.float64)
    if not array.size or array.size % (pictures * count):
        raise _unfit(name, array, f"a row for each of {pictures * count} boxes")
    return array.reshape(pictures, count, -1)


def _unfit(name: str, array: Array, wanted: str) -> VerificationError:
    return VerificationError(
        f"the output {name!r} has the shape {list(array.shape)}, the metric boxes needs {wanted}",
        code="SP-545",
        where="verify.boxes",
        hint="Describe the outputs with boxes, scores, classes, format and columns_first",
    )


def _corners(numbers: Floats, form: str) -> Floats:
    if form == "yxyx":
        return numbers[..., [1, 0, 3, 2]]
    if form in {"xywh", "cxcywh"}:
        size = numbers[..., 2:]
        low = numbers[..., :2] - (size / 2 if form == "cxcywh" else 0)
        return np.concatenate([low, low + size], axis=-1)
    return numbers


def _chosen(found: Floats, scores: Floats, classes: NDArray[np.int64], rules: BoxRules) -> Boxes:
    """Return the boxes that count: of enough score and, under ``nms``, not hidden by a better one of their class."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= rules.min_score][: rules.most]
    if rules.nms is not None:
        kept: list[int] = []
        for index in order:
            same = [other for other in kept if classes[other] == classes[index]]
            if not same or overlaps(found[index][None], found[same]).max() < rules.nms:
                kept.append(int(index))
        order = np.array(kept, np.int64)
    return Boxes(found[order], classes[order], order)
