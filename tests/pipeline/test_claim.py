"""A build's folder: nothing in it is replaced or removed but what a record of ours names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.bundle.format import head_url
from builder.bundle.index import read_index
from builder.cli.main import main
from tests.helpers.deploying import change, project
from tests.helpers.models import write_model
from tests.helpers.whole import assert_whole


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site", seeds={"a": 1})


def run(folder: Path, *words: str) -> int:
    return main(["-q", "--fast", "--config", str(folder / "build.toml"), *words])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_projects_own_folder_is_refused_before_anything_is_converted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(folder / "dist")
    for name in ("sw.js", "manifest.json", "package/index.js", "cdn/assets/main.0123456789abcdef.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("the user's own")
    before = contents(folder)
    monkeypatch.setattr("builder.pipeline.run.open_session", lambda *_: pytest.fail("the work began"))
    for out in (folder, folder / "..", folder / "a"):
        capsys.readouterr()
        assert run(folder, "--out", str(out)) == 2
        assert "holds files that no build wrote" in capsys.readouterr().err
    assert contents(folder) == before


def test_the_first_three_files_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other"
    other.mkdir()
    for name in "edcba":
        (other / f"{name}.txt").write_text(name)
    capsys.readouterr()
    assert run(folder, "--out", str(other)) == 2
    assert "a.txt, b.txt, c.txt …" in capsys.readouterr().err
    assert sorted(path.name for path in other.iterdir()) == [f"{name}.txt" for name in "abcde"]


@pytest.mark.parametrize("recorded", [True, False])
def test_only_what_is_ours_is_removed_or_replaced(folder: Path, *, recorded: bool) -> None:
    """Without a record, as after a build of an earlier version, the manifest names what is ours."""
    dist = folder / "dist"
    if not recorded:
        (dist / ".shardpress.json").unlink()
        (dist / ".lock").touch()
        (dist / ".cdn.lock").touch()
    foreign = {"cdn/assets/main.0123456789abcdef.js", "cdn/tf.0123456789abcdef.js", "notes.txt", "package/README.md"}
    for name in foreign:
        (dist / name).write_text("the user's own")
    before = contents(dist)
    change(folder, "a", 7)
    after = contents(dist)
    assert {name: after[name] for name in foreign} == {name: before[name] for name in foreign}
    gone = set(before) - set(after)
    assert {name for name in gone if name.startswith("cdn/assets/a")}, "what the old release alone needs goes"
    assert set(after) - foreign == {*json.loads(after[".shardpress.json"])["files"], ".shardpress.json"}
    assert not (dist / ".lock").exists()
    assert_whole(dist / "cdn")


def test_a_foreign_file_in_the_place_of_one_of_ours_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``cdn`` is ours by its record, and then the user puts a worker of their own beside it."""
    record = folder / "dist" / ".shardpress.json"
    files = json.loads(record.read_bytes())["files"]
    record.write_text(json.dumps({"files": [name for name in files if name != "sw.js"]}))
    (folder / "dist" / "sw.js").write_text("the user's own")
    capsys.readouterr()
    assert run(folder) == 2
    assert "sw.js" in capsys.readouterr().err
    assert (folder / "dist" / "sw.js").read_text() == "the user's own"


def test_a_record_cannot_name_what_no_build_writes(folder: Path) -> None:
    (folder / "keep.txt").write_text("the user's own")
    record = folder / "dist" / ".shardpress.json"
    content = json.loads(record.read_bytes())
    content["files"] += ["../keep.txt", "cdn/../../keep.txt", "/etc/passwd", "notes.txt", "../build.toml"]
    record.write_text(json.dumps(content))
    (folder / "dist" / "notes.txt").write_text("the user's own")
    change(folder, "a", 7)
    assert (folder / "keep.txt").exists()
    assert (folder / "build.toml").exists()
    assert (folder / "dist" / "notes.txt").exists()


def test_a_build_killed_before_its_end_is_known_as_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / "dist")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("builder.pipeline.write_dist.publish", kill)
        assert run(folder) == 130
    with monkeypatch.context() as patch:
        patch.setattr("builder.pipeline.write_dist._write", kill)
        assert run(folder) == 130
    assert run(folder) == 0
    assert_whole(folder / "dist" / "cdn")


def test_a_package_that_a_killed_build_left_names_nothing_that_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is new by then, and the package beside it still the one before: its files have to be there too."""
    write_model(folder / "a", width=200, seed=7)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("builder.pipeline.write_dist._write", kill)
        assert run(folder) == 130
    head = read_index((folder / "dist/package/index.js").read_bytes()).models["a"].head_sha256
    cdn = folder / "dist" / "cdn"
    assert (cdn / head_url("a", head)).is_file()
    assert head != read_index((cdn / "loader.js").read_bytes()).models["a"].head_sha256
    assert_whole(cdn)


def test_a_build_leaves_no_lock(folder: Path) -> None:
    hidden = [path.name for path in folder.rglob(".*") if path.is_file() and ".shardpress/" not in path.as_posix()]
    assert hidden == [".shardpress.json"]
