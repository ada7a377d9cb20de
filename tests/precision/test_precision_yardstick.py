"""What distances are taken from, and how far boxes are apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import VerificationError
from builder.precision.detections import distance_of_boxes
from builder.precision.yardstick import Yardstick, yardstick_of
from builder.verify.types import BoxRules, Gate
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks
from tests.helpers.tiny import node

rules = BoxRules("boxes", "scores", min_score=0.5)
rows = np.array([[[0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 1, 1]]], np.float32)
scores = np.array([[[0.9], [0.5], [0.001]]], np.float32)
truth = [{"boxes": rows, "scores": scores}]
detector = [
    node("x", "Placeholder"),
    node("raw", "Conv2D", "x", "k"),
    node("flat", "Reshape", "raw"),
    node("chance", "Sigmoid", "flat"),
    node("kept", "NonMaxSuppressionV5", "flat", "chance:0"),
    node("best", "GatherV2", "flat", "kept:0"),
    node("kept scores", "Identity", "kept:1"),
    node("trunk", "Relu", "x"),
]
picked = Gate(metric="boxes", boxes=BoxRules("best", "kept scores", format="xyxy", min_score=0.4))
named = {name: f"{name}:0" for name in ("best", "kept scores", "raw", "trunk")}


def moved(boxes: float = 0.0, chances: float = 0.0, row: int = 0) -> list[dict[str, Any]]:
    """Give answers in which one row differs."""
    other = {name: array.copy() for name, array in truth[0].items()}
    other["boxes"][0, row, [0, 2]] += boxes
    other["scores"][0, row] += chances
    return [other]


def test_the_same_boxes_are_not_apart() -> None:
    assert distance_of_boxes(truth, truth, rules) == pytest.approx(0, abs=1e-9)


def test_scores_are_apart_by_their_divergence_from_the_one_that_counts() -> None:
    weights = 0.9 + 0.5
    expected = 0.5 * math.log(0.5 / 0.6) + 0.5 * math.log(0.5 / 0.4)
    assert distance_of_boxes(moved(chances=0.1, row=1), truth, rules) == pytest.approx(
        expected / (weights + 0.1), rel=1e-4
    )


def test_rectangles_are_apart_by_what_they_lack() -> None:
    lacking = 1 - 9 / 11
    assert distance_of_boxes(moved(boxes=1.0), truth, rules) == pytest.approx(2 * 0.9 * lacking**2 / 1.4, rel=1e-4)


def test_rows_that_are_no_boxes_tell_nothing() -> None:
    assert distance_of_boxes(moved(boxes=5.0, row=2), truth, rules) == pytest.approx(0, abs=1e-9)
    assert distance_of_boxes(moved(chances=0.9, row=2), truth, rules) > 1


def test_logits_are_apart_as_their_probabilities_are() -> None:
    def logits(side: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**case, "scores": np.log(case["scores"] / (1 - case["scores"]))} for case in side]

    other = moved(chances=0.05)
    low = BoxRules("boxes", "scores", min_score=0.0)
    found = distance_of_boxes(logits(other), logits(truth), low)
    assert found == pytest.approx(distance_of_boxes(other, truth, rules), rel=1e-3)


def test_without_boxes_numbers_are_compared() -> None:
    high = BoxRules("boxes", "scores", min_score=0.9999)
    assert distance_of_boxes(moved(boxes=1.0), truth, high) > 0


@pytest.mark.parametrize("kind", ["boxes", "scores"])
def test_what_is_not_finite_is_infinitely_far(kind: str) -> None:
    other = moved()
    other[0][kind][0, 0, 0] = np.nan
    assert distance_of_boxes(other, truth, rules) == math.inf


def test_outputs_count_as_numbers_where_nothing_is_picked() -> None:
    assert yardstick_of(detector, {"raw": "raw:0", "trunk": "trunk:0"}, Gate()) == Yardstick(("raw", "trunk"))


def test_instead_of_the_largest_class_all_classes_count() -> None:
    classifier = [*detector[:4], node("best", "ArgMax", "chance", "axis"), node("id", "Cast", "best")]
    both = {"id": "id:0", "chance": "chance:0"}
    assert yardstick_of(classifier, {"id": "id:0"}, Gate()) == Yardstick(("chance:0",), (), ("chance:0",))
    assert yardstick_of(classifier, both, Gate()).numbers == ("chance:0", "chance")


def test_boxes_are_read_before_they_are_picked_whatever_the_gate_counts() -> None:
    found = yardstick_of(detector, named, Gate())
    assert [(rules.boxes, rules.scores, rules.min_score) for rules in found.detections] == [("flat:0", "chance:0", 0.3)]


def test_boxes_are_read_before_they_are_picked() -> None:
    found = yardstick_of(detector, named, picked)
    assert found.detections == (BoxRules("flat:0", "chance:0", format="yxyx", min_score=0.4),)
    assert found.tensors == ("flat:0", "chance:0")
    assert found.numbers == ("trunk",)


def test_outputs_that_are_boxes_are_read_as_the_gate_does() -> None:
    gate = Gate(metric="boxes", boxes=BoxRules("raw", "chance"))
    found = yardstick_of(detector, {"raw": "raw:0", "chance": "chance:0", "trunk": "trunk:0"}, gate)
    assert found == Yardstick(("trunk",), (gate.boxes,) if gate.boxes else ())


def test_an_output_that_is_not_there_is_told_and_the_only_one_is_read_whatever_its_name() -> None:
    gate = Gate(metric="boxes", boxes=BoxRules("table"))
    found = yardstick_of(detector, {"raw": "raw:0"}, gate)
    assert (found.numbers, found.tensors) == ((), ())
    case = {"raw": np.concatenate([rows, scores], 2)}
    assert found.distance([case], [case]) == pytest.approx(0, abs=1e-9)
    for rules in (gate.boxes, BoxRules("best", "other")):
        with pytest.raises(VerificationError, match=r"no output '(table|other)'"):
            yardstick_of(detector, named, Gate(metric="boxes", boxes=rules))


def test_boxes_in_a_loop_are_compared_as_they_come() -> None:
    enter = {**node("in", "Enter", "x"), "attr": {"frame_name": {"s": "bG9vcA=="}}}
    looped = [enter, *({**each, "input": ["in", "k"]} if each["name"] == "raw" else each for each in detector)]
    ends = [node("out", "Exit", "best"), node("out scores", "Exit", "kept:1")]
    gate = Gate(metric="boxes", boxes=BoxRules("out", "out scores"))
    found = yardstick_of([*looped, *ends], {"out": "out:0", "out scores": "out scores:0"}, gate)
    assert found == Yardstick(("out", "out scores"))


def test_the_distance_is_the_mean_of_boxes_and_other_outputs() -> None:
    found = Yardstick(("scores", "names"), (rules,))
    case = {**truth[0], "names": np.array(["a"])}
    other = {**moved(chances=0.05)[0], "names": np.array(["b"])}
    alone = Yardstick(("scores",)).distance([other], [case])
    assert found.distance([other], [case]) == pytest.approx((alone + distance_of_boxes([other], [case], rules)) / 2)


@pytest.mark.slow
def test_a_detector_that_picks_its_boxes_is_measured_by_what_it_picks_from(tmp_path: Path) -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        result = pool.submit(pool_tasks.measure_detector, tmp_path, "detector").result()
    base, last = result.stages
    assert 0 < base.distance < 0.0059
    assert last.distance < base.distance
    assert all(0 < layer.bits < 7 for layer in result.layers)


def test_lists_of_any_length_are_infinitely_far_from_others() -> None:
    lists = [{"y": np.zeros(length, np.float32)} for length in (12, 115)]
    assert Yardstick(("y",)).distance(lists, lists) == 0
    assert Yardstick(("y",)).distance(lists[::-1], lists) == math.inf
    some = [{"y": np.arange(length, dtype=np.float32)} for length in (0, 4)]
    assert Yardstick(("y",)).distance([some[0], {"y": some[1]["y"] + 1}], some) > 0
