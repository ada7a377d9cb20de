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
from tests.matrix.run import libraries
from tests.matrix.special import left_out

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    """Give the classes of each library and the outcomes of the models; each library has a process, side by side."""
    folder = tmp_path_factory.mktemp("matrix")
    started = []
    for library in libraries:
        command = [sys.executable, "-m", "tests.matrix.run", str(folder / library), "--libraries", library, "--sample"]
        log = (folder / f"{library}.log").open("w+", encoding="utf-8")
        started.append((library, log, subprocess.Popen(command, stdout=log, stderr=log, cwd=root)))
    classes: dict[str, list[str]] = {}
    models: list[dict[str, Any]] = []
    for library, log, process in started:
        with log, process:
            status = process.wait()
            log.seek(0)
            assert status == 0, log.read()[-4000:]  # names classes that nobody put into the matrix
        found, outcomes = read_outcomes(folder / library)
        classes |= found
        models += outcomes
    return classes, models


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
