"""Settings are completed from the shapes of outputs, and refused in words where they do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.answers import boxes
from builder.answers.complete import complete
from builder.answers.formats import Seen
from builder.answers.frame import Frame
from builder.config.answers import (
    AnchorLevel,
    AnswerTable,
    BoxesTable,
    ClassesTable,
    KeyPoints,
    MaskTable,
    PointsTable,
    VectorTable,
    head_of,
)
from builder.errors import ConversionError
from builder.model import TensorSpec


def seen(
    *shapes: tuple[str, list[int | None]], labels: int = 0, size: tuple[int, int] | None = None, tf: bool = False
) -> Seen:
    specs = tuple(TensorSpec(name, "float32", tuple(shape)) for name, shape in shapes)
    return Seen(specs, labels, size, from_tensorflow=tf, where="models.m.answer")


six_forty = (640, 640)
yolos: list[tuple[list[int | None], int, bool, dict[str, Any]]] = [
    ([1, 84, 8400], 80, False, {"layout": "columns", "unit": "pixels"}),
    ([1, 84, 8400], 80, True, {"layout": "columns", "unit": "normalised"}),
    ([1, 8400, 84], 80, False, {"layout": "rows", "unit": "pixels"}),
    ([1, 116, 8400], 80, False, {"layout": "columns", "categories": 80}),
    ([1, 25200, 85], 80, False, {"layout": "rows", "objectness": True}),
    ([1, 25200, 6], 1, False, {"objectness": True}),
    ([1, 300, 6], 80, False, {"columns": [0, 4, 5], "form": "xyxy", "suppressed": True}),
    ([1, 8400, 85], 80, False, {"decode": "deltas", "offset": 0.0, "objectness": True}),
    ([1, 102000, 85], 80, False, {"objectness": True, "layout": "rows"}),
]


def test_classes_of_layers_models_whose_outputs_have_no_known_shape() -> None:
    """Their topology does not tell it: that is no output of one number."""
    made = complete(ClassesTable(), Seen((TensorSpec("dense", "float32", None),), 3, None, where="models.m.answer"))
    assert made == ClassesTable(output="dense")


@pytest.mark.parametrize(("shape", "labels", "tf", "expected"), yolos)
def test_yolo_by_its_shape(shape: list[int | None], labels: int, tf: bool, expected: dict[str, Any]) -> None:
    size = (1280, 1280) if 102000 in shape else six_forty
    made = head_of(complete(BoxesTable(format="yolo"), seen(("output0", shape), labels=labels, size=size, tf=tf)))
    assert made["boxes"] == ["output0"]
    assert {key: made.get(key) for key in expected} == expected


def test_yolo_heads_have_their_anchors() -> None:
    heads = [(name, [1, 3, side, side, 85]) for name, side in (("a", 80), ("b", 40), ("c", 20))]
    made = complete(BoxesTable(format="yolo"), seen(*heads, labels=80, size=six_forty))
    assert isinstance(made, BoxesTable)
    assert made.boxes == ("a", "b", "c")
    assert [level.stride for level in made.anchors] == [8, 16, 32]


def test_what_is_set_stays() -> None:
    table = BoxesTable(format="yolo", score=0.7, unit="normalised", most=7)
    made = head_of(complete(table, seen(("o", [1, 84, 8400]), labels=80, size=six_forty)))
    assert (made["score"], made["unit"], made["most"], made["layout"]) == (0.7, "normalised", 7, "columns")


def test_detectors_of_tensorflow_are_read_by_their_names() -> None:
    names = (
        ("detection_boxes", [1, 100, 4]),
        ("detection_classes", [1, 100]),
        ("detection_scores", [1, 100]),
        ("num_detections", [1]),
    )
    table = complete(BoxesTable(format="ssd"), seen(*names))
    assert isinstance(table, BoxesTable)
    outputs = {
        "detection_boxes": np.array([[[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]]], np.float32),
        "detection_classes": np.array([[2, 1]], np.float32),
        "detection_scores": np.array([[0.9, 0.8]], np.float32),
        "num_detections": np.array([1], np.float32),
    }
    (box,) = boxes.answer(outputs, table, ["dog", "cat"], Frame(100, 100, 3, 3, 0, 0, 300, 300))
    assert (box.label, box.index) == ("cat", 1)
    assert (box.x, box.y, box.width, box.height) == pytest.approx((20, 10, 40, 40), abs=1e-4)


@pytest.mark.parametrize(
    ("classes", "labels", "activation"), [(92, 91, "softmax"), (92, 0, "softmax"), (80, 80, "sigmoid")]
)
def test_detr_and_its_kin(classes: int, labels: int, activation: str) -> None:
    made = complete(
        BoxesTable(format="detr"), seen(("logits", [1, 100, classes]), ("pred_boxes", [1, 100, 4]), labels=labels)
    )
    assert isinstance(made, BoxesTable)
    assert (made.boxes, made.scores, made.activation) == (("pred_boxes",), ("logits",), activation)
    assert made.background == ("last" if activation == "softmax" else None)


def test_blazeface_has_points_and_anchors() -> None:
    outputs = ("classificators", [1, 896, 1]), ("regressors", [1, 896, 16])
    made = complete(BoxesTable(format="blazeface"), seen(*outputs, labels=1, size=(128, 128)))
    assert isinstance(made, BoxesTable)
    assert (made.boxes, made.scores) == (("regressors",), ("classificators",))
    assert made.points is not None
    assert made.points.count == 6
    regressors = np.zeros((1, 896, 16), np.float32)
    regressors[0, 0, :6] = [4, 4, 32, 32, 2, -2]
    scores = np.full((1, 896, 1), -1e9, np.float32)
    scores[0, 0] = 1e9  # MediaPipe clips scores at ±100: the same shares
    (box,) = boxes.answer(
        {"regressors": regressors, "classificators": scores}, made, ["face"], Frame(256, 256, 0.5, 0.5, 0, 0, 128, 128)
    )
    assert (box.x, box.y, box.width, box.height, box.score) == (0, 0, 48, 48, 1)
    assert (box.points[0].x, box.points[0].y, box.points[0].label) == (12, 4, "left eye")


def test_blazeface_may_have_an_output_a_level() -> None:
    """As in the human package, whose outputs have no order."""
    names = (("d", [1, 384, 16]), ("a", [1, 512, 1]), ("b", [1, 384, 1]), ("c", [1, 512, 16]))
    made = complete(BoxesTable(format="blazeface"), seen(*names, size=(256, 256)))
    assert isinstance(made, BoxesTable)
    assert (made.boxes, made.scores) == (("c", "d"), ("a", "b"))
    assert [level.stride for level in made.anchors] == [16, 32]


masks: list[tuple[list[int | None], str]] = [
    ([1, 1, 64, 64], "first"),
    ([1, 64, 64, 21], "last"),
    ([1, 21, 520, 520], "first"),
    ([1, 144, 256, 1], "last"),
    ([1, 64, 64], "last"),
]


@pytest.mark.parametrize(("shape", "layout"), masks)
def test_where_a_mask_has_its_channels(shape: list[int | None], layout: str) -> None:
    made = complete(MaskTable(), seen(("o", shape)))
    assert isinstance(made, MaskTable)
    assert (made.output, made.layout) == ("o", layout)


wrong: list[tuple[AnswerTable, Seen, str, str]] = [
    (ClassesTable(output="x"), seen(("a", [1, 5])), "SP-430", "there is no output 'x'.*'a' \\[1, 5\\]"),
    (ClassesTable(), seen(("a", [1, 5]), ("b", [1, 5])), "SP-430", "the model has 2 outputs"),
    (ClassesTable(), seen(("a", [1, 5, 7])), "SP-430", "classes need one row"),
    (ClassesTable(), seen(("a", [1, 5]), labels=4), "SP-432", "4 labels for 5 classes"),
    (ClassesTable(), seen(("a", [1, 1]), labels=3), "SP-432", "3 labels for 1 or 2 classes"),
    (ClassesTable(), seen(("a", [None, 10]), labels=1000), "SP-432", "1000 labels for 10 classes"),
    (ClassesTable(), seen(("a", [None, 8, 10])), "SP-430", "classes need one row of scores"),
    (
        BoxesTable(format="yolo"),
        seen(("a", [1, 84, 8400]), labels=81, size=six_forty),
        "SP-432",
        "81 labels for 80 classes",
    ),
    (BoxesTable(format="yolo"), seen(("a", [1, 84, 99])), "SP-430", "does not tell which YOLO"),
    (BoxesTable(format="yolo"), seen(("a", [1, 84])), "SP-430", "no output is"),
    (BoxesTable(format="ssd"), seen(("b", [1, 9, 4]), ("s", [1, 9, 5])), "SP-430", "needs anchors"),
    (BoxesTable(format="ssd"), seen(("b", [1, 9, 5])), "SP-430", "not clear which outputs"),
    (BoxesTable(format="blazeface"), seen(("r", [1, 9, 16]), ("s", [1, 9, 1])), "SP-430", "no known detector"),
    (BoxesTable(boxes="b", decode="deltas"), seen(("b", [1, 9, 6])), "SP-430", "needs anchors"),
    (
        BoxesTable(boxes="b", decode="deltas", anchors=(AnchorLevel(stride=8),)),
        seen(("b", [1, 9, 6])),
        "SP-430",
        "a picture of a fixed size",
    ),
    (
        BoxesTable(boxes="b", decode="deltas", anchors=(AnchorLevel(stride=8),)),
        seen(("b", [1, 9, 6]), size=(32, 32)),
        "SP-435",
        "anchors make 16 boxes, and the model gives 9",
    ),
    (BoxesTable(boxes="b", scores="s"), seen(("b", [1, 9, 4])), "SP-430", "no output 's'"),
    (BoxesTable(boxes="b", points=KeyPoints(count=1)), seen(("b", [1, 9, 6])), "SP-430", "no score"),
    (MaskTable(channel=3), seen(("m", [1, 8, 8, 2])), "SP-430", "none is number 3"),
    (MaskTable(threshold=0.5), seen(("m", [1, 8, 8, 2])), "SP-430", "a threshold is for one channel"),
    (MaskTable(layout="last"), seen(("m", [1, 8, 8, 300])), "SP-430", "at most 256"),
    (MaskTable(), seen(("m", [1, 8, 8, 3]), labels=2), "SP-432", "2 labels for 3 classes"),
    (PointsTable(order="xx"), seen(("p", [1, 34])), "SP-430", "needs x and y, each once"),
    (PointsTable(order="xyz"), seen(("p", [1, 34])), "SP-430", "no multiple of 3"),
    (PointsTable(), seen(("p", [1, 34]), labels=16), "SP-432", "16 labels for 17 classes"),
    (PointsTable(scores="s"), seen(("p", [1, 34])), "SP-430", "no output 's'"),
    (VectorTable(pooling="mean", mask="m"), seen(("v", [1, 9, 34])), "SP-430", "no input 'm' to be the mask"),
    (VectorTable(output="z"), seen(("v", [1, 34])), "SP-430", "no output 'z'"),
]


@pytest.mark.parametrize(("table", "model", "code", "words"), wrong)
def test_what_does_not_fit_is_refused_in_words(table: AnswerTable, model: Seen, code: str, words: str) -> None:
    with pytest.raises(ConversionError, match=words) as caught:
        complete(table, model)
    assert (caught.value.code, caught.value.where) == (code, "models.m.answer")
    assert caught.value.hint
