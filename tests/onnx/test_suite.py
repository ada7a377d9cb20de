"""A sample of the onnx package's own tests, and that the suite which runs them sees what is wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from builder.errors import UnsupportedOpsError
from tests.onnx_suite import judge as suite
from tests.onnx_suite.cases import Case, Data, UnfitError, find_cases, folders, held, read_data, with_weights
from tests.onnx_suite.judge import judge, reason_of
from tests.onnx_suite.table import write_table

sampled, least_passed = 60, 45
pytestmark = pytest.mark.slow


def one(pattern: str) -> Case:
    (case,) = find_cases(f"{pattern}$")
    return case


def test_sample_passes_or_is_refused_in_words(tmp_path: Path) -> None:
    verdicts = judge(find_cases(sample=sampled, wanted=folders), tmp_path)
    assert {verdict.case.label: verdict.words for verdict in verdicts if verdict.outcome == "wrong"} == {}
    assert sum(verdict.outcome == "passed" for verdict in verdicts) >= least_passed
    assert all(verdict.words.startswith("SP-") for verdict in verdicts if verdict.outcome == "refused")


def test_other_numbers_and_other_shapes_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"test_relu": lambda array: array + 0.01, "test_add": lambda array: array[None]}

    def altered(case: Case) -> Data:
        data = read_data(case)
        outputs = {name: changes[case.name](array) for name, array in data.outputs.items()}
        return dataclasses.replace(data, outputs=outputs)

    monkeypatch.setattr(suite, "read_data", altered)
    verdicts = judge([one("node/test_relu"), one("node/test_add")], tmp_path)
    assert [verdict.outcome for verdict in verdicts] == ["wrong", "wrong"]
    assert "differs" in verdicts[0].words
    assert "shape" in verdicts[1].words


def test_shapes_of_random_answers_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"test_relu": lambda array: array + 1, "test_sigmoid": lambda array: array[None]}

    def altered(case: Case) -> Data:
        outputs = {name: told[case.name](array) for name, array in read_data(case).outputs.items()}
        return dataclasses.replace(read_data(case), outputs=outputs, loose=True)

    monkeypatch.setattr(suite, "read_data", altered)
    verdicts = judge([one("node/test_relu"), one("node/test_sigmoid")], tmp_path)
    assert [verdict.outcome for verdict in verdicts] == ["passed", "wrong"]


def test_crashes_are_wrong_and_refusals_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {
        "test_relu": KeyError("V"),
        "test_add": UnsupportedOpsError("Add (node 'a'): of text", code="SP-384", hint="Export it without"),
    }

    def fail(path: Path, out: Path) -> Path:
        raise failures[path.parent.name]

    monkeypatch.setattr(suite, "convert", fail)
    verdicts = judge([one("node/test_relu"), one("node/test_add")], tmp_path)
    assert [verdict.outcome for verdict in verdicts] == ["wrong", "refused"]
    assert verdicts[1].reason == "SP-384: Add: of text"
    table = write_table(verdicts)
    assert "| **all** | 0 | 0 | 0 | 1 | 0 | 1 | 2 |" in table
    assert "| refused | SP-384: Add: of text | 1 | `test_add` |" in table


def test_tests_of_other_things_than_tensors_are_told_apart() -> None:
    with pytest.raises(UnfitError, match="sequence"):
        read_data(one("node/test_identity_sequence"))
    with pytest.raises(UnfitError, match="int32"):
        held("x", np.array([1 << 40]))


def test_networks_get_weights_that_let_their_input_through(tmp_path: Path) -> None:
    _, data = with_weights(one("light/light_squeezenet"), tmp_path / "net")
    (answer,) = data.outputs.values()
    assert np.isfinite(answer).all()
    assert np.ptp(answer) > 1e-4


def test_reasons_have_no_names_and_numbers() -> None:
    assert reason_of("SP-384 Conv (node 'c1'): pads of 3 axes for 'x'") == "SP-384: Conv: pads of n axes for …"
