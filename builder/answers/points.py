"""Points: where each of a fixed number of places of an object is, in pixels of the source picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..config.answers import PointsTable
from .frame import Frame
from .reading import Floats, Labels, Options, Outputs, activated, label_of, nothing_said, output_of, unreadable


@dataclass(frozen=True, slots=True)
class Point:
    """A point; points keep their numbers, so a doubtful one is there too.

    Attributes:
        x, y: in pixels of the source picture, of the model's without a frame; it may be outside.
        z: depth in the same unit, if the model tells it.
        score: 1 where the model gives none.
        unsure: the score is below the threshold, or no number is one.
        label: None where there are too few labels.
    """

    x: float
    y: float
    z: float | None
    score: float
    unsure: bool
    label: str | None


def answer(
    outputs: Outputs,
    table: PointsTable,
    labels: Labels = (),
    frame: Frame | None = None,
    options: Options = nothing_said,
) -> tuple[Point, ...]:
    """Return all points of one picture, in the model's order.

    Raises:
        VerificationError: the output holds no points, or those of several pictures.
    """
    read = _heatmaps if table.form == "heatmap" else _coordinates
    spots, scores = read(outputs, table, frame)
    if table.scores:
        scores = _scores(outputs, table, len(spots))
    threshold = table.threshold if options.score is None else options.score
    if frame is not None:
        spots[:, :2] = frame.to_source(spots[:, :2])
        spots[:, 2] /= frame.scale_x
    found = []
    for number, ((x, y, z), told) in enumerate(zip(spots, scores, strict=True)):
        score = float(told) if np.isfinite(told) and np.isfinite(x) and np.isfinite(y) else 0.0
        unsure = not (score >= threshold and np.isfinite(told + x + y))
        depth = float(z) if "z" in table.order and table.form == "coordinates" else None
        found.append(Point(float(x), float(y), depth, score, unsure, label_of(labels, number)))
    return tuple(found)


def _coordinates(outputs: Outputs, table: PointsTable, frame: Frame | None) -> tuple[Floats, Floats]:
    """Return x, y, z [n, 3] in pixels of the model's picture, and scores [n]."""
    name, array = output_of(outputs, table.output)
    width = len(table.order)
    plain = array.ndim < 2 or (array.ndim == 2 and array.shape[-1] == width)
    if array.size % width or not (plain or array.shape[0] == 1):
        raise unreadable(name, array.shape, f"{width} numbers a point, of one picture")
    numbers = array.reshape(-1, width)
    spots = np.zeros((len(numbers), 3))
    for axis, letter in enumerate("xyz"):
        if letter in table.order:
            spots[:, axis] = numbers[:, table.order.index(letter)]
    if frame is not None and table.unit == "normalised":
        spots *= [frame.input_width, frame.input_height, frame.input_width]
    scores = np.ones(len(numbers))
    if "s" in table.order:
        scores = activated(numbers[:, table.order.index("s")], table.activation)
    return spots, scores


def _heatmaps(outputs: Outputs, table: PointsTable, frame: Frame | None) -> tuple[Floats, Floats]:
    """Return where each heatmap has its highest value, as ``_coordinates`` does, and these values.

    A cell stands for the place ``cell · stride``, as the targets of Xiao et al. ("Simple baselines for human pose
    estimation", 2018) are made; with ``quarter`` it is moved by a quarter of a cell towards its better neighbour, along
    each axis along which it has two.
    """
    name, array = output_of(outputs, table.output)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or not array.size:
        raise unreadable(name, array.shape, "a heatmap a point")
    maps = array if table.layout == "first" else np.moveaxis(array, 2, 0)
    count, height, width = maps.shape
    flat = np.where(np.isnan(maps), -np.inf, maps).reshape(count, -1)
    best = flat.argmax(axis=1)
    rows, columns = np.divmod(best, width)
    spots = np.stack([columns, rows, np.zeros(count)], axis=1).astype(np.float64)
    if table.quarter:
        for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
            plane = flat[number].reshape(height, width)
            if 0 < column < width - 1:
                spots[number, 0] += 0.25 * _sign(plane[row, column + 1], plane[row, column - 1])
            if 0 < row < height - 1:
                spots[number, 1] += 0.25 * _sign(plane[row + 1, column], plane[row - 1, column])
    if frame is not None:
        spots[:, :2] *= frame.input_size / [width, height]
    highest = flat.max(axis=1)
    return spots, activated(np.where(np.isneginf(highest), np.nan, highest), table.activation)


def _sign(after: float, before: float) -> int:
    return int(after > before) - int(after < before)


def _scores(outputs: Outputs, table: PointsTable, count: int) -> Floats:
    """Return the scores of an output of their own: one for all points, or one for each."""
    name, array = output_of(outputs, table.scores)
    if array.size not in {1, count}:
        raise unreadable(name, array.shape, f"one score, or {count}")
    return np.broadcast_to(activated(array.reshape(-1), table.activation), (count,))
