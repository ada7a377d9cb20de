"""What several backends made of a model, and what a passed check is worth; nothing runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.model import TensorSpec
from builder.verify.doubts import doubts_of
from builder.verify.inputs import declared_shape, is_open, larger_cases, other_cases, seeded_inputs, twice
from builder.verify.trial import Trial, settle
from builder.verify.types import Check, Comparison, Gate, Verification

case = {"x": np.zeros((1, 3), np.float32)}
good = {"y": np.array([[0.1, 0.9]], np.float32)}
bad = {"y": np.array([[0.9, 0.1]], np.float32)}


def check(**changes: Any) -> Check:
    return Check("m", Path("loader.js"), [case], Gate(1e-4), **changes)


def trial(backend: str, problem: str = "", *, short: bool = False, slow: float = 0.0, **changes: Any) -> Trial:
    result = {"runtime": f"tfjs 4.22.0 {backend}", "caseSeconds": slow, "kernels": ["Conv2D"], "error": None}
    stages = (Comparison("full", 0.0, 1.0, "y"),)
    return Trial(backend, ("wasm", "cpu"), problem, short, result, stages=stages, **{"answers": [good], **changes})


def told(result: Verification) -> tuple[bool, str | None, list[str]]:
    return result.passed, result.runtime, [backend for backend, _ in result.wrong]


def test_a_model_that_both_backends_get_right_is_for_both() -> None:
    assert told(settle(check(), trial("wasm"), trial("cpu", short=True))) == (True, "tfjs 4.22.0 wasm, cpu", [])


def test_one_right_backend_is_enough_and_the_other_one_is_named() -> None:
    result = settle(check(), trial("wasm", "out of bounds"), trial("cpu"))
    assert told(result) == (True, "tfjs 4.22.0 cpu", ["wasm"])
    assert result.wrong == (("wasm", "out of bounds"),)
    result = settle(check(), trial("wasm"), trial("cpu", "no kernel", short=True))
    assert told(result) == (True, "tfjs 4.22.0 wasm", ["cpu"])


def test_none_that_is_right_fails_with_both_reasons() -> None:
    result = settle(check(), trial("wasm", "out of bounds"), trial("cpu", "differs"))
    assert (result.passed, result.problem) == (False, "out of bounds; on cpu: differs")
    assert settle(check(), trial("wasm", "same"), trial("cpu", "same")).problem == "same"


def test_a_second_backend_that_is_only_slow_is_not_called_wrong() -> None:
    first = trial("wasm", slow=0.5)
    assert first.too_slow
    for second in (None, trial("cpu", "Node gave no answer within 15 seconds", short=True)):
        result = settle(check(), first, second)
        assert told(result) == (True, "tfjs 4.22.0 wasm", [])
        assert result.notes == ("not run on cpu: it takes too long here",)
    assert not trial("wasm", slow=0.3).too_slow


def test_where_tensorflow_js_runs_the_source_too_cpu_is_believed() -> None:
    stock = check(source=Path("model.json"))
    cpu = trial("cpu", short=True, expected=[good])
    assert told(settle(stock, trial("wasm", answers=[bad]), cpu)) == (True, "tfjs 4.22.0 cpu", ["wasm"])
    # The bundle is right where its source is wrong: a kernel was rewritten around.
    fixed = settle(stock, trial("wasm", "differs", answers=[good]), trial("cpu", expected=[good]))
    assert told(fixed) == (True, "tfjs 4.22.0 wasm, cpu", [])


def doubts(*answers: dict[str, Any], extra: Any = None, got: Any = None, wanted: Any = None, other: Any = None) -> str:
    found = doubts_of(check(extra=extra), Comparison("full", 0.0, 1.0, "y"), answers, (got, wanted), other)
    return " ".join(found)


def test_answers_that_never_change_are_told() -> None:
    assert doubts(good, bad) == ""
    assert doubts(good, other=bad) == ""
    assert "all outputs are the same" in doubts(good, good)
    assert "all outputs are the same" in doubts(good, other=good)
    assert "[models.NAME.verify] inputs" in doubts(good, good)
    assert doubts(good) == "", "a single input tells nothing"
    anchors = {"anchors": np.ones((4, 2), np.float32)}
    assert doubts(good | anchors, bad | anchors) == "", "one output may be constant"


def test_zeros_and_nothing_are_told_from_a_single_input_too() -> None:
    assert "all outputs are zero" in doubts({"y": np.zeros((1, 2), np.float32)})
    assert "all outputs are empty" in doubts({"y": np.zeros((1, 0), np.float32)})
    assert doubts({"label": np.zeros(1, np.int32)}, {"label": np.zeros(1, np.int32)}) == ""


def test_rows_of_the_extra_case_count_unless_they_are_one_row_twice() -> None:
    rows = np.array([[0.1, 0.9], [0.1, 0.9]], np.float32)
    fresh = {"x": np.array([[0, 0, 1], [0, 1, 0]], np.float32)}
    same = {"x": np.zeros((2, 3), np.float32)}
    assert "all outputs are the same" in doubts(good, extra=fresh, got={"y": rows}, wanted={"y": rows})
    assert doubts(good, extra=same, got={"y": rows}, wanted={"y": rows}) == ""


def test_a_model_that_is_right_with_one_size_only_is_told() -> None:
    extra = {"x": np.array([[0, 0, 1], [0, 1, 0]], np.float32)}
    right, wrong = ({"y": np.array(rows, np.float32)} for rows in ([[1, 0], [0, 1]], [[1, 0], [1, 0]]))
    assert doubts(good, extra=extra, got=right, wanted=right) == ""
    assert "with x [2, 3] output 'y' differs" in doubts(good, extra=extra, got=wrong, wanted=right)
    assert "cannot run it with x [2, 3] (bad shape)" in doubts(good, extra=extra, got="bad shape", wanted=right)
    assert doubts(good, extra=extra, got="bad shape", wanted="bad shape") == "", "the source cannot either"
    assert doubts(good, extra=extra) == ""


@pytest.mark.parametrize(
    ("shape", "others"),
    [
        ((None, 5), [(2, 5)]),
        ((None, None, 5), [(2, 10, 5), (2, 16, 5), (1, 10, 5)]),
        ((None, None, None, 3), [(2, 48, 48, 3), (2, 64, 64, 3), (1, 48, 48, 3)]),
        ((1, 8, 8, 3), []),
        ((), []),
    ],
)
def test_another_batch_and_other_sizes_are_tried_where_they_are_open(
    shape: tuple[int | None, ...], others: list[tuple[int, ...]]
) -> None:
    specs = (TensorSpec("x", "float32", shape),)
    assert [made["x"].shape for made in other_cases(specs, {})] == others


def test_lengths_double_up_to_a_bound_the_smallest_first() -> None:
    specs = (TensorSpec("x", "float32", (None, None, 4)),)
    made = [case["x"].shape for _, case in larger_cases(specs, {})]
    assert made[:3] == [(1, 32, 4), (1, 64, 4), (1, 128, 4)], "not a picture without a batch"
    assert (1, 4096, 4) in made
    assert sorted(map(np.prod, made)) == list(map(np.prod, made))
    for sizes, case in larger_cases(specs, {}):
        assert case["x"].shape == declared_shape(specs[0], sizes)
    assert is_open(specs)
    fixed = (TensorSpec("x", "float32", (None, 7)),)
    assert not is_open(fixed)
    assert list(larger_cases(fixed, {})) == []


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((None, 3, None, None), (1, 3, 64, 64)),
        ((None, 3, 48, None), (1, 3, 48, 64)),
        ((1, 1, 64, None), (1, 1, 64, 64)),
        ((None, None, None, None), (1, 64, 64, 3)),
        ((None, None, None, 3), (1, 64, 64, 3)),
        ((None, 3, 64, 3), (1, 3, 64, 3)),
        ((None, 3, None, None, None), (1, 3, 64, 64, 64)),
    ],
)
def test_channels_are_where_a_length_says_so(shape: tuple[int | None, ...], expected: tuple[int, ...]) -> None:
    assert declared_shape(TensorSpec("x", "float32", shape)) == expected


def test_open_channels_are_tried_on_both_sides_of_space() -> None:
    made = [case["x"].shape for _, case in larger_cases((TensorSpec("x", "float32", (None,) * 4),), {})]
    assert {(1, 3, 64, 64), (1, 128, 128, 3), (1, 3, 128, 128)} <= set(made)
    lines = [case["x"].shape for _, case in larger_cases((TensorSpec("x", "float32", (None, 3, None, None)),), {})]
    assert lines[:2] == [(1, 3, 32, 32), (1, 3, 48, 48)], "heights that recognisers of text take"


def test_a_salt_gives_other_numbers() -> None:
    specs = (TensorSpec("x", "float32", (2, 3)),)
    assert not np.array_equal(seeded_inputs(specs)["x"], seeded_inputs(specs, salt=1)["x"])


def test_every_second_row_of_another_case_is_faint_as_a_classifier_may_answer_all_noise_alike() -> None:
    specs = (TensorSpec("x", "float32", (None, 300)),)
    both = other_cases(specs, {})[0]["x"]
    assert both.shape == (2, 300)
    assert both[0].mean() > 10 * both[1].mean() > 0


def test_the_users_case_is_doubled_where_its_batch_is_open() -> None:
    specs = (TensorSpec("x", "float32", (None, 3)),)
    assert [made["x"].shape for made in twice(dict(case), specs)] == [(2, 3)]
    assert twice({"x": np.zeros((4, 3), np.float32)}, specs) == []
    assert twice(dict(case), (TensorSpec("x", "float32", (1, 3)),)) == []
