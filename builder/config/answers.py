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

    output: Annotated[str, Meta(description="Output with the scores; by itself the only one.", examples=["scores"])] = (
        ""
    )
    activation: Annotated[Activation, Meta(description="What makes shares of the output, if the graph does not.")] = (
        "none"
    )
    top: Annotated[
        int,
        Meta(title="How many are listed", ge=1, description="How many classes are listed, best first.", examples=[3]),
    ] = 5
    threshold: Annotated[
        Share, Meta(description="Below this score the answer is unsure and has no label.", examples=[0.5])
    ] = 0.0


class AnchorLevel(Table, frozen=True):
    """One grid of anchors: cells of ``stride`` pixels of the model's picture, row by row."""

    stride: Annotated[int, Meta(ge=1, description="Width and height of a cell.", examples=[8])]
    shapes: Annotated[
        tuple[tuple[Side, Side], ...],
        Meta(
            description="Width and height of each anchor of a cell, in pixels; by itself one as large as the cell.",
            examples=[[[10, 13], [16, 30]]],
        ),
    ] = ()


class KeyPoints(Table, frozen=True):
    """Points that belong to each box."""

    count: Annotated[int, Meta(ge=1, description="How many a box has.", examples=[6])]
    values: Annotated[Literal[2, 3], Meta(description="Numbers of a point: x, y, and a score if there are 3.")] = 2
    start: Annotated[int, Meta(title="First column", ge=0, description="Column of the first one.", examples=[5])] = 4
    output: Annotated[
        Names, Meta(description="Outputs with the points, if they have ones of their own.", examples=["keypoints"])
    ] = ()
    names: Annotated[
        tuple[str, ...], Meta(description="What each point is called.", examples=[["left eye", "right eye", "nose"]])
    ] = ()


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
    boxes: Annotated[
        Names,
        Meta(
            description="Output with the boxes, or several: one a level.", examples=["boxes", ["boxes_8", "boxes_16"]]
        ),
    ] = ()
    scores: Annotated[
        Names, Meta(description="Output or outputs with the scores, if apart from the boxes.", examples=["scores"])
    ] = ()
    classes: Annotated[
        str, Meta(description="Output with the number of the class of each box, if apart.", examples=["classes"])
    ] = ""
    number: Annotated[
        str,
        Meta(
            title="Number of boxes",
            description="Output that tells how many rows count, if there is one.",
            examples=["num_detections"],
        ),
    ] = ""
    layout: Annotated[
        Literal["rows", "columns", "planes"] | None,
        Meta(description="rows: [1, …, boxes, numbers]; columns: [1, numbers, boxes]; planes: [1, numbers, h, w]."),
    ] = None
    form: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh", "cycxhw"] | None,
        Meta(title="Form of a box", description="What the four numbers of a box are; c is the centre."),
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
        Meta(
            description="Columns of the box, the one score and the class, where a row holds just these.",
            examples=[[0, 4, 5]],
        ),
    ] = None
    categories: Annotated[
        Count | None,
        Meta(
            title="Number of classes",
            description="How many scores a row has, if other numbers follow them.",
            examples=[80],
        ),
    ] = None
    first: Annotated[
        int | None,
        Meta(
            title="Number of the first class", description="Number that the outputs give the first class.", examples=[1]
        ),
    ] = None
    decode: Annotated[
        Literal["none", "deltas", "linear", "distances", "yolo"] | None,
        Meta(description="How numbers and anchors make boxes."),
    ] = None
    anchors: Annotated[
        tuple[AnchorLevel, ...],
        Meta(description="The grids, in the order of the rows.", examples=[[{"stride": 8}, {"stride": 16}]]),
    ] = ()
    offset: Annotated[
        Share | None,
        Meta(title="Centre of an anchor", description="Where in its cell an anchor has its centre.", examples=[0.5]),
    ] = None
    variances: Annotated[
        tuple[float, float, float, float] | None,
        Meta(description="What multiplies x, y, width and height.", examples=[[0.1, 0.1, 0.2, 0.2]]),
    ] = None
    bins: Annotated[
        Count | None, Meta(description="How many numbers each of four distances is the expectation of.", examples=[16])
    ] = None
    points: Annotated[
        KeyPoints | None, Meta(description="Points that belong to each box.", examples=[{"count": 6}])
    ] = None
    score: Annotated[Share | None, Meta(title="Least score", description="Least score of a box.", examples=[0.5])] = (
        None
    )
    iou: Annotated[
        Share | None,
        Meta(
            title="Intersection over union",
            description="A box that overlaps a better one of its class by more is dropped.",
            examples=[0.45],
        ),
    ] = None
    most: Annotated[Count, Meta(title="Most boxes", description="Most boxes of a picture.", examples=[20])] = 100
    agnostic: Annotated[
        bool, Meta(title="Drop across classes", description="Boxes of other classes are dropped for overlapping, too.")
    ] = False
    blend: Annotated[
        bool | None,
        Meta(
            title="Blend overlapping boxes",
            description="A box becomes the mean of those it hides, by their scores: steadier on video.",
        ),
    ] = None
    suppressed: Annotated[
        bool | None,
        Meta(title="Already without overlaps", description="The graph has dropped overlapping boxes already."),
    ] = None


class MaskTable(Table, frozen=True, tag_field="kind", tag="mask"):
    """A class, or how much of the object it shows, for each pixel."""

    output: Annotated[
        str, Meta(description="Output with the scores; by itself the only one.", examples=["segmentation"])
    ] = ""
    layout: Annotated[
        Literal["last", "first"] | None, Meta(description="Where the channels are: [1, h, w, c] or [1, c, h, w].")
    ] = None
    activation: Annotated[Activation, Meta(description="What makes shares of the scores.")] = "none"
    values: Annotated[
        Literal["scores", "classes"], Meta(description="classes: the output holds the numbers of classes.")
    ] = "scores"
    channel: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="The only channel that counts, as how much it shows.", examples=[1]),
    ] = None
    threshold: Annotated[
        Share | None,
        Meta(
            description="One channel only: from this score on a pixel is all there; none: soft edges.", examples=[0.5]
        ),
    ] = None
    background: Annotated[
        int,
        Meta(
            title="Background class",
            ge=0,
            description="Class of what the model did not see, and of no colour.",
            examples=[20],
        ),
    ] = 0


class PointsTable(Table, frozen=True, tag_field="kind", tag="points"):
    """A fixed number of points."""

    form: Annotated[Literal["coordinates", "heatmap"], Meta(description="How the output tells them.")] = "coordinates"
    output: Annotated[
        str, Meta(description="Output with the points or heatmaps; by itself the only one.", examples=["keypoints"])
    ] = ""
    scores: Annotated[str, Meta(description="Output with the scores: one, or one a point.", examples=["scores"])] = ""
    order: Annotated[
        str,
        Meta(
            description="The numbers of a point: x, y, z, s for its score, _ for nothing: 'xyz', 'yxs'.",
            pattern="^[xyzs_]+$",
            examples=["xyz", "yxs"],
        ),
    ] = "xy"
    unit: Annotated[Literal["pixels", "normalised"], Meta(description="Of the coordinates; or 0 to 1.")] = "pixels"
    layout: Annotated[
        Literal["last", "first"] | None, Meta(description="Where the points of heatmaps are: last or first axis.")
    ] = None
    quarter: Annotated[
        bool,
        Meta(title="Quarter step", description="Move a heatmap's best cell by a quarter towards the better neighbour."),
    ] = False
    activation: Annotated[Literal["none", "sigmoid"], Meta(description="What makes shares of the scores.")] = "none"
    threshold: Annotated[Share, Meta(description="Below this score a point is unsure.", examples=[0.3])] = 0.0


class VectorTable(Table, frozen=True, tag_field="kind", tag="vector"):
    """A vector that stands for the meaning of what was given."""

    output: Annotated[
        str, Meta(description="Output with the vector, or one for each token.", examples=["last_hidden_state"])
    ] = ""
    pooling: Annotated[Literal["none", "mean", "first"], Meta(description="What becomes of the vectors of tokens.")] = (
        "none"
    )
    mask: Annotated[
        str,
        Meta(description="Input that is 0 for tokens that do not count, for the mean.", examples=["attention_mask"]),
    ] = ""
    normalise: Annotated[bool, Meta(title="Length 1", description="Give it the length 1.")] = True


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
