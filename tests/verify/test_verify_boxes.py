"""Boxes read from outputs of several kinds, and how those of two models match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import ConfigError, VerificationError
from builder.verify.boxes import match_boxes, overlaps
from builder.verify.compare import compare
from builder.verify.gates import gate_of
from builder.verify.types import BoxRules, Gate

corners = np.array([[[0, 0, 10, 10], [20, 20, 40, 30], [0, 0, 10, 9]]], np.float32)
scores = np.array([[0.9, 0.8, 0.1]], np.float32)
classes = np.array([[1, 2, 1]], np.float32)
detected = {"boxes": corners, "scores": scores, "classes": classes}
rules = BoxRules("boxes", "scores", "classes")


def test_equal_boxes_match_and_those_of_low_score_do_not_count() -> None:
    assert match_boxes(detected, detected, rules) == (4, 4)
    assert match_boxes(detected, detected, replace(rules, min_score=0.05)) == (6, 6)


def test_a_moved_a_missing_and_a_renamed_box_do_not_match() -> None:
    moved = {**detected, "boxes": corners + np.float32([[[5, 0, 5, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])}
    assert match_boxes(moved, detected, rules) == (2, 4)
    assert match_boxes(moved, detected, replace(rules, iou=0.3)) == (4, 4)
    missing = {**detected, "scores": np.array([[0.9, 0.2, 0.1]], np.float32)}
    assert match_boxes(missing, detected, rules) == (2, 3)
    renamed = {**detected, "classes": classes + np.float32([[0, 1, 0]])}
    assert match_boxes(renamed, detected, rules) == (2, 4)


def test_classes_are_rounded_as_pages_do() -> None:
    nearly = {**detected, "classes": classes - np.float32(0.012)}
    assert match_boxes(nearly, detected, rules) == (4, 4)
    last = BoxRules("t", classes_last=True)
    one, other = (
        {"t": np.concatenate([corners, scores[..., None], kinds[..., None]], 2)}
        for kinds in (classes, nearly["classes"])
    )
    assert match_boxes(other, one, last) == (4, 4)


def test_each_box_matches_once() -> None:
    twice = {**detected, "boxes": corners[:, [0, 0, 0]], "classes": classes[:, [0, 0, 0]]}
    assert match_boxes(twice, detected, rules) == (2, 4)


@pytest.mark.parametrize(
    ("form", "numbers"),
    [("xyxy", (2, 4, 8, 6)), ("yxyx", (4, 2, 6, 8)), ("xywh", (2, 4, 6, 2)), ("cxcywh", (5, 5, 6, 2))],
)
def test_every_format_means_the_same_box(form: str, numbers: tuple[int, ...]) -> None:
    table = np.array([[[*numbers, 0.9]]], np.float32)
    wanted = np.array([[[2, 4, 8, 6, 0.9]]], np.float32)
    plain = BoxRules("t", iou=0.999)
    one, other = ({"t": array, "more": array} for array in (table, wanted))
    assert match_boxes(one, one, replace(plain, format=form)) == (2, 2)
    if form == "xyxy":
        assert match_boxes(one, other, plain) == (2, 2)


def test_yolo_tables_have_their_classes_in_columns_and_hide_what_overlaps() -> None:
    table = np.zeros((1, 6, 4), np.float32)  # centre, size, two classes; four boxes
    table[0, :4] = np.array([[10, 11, 50, 10], [10, 10, 50, 10], [8, 8, 4, 8], [8, 8, 4, 8]])
    table[0, 4:] = np.array([[0.9, 0.8, 0.1, 0.0], [0.0, 0.1, 0.7, 0.6]])
    yolo = BoxRules("t", format="cxcywh", columns_first=True)
    assert match_boxes({"t": table}, {"t": table}, yolo) == (8, 8)
    assert match_boxes({"t": table}, {"t": table}, replace(yolo, nms=0.5)) == (6, 6)


def test_a_class_may_be_the_last_number() -> None:
    table = np.array([[[0, 0, 9, 9, 0.9, 7], [0, 0, 9, 9, 0.2, 3]]], np.float32)
    other = table.copy()
    other[..., 5] = 3
    named = BoxRules("t", classes_last=True)
    assert match_boxes({"t": table}, {"t": table}, named) == (2, 2)
    assert match_boxes({"t": table}, {"t": other}, named) == (0, 2)


def test_boxes_relative_to_anchors_match_only_in_their_row() -> None:
    swapped = {name: array[:, [1, 0, 2]] for name, array in detected.items()}
    assert match_boxes(swapped, detected, rules) == (4, 4)
    assert match_boxes(swapped, detected, replace(rules, anchored=True)) == (0, 4)


@given(st.lists(st.floats(0, 50, width=32), min_size=4, max_size=4), st.floats(0.25, 20, width=32))
def test_overlap_is_a_share(numbers: list[float], size: float) -> None:
    one = np.array([*numbers[:2], numbers[0] + size, numbers[1] + size])
    others = np.array([[*numbers[2:], numbers[2] + size, numbers[3] + size], one])
    share, whole = overlaps(one[None], others)
    assert 0 <= share <= 1 + 1e-9
    assert whole == pytest.approx(1, abs=1e-5)


def test_shapes_that_hold_no_boxes_are_refused() -> None:
    with pytest.raises(VerificationError, match="at least 4 numbers"):
        match_boxes({"boxes": scores, "scores": scores}, detected, BoxRules("boxes", "scores"))
    with pytest.raises(VerificationError, match="'other'"):
        match_boxes(detected, detected, BoxRules("other", "scores"))
    with pytest.raises(VerificationError, match="a row for each"):
        match_boxes({**detected, "scores": scores[:, :2]}, detected, rules)
    with pytest.raises(VerificationError, match="scores in its columns"):
        match_boxes(detected, detected, BoxRules("boxes"))


def test_gates_use_it() -> None:
    with pytest.raises(ConfigError, match=r"needs verify\.boxes"):
        Gate(None, 0.9, "boxes")
    gate = gate_of("auto", None, 0.9, "boxes", {"boxes": "boxes", "scores": "scores", "classes": "classes"})
    missing = {**detected, "scores": np.array([[0.9, 0.2, 0.1]], np.float32)}
    found = compare("base", [missing, detected], [detected, detected], gate.metric, gate.boxes)
    assert found.agreement == pytest.approx(6 / 7)
    assert not gate.admits(found)
    only = [{"early": scores}]
    assert compare("early", only, only, gate.metric, rules).agreement == 1.0
