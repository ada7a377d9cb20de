"""What the command line takes, and what it tells before any work."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from builder.cli.main import cli, main
from builder.pipeline import models
from builder.program import program
from tests.helpers import tiny


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with the installed command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["shardpress"])
    return tmp_path


def test_options_before_the_command_are_obeyed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.graph_model(folder / "m")
    (folder / "other.toml").write_text('[models.other]\nsource = "m/model.json"\n')
    (folder / "third.toml").write_text('[models.third]\nsource = "m/model.json"\n')
    assert main(["--config", "other.toml", "--json", "check"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "other"
    assert main(["--config", "other.toml", "check", "--config", "third.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "third"
    assert main(["--quiet", "--config", "other.toml", "check"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--config", "other.toml", "--out", "elsewhere", "report"]) == 2
    assert "elsewhere/report.html" in capsys.readouterr().err
    assert main(["--config", "other.toml", "schema"]) == 0


@pytest.mark.parametrize("command", sorted(set(cli.commands) - {"schema"}))
def test_every_command_takes_the_common_options_before_it(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.toml").write_text("odd")
    assert main(["--config", "odd.toml", "--json", command]) in {0, 1, 2}
    said = capsys.readouterr()
    document = json.loads(said.out)
    if command != "doctor":
        assert document["ok"] is False
        assert "odd.toml" in said.err


def test_options_that_do_not_go_with_a_command_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--watch", "check"]) == 2
    assert "--watch cannot be used with check" in capsys.readouterr().err


def test_without_settings_it_proposes_to_make_some(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Run shardpress init" in capsys.readouterr().err


def test_it_calls_itself_as_it_was_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.graph_model(folder / "m")
    assert program() == "shardpress"
    monkeypatch.setattr(sys, "argv", ["../a copy/build.py"])
    assert program() == "python '../a copy/build.py'"
    monkeypatch.setattr(sys, "argv", ["../my-build.py"])
    assert program() == "shardpress"


def test_in_a_folder_of_ones_own_nothing_else_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.graph_model(folder / "m")
    texts = []
    for words in (["init", "--no-build"], ["init", "--example", "words", "site"], ["--help"], ["check", "-h"], ["-x"]):
        main(words)
        said = capsys.readouterr()
        texts += [said.out, said.err]
    written = [path for path in folder.rglob("*") if path.suffix in {".toml", ".js", ".html", ".py"}]
    texts += [path.read_text() for path in written]
    assert len(written) >= 5
    for text in texts:
        assert "build.py" not in text
        assert "shardpress" in text or not re.search(r"schema|--watch", text)


def test_wrong_names_of_files_are_told_before_anything_converts(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(models, "plan_model", lambda session, name, model: begun.append(name))
    for key, text in {
        "verify.inputs": 'verify.inputs = "none/*.png"',
        "labels": 'labels = "none.txt"',
        "custom_ops": 'custom_ops = "none.js"',
        "vocabulary": 'vocabulary = "none.txt"',
    }.items():
        (folder / "build.toml").write_text(
            f'[models.a]\nsource = "m/model.json"\n[models.b]\nsource = "m/model.json"\n{text}\n'
        )
        assert main([]) == 2
        assert f"models.b.{key}" in capsys.readouterr().err
    assert begun == []


def test_a_missing_node_is_told_before_anything_converts(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.graph_model(folder / "m")
    (folder / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
    begun: list[str] = []
    make = models.make_model
    monkeypatch.setattr(models, "make_model", lambda session, plan: (begun.append(plan.name), make(session, plan))[1])
    monkeypatch.setenv("PATH", str(folder))
    assert main(["--strict"]) == 1
    said = capsys.readouterr().err
    assert "Node is not installed" in said
    assert "--strict" in said
    assert begun == []
    assert main(["--quiet"]) == 0
    assert begun == ["a"]
    # The bundle's own TensorFlow.js needs it, strict or not.
    (folder / "build.toml").write_text('[runtime]\nbuild = true\n[models.b]\nsource = "m/model.json"\n')
    assert main([]) == 1
    assert "runtime.build: Node is not installed" in capsys.readouterr().err
    assert begun == ["a"]


def test_a_question_ends_as_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "build.toml").write_text("[serve]\nhost = []\n")
    assert main([]) == 2
    assert capsys.readouterr().err.endswith("unknown key 'host'. Did you mean 'hosts'? [SP-203]\n")


@pytest.mark.parametrize(
    "line",
    ['hosts = ["https://x.example"]', 'hosts = ["X.example"]', 'hosts = ["x.example:80"]', 'origins = ["null"]',
     'origins = ["*"]', 'origins = ["https://x.example/"]', 'origins = ["https://x.example:443"]'],
)  # fmt: skip
def test_hosts_and_origins_are_as_browsers_write_them(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "build.toml").write_text(f"[serve]\n{line}\n")
    assert main([]) == 2
    assert f"serve: the {line.split('s =')[0]} " in capsys.readouterr().err
    (folder / "build.toml").write_text(
        '[serve]\nhosts = [".x.example", "y"]\norigins = ["https://x.example:8443", "tauri://localhost"]\n'
    )
    assert main([]) == 2
    assert "no model to build" in capsys.readouterr().err


def test_a_folder_of_pages_that_is_none_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "build.toml").write_text("")
    assert main(["--watch", "--pages", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
