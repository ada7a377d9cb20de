"""A mask: for each pixel of the source picture its class, or how much of the object it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config.answers import MaskTable
from .frame import Frame
from .reading import Floats, Labels, Options, Outputs, Whole, activated, label_of, nothing_said, output_of, unreadable

Bytes = NDArray[np.uint8]
whole = 255
slack = 1.0  # pixels of the model's picture: frames are rounded


@dataclass(frozen=True, slots=True)
class Shown:
    """A class that a mask shows, and its share of the pixels."""

    label: str | None
    index: int
    share: float


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask of the size of the source picture.

    Attributes:
        data: [height, width] the number of the class, or 0 to 255: how much of the object is there.
        soft: it is the latter.
        classes: those that it shows, the largest first, without the background; () where it is soft.
    """

    data: Bytes
    soft: bool
    classes: tuple[Shown, ...]


def answer(
    outputs: Outputs,
    table: MaskTable,
    labels: Labels = (),
    frame: Frame | None = None,
    options: Options = nothing_said,
) -> Mask:
    """Return the mask of one picture.

    Scores become shares at their own places; between these shares are interpolated bilinearly, with half-pixel centres
    as OpenCV does, and PyTorch with ``align_corners=False``; then the best class or the threshold decides. What the
    model did not see is background. Of equal scores the first class counts. Without a frame the mask has the size of
    the output.

    Raises:
        VerificationError: the output is not a picture of scores.
    """
    name, array = output_of(outputs, table.output)
    planes = _planes(name, array, table)
    grid = planes.shape[1:]
    rows, columns, seen = _places(grid, frame)
    if table.values == "classes":
        numbers = planes[0][_nearest(rows, grid[0])[:, None], _nearest(columns, grid[1])[None]]
        data = np.where(seen & (numbers >= 0) & (numbers <= whole), np.rint(numbers), table.background)
        return _classed(data.astype(np.uint8), table, labels)
    shares = activated(planes, table.activation if len(planes) > 1 or table.activation == "sigmoid" else None, 0)
    if table.channel is not None:
        if table.channel >= len(shares):
            raise unreadable(name, array.shape, f"a channel {table.channel}")
        shares = shares[table.channel : table.channel + 1]
    if len(shares) > whole + 1:
        raise unreadable(name, array.shape, "at most 256 classes")
    if len(shares) > 1:
        return _classed(_best(shares, rows, columns, seen, table.background), table, labels)
    threshold = table.threshold if options.score is None else options.score
    found = _between(shares[0], rows, columns)
    if threshold is not None:
        return Mask(np.where(seen & (found >= threshold), whole, 0).astype(np.uint8), True, ())
    told = np.where(seen & ~np.isnan(found), np.clip(found, 0, 1), 0)
    return Mask(np.floor(told * whole + 0.5).astype(np.uint8), True, ())


def _planes(name: str, array: Floats, table: MaskTable) -> Floats:
    """Return the scores as [channels, rows, columns]."""
    shape = array.shape
    if len(shape) == 4 and shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and table.layout != "first":
        array = np.moveaxis(array, 2, 0)
    if array.ndim != 3 or not array.size:
        raise unreadable(name, shape, "scores of one picture")
    return array


def _places(grid: tuple[int, ...], frame: Frame | None) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return where the rows and columns of the source picture are in the output's, and what the model saw of it."""
    if frame is None:
        rows, columns = (np.arange(length, dtype=np.float64) for length in grid)
        return rows, columns, np.ones(grid, np.bool_)
    down = (np.arange(frame.height) + 0.5) * frame.scale_y + frame.top
    across = (np.arange(frame.width) + 0.5) * frame.scale_x + frame.left
    seen = np.outer(_inside(down, frame.input_height), _inside(across, frame.input_width))
    return down * grid[0] / frame.input_height - 0.5, across * grid[1] / frame.input_width - 0.5, seen


def _inside(places: Floats, length: int) -> NDArray[np.bool_]:
    return (places >= -slack) & (places <= length + slack)


def _nearest(places: Floats, length: int) -> Whole:
    found: Whole = np.clip(np.floor(places + 0.5), 0, length - 1).astype(np.int64)
    return found


def _between(plane: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return the values of a plane at places between its own, repeated beyond its edges."""
    low, high, down = _neighbours(rows, plane.shape[0])
    left, right, across = _neighbours(columns, plane.shape[1])
    with np.errstate(invalid="ignore"):  # between infinities
        upper = plane[low][:, left] * (1 - across) + plane[low][:, right] * across
        lower = plane[high][:, left] * (1 - across) + plane[high][:, right] * across
        found: Floats = upper * (1 - down)[:, None] + lower * down[:, None]
    return found


def _neighbours(places: Floats, length: int) -> tuple[Whole, Whole, Floats]:
    inside = np.clip(places, 0, length - 1)
    low = np.floor(inside).astype(np.int64)
    return low, np.minimum(low + 1, length - 1), inside - low


def _best(shares: Floats, rows: Floats, columns: Floats, seen: NDArray[np.bool_], background: int) -> Bytes:
    """Return the class of the highest share at each place, a few classes' planes at a time."""
    best = np.full(seen.shape, -np.inf)
    data = np.full(seen.shape, background, np.uint8)
    for index, plane in enumerate(shares):
        found = _between(plane, rows, columns)
        better = seen & (found > best)
        best[better] = found[better]
        data[better] = index
    return data


def _classed(data: Bytes, table: MaskTable, labels: Labels) -> Mask:
    return Mask(data, False, tuple(_shown(data, table.background, labels)))


def _shown(data: Bytes, background: int, labels: Labels) -> Iterator[Shown]:
    counts = np.bincount(data.reshape(-1), minlength=whole + 1)
    counts[background : background + 1] = 0
    for index in np.argsort(-counts, kind="stable"):
        if not counts[index]:
            return
        yield Shown(label_of(labels, int(index)), int(index), float(counts[index] / data.size))
