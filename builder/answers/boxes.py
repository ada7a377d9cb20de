"""Boxes: what is where in a picture, the best first.

The steps, and who defined them: numbers and anchors make boxes as in SSD (Liu et al. 2016; ``deltas``, with its
variances), MediaPipe's TensorsToDetectionsCalculator without exponentials (``linear``), FCOS and Generalized Focal Loss
(Tian et al. 2019, Li et al. 2020; ``distances``, with bins where their distribution is given), and Ultralytics' YOLOv5
(``yolo``); overlapping ones are dropped class by class as torchvision's ``batched_nms`` does, or blended as MediaPipe's
NonMaxSuppressionCalculator does with WEIGHTED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..config.answers import AnchorLevel, BoxesTable, KeyPoints
from .frame import Frame
from .overlaps import suppress
from .reading import (
    Floats,
    Labels,
    Options,
    Outputs,
    Whole,
    activated,
    label_of,
    nothing_said,
    output_of,
    softmax,
    unreadable,
)

default_score, default_iou = 0.25, 0.45


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """A point that belongs to a box, in pixels of the source picture."""

    x: float
    y: float
    score: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the source picture, clipped to it; ``label`` is None where there are too few labels."""

    label: str | None
    index: int
    score: float
    x: float
    y: float
    width: float
    height: float
    points: tuple[KeyPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows of the outputs.

    Attributes:
        numbers: [n, k] of the outputs with the boxes.
        scores: [n, c] of the outputs with the scores, or None.
        classes: [n] of the output with the classes, or None.
        points: [n, p] of the outputs with the points, or None.
        anchors: [n, 5] centre, width, height and stride of each row's anchor, or None.
    """

    numbers: Floats
    scores: Floats | None
    classes: Floats | None
    points: Floats | None
    anchors: Floats | None


@dataclass(frozen=True, slots=True)
class _Found:
    """Boxes that count, with corners [n, 4] and points [n, count, 2 or 3] in pixels of the model's picture."""

    corners: Floats
    scores: Floats
    classes: Whole
    points: Floats


def answer(
    outputs: Outputs,
    table: BoxesTable,
    labels: Labels = (),
    frame: Frame | None = None,
    options: Options = nothing_said,
) -> tuple[Box, ...]:
    """Return the boxes of one picture, best first; equal scores keep their order.

    Scores and coordinates that are no numbers make no box. Without a frame coordinates stay those of the output.

    Raises:
        VerificationError: the outputs do not have the shapes that the table speaks of.
    """
    least = options.score if options.score is not None else _or(table.score, default_score)
    iou = options.iou if options.iou is not None else _or(table.iou, default_iou)
    most = options.most if options.most is not None else table.most
    rows = _read(outputs, table, frame)
    if not len(rows.numbers):
        return ()
    scores, classes = _judge(rows, table)
    corners, points = _decode(rows, table, frame)
    with np.errstate(invalid="ignore"):
        fine = (scores >= least) & np.isfinite(corners).all(axis=1)
    order = np.flatnonzero(fine)
    order = order[np.argsort(-scores[order], kind="stable")]
    found = _Found(corners[order], scores[order], classes[order], points[order])
    if not table.suppressed:
        found = _suppressed(found, iou, table)
    boxes = (_placed(found, row, table, labels, frame, options.clip is not False) for row in range(len(found.scores)))
    return tuple(islice((box for box in boxes if box is not None), max(0, most)))


def _suppressed(found: _Found, iou: float, table: BoxesTable) -> _Found:
    """Return the boxes that stay; blended ones are means of what they hide and themselves, by score."""
    classes = np.zeros_like(found.classes) if table.agnostic else found.classes
    kept, hidden = suppress(found.corners, found.scores, classes, iou)
    corners, points = found.corners[kept], found.points[kept]
    if table.blend:
        for place, group in enumerate(hidden):
            total = found.scores[group].sum()
            if total > 0:
                weights = found.scores[group] / total
                corners[place] = np.tensordot(weights, found.corners[group], 1)
                points[place] = np.tensordot(weights, found.points[group], 1)
    return _Found(corners, found.scores[kept], found.classes[kept], points)


def anchors_of(levels: Sequence[AnchorLevel], width: int, height: int, offset: float, by_shape: bool) -> list[Floats]:
    """Return centre, width, height and stride [n, 5] of the anchors of each level, in pixels, row of cells by row.

    Args:
        levels: the grids.
        width: of the model's picture, in pixels.
        height: likewise.
        offset: of a centre in its cell, 0 to 1.
        by_shape: all cells of one shape come before those of the next; else all shapes of a cell are together.
    """
    found = []
    for level in levels:
        shapes = np.array(level.shapes or [(level.stride, level.stride)], np.float64)
        rows, columns = -(-height // level.stride), -(-width // level.stride)
        y, x = np.mgrid[:rows, :columns].astype(np.float64)
        centres = ((np.stack([x, y], axis=-1) + offset) * level.stride).reshape(-1, 2)
        if by_shape:
            pairs = [np.tile(centres, (len(shapes), 1)), np.repeat(shapes, len(centres), axis=0)]
        else:
            pairs = [np.repeat(centres, len(shapes), axis=0), np.tile(shapes, (len(centres), 1))]
        strides = np.full((len(centres) * len(shapes), 1), float(level.stride))
        found.append(np.concatenate([*pairs, strides], axis=1))
    return found


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _read(outputs: Outputs, table: BoxesTable, frame: Frame | None) -> _Rows:
    """Return all rows of the outputs, those of several levels one after another."""
    levels: list[Floats] | None = None
    if table.anchors and frame is not None:
        by_shape = table.decode == "yolo" and table.layout != "planes"
        offset = _or(table.offset, 0.5)
        levels = anchors_of(table.anchors, frame.input_width, frame.input_height, offset, by_shape)
    per_cell = [max(1, len(level.shapes)) for level in table.anchors]
    tables = [
        _table(*output_of(outputs, name), table.layout, per_cell[number] if number < len(per_cell) else 1)
        for number, name in enumerate(_names(table.boxes) or ("",))
    ]
    counts = [len(rows) for rows in tables]
    anchors = None if levels is None else np.concatenate(levels)
    count = sum(counts)
    if table.decode not in {None, "none"} and (anchors is None or len(anchors) != count):
        raise unreadable(str(table.boxes), (count,), f"{0 if anchors is None else len(anchors)} rows, one an anchor")
    scores = _beside(outputs, _names(table.scores), counts, table.layout)
    classes = _beside(outputs, _names(table.classes) if table.classes else (), [count], "rows")
    points = _beside(outputs, _names(table.points.output) if table.points else (), counts, table.layout)
    stop = count
    if table.number:
        _, told = output_of(outputs, table.number)
        first = told.reshape(-1)[0] if told.size else np.nan
        stop = int(np.clip(np.rint(first), 0, count)) if np.isfinite(first) else 0
    kinds = None if classes is None else classes[:, 0]
    others = (None if part is None else part[:stop] for part in (scores, kinds, points, anchors))
    return _Rows(np.concatenate(tables)[:stop], *others)


def _table(name: str, array: Floats, layout: str | None, shapes: int) -> Floats:
    """Return an output with boxes as [rows, numbers]."""
    shape = array.shape
    if len(shape) < 2 or (len(shape) > 2 and shape[0] != 1):
        raise unreadable(name, shape, "the boxes of one picture")
    if layout == "columns":
        return array.reshape(shape[-2], -1).T if array.size else np.zeros((0, shape[-2]))
    if layout == "planes":
        return _planes(name, array, shapes)
    return array.reshape(-1, shape[-1]) if array.size else np.zeros((0, shape[-1]))


def _planes(name: str, array: Floats, shapes: int) -> Floats:
    """Return [1, shapes · numbers, height, width] as [rows, numbers]: all shapes of a cell together."""
    if array.ndim != 4 or array.shape[1] % shapes:
        raise unreadable(name, array.shape, f"[1, {shapes} · numbers, height, width]")
    _, channels, height, width = array.shape
    apart = array.reshape(shapes, channels // shapes, height * width)
    return np.moveaxis(apart, 2, 0).reshape(height * width * shapes, channels // shapes)


def _beside(outputs: Outputs, names: tuple[str, ...], counts: Sequence[int], layout: str | None) -> Floats | None:
    """Return outputs that go with the rows of the boxes as [rows, numbers], or None if there are no names."""
    if not names:
        return None
    found: list[Floats] = []
    for wanted, count in zip(names, counts, strict=True):
        name, array = output_of(outputs, wanted)
        if count == 0:
            found.append(np.zeros((0, max(1, array.shape[-1] if array.ndim else 1))))
            continue
        if not array.size or array.size % count:
            raise unreadable(name, array.shape, f"numbers for each of {count} boxes")
        width = array.size // count
        if layout == "columns":
            found.append(array.reshape(width, count).T)
        elif layout == "planes":
            found.append(_planes(name, array, count // (array.shape[-1] * array.shape[-2])))
        else:
            found.append(array.reshape(count, width))
    return np.concatenate(found)


def _judge(rows: _Rows, table: BoxesTable) -> tuple[Floats, Whole]:
    """Return the score and the class of each row; NaN for no score."""
    count, width = rows.numbers.shape
    first = table.first or 0
    if table.columns:
        _, score, kind = table.columns
        return activated(rows.numbers[:, score], table.activation), _whole(rows.numbers[:, kind]) - first
    weight = np.ones(count)
    if rows.scores is not None:
        scores = rows.scores
    else:
        start = 4 * (table.bins or 1)
        if table.objectness:
            weight = activated(rows.numbers[:, start], "sigmoid" if table.activation == "sigmoid" else None)
            start += 1
        stop = start + table.categories if table.categories else width
        if table.points and not table.points.output:
            stop = min(stop, table.points.start)
        scores = rows.numbers[:, start:stop]
    if rows.classes is not None:
        return activated(scores[:, :1], table.activation)[:, 0] * weight, _whole(rows.classes) - first
    shares = activated(scores, table.activation)
    raw = np.where(np.isnan(scores), -np.inf, scores)
    skipped = 0
    if table.background == "first":
        raw, shares, skipped = raw[:, 1:], shares[:, 1:], 1
    elif table.background == "last":
        raw, shares = raw[:, :-1], shares[:, :-1]
    if not raw.shape[1]:
        raise unreadable(str(table.boxes), rows.numbers.shape, "a score at least")
    best = raw.argmax(axis=1)
    found = np.take_along_axis(shares, best[:, None], 1)[:, 0] * weight
    return found, best.astype(np.int64) + (0 if skipped else -first)


def _whole(values: Floats) -> Whole:
    """Round, as classes that are told by codes may be 1.988; -1 for no number."""
    return np.where(np.isfinite(values), np.rint(values), -1).astype(np.int64)


def _decode(rows: _Rows, table: BoxesTable, frame: Frame | None) -> tuple[Floats, Floats]:
    """Return corners [n, 4] and points [n, count, values], in pixels of the model's picture."""
    start = table.columns[0] if table.columns else 0
    width = 4 * (table.bins or 1)
    numbers = rows.numbers[:, start : start + width]
    if numbers.shape[1] < width:
        raise unreadable(str(table.boxes), rows.numbers.shape, f"{width} numbers a box")
    if table.bins:
        chances = softmax(numbers.reshape(-1, 4, table.bins))
        numbers = chances @ np.arange(table.bins, dtype=np.float64)
    spread = np.array(table.variances or (1.0, 1.0, 1.0, 1.0))
    points = _point_numbers(rows, table.points)
    with np.errstate(over="ignore", invalid="ignore"):
        if rows.anchors is None or table.decode in {None, "none"}:
            unit = frame.input_size if frame is not None and table.unit == "normalised" else np.ones(2)
            corners = _corners(numbers, table.form) * np.tile(unit, 2)
            points[..., :2] *= unit
            return corners, points
        points[..., :2] = points[..., :2] * spread[:2] * rows.anchors[:, None, 2:4] + rows.anchors[:, None, :2]
        return _from_anchors(_by_axis(numbers, table.form), rows.anchors, spread, table.decode), points


def _from_anchors(numbers: Floats, anchors: Floats, spread: Floats, decode: str | None) -> Floats:
    centre, size, stride = anchors[:, :2], anchors[:, 2:4], anchors[:, 4:]
    if decode == "distances":
        low, high = centre - numbers[:, :2] * size * spread[:2], centre + numbers[:, 2:] * size * spread[2:]
        return np.concatenate([low, high], axis=1)
    if decode == "yolo":
        shares = activated(numbers, "sigmoid")
        middle = centre + (2 * shares[:, :2] - 1) * stride
        extent = (2 * shares[:, 2:]) ** 2 * size
    else:
        middle = centre + numbers[:, :2] * spread[:2] * size
        scaled = numbers[:, 2:] * spread[2:]
        extent = (np.exp(scaled) if decode == "deltas" else scaled) * size
    return np.concatenate([middle - extent / 2, middle + extent / 2], axis=1)


def _by_axis(numbers: Floats, form: str | None) -> Floats:
    """Return the numbers that go with anchors with those of x before those of y."""
    return numbers[:, [1, 0, 3, 2]] if form in {"yxyx", "cycxhw"} else numbers


def _corners(numbers: Floats, form: str | None) -> Floats:
    """Return left, top, right, bottom of boxes that a model tells whole."""
    numbers = _by_axis(numbers, form)
    if form in {None, "xyxy", "yxyx"}:
        return numbers
    size = numbers[:, 2:]
    low = numbers[:, :2] - (0 if form == "xywh" else size / 2)
    return np.concatenate([low, low + size], axis=1)


def _point_numbers(rows: _Rows, points: KeyPoints | None) -> Floats:
    """Return the numbers of the points of each row, [n, count, values]."""
    count = len(rows.numbers)
    if points is None:
        return np.zeros((count, 0, 2))
    width = points.count * points.values
    numbers = rows.numbers[:, points.start :] if rows.points is None else rows.points
    if numbers.shape[1] < width:
        raise unreadable(str(points.output), numbers.shape, f"{width} numbers for the points of a box")
    return numbers[:, :width].reshape(count, points.count, points.values).copy()


def _placed(found: _Found, row: int, table: BoxesTable, labels: Labels, frame: Frame | None, clip: bool) -> Box | None:
    """Return a box in pixels of the source picture, or None if none of it is there."""
    ends = found.corners[row].reshape(2, 2)
    spots = found.points[row][:, :2]
    if frame is not None:
        whole, spots = frame.to_source(ends), frame.to_source(spots)
        seen = np.clip(whole, 0, [frame.width, frame.height])
        if not (seen[1] > seen[0]).all():
            return None
        ends = seen if clip else whole
    (left, top), (right, bottom) = ends
    if not (right > left and bottom > top):
        return None
    index = int(found.classes[row])
    names = table.points.names if table.points else ()
    told = found.points.shape[2] > 2
    points = tuple(
        KeyPoint(float(x), float(y), float(found.points[row, number, 2]) if told else None, label_of(names, number))
        for number, (x, y) in enumerate(spots)
    )
    return Box(
        label_of(labels, index),
        index,
        float(found.scores[row]),
        float(left),
        float(top),
        float(right - left),
        float(bottom - top),
        points,
    )
