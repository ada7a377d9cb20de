"""Sizes against another build, for people who review a change."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from builder.cli.main import main
from tests.helpers.deploying import change, project, relabel

root = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built project, and the manifest of its base branch."""
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    made = project(tmp_path / "site")
    (made / "base").mkdir()
    shutil.copyfile(made / "dist" / "manifest.json", made / "base" / "manifest.json")
    return made


def sizes(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    capsys.readouterr()
    base = str(folder / "base" / "manifest.json")
    assert main(["sizes", "--config", str(folder / "build.toml"), "--compare-with", base, *words]) == 0
    return capsys.readouterr().out


def rows(table: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    assert len({len(row) for row in cells}) == 1, "a Markdown table has as many cells in every line"
    return {row[0]: row[1:] for row in cells[2:]}


def test_nothing_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = rows(sizes(capsys, folder))
    assert list(table) == ["a", "b", "loader.js", "**all**"]
    assert {row[2] for name, row in table.items() if name != "**all**"} == {"0 B"}
    assert {row[3] for name, row in table.items() if name != "**all**"} == {"0 B"}


def test_changed_new_and_gone_models_have_their_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, "a", 7, width=400)
    path = folder / "build.toml"
    path.write_text(path.read_text().replace("[models.b]", "[models.c]"))
    change(folder, "a", 7, width=400)
    numbers = {row["name"]: row for row in json.loads(sizes(capsys, folder, "--json"))["rows"]}
    a = numbers["a"]
    manifest = json.loads((folder / "dist" / "manifest.json").read_bytes())["models"]["a"]
    files = [*manifest["shards"], manifest["head"]]
    wires = {file["url"]: file["encodings"].get("br", file["bytes"]) for file in files}
    old = (folder / "base" / "manifest.json").read_text()
    assert a["wire"] == sum(wires.values())
    assert a["fetched"] == sum(wire for url, wire in wires.items() if url not in old)
    assert 0 < a["first"] < a["wire"]
    assert numbers["b"]["wire"] == numbers["b"]["fetched"] == 0
    assert numbers["c"]["before"] is None
    table = rows(sizes(capsys, folder))
    assert re.fullmatch(r"\+[\d.]+ [kM]?B \(\+[\d.]+ %\)", table["a ⚠️"][2]), "its inputs are wider too"
    assert table["b"][1] == "gone"
    assert re.fullmatch(r"-[\d.]+ [kM]?B \(-100\.0 %\)", table["b"][2])
    assert table["c"][2] == "new"


def test_another_contract_is_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    relabel(folder, "a", ["cat", "dog"])
    table = sizes(capsys, folder)
    assert "a ⚠️" in rows(table)
    assert "pages may have to change" in table


def test_no_base_is_no_failure_and_a_damaged_one_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "base" / "manifest.json").unlink()
    assert list(rows(sizes(capsys, folder))) == ["a", "b", "loader.js"]
    (folder / "base" / "manifest.json").write_text('{"models": 1}')
    words = ["--config", str(folder / "build.toml"), "--compare-with", str(folder / "base" / "manifest.json")]
    assert main(["sizes", *words]) == 2
    assert "is not a manifest" in capsys.readouterr().err
