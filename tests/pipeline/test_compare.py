"""The measures that decide whether a model passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from builder.errors import ConfigError, VerificationError
from builder.verify.compare import Comparison, Gate, compare, max_error, psnr, top1

floats = arrays(np.float32, array_shapes(max_dims=3, max_side=5), elements=st.floats(width=32))
finite = arrays(
    np.float32,
    array_shapes(max_dims=3, max_side=5),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(floats)
def test_equal_arrays_have_no_error(array: np.ndarray) -> None:
    assert max_error(array.copy(), array) == 0
    assert psnr(array.copy(), array) == math.inf
    hits, rows = top1(array.copy(), array)
    assert hits == rows == array.size // array.shape[-1]


@given(finite, st.floats(0.001, 1e6), st.data())
def test_max_error_is_the_largest_deviation_over_the_scale(
    expected: np.ndarray, shift: float, data: st.DataObject
) -> None:
    got = expected.astype(np.float64)
    place = data.draw(st.integers(0, expected.size - 1))
    got.flat[place] += shift
    scale = max(1.0, float(np.abs(expected).max()))
    moved = abs(got.flat[place] - float(expected.flat[place]))
    assert max_error(got, expected) == pytest.approx(moved / scale, rel=1e-9, abs=1e-15)


@given(finite, st.sampled_from([math.nan, math.inf, -math.inf]), st.data())
def test_what_is_not_a_number_must_stand_in_the_same_places(
    array: np.ndarray, value: float, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, array.size - 1))
    odd = array.copy()
    odd.flat[place] = value
    assert max_error(odd, array) == math.inf
    assert max_error(array, odd) == math.inf
    assert max_error(odd.copy(), odd) == 0
    assert psnr(odd, array) == -math.inf


def test_infinities_of_other_signs_and_other_kinds_differ() -> None:
    for left, right in [(math.inf, -math.inf), (math.nan, math.inf), (-math.inf, math.nan)]:
        assert max_error(np.array([left]), np.array([right])) == math.inf


def test_huge_numbers_do_not_overflow() -> None:
    largest = float(np.finfo(np.float64).max)
    assert max_error(np.array([-largest]), np.array([largest])) == 2


def test_shapes_must_agree() -> None:
    assert max_error(np.zeros((1, 2)), np.zeros((2, 1))) == math.inf
    assert psnr(np.zeros((1, 2)), np.zeros((2, 1))) == -math.inf
    assert top1(np.zeros((2, 1)), np.zeros((1, 2))) == (0, 1)
    assert max_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0
    assert max_error(np.array(1.0), np.array(1.5)) == pytest.approx(1 / 3)


def test_strings_and_complex_numbers_are_compared() -> None:
    words = np.array([b"a", b"b"], dtype=object)
    assert max_error(words.copy(), words) == 0
    assert max_error(np.array([b"a", b"c"], dtype=object), words) == math.inf
    assert max_error(np.array([1 + 1j]), np.array([1 + 2j])) == pytest.approx(1 / math.sqrt(5))


def test_psnr_follows_its_formula() -> None:
    expected = np.array([0.0, 2.0])
    assert psnr(expected + 0.1, expected) == pytest.approx(10 * math.log10(4 / 0.01))


def test_top1_counts_rows() -> None:
    expected = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    got = np.array([[0.4, 0.6], [0.1, 0.2], [0.3, 0.7]])
    assert top1(got, expected) == (2, 3)


def test_outputs_without_classes_do_not_flatter_top1() -> None:
    expected = {"class": np.array([[0.0, 1.0]]), "score": np.zeros((50, 1))}
    got = {"class": np.array([[1.0, 0.0]]), "score": np.ones((50, 1))}
    assert compare("full", [got], [expected]).agreement == 0
    assert compare("full", [{"score": got["score"]}], [{"score": expected["score"]}]).agreement == 0
    assert compare("full", [{"score": expected["score"]}], [{"score": expected["score"]}]).agreement == 1


def test_compare_names_the_worst_output_of_all_cases() -> None:
    expected = [{"a": np.zeros(2), "b": np.zeros(2)}, {"a": np.zeros(2), "b": np.zeros(2)}]
    got = [{"b": np.zeros(2), "a": np.zeros(2)}, {"a": np.array([0, 0.1]), "b": np.array([0.3, 0])}]
    assert compare("full", got, expected) == Comparison("full", 0.3, 0.75, "b")
    assert compare("full", got, expected, "relative").agreement == 0.5
    assert compare("full", got, expected, "psnr").agreement == 0.5


def test_a_single_output_may_have_another_name_but_several_may_not() -> None:
    one, two = np.ones(1), np.zeros(1)
    assert compare("full", [{"Identity": one}], [{"output_0": one}]).max_error == 0
    with pytest.raises(VerificationError, match="'probs' are missing"):
        compare("full", [{"Identity": one, "b": two}], [{"probs": one, "b": two}])
    with pytest.raises(VerificationError, match="0 answers for 1 cases"):
        compare("full", [], [{"a": one}])
    with pytest.raises(VerificationError):
        compare("full", [], [])


def test_the_gate_opens_at_its_numbers() -> None:
    assert Gate(1e-4).admits(Comparison("full", 1e-4, 0.0, ""))
    assert not Gate(1e-4).admits(Comparison("full", 1.1e-4, 1.0, ""))
    assert not Gate(1e-4).admits(Comparison("full", math.inf, 1.0, ""))
    assert not Gate(1e-4).admits(Comparison("full", math.nan, 1.0, ""))
    assert Gate(None, 0.99).admits(Comparison("full", 9.0, 0.99, ""))
    assert not Gate(None, 0.99).admits(Comparison("full", 0.0, 0.98, ""))


@pytest.mark.parametrize(("error", "agreement", "metric"), [(-1, None, "top1"), (None, 99, "top1"), (0, 0.9, "boxen")])
def test_a_gate_checks_its_numbers(error: float | None, agreement: float | None, metric: str) -> None:
    with pytest.raises(ConfigError):
        Gate(error, agreement, metric)


def test_a_signaling_nan_of_a_wrong_kernel_is_an_infinite_error_and_no_warning() -> None:
    wrong = np.array([0x7F800001], np.uint32).view(np.float32)
    assert max_error(wrong, np.zeros(1, np.float32)) == np.inf
