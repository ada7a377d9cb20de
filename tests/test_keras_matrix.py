"""Every layer class of Keras 3 and Keras 2, found by introspection: built and equal, or refused with its way out.

Each item is in one model here, in forms that take turns; ``bench/sources.py`` runs all forms and writes the table.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.judge import Verdict, judge, read_outcomes
from tests.matrix.models import forms
from tests.matrix.page import layers_of
from tests.matrix.special import left_out

pytestmark = pytest.mark.slow
root = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    """Give the classes of each library and the outcomes of the models, from one process with TensorFlow."""
    folder = tmp_path_factory.mktemp("matrix")
    command = [sys.executable, "-m", "tests.matrix.run", str(folder), "--sample"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr[-4000:]  # names classes that nobody put into the matrix
    return read_outcomes(folder)


@pytest.fixture(scope="module")
def verdicts(run: tuple[dict[str, list[str]], list[dict[str, Any]]]) -> list[Verdict]:
    return judge(run[1])


def test_every_class_is_built_and_equal_or_refused_with_its_way_out(verdicts: list[Verdict]) -> None:
    failed = [verdict for verdict in verdicts if verdict.outcome == "failed"]
    assert failed == []
    assert {verdict.outcome for verdict in verdicts} >= {"built", "cut", "refused"}
    assert {verdict.form for verdict in verdicts} == set(forms)


def test_no_class_is_forgotten(run: tuple[dict[str, list[str]], list[dict[str, Any]]], verdicts: list[Verdict]) -> None:
    for library, classes in run[0].items():
        tried = {verdict.kind for verdict in verdicts if verdict.library == library}
        assert set(classes) - tried <= set(left_out), library
        assert len(classes) > 100


def test_the_page_lists_the_classes_that_there_are(
    run: tuple[dict[str, list[str]], list[dict[str, Any]]],
) -> None:
    named = layers_of((root / "docs" / "sources.md").read_text(encoding="utf-8"))
    assert named == {library: set(classes) for library, classes in run[0].items()}
