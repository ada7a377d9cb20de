"""What in a target is ours: records of uploads, whatever a killed deploy left, and nothing of anybody else's."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.errors import UsageError
from builder.progress import Silent
from builder.publish.apply import Deployer, deploy
from builder.publish.dist import read_local
from builder.publish.emulated_conditions import record_key
from builder.publish.plan import Choice
from builder.publish.prune import plan_prune, prune
from builder.publish.records import record_uploads, recorded
from builder.stores import no_headers
from builder.stores.directory import DirectoryStore
from tests.helpers.deploying import assert_live, build, change, deployer_of, project, state_of, target_of
from tests.publish.test_deploy_emulated_conditions import CarelessStore, CreateOnlyStore

foreign = {
    "assets/main.0123456789abcdef.js": "another program's",
    "assets/a-base-0.0123456789abcdef.bin": "another program's",
    "loader.0123456789abcdef.js": "another program's",
    "tf.0123456789abcdef.js": "another program's",
    "loader-old.js": "another program's",
    "releases/00000001.js": "another program's",
    "assets/p-stock.0123456789abcdef.json": '{"weightsManifest": [{"paths": ["p-stock-0.0123456789abcdef.bin"]}]}',
    "assets/p-stock-0.0123456789abcdef.bin": "another program's",
    "shardpress-uploads-0123456789abcdef.json": '{"keys": ["index.html"]}',
    "index.html": "the site",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site")


def run(folder: Path, *words: str) -> int:
    return main([words[0], "--config", str(folder / "build.toml"), *words[1:]])


def make_old(root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path, (time.time() - 1e6,) * 2)


def add_foreign(root: Path) -> None:
    for name, content in foreign.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def deployer(folder: Path, store: DirectoryStore, *, unsafe: bool = False) -> Deployer:
    made = deployer_of(target_of(folder), grace=0.0, keep=1)
    made.store, made.unsafe = store, unsafe
    return made


def test_prune_deletes_nothing_of_another_program(folder: Path) -> None:
    assert run(folder, "deploy") == 0
    add_foreign(folder / "public")
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    make_old(folder / "public")
    gone = prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent()).actions
    assert gone
    for name, content in foreign.items():
        assert (folder / "public" / name).read_text() == content
    assert_live(DirectoryStore(folder / "public"))


class Killed(KeyboardInterrupt):
    """A process ends."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DirectoryStore, CreateOnlyStore, CarelessStore])
def test_what_a_killed_deploy_left_is_known_and_pruned(
    folder: Path, kind: type[DirectoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On all three grades of stores."""
    store = kind(folder / "public")
    unsafe = kind is CarelessStore
    deploy(deployer(folder, store, unsafe=unsafe), read_local(folder / "dist"), Choice(), Silent())
    before = set(store.list())
    change(folder, "a", 7)
    monkeypatch.setattr("builder.publish.apply.uploaders", 1)
    sent: list[str] = []

    class Ending(kind):  # type: ignore[valid-type, misc]
        def put(self, key: str, content: Path, headers: Any = no_headers) -> bool:
            if len(sent) == 3 and not key.startswith("shardpress-probe"):
                raise Killed
            sent.extend([key] if not key.startswith("shardpress-probe") else [])
            return bool(super().put(key, content, headers))

        overwrite = DirectoryStore.overwrite

    with pytest.raises(Killed):
        deploy(
            deployer(folder, Ending(folder / "public"), unsafe=unsafe), read_local(folder / "dist"), Choice(), Silent()
        )
    left = set(store.list()) - before
    assert len([key for key in left if key.endswith((".bin", ".br", ".gz", ".json"))]) > 3
    change(folder, "a", 8)
    deploy(deployer(folder, store, unsafe=unsafe), read_local(folder / "dist"), Choice(), Silent())
    make_old(folder / "public")
    prune(deployer(folder, store, unsafe=unsafe), Silent())
    assert not left & set(store.list()), "the record that named them goes with them"
    assert_live(store)
    make_old(folder / "public")
    prune(deployer(folder, store, unsafe=unsafe), Silent())
    assert len(recorded(store)) <= 2, "records of what is gone do not pile up"


@pytest.mark.slow
@pytest.mark.parametrize("deletes", [None, 0, 1, 3, 10])
def test_a_target_of_an_earlier_version_without_records_is_pruned_as_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, deletes: int | None
) -> None:
    """Also when the first prune is killed: then what had named the rest is gone."""
    text = (folder / "build.toml").read_text()
    (folder / "build.toml").write_text(text.replace("[models.a]", '[models.a]\ncompat = "float32"'))
    for seed in (5, 6):
        change(folder, "a", seed)
        assert run(folder, "deploy") == 0
    store = DirectoryStore(folder / "public")
    old = {key for key in store.list() if key.startswith("assets/a")}
    for key in recorded(store):
        store.delete(key)
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    for key in recorded(store):
        store.delete(key)
    make_old(folder / "public")
    if deletes is not None:
        gone: list[str] = []

        def delete(self: DirectoryStore, key: str) -> None:
            if len(gone) >= deletes:
                raise Killed
            gone.append(key)
            (self.root / key).unlink(missing_ok=True)

        monkeypatch.setattr("builder.publish.prune.fetchers", 1)
        whole = DirectoryStore.delete
        monkeypatch.setattr(DirectoryStore, "delete", delete)
        with pytest.raises(Killed):
            prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
        monkeypatch.setattr(DirectoryStore, "delete", whole)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert old & set(store.list()) == set()
    assert len([key for key in store.list() if key.startswith("loader.")]) == 4, "the live one, pinned, and its copies"
    assert_live(store)


def test_a_prune_that_is_cut_off_leaves_nothing_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every number of deletes before the end, the next prune removes the rest."""
    assert run(folder, "deploy") == 0
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    store = DirectoryStore(folder / "public")
    make_old(folder / "public")
    actions = plan_prune(deployer_of(target_of(folder), grace=0.0, keep=1)).actions
    for count in range(0, len(actions), 3):
        for action in actions[:count]:
            store.delete(action.key)
        left = plan_prune(deployer_of(target_of(folder), grace=0.0, keep=1)).actions
        assert {action.key for action in left} == {action.key for action in actions[count:]}


def test_a_record_young_enough_for_a_deploy_under_way_stays(folder: Path) -> None:
    assert run(folder, "deploy") == 0
    store = DirectoryStore(folder / "public")
    record_uploads(store, ["assets/a.0123456789abcdef.json"])
    assert not plan_prune(deployer_of(target_of(folder), grace=0.0)).actions
    make_old(folder / "public")
    gone = plan_prune(deployer_of(target_of(folder), grace=0.0)).actions
    assert [action.why for action in gone] == ["a record of uploads that are gone"]


def test_a_record_is_one_write_a_deploy_and_none_without_uploads(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = DirectoryStore(folder / "public")
    assert run(folder, "deploy") == 0
    assert len(recorded(store)) == 1
    named = next(iter(recorded(store).values()))
    assert named == {key for key in store.list() if key != "loader.js" and not key.startswith("shardpress-")}
    assert run(folder, "deploy") == 0
    assert run(folder, "deploy", "--repair") == 0
    assert len(recorded(store)) == 1
    change(folder, "a", 7)
    assert run(folder, "deploy", "--preview", "pr-1") == 0
    assert any("loader-pr-1.js" in keys for keys in recorded(store).values())
    change(folder, "a", 8)
    change(folder, "b", 8)
    assert run(folder, "deploy") == 0
    count = len(recorded(store))
    assert run(folder, "rollback") == 0
    assert len(recorded(store)) == count
    assert run(folder, "rollback", "--only", "b", "--to", state_of(store)["releases"][0][0]) == 0
    assert len(recorded(store)) == count + 1, "the merged loader is new"


@pytest.mark.parametrize("name", ["loader.js", "loader.js.br", "loader.js.gz"])
def test_a_first_deploy_refuses_files_in_the_place_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "public").mkdir()
    (folder / "public" / name).write_text("the user's own")
    (folder / "public" / "index.html").write_text("the site")
    for words in (["deploy", "--dry-run"], ["deploy"]):
        capsys.readouterr()
        assert run(folder, *words) in (2, 4)
        assert name in capsys.readouterr().err
    assert {path.name for path in (folder / "public").iterdir()} == {name, "index.html"}
    assert (folder / "public" / name).read_text() == "the user's own"


def test_a_first_deploy_names_three_of_the_files_it_would_replace(folder: Path) -> None:
    local = read_local(folder / "dist")
    names = sorted(file.url for file in (*local.models["a"].shards, *local.models["b"].shards))[:4]
    (folder / "public" / "assets").mkdir(parents=True)
    for name in names:
        (folder / "public" / name).write_text("not what its name says")
    with pytest.raises(UsageError, match="and 1 more") as caught:
        deploy(deployer_of(target_of(folder)), local, Choice(), Silent())
    assert all(name in caught.value.what for name in names[:3])
    assert [path.read_text() for path in (folder / "public" / "assets").iterdir()] == ["not what its name says"] * 4
    record_uploads(DirectoryStore(folder / "public"), names)  # a killed first deploy has written them
    deploy(deployer_of(target_of(folder)), local, Choice(), Silent())
    assert_live(DirectoryStore(folder / "public"))


def test_a_sites_folder_takes_models_beside_its_own_files(folder: Path) -> None:
    (folder / "public" / "assets").mkdir(parents=True)
    own = {"index.html": "<html>", "assets/app.js": "1", "assets/main.0123456789abcdef.js": "2", "sw.js": "3"}
    for name, content in own.items():
        (folder / "public" / name).write_text(content)
    assert run(folder, "deploy") == 0
    assert {name: (folder / "public" / name).read_text() for name in own} == own


def test_a_preview_does_not_replace_another_programs_loader(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    (folder / "public" / "loader-pr-1.js").write_text("another program's")
    change(folder, "a", 7)
    capsys.readouterr()
    assert run(folder, "deploy", "--preview", "pr-1") == 2
    assert "loader-pr-1.js" in capsys.readouterr().err
    assert (folder / "public" / "loader-pr-1.js").read_text() == "another program's"
    assert run(folder, "deploy", "--preview", "pr-2") == 0


def test_looking_makes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '[targets.test]\ntype = "directory"\npath = "deep/er/public"\n'
    (folder / "build.toml").write_text((folder / "build.toml").read_text() + text)
    looks = (["deploy", "--dry-run"], ["releases"], ["verify"], ["prune", "--dry-run"], ["rollback", "--dry-run"])
    before = sorted(folder.parent.rglob("*"))
    for words in looks:
        run(folder, *words)
    assert sorted(folder.parent.rglob("*")) == before
    assert run(folder, "deploy") == 0
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    assert not [path for path in folder.rglob(".*") if path.suffix == ".lock"], "no lock is left either"
    times = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    for words in looks:
        assert run(folder, *words) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == times


def test_looking_does_not_write_a_pointer_that_was_left_behind(folder: Path) -> None:
    """Where numbered records decide, whoever means to write brings ``loader.js`` up to date, and nobody else."""
    store = CreateOnlyStore(folder / "public")
    deploy(deployer(folder, store), read_local(folder / "dist"), Choice(), Silent())
    first = (folder / "public" / "loader.js").read_bytes()
    change(folder, "a", 7)
    deploy(deployer(folder, store), read_local(folder / "dist"), Choice(), Silent())
    (folder / "public" / "loader.js").write_bytes(first)
    plan = plan_prune(deployer(folder, store))
    assert len(plan.kept) == 1
    assert (folder / "public" / "loader.js").read_bytes() == first
    assert {record_key(1), record_key(2)} <= set(store.list())


def test_a_record_cannot_make_prune_delete_anything_else(folder: Path) -> None:
    assert run(folder, "deploy") == 0
    store = DirectoryStore(folder / "public")
    (folder / "public" / "index.html").write_text("the site")
    (folder / "secret").write_text("outside")
    record_uploads(store, ["index.html", "../secret", "loader.js", "sw.js"])
    make_old(folder / "public")
    prune(deployer_of(target_of(folder), grace=0.0), Silent())
    assert (folder / "public" / "index.html").exists()
    assert (folder / "secret").exists()
    assert_live(store)


def spoil_missing(path: Path) -> None:
    path.unlink()


def spoil_bytes(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [spoil_missing, spoil_bytes])
@pytest.mark.parametrize("pattern", ["assets/a-b*.bin", "assets/a.*.json", "assets/a-stock*.bin", "loader.*.js"])
def test_a_release_that_is_not_whole_is_not_gone_back_to(
    folder: Path, capsys: pytest.CaptureFixture[str], pattern: str, spoil: Any
) -> None:
    text = (folder / "build.toml").read_text()
    (folder / "build.toml").write_text(text.replace("[models.a]", '[models.a]\ncompat = "float32"'))
    build(folder)
    assert run(folder, "deploy") == 0
    store = DirectoryStore(folder / "public")
    spoilt = min((folder / "public").glob(pattern))
    change(folder, "a", 7)
    assert run(folder, "deploy") == 0
    content = spoilt.read_bytes()
    spoil(spoilt)
    live = assert_live(store)
    before = (folder / "public" / "loader.js").read_bytes()
    for words in (["rollback"], ["rollback", "--only", "a"], ["rollback", "--dry-run"]):
        capsys.readouterr()
        assert run(folder, *words) == 4
        assert "release" in capsys.readouterr().err or pattern == "loader.*.js"
        assert (folder / "public" / "loader.js").read_bytes() == before
    assert assert_live(store) == live
    spoilt.write_bytes(content)
    assert run(folder, "rollback") == 0
    assert_live(store)
