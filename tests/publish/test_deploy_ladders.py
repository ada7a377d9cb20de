"""Ladders in a target: their rungs go with them, and no page depends on a rung by its name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.progress import Silent
from builder.publish.prune import prune
from builder.stores.directory import DirectoryStore
from tests.helpers.deploying import assert_live, build, deployer_of, target_of
from tests.helpers.models import write_model
from tests.helpers.rungs import ladder_of

coarse, exact = 'source = "a/model.json", precision = "float16"', 'source = "a/model.json"'
middle = 'source = "a/model.json", precision = "uint16"'
plain = f"[models.what]\n{exact}\n"
other = '[models.other]\nsource = "b/model.json"\n'
old = 1e6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "a", width=400, seed=1)
    write_model(tmp_path / "b", width=200, seed=2)
    return tmp_path


def make(folder: Path, text: str) -> None:
    target = '[targets.test]\ntype = "directory"\npath = "public"\nkeep_releases = 1\n'
    (folder / "build.toml").write_text(f'[build]\nshard_bytes = "4 KiB"\n{text}{target}')
    build(folder)


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*words, "--json"]) == status
    return dict(json.loads(capsys.readouterr().out))


def complaint(capsys: pytest.CaptureFixture[str], *words: str, status: int) -> str:
    capsys.readouterr()
    assert main([*words]) == status
    return capsys.readouterr().err


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "public/assets").iterdir())


def age(folder: Path) -> None:
    """Let all files of the target be older than any grace period."""
    for path in (folder / "public").rglob("*"):
        os.utime(path, (time.time() - old,) * 2)


def test_a_ladder_is_deployed_checked_pruned_and_taken_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = DirectoryStore(folder / "public")
    make(folder, ladder_of(coarse, exact) + other)
    run(capsys, "deploy")
    release, index = assert_live(store)
    assert index.models["what"].rungs == ("what-rung1",)
    assert run(capsys, "verify")["release"] == release
    assert run(capsys, "deploy")["idle"]
    age(folder)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert assert_live(store)[0] == release, "prune leaves what rungs need"
    shard = next(path for path in (folder / "public/assets").iterdir() if path.name.startswith("what-rung1-base"))
    content = shard.read_bytes()
    shard.write_bytes(bytes(len(content)))
    assert shard.name in complaint(capsys, "verify", status=4)
    shard.write_bytes(content)
    make(folder, ladder_of(middle, exact) + other)
    done = run(capsys, "deploy")
    put = [action["key"] for action in done["actions"] if action["do"] == "put" and "assets/" in action["key"]]
    assert put
    assert all("what-rung1" in key for key in put), "each rung has a head of its own: the others cost nothing"
    run(capsys, "rollback")
    assert assert_live(store)[0] == release


def test_a_model_becomes_a_ladder_and_a_ladder_a_model_without_breaking_a_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = DirectoryStore(folder / "public")
    make(folder, plain + other)
    run(capsys, "deploy")
    make(folder, ladder_of(coarse, middle, exact) + other)
    run(capsys, "deploy")
    assert set(assert_live(store)[1].models) == {"what", "what-rung1", "what-rung2", "other"}
    make(folder, ladder_of(coarse, exact) + other)
    run(capsys, "deploy")
    assert set(assert_live(store)[1].models) == {"what", "what-rung1", "other"}
    make(folder, plain + other)
    run(capsys, "deploy")
    assert set(assert_live(store)[1].models) == {"what", "other"}
    age(folder)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert [name for name in files(folder) if "rung" in name] == []
    make(folder, other)
    assert "what is live but not in this bundle" in complaint(capsys, "deploy", status=1)


def test_only_takes_the_rungs_along_and_leaves_other_models_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = DirectoryStore(folder / "public")
    make(folder, plain + other)
    first = run(capsys, "deploy")["loader"]
    write_model(folder / "b", width=200, seed=9)
    make(folder, ladder_of(coarse, middle, exact) + other)
    before = assert_live(store)[1].models["other"]
    run(capsys, "deploy", "--only", "what")
    index = assert_live(store)[1]
    assert index.models["what"].rungs == ("what-rung1", "what-rung2")
    assert set(index.models) == {"what", "what-rung1", "what-rung2", "other"}
    assert index.models["other"] == before
    run(capsys, "deploy", "--only", "other")
    assert assert_live(store)[1].models["what"].rungs == ("what-rung1", "what-rung2"), "kept as it is"
    make(folder, plain + other)
    run(capsys, "deploy", "--only", "what")
    assert set(assert_live(store)[1].models) == {"what", "other"}
    run(capsys, "rollback", "--only", "what")
    assert set(assert_live(store)[1].models) == {"what", "what-rung1", "what-rung2", "other"}
    run(capsys, "rollback", "--only", "what", "--to", first)
    assert set(assert_live(store)[1].models) == {"what", "other"}


def test_a_change_of_the_contract_is_told_of_the_ladder_and_keeps_its_last_head(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = DirectoryStore(folder / "public")
    make(folder, ladder_of(coarse, exact))
    run(capsys, "deploy")
    before = assert_live(store)[1].models["what"]
    (folder / "labels.txt").write_text("\n".join("abcdefgh"))
    make(folder, ladder_of(coarse, exact, more='labels = "labels.txt"'))
    said = complaint(capsys, "deploy", status=1)
    assert "what has other inputs, outputs or labels" in said
    assert "rung1" not in said
    run(capsys, "deploy", "--breaking")
    index = assert_live(store)[1]
    older = index.models["what"].extras.older
    assert older is not None
    assert older.sha256 == before.head_sha256
    assert index.models["what-rung1"].extras.older is None
    assert index.models["what"].rungs == ("what-rung1",)


def test_a_preview_has_its_rungs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = DirectoryStore(folder / "public")
    make(folder, plain)
    run(capsys, "deploy")
    make(folder, ladder_of(coarse, exact))
    run(capsys, "deploy", "--preview", "next")
    assert set(assert_live(store)[1].models) == {"what"}
    assert assert_live(store, "loader-next.js")[1].models["what"].rungs == ("what-rung1",)
    age(folder)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert_live(store, "loader-next.js")
