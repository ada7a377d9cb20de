"""Sizes against another build, and the pipelines that show them: their files are parsed, their shell steps are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.cli import cli, main
from tests.deploying import change, project, relabel

root = Path(__file__).parents[1]


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


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / ".github" / "workflows" / "release.yml").read_text())
    return loaded


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow()["jobs"][job]["steps"]
    return found


def run_step(step: dict[str, Any], folder: Path, **more: str) -> str:
    """Run a shell step as GitHub does, with this checkout's ``build.py``."""
    (folder / "bin").mkdir(exist_ok=True)
    shim = folder / "bin" / "python"
    shim.write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" "{root / "build.py"}" "$@"\n')
    shim.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**kept, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def step_with(job: str, text: str) -> dict[str, Any]:
    return next(step for step in steps(job) if text in step.get("run", ""))


def test_the_workflow_is_sound() -> None:
    found = workflow()
    assert found["defaults"]["run"]["shell"] == "bash", "without pipefail a failed deploy would pass"
    jobs = found["jobs"]
    assert jobs["deploy"]["permissions"]["id-token"] == "write"
    assert "secrets." not in json.dumps(found), "OIDC needs no stored key"
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    assert "permissions" not in jobs["build"], "what runs a stranger's code may only read"
    for job in jobs.values():
        assert {job["needs"]} <= set(jobs) if "needs" in job else True
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            # Expressions in shell text would let a branch's name run commands.
            assert "${{" not in step.get("run", "")
            if "run" in step:
                subprocess.run(["bash", "-n", "-c", step["run"]], check=True)
    commands = [word for job in jobs.values() for step in job["steps"] for word in step.get("run", "").splitlines()]
    used = {match[1] for line in commands if (match := re.match(r"\s*python build\.py ([a-z]+)", line))}
    assert used == {"sizes", "deploy"}
    assert used <= set(cli.commands)


@pytest.mark.slow
def test_the_steps_of_a_pull_request_run(folder: Path) -> None:
    """The table is written, put into a comment, and into the same comment at the next push."""
    fake = folder / "bin" / "gh"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\necho "$@" >> calls.txt\ncase "$*" in *paginate*) cat comments.txt;; *) cp body.md sent.md;; esac\n'
    )
    fake.chmod(0o755)
    run_step(step_with("build", "cp dist/manifest.json"), folder)
    change(folder, "a", 7)
    summary = folder / "summary.md"
    run_step(step_with("build", "build.py sizes"), folder, GITHUB_STEP_SUMMARY=str(summary))
    table = (folder / "sizes.md").read_text()
    assert rows(table)["b"][2] == "0 B"
    assert summary.read_text().strip() == table.strip()
    place = {"REPOSITORY": "owner/name", "NUMBER": "5", "GH_TOKEN": "x"}
    (folder / "comments.txt").write_text("")
    run_step(step_with("comment", "gh api"), folder, **place)
    (folder / "comments.txt").write_text("41\n42\n")
    run_step(step_with("comment", "gh api"), folder, **place)
    calls = (folder / "calls.txt").read_text().splitlines()
    assert "--method POST repos/owner/name/issues/5/comments" in calls[1]
    assert "--method PATCH repos/owner/name/issues/comments/41" in calls[3]
    assert (folder / "sent.md").read_text().endswith(table)


@pytest.mark.slow
def test_the_deploy_step_runs_and_a_failed_one_fails(folder: Path) -> None:
    path = folder / "build.toml"
    path.write_text(path.read_text() + '\n[targets.prod]\ntype = "directory"\npath = "public"\n')
    step = step_with("deploy", "build.py deploy")
    run_step(step, folder)
    assert json.loads((folder / "deploy.json").read_text())["ok"]
    shutil.rmtree(folder / "dist")
    with pytest.raises(AssertionError, match="Run the build first"):
        run_step(step, folder)


def test_the_pipeline_in_the_docs_is_sound() -> None:
    text = (root / "docs" / "deploy.md").read_text()
    found = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    jobs = {name: job for name, job in found.items() if "script" in job}
    assert {job["stage"] for job in jobs.values()} == {"build", "test", "deploy"}
    lines = [line for job in jobs.values() for line in job["script"]]
    for line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True)
    used = {match[1] for line in lines if (match := re.match(r"shardpress ([a-z]+)", line))}
    assert used == {"sizes", "deploy"}
    assert used <= set(cli.commands)
