"""The tables ``[models.NAME.answer]``, one a kind: how a page's ``run`` reads what the model gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from .table import Table

Activation = Literal["none", "sigmoid", "softmax"]
Names = str | tuple[str, ...]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Side = Annotated[float, Meta(gt=0)]


class ClassesTable(Table, frozen=True, tag_field="kind", tag="classes"):
    """One score for each class."""

    output: Annotated[str, Meta(description="Output with the scores; by itself the only one.")] = ""
    activation: Annotated[Activation, Meta(description="What makes shares of the output, if the graph does not.")] = (
        "none"
    )
    top: Annotated[int, Meta(ge=1, description="How many classes are listed, best first.")] = 5
    threshold: Annotated[Share, Meta(description="Below this score the answer is unsure and has no label.")] = 0.0


class AnchorLevel(Table, frozen=True):
    """One grid of anchors: cells of ``stride`` pixels of the model's picture, row by row."""

    stride: Annotated[int, Meta(ge=1, description="Width and height of a cell.")]
    shapes: Annotated[
        tuple[tuple[Side, Side], ...],
        Meta(description="Width and height of each anchor of a cell, in pixels; by itself one as large as the cell."),
    ] = ()


class KeyPoints(Table, frozen=True):
    """Points that belong to each box."""

    count: Annotated[int, Meta(ge=1, description="How many a box has.")]
    values: Annotated[Literal[2, 3], Meta(description="Numbers of a point: x, y, and a score if there are 3.")] = 2
    start: Annotated[int, Meta(ge=0, description="Column of the first one.")] = 4
    output: Annotated[Names, Meta(description="Outputs with the points, if they have ones of their own.")] = ()
    names: Annotated[tuple[str, ...], Meta(description="What each point is called.")] = ()


class BoxesTable(Table, frozen=True, tag_field="kind", tag="boxes"):
    """Boxes with a class and a score each; ``format`` sets the keys that follow it as that family of models needs."""

    format: Annotated[
        Literal["yolo", "ssd", "retinanet", "detr", "blazeface", "corners"],
        Meta(description="Family of the model; corners: only the keys below count."),
    ] = "corners"
    family: Annotated[
        Literal["", "v5", "v8", "v10", "x", "heads"],
        Meta(description="Which YOLO; by itself what the shapes of the outputs say. v8: also v6, v9, v11; v5: v7."),
    ] = ""
    boxes: Annotated[Names, Meta(description="Output with the boxes, or several: one a level.")] = ()
    scores: Annotated[Names, Meta(description="Output or outputs with the scores, if apart from the boxes.")] = ()
    classes: Annotated[str, Meta(description="Output with the number of the class of each box, if apart.")] = ""
    number: Annotated[str, Meta(description="Output that tells how many rows count, if there is one.")] = ""
    layout: Annotated[
        Literal["rows", "columns", "planes"] | None,
        Meta(description="rows: [1, …, boxes, numbers]; columns: [1, numbers, boxes]; planes: [1, numbers, h, w]."),
    ] = None
    form: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh", "cycxhw"] | None,
        Meta(description="What the four numbers of a box are; c is the centre."),
    ] = None
    unit: Annotated[
        Literal["pixels", "normalised"] | None, Meta(description="Of coordinates in the model's picture; or 0 to 1.")
    ] = None
    objectness: Annotated[bool | None, Meta(description="The fifth number multiplies the scores that follow.")] = None
    activation: Annotated[Activation | None, Meta(description="What makes shares of the scores.")] = None
    background: Annotated[
        Literal["first", "last", "none"] | None, Meta(description="Which score stands for nothing at all.")
    ] = None
    columns: Annotated[
        tuple[int, int, int] | None,
        Meta(description="Columns of the box, the one score and the class, where a row holds just these."),
    ] = None
    categories: Annotated[
        Count | None, Meta(description="How many scores a row has, if other numbers follow them.")
    ] = None
    first: Annotated[int | None, Meta(description="Number that the outputs give the first class.")] = None
    decode: Annotated[
        Literal["none", "deltas", "linear", "distances", "yolo"] | None,
        Meta(description="How numbers and anchors make boxes."),
    ] = None
    anchors: Annotated[tuple[AnchorLevel, ...], Meta(description="The grids, in the order of the rows.")] = ()
    offset: Annotated[Share | None, Meta(description="Where in its cell an anchor has its centre.")] = None
    variances: Annotated[
        tuple[float, float, float, float] | None, Meta(description="What multiplies x, y, width and height.")
    ] = None
    bins: Annotated[
        Count | None, Meta(description="How many numbers each of four distances is the expectation of.")
    ] = None
    points: Annotated[KeyPoints | None, Meta(description="Points that belong to each box.")] = None
    score: Annotated[Share | None, Meta(description="Least score of a box.")] = None
    iou: Annotated[
        Share | None, Meta(description="A box that overlaps a better one of its class by more is dropped.")
    ] = None
    most: Annotated[Count, Meta(description="Most boxes of a picture.")] = 100
    agnostic: Annotated[bool, Meta(description="Boxes of other classes are dropped for overlapping, too.")] = False
    blend: Annotated[
        bool | None, Meta(description="A box becomes the mean of those it hides, by their scores: steadier on video.")
    ] = None
    suppressed: Annotated[bool | None, Meta(description="The graph has dropped overlapping boxes already.")] = None


class MaskTable(Table, frozen=True, tag_field="kind", tag="mask"):
    """A class, or how much of the object it shows, for each pixel."""

    output: Annotated[str, Meta(description="Output with the scores; by itself the only one.")] = ""
    layout: Annotated[
        Literal["last", "first"] | None, Meta(description="Where the channels are: [1, h, w, c] or [1, c, h, w].")
    ] = None
    activation: Annotated[Activation, Meta(description="What makes shares of the scores.")] = "none"
    values: Annotated[
        Literal["scores", "classes"], Meta(description="classes: the output holds the numbers of classes.")
    ] = "scores"
    channel: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="The only channel that counts, as how much it shows.")
    ] = None
    threshold: Annotated[
        Share | None, Meta(description="One channel only: from this score on a pixel is all there; none: soft edges.")
    ] = None
    background: Annotated[int, Meta(ge=0, description="Class of what the model did not see, and of no colour.")] = 0


class PointsTable(Table, frozen=True, tag_field="kind", tag="points"):
    """A fixed number of points."""

    form: Annotated[Literal["coordinates", "heatmap"], Meta(description="How the output tells them.")] = "coordinates"
    output: Annotated[str, Meta(description="Output with the points or heatmaps; by itself the only one.")] = ""
    scores: Annotated[str, Meta(description="Output with the scores: one, or one a point.")] = ""
    order: Annotated[
        str,
        Meta(
            description="The numbers of a point: x, y, z, s for its score, _ for nothing: 'xyz', 'yxs'.",
            pattern="^[xyzs_]+$",
        ),
    ] = "xy"
    unit: Annotated[Literal["pixels", "normalised"], Meta(description="Of the coordinates; or 0 to 1.")] = "pixels"
    layout: Annotated[
        Literal["last", "first"] | None, Meta(description="Where the points of heatmaps are: last or first axis.")
    ] = None
    quarter: Annotated[
        bool, Meta(description="Move a heatmap's best cell by a quarter towards the better neighbour.")
    ] = False
    activation: Annotated[Literal["none", "sigmoid"], Meta(description="What makes shares of the scores.")] = "none"
    threshold: Annotated[Share, Meta(description="Below this score a point is unsure.")] = 0.0


class VectorTable(Table, frozen=True, tag_field="kind", tag="vector"):
    """A vector that stands for the meaning of what was given."""

    output: Annotated[str, Meta(description="Output with the vector, or one for each token.")] = ""
    pooling: Annotated[Literal["none", "mean", "first"], Meta(description="What becomes of the vectors of tokens.")] = (
        "none"
    )
    mask: Annotated[str, Meta(description="Input that is 0 for tokens that do not count, for the mean.")] = ""
    normalise: Annotated[bool, Meta(description="Give it the length 1.")] = True


AnswerTable: TypeAlias = ClassesTable | BoxesTable | MaskTable | PointsTable | VectorTable


def head_of(table: AnswerTable) -> dict[str, Any]:
    """Return a table as heads hold it: without what is not set, in its own tables either."""
    found: dict[str, Any] = _set(msgspec.to_builtins(table))
    return found


def _set(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _set(item) for key, item in value.items() if not (item is None or item is False or item in _unset)}
    return [_set(item) for item in value] if isinstance(value, list | tuple) else value


_unset: tuple[Any, ...] = ("", [], ())
