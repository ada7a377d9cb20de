"""The references themselves: against definitions, published counts, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.answers import boxes, classes, mask, overlaps, points, vector
from builder.answers.formats import cells, mediapipe, retinanet_anchors
from builder.answers.frame import Frame
from builder.answers.reading import softmax
from builder.config.answers import AnchorLevel, BoxesTable, ClassesTable, KeyPoints, MaskTable, PointsTable, VectorTable


def naive(corners: np.ndarray, scores: np.ndarray, classes_: np.ndarray, iou: float) -> list[int]:
    """Take the best box that is left, drop what it overlaps, until none is left: the definition, number by number."""
    left = list(range(len(scores)))
    kept = []
    while left:
        best = max(left, key=lambda row: (scores[row], -row))
        kept.append(best)
        left.remove(best)
        x, y, right, bottom = corners[best]
        for row in list(left):
            a, b, c, d = corners[row]
            wide, high = min(right, c) - max(x, a), min(bottom, d) - max(y, b)
            shared = wide * high if wide > 0 and high > 0 else 0.0
            union = (right - x) * (bottom - y) + (c - a) * (d - b) - shared
            if classes_[row] == classes_[best] and shared > 0 and shared / union > iou:
                left.remove(row)
    return kept


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 25), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 0.5, 0.99, 1.0]))
def test_suppression_is_that_of_its_definition(count: int, seed: int, iou: float) -> None:
    generator = np.random.default_rng(seed)
    low = generator.integers(0, 8, (count, 2)).astype(float)
    corners = np.concatenate([low, low + generator.integers(0, 8, (count, 2))], axis=1)
    scores, kinds = generator.integers(0, 5, count) / 4, generator.integers(0, 3, count)
    kept, hidden = overlaps.suppress(corners, scores, kinds, iou)
    assert kept == naive(corners, scores, kinds, iou)
    assert sorted(row for group in hidden for row in group) == list(range(count))


@pytest.mark.parametrize(("side", "rows"), [(128, 896), (256, 896), (192, 2304), (192, 2016), (224, 2254)])
def test_the_grids_of_mediapipe_have_as_many_anchors_as_published(side: int, rows: int) -> None:
    assert (side, rows) in [(one.side, one.rows) for one in mediapipe]


def test_anchors_are_where_mediapipe_has_them() -> None:
    """The first and last of the short-range detector of faces, as its calculator gives them."""
    levels = (
        AnchorLevel(stride=8, shapes=((1.0, 1.0),) * 2),
        AnchorLevel(stride=16, shapes=((1.0, 1.0),) * 6),
    )
    anchors = np.concatenate(boxes.anchors_of(levels, 128, 128, 0.5, by_shape=False))
    assert anchors.shape == (896, 5)
    assert (anchors[[0, 1, 2, 895], :2] / 128).tolist() == [
        [0.03125, 0.03125],
        [0.03125, 0.03125],
        [0.09375, 0.03125],
        [0.9375, 0.9375],
    ]


def test_the_anchors_of_retinanet_are_those_of_torchvision() -> None:
    """The first level, as torchvision's AnchorGenerator prints it: corners around 0."""
    first, *_, last = retinanet_anchors()
    assert [list(shape) for shape in first.shapes[:3]] == [[46, 22], [56, 28], [70, 36]]
    assert (first.stride, last.stride, len(first.shapes)) == (8, 128, 9)


def test_yolo_grids() -> None:
    assert cells((640, 640), (8, 16, 32)) == 8400
    assert cells((416, 416), (8, 16, 32)) == 3549


def test_a_box_goes_back_through_the_letterbox_and_is_clipped() -> None:
    frame = Frame(200, 100, 0.5, 0.5, 0, 25, 100, 100)
    table = BoxesTable(boxes="o", form="xyxy", suppressed=True, score=0.5)
    row = [[-10, 30, 50, 80, 0.9], [40, 0, 60, 20, 0.8]]  # the second one is in the bar above the picture
    (box,) = boxes.answer({"o": np.array([row], np.float32)}, table, ["cat"], frame)
    assert (box.label, box.x, box.y, box.width, box.height) == ("cat", 0, 10, 100, 90)


def test_blended_boxes_are_means_by_score() -> None:
    table = BoxesTable(boxes="o", iou=0.3, blend=True, points=KeyPoints(count=1, start=5), categories=1)
    row = [[0, 0, 10, 10, 0.9, 1, 1], [2, 0, 12, 10, 0.3, 5, 1], [50, 50, 60, 60, 0.8, 2, 2]]
    first, second = boxes.answer({"o": np.array([row], np.float32)}, table)
    assert (first.x, first.width, first.score) == pytest.approx((0.5, 10, 0.9))
    assert (first.points[0].x, first.points[0].y) == pytest.approx((2, 1))
    assert (second.x, second.points[0].x) == (50, 2)


def test_yolov5_heads_are_decoded_as_published() -> None:
    """All logits 0: the centre is in the middle of the cell, and the size is the anchor's."""
    table = BoxesTable(
        boxes="o", decode="yolo", activation="sigmoid", objectness=True, form="cxcywh", score=0.2, suppressed=True,
        anchors=(AnchorLevel(stride=8, shapes=((10.0, 14.0), (6.0, 4.0))),),
    )  # fmt: skip
    frame = Frame(16, 16, 1, 1, 0, 0, 16, 16)
    found = boxes.answer({"o": np.zeros((1, 2, 2, 2, 6), np.float32)}, table, (), frame)
    assert len(found) == 8
    assert found[0].score == 0.25
    assert (found[4].x, found[4].y, found[4].width, found[4].height) == (1, 2, 6, 4)
    assert (found[5].x, found[5].y) == (9, 2)


def test_distances_with_bins_are_expectations() -> None:
    bins = np.full((1, 1, 16), -50.0, np.float32)
    bins[0, 0, [1, 6, 8 + 2, 12 + 3]] = 50  # 1 to the left, 2 up, 2 right, 3 down, of 4 pixels each
    table = BoxesTable(
        boxes="o", scores="s", decode="distances", bins=4, anchors=(AnchorLevel(stride=4),), suppressed=True, score=0.1
    )
    wide = Frame(40, 40, 0.1, 0.1, 0, 0, 4, 4)
    (box,) = boxes.answer({"o": bins, "s": np.ones((1, 1, 1), np.float32)}, table, (), wide)
    assert (box.x, box.y, box.width, box.height) == pytest.approx((0, 0, 40, 40))


def test_nothing_that_is_no_number_is_an_answer() -> None:
    nothing = classes.answer({"o": np.full((1, 3), np.nan, np.float32)}, ClassesTable(), ["a"])
    assert (nothing.label, nothing.index, nothing.unsure, nothing.top) == (None, -1, True, ())
    table = BoxesTable(boxes="o", score=0.0)
    for place in range(5):
        row = np.array([[[1, 1, 5, 5, 0.9]]], np.float32)
        row[0, 0, place] = np.nan
        assert boxes.answer({"o": row}, table) == ()
    held = mask.answer({"o": np.full((1, 2, 2, 1), np.nan, np.float32)}, MaskTable(threshold=0.0))
    assert not held.data.any()
    (point,) = points.answer({"o": np.full((1, 2), np.nan, np.float32)}, PointsTable())
    assert (point.unsure, point.score) == (True, 0)


def test_a_mask_is_interpolated_before_it_is_decided() -> None:
    """One cell of two is there: the edge is in the middle between them, not at the border of the cell's pixels."""
    frame = Frame(8, 1, 0.25, 1, 0, 0, 2, 1)
    held = mask.answer({"o": np.array([[[[0.0], [1.0]]]], np.float32)}, MaskTable(layout="last"), (), frame)
    assert held.data.tolist() == [[0, 0, 32, 96, 159, 223, 255, 255]]
    sure = mask.answer({"o": np.array([[[[0.0], [1.0]]]], np.float32)}, MaskTable(threshold=0.5), (), frame)
    assert sure.data.tolist() == [[0, 0, 0, 0, 255, 255, 255, 255]]


def test_what_was_cut_off_is_background() -> None:
    frame = Frame(12, 2, 1, 1, -4, 0, 4, 2)
    held = mask.answer({"o": np.ones((1, 2, 4, 1), np.float32)}, MaskTable(), (), frame)
    assert held.data[0].tolist() == [0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0]


def test_points_keep_their_numbers_and_quarters_go_to_the_better_neighbour() -> None:
    maps = np.zeros((1, 2, 3, 3), np.float32)
    maps[0, 0, 1, 1], maps[0, 0, 1, 2], maps[0, 0, 0, 1] = 0.9, 0.2, 0.1
    table = PointsTable(form="heatmap", layout="first", quarter=True, threshold=0.5)
    frame = Frame(12, 12, 1, 1, 0, 0, 12, 12)
    first, second = points.answer({"o": maps}, table, ["nose"], frame)
    assert (first.x, first.y, first.unsure, first.label) == (5, 3, False, "nose")
    assert (second.unsure, second.label) == (True, None)


def test_vectors_are_as_alike_as_their_angle() -> None:
    one, other = (vector.answer({"o": np.array([numbers], np.float32)}, VectorTable()) for numbers in ([3, 4], [4, 3]))
    assert one.similarity(other) == pytest.approx(24 / 25)
    assert one.similarity(vector.Vector(np.zeros(2))) == 0
    tokens = np.array([[[2, 0], [0, 4], [100, 100]]], np.float32)
    mean = vector.answer(
        {"o": tokens}, VectorTable(pooling="mean", mask="m", normalise=False), {"m": np.array([[1, 1, 0]])}
    )
    assert mean.values.tolist() == [1, 2]


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=9))
def test_shares_sum_to_one(values: list[float]) -> None:
    assert softmax(np.array(values)).sum() == pytest.approx(1)
