"""The console of a command line: wherever its options stand, and whether or not the rest of the line is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize(
    "words",
    [
        ["--json"], ["check", "--json"], ["--json", "check"], ["--nonsense", "--json"],
        ["check", "--nonsense", "--json"],
        ["--json", "nonsense"], ["--jobs", "zero", "--json"], ["deploy", "a", "b", "-q", "--json"],
    ],
)  # fmt: skip
def test_a_failure_is_one_document_wherever_json_stands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["ok"] is False
    assert document["errors"][0]["what"]
    assert captured.err


@pytest.mark.parametrize("words", [["check", "--config", "--json"], ["--only", "--json"], ["deploy", "--", "--json"]])
def test_what_only_looks_like_an_option_is_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "traced"),
    [(["-vv"], True), (["-v", "check", "-v"], True), (["--verbose", "-qv"], True), (["-v"], False), (["-q"], False)],
)
def test_a_traceback_is_given_from_the_second_v_on(
    words: list[str], traced: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert ("Traceback" in capsys.readouterr().err) is traced
