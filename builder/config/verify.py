"""The table ``[models.NAME.verify]``: how a bundle is compared with its source."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .table import Table


class BoxesConfig(Table, frozen=True):
    """The table ``[models.NAME.verify.boxes]``: how the metric boxes reads the outputs."""

    boxes: Annotated[
        str,
        Meta(
            description="Output with 4 numbers or more for each box; further ones are scores.",
            examples=["output_boxes"],
        ),
    ]
    scores: Annotated[
        str | None,
        Meta(description="Output with the scores, if they have one of their own.", examples=["output_scores"]),
    ] = None
    classes: Annotated[
        str | None, Meta(description="Output with the classes; else the best score tells.", examples=["output_classes"])
    ] = None
    format: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh"],
        Meta(title="Box format", description="What the 4 numbers are; c is the centre."),
    ] = "xyxy"
    classes_last: Annotated[bool, Meta(description="A row is 4 numbers, one score, and the class as its last.")] = False
    columns_first: Annotated[bool, Meta(description="The output is [pictures, numbers, boxes], as YOLO's.")] = False
    min_score: Annotated[
        float,
        Meta(
            title="Least score", description="Least score of a box that counts, as the model gives it.", examples=[0.25]
        ),
    ] = 0.3
    iou: Annotated[
        float,
        Meta(
            title="Intersection over union",
            description="Least intersection over union of two boxes that match.",
            gt=0,
            le=1,
            examples=[0.5],
        ),
    ] = 0.7
    nms: Annotated[
        float | None,
        Meta(
            title="Overlap that is dropped",
            description="Drop boxes that overlap better ones of their class so much; none: the model did.",
            examples=[0.45],
        ),
    ] = None
    anchored: Annotated[bool, Meta(description="Boxes are relative to anchors, so only like rows can match.")] = False


class VerifyConfig(Table, frozen=True):
    """The table ``[models.NAME.verify]``."""

    inputs: Annotated[
        str | None,
        Meta(
            description="Pattern of .npz files, pictures, sounds or texts; without it seeded.",
            examples=["samples/*.npz", "photos/*.jpg"],
        ),
    ] = None
    max_error: Annotated[
        float | None,
        Meta(
            title="Largest error",
            description="Largest error at full precision: max |a-b| / max(1, max |b|). By itself 1e-4 for exact, 1e-3 "
            "for balanced and 0.05 for other precisions, and none beside min_agreement.",
            examples=[0.0001],
        ),
    ] = None
    min_agreement: Annotated[
        float | None,
        Meta(
            title="Least agreement",
            description="Least share of cases that agree by the metric, 0 to 1.",
            examples=[0.95],
        ),
    ] = None
    metric: Annotated[
        Literal["top1", "boxes", "psnr", "relative"],
        Meta(description="What agreement means: same top class, F1 of matched boxes, ≥ 40 dB, ≤ 1 %."),
    ] = "top1"
    boxes: Annotated[
        BoxesConfig | None,
        Meta(
            title="Boxes of the outputs",
            description="How the metric boxes reads the outputs.",
            examples=[{"boxes": "output0", "format": "cxcywh", "columns_first": True}],
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.max_error is not None and not 0 < self.max_error < float("inf"):
            raise ValueError(f"max_error is {self.max_error}, it must be above 0")
        if self.min_agreement is not None and not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement is {self.min_agreement}, it must be from 0 to 1")
        if (self.metric == "boxes") is not (self.boxes is not None):
            raise ValueError('metric = "boxes" and the table boxes need each other')
