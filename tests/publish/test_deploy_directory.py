"""Deploys to a folder: plan, release, merge, contract, rollback, preview, prune."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builder.bundle.format import head_url
from builder.bundle.head import HeadShard, read_head, write_head
from builder.bundle.index import Extras, make_index, read_index, replace_index
from builder.bundle.manifest import FileEntry
from builder.cli.main import main
from builder.errors import ContractError, StoreConflictError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.plan import Choice, make_plan
from builder.publish.pointer import Pointer, State
from builder.publish.prune import prune
from builder.publish.uploads import Form
from builder.stores.directory import DirectoryStore
from tests.helpers.deploying import assert_live, build, change, deployer_of, project, relabel, state_of, target_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site")


def run(folder: Path, *words: str) -> int:
    return main([words[0], "--config", str(folder / "build.toml"), *words[1:]])


def answer(capsys: pytest.CaptureFixture[str], folder: Path, *words: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert run(folder, *words, "--json") == status
    return json.loads(capsys.readouterr().out)


def store_of(folder: Path) -> DirectoryStore:
    return DirectoryStore(folder / "public")


def make_old(folder: Path, seconds: float = 1e6) -> None:
    """Let all files of the target be older than any grace period."""
    for path in (folder / "public").rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_the_first_deploy_goes_to_public_and_the_next_has_nothing_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = answer(capsys, folder, "deploy", "--dry-run")
    assert {action["do"] for action in plan["actions"]} == {"put", "swap"}
    assert plan["actions"][-1]["key"] == "loader.js"
    assert not list((folder / "public").rglob("*.js")), "a dry run writes nothing"
    done = answer(capsys, folder, "deploy")
    live, index = assert_live(store_of(folder))
    assert live == done["release"]
    assert set(index.models) == {"a", "b"}
    before = (folder / "public" / "loader.js").read_bytes()
    again = answer(capsys, folder, "deploy")
    assert again["idle"]
    assert again["actions"] == []
    assert (folder / "public" / "loader.js").read_bytes() == before


def test_a_changed_model_sends_only_its_changed_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    done = answer(capsys, folder, "deploy")
    sent = [action["key"] for action in done["actions"] if action["do"] == "put"]
    assert sent
    assert all(key.startswith(("assets/a", "loader.")) for key in sent)
    assert all(action["why"] for action in done["actions"])
    assert_live(store_of(folder))
    assert state_of(store_of(folder))["generation"] == 2


def test_only_changes_one_entry_and_keeps_the_others(folder: Path) -> None:
    run(folder, "deploy")
    _, before = assert_live(store_of(folder))
    change(folder, "a", 7)
    change(folder, "b", 8)
    assert run(folder, "deploy", "--only", "a") == 0
    _, after = assert_live(store_of(folder))
    assert after.models["b"] == before.models["b"]
    assert after.models["a"] != before.models["a"]
    assert run(folder, "deploy", "--only", "nothing") == 2


def test_a_contract_changes_only_when_that_is_wanted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "deploy")
    _, before = assert_live(store_of(folder))
    relabel(folder, "a", ["cat", "dog"])
    capsys.readouterr()
    assert run(folder, "deploy") == ContractError.exit_status
    assert "--breaking" in capsys.readouterr().err
    assert assert_live(store_of(folder))[1] == before
    assert run(folder, "deploy", "--breaking") == 0
    _, after = assert_live(store_of(folder))
    older, entry = after.models["a"].extras.older, before.models["a"]
    assert older
    assert (older.sha256, older.nbytes) == (entry.head_sha256, entry.head_bytes)
    # A later release of the same contract keeps the older head, and prune keeps its files.
    change(folder, "a", 5)
    assert run(folder, "deploy") == 0
    _, last = assert_live(store_of(folder))
    assert last.models["a"].extras == after.models["a"].extras
    make_old(folder)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert_live(store_of(folder))


def test_a_model_leaves_the_release_only_when_that_is_wanted(folder: Path) -> None:
    run(folder, "deploy")
    text = (folder / "build.toml").read_text()
    (folder / "build.toml").write_text(text.replace('[models.b]\nsource = "b/model.json"', ""))
    build(folder)
    assert run(folder, "deploy") == ContractError.exit_status
    assert run(folder, "deploy", "--breaking") == 0
    assert set(assert_live(store_of(folder))[1].models) == {"a"}


def test_rollback_goes_back_step_by_step_and_generations_only_grow(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = []
    for seed in (1, 5, 6):
        change(folder, "a", seed)
        names.append(answer(capsys, folder, "deploy")["release"])
    assert answer(capsys, folder, "rollback")["release"] == names[1]
    assert answer(capsys, folder, "rollback")["release"] == names[0]
    assert run(folder, "rollback") == 2
    assert assert_live(store_of(folder))[0] == names[0]
    assert answer(capsys, folder, "rollback", "--to", names[2][:6])["release"] == names[2]
    shown = answer(capsys, folder, "releases")
    assert shown["generation"] == 6
    assert [item["release"] for item in shown["releases"]] == names[::-1]
    assert [item["live"] for item in shown["releases"]] == [True, False, False]
    assert run(folder, "rollback", "--to", "nothing") == 2


def test_a_bundle_has_one_name_from_the_build_to_the_live_site(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when the live index knows more than the build did."""

    def check() -> str:
        name: str = json.loads((folder / "dist" / "manifest.json").read_bytes())["release"]
        assert json.loads((folder / "dist" / "report.json").read_bytes())["release"] == name
        assert answer(capsys, folder, "deploy", "--breaking")["release"] == name
        assert answer(capsys, folder, "deploy")["release"] == name, "nothing to do"
        shown = answer(capsys, folder, "releases")
        assert (shown["live"], shown["releases"][0]["release"]) == (name, name)
        assert answer(capsys, folder, "verify")["release"] == name
        return name

    first = check()
    relabel(folder, "a", ["cat", "dog"])
    second = check()
    assert assert_live(store_of(folder))[1].models["a"].extras.older, "what the build does not know"
    change(folder, "b", 5)
    assert answer(capsys, folder, "deploy", "--preview", "pr-1")["release"] not in (first, second)
    assert answer(capsys, folder, "rollback")["release"] == first
    assert answer(capsys, folder, "rollback", "--to", second[:8])["before"] == first


def test_releases_of_the_same_models_are_told_apart_by_their_loaders(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = answer(capsys, folder, "deploy")
    path = folder / "build.toml"
    path.write_text(path.read_text().replace("[models.a]", '[models.a]\nload = "idle"'))
    build(folder)
    second = answer(capsys, folder, "deploy")
    assert first["release"] == second["release"]
    assert first["loader"] != second["loader"]
    capsys.readouterr()
    assert run(folder, "rollback", "--to", first["release"]) == 2
    assert first["loader"] in capsys.readouterr().err
    assert answer(capsys, folder, "rollback", "--to", first["loader"][:10])["loader"] == first["loader"]


def test_rollback_of_one_model_leaves_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = answer(capsys, folder, "deploy")["release"]
    _, before = assert_live(store_of(folder))
    change(folder, "a", 7)
    change(folder, "b", 8)
    run(folder, "deploy")
    _, middle = assert_live(store_of(folder))
    assert answer(capsys, folder, "rollback", "--only", "a", "--to", first)["models"] == ["a"]
    _, after = assert_live(store_of(folder))
    assert after.models == {"a": before.models["a"], "b": middle.models["b"]}


def test_a_preview_has_its_own_pointer_and_the_release_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = answer(capsys, folder, "deploy")["release"]
    relabel(folder, "a", ["cat", "dog"])
    preview = answer(capsys, folder, "deploy", "--preview", "pr-1", "--ttl", "1h")["release"]
    assert assert_live(store_of(folder))[0] == live
    assert assert_live(store_of(folder), "loader-pr-1.js")[0] == preview
    assert run(folder, "verify", "--preview", "pr-1") == 0
    assert answer(capsys, folder, "deploy", "--preview", "pr-1")["idle"]
    assert answer(capsys, folder, "releases")["previews"]["pr-1"]["release"] == preview
    make_old(folder)
    prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    assert assert_live(store_of(folder), "loader-pr-1.js")[0] == preview
    assert run(folder, "deploy", "--preview", "../up") == 2


def test_a_preview_ends_with_its_time(folder: Path) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    assert run(folder, "deploy", "--preview", "pr-1", "--ttl", "0 s", "--no-verify") == 0
    make_old(folder)
    gone = {action.key for action in prune(deployer_of(target_of(folder), grace=0.0), Silent()).actions}
    assert "loader-pr-1.js" in gone
    assert any(key.startswith("assets/a-") for key in gone)
    assert "previews" not in state_of(store_of(folder))
    assert_live(store_of(folder))


def test_a_first_release_cannot_be_a_preview(folder: Path) -> None:
    assert run(folder, "deploy", "--preview", "pr-1") == 2
    assert list(store_of(folder).list()) == []


def test_a_pipeline_gets_a_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    assert run(folder, "deploy") == 0
    assert assert_live(store_of(folder))[0] in (folder / "summary.md").read_text()


def test_prune_keeps_releases_pins_and_everything_young(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, loaders = [], []
    for seed in (1, 5, 6, 7):
        change(folder, "a", seed)
        done = answer(capsys, folder, "deploy")
        names.append(done["release"])
        loaders.append(done["loader"])
    assert run(folder, "releases", "--pin", names[0]) == 0
    target = target_of(folder)
    assert not prune(deployer_of(target, keep=1), Silent()).actions, "all was live within the grace period"
    make_old(folder, 50)
    assert not prune(deployer_of(target, grace=100.0, keep=1), Silent()).actions
    (folder / "public" / "robots.txt").write_text("mine")
    make_old(folder)
    done = prune(deployer_of(target, grace=0.0, keep=2), Silent())
    assert set(done.kept) == {names[0], names[2], names[3]}
    gone = {action.key for action in done.actions}
    assert f"loader.{loaders[1]}.js" in gone
    assert all(action.why for action in done.actions)
    assert (folder / "public" / "robots.txt").exists()
    assert_live(store_of(folder))
    for name in (names[0], names[2]):
        assert run(folder, "rollback", "--to", name) == 0
        assert assert_live(store_of(folder))[0] == name
    assert run(folder, "verify") == 0


def test_verify_finds_what_is_missing_or_damaged_and_repair_restores_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, "deploy")
    shards = sorted((folder / "public" / "assets").glob("a-*.bin"))
    shards[0].write_bytes(b"something else")
    shards[1].unlink()
    problems = answer_of_failure(capsys, folder, "verify")
    assert shards[0].name in problems
    assert shards[1].name in problems
    problems = answer_of_failure(capsys, folder, "deploy")
    assert shards[0].name in problems, "the pointer is trusted, and yet what it names is verified"
    assert answer(capsys, folder, "deploy", "--no-verify")["idle"]
    assert run(folder, "deploy", "--repair") == 0
    assert run(folder, "verify") == 0


def answer_of_failure(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    capsys.readouterr()
    assert run(folder, *words) == 4
    return capsys.readouterr().err


class Interrupted(DirectoryStore):
    """Lets somebody else in just before the swap."""

    def __init__(self, root: Path, action: Any) -> None:
        super().__init__(root)
        self.action = action

    def swap(self, key: str, content: bytes, tag: str | None, headers: Any = None) -> str:
        action, self.action = self.action, None
        if action:
            action()
        return super().swap(key, content, tag)


def test_a_release_of_nothing_but_another_offline_worker_is_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer(capsys, folder, "deploy")
    old = state_of(store_of(folder))["worker"]
    monkeypatch.setattr("builder.pipeline.write_dist.render_worker", lambda: b"// another worker\n")
    build(folder)
    local = read_local(folder / "dist")
    assert local.worker.url != old
    done = answer(capsys, folder, "deploy")
    assert (done["release"], done["idle"], done["changed"]) == (first["release"], False, True)
    assert [action["key"] for action in done["actions"] if action["do"] == "put"] == [local.worker.url]
    assert state_of(store_of(folder))["worker"] == local.worker.url
    assert (folder / "public" / old).exists(), "sites that name the old one keep it"
    assert answer(capsys, folder, "deploy")["idle"]
    (folder / "public" / local.worker.url).write_bytes(b"// torn")
    assert f"{local.worker.url}: is not what is said of it" in _complaint(capsys, folder)
    (folder / "public" / local.worker.url).unlink()
    assert local.worker.url in _complaint(capsys, folder)
    assert run(folder, "deploy", "--repair") == 0
    assert run(folder, "verify") == 0


def _complaint(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    capsys.readouterr()
    assert run(folder, "verify") == 4
    return capsys.readouterr().err


def test_every_module_beside_the_loader_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy") == 0
    modules = [file.url for file in read_local(folder / "dist").modules]
    assert modules
    for url in modules:
        (folder / "public" / url).unlink()
        assert url in _complaint(capsys, folder)
        assert run(folder, "deploy", "--repair") == 0


def test_of_two_deploys_of_one_model_one_wins_and_the_other_is_told(folder: Path) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    kept = folder / "kept"
    (folder / "dist").rename(kept)
    local = read_local(kept)

    def other() -> None:
        change(folder, "a", 9)
        assert run(folder, "deploy") == 0

    deployer = deployer_of(target_of(folder))
    deployer.store = Interrupted(folder / "public", other)
    with pytest.raises(StoreConflictError) as caught:
        deploy(deployer, local, Choice(only=("a",)), Silent())
    assert caught.value.exit_status == 3
    assert assert_live(store_of(folder))[1] == read_local(folder / "dist").index


def test_deploys_of_different_models_both_win(folder: Path) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    kept = folder / "kept"
    (folder / "dist").rename(kept)
    first = read_local(kept)

    def other() -> None:
        change(folder, "b", 9)
        assert run(folder, "deploy", "--only", "b") == 0

    deployer = deployer_of(target_of(folder))
    deployer.store = Interrupted(folder / "public", other)
    deploy(deployer, first, Choice(only=("a",)), Silent())
    _, index = assert_live(store_of(folder))
    assert index.models["a"] == first.index.models["a"]
    assert index.models["b"] == read_local(folder / "dist").index.models["b"]


@pytest.mark.slow
def test_a_dead_prune_keeps_deploys_away_only_for_its_lease(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    run(folder, "deploy")
    make_old(folder)
    monkeypatch.setattr(DirectoryStore, "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    monkeypatch.undo()
    assert "lease" not in state_of(store_of(folder)), "a prune that is interrupted gives the lease back"
    monkeypatch.setattr("builder.publish.prune._release_lease", lambda *_: None)
    monkeypatch.setattr(DirectoryStore, "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())
    monkeypatch.undo()
    assert state_of(store_of(folder))["lease"], "one that is killed cannot"
    change(folder, "a", 8)
    monkeypatch.setattr("builder.publish.apply.longest_wait", 0.0)
    config = ["--config", str(folder / "build.toml")]
    assert main(["deploy", *config]) == 3
    os.utime(folder / "public" / "loader.js", (time.time() - 80,) * 2)
    assert main(["deploy", *config]) == 0
    assert "lease" not in state_of(store_of(folder))
    assert_live(store_of(folder))


class CountingStore(DirectoryStore):
    """Counts what a plan asks for."""

    asked = 0

    def read(self, key: str, *more: int) -> Any:
        self.asked += 1
        return super().read(key, *more)

    def get(self, key: str) -> Any:
        self.asked += 1
        return super().get(key)

    def listing(self, prefix: str = "") -> Any:
        self.asked += 1
        return super().listing(prefix)


def test_a_change_in_a_large_catalogue_asks_for_little(folder: Path, tmp_path: Path) -> None:
    """A thousand models with twenty shards each: the plan reads the pointer, one head, and the few new objects."""
    run(folder, "deploy")
    small = read_local(folder / "dist")
    model = small.models["a"]
    shards = tuple(
        msgspec.structs.replace(
            model.shards[0], url=f"assets/m7-base-{n}.{n:016x}.bin", sha256=f"{n:016x}{0:048x}", encodings={}
        )
        for n in range(20)
    )
    models = {f"m{n}": replace(model, shards=shards) for n in range(1000)}
    index = make_index(dict.fromkeys(models, small.index.models["a"]))
    large = replace(small, loader=replace_index(small.loader, index), index=index, models=models)
    store = CountingStore(tmp_path / "large")
    live = Pointer(large.loader, index, State(headers=""), "tag", 0.0, 0.0)
    (store.root / "assets").mkdir(parents=True)
    head = f"assets/m7.{model.head.sha256[:16]}.json"
    (store.root / head).write_bytes((folder / "dist" / "cdn" / model.head.url).read_bytes())
    before = read_head((store.root / head).read_bytes())
    named = tuple(HeadShard(0, shard.bytes, shard.bytes, shard.sha256, ()) for shard in shards)
    content = write_head(msgspec.structs.replace(before, name="m7", stages=("base",), shards=named))
    digest = hashlib.sha256(content).hexdigest()
    changed = FileEntry(head_url("m7", digest), len(content), digest, {})
    (folder / "dist" / "cdn" / changed.url).write_bytes(content)
    entry = replace(index.models["m7"], head_sha256=digest)
    wanted = replace(
        large,
        models={**models, "m7": replace(models["m7"], head=changed)},
        index=make_index({**index.models, "m7": entry}),
    )
    wanted = replace(wanted, loader=replace_index(large.loader, wanted.index))
    plan = make_plan(wanted, store, Form(keeps_headers=False, encoding="", rules={}), live, Choice(), tmp_path)
    assert changed.url in {action.key for action in plan.actions if action.do == "put"}
    assert len(plan.actions) > 20_000
    assert store.asked < 36


def test_without_a_build_there_is_nothing_to_deploy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "deploy", "--out", str(folder / "none")) == 2
    assert "build" in capsys.readouterr().err
    assert run(folder, "rollback") == 4
    assert run(folder, "deploy", "elsewhere") == 2


def test_an_index_is_replaced_without_touching_the_code(folder: Path) -> None:
    loader = (folder / "dist" / "cdn" / "loader.js").read_bytes()
    index = read_index(loader)
    assert replace_index(loader, index) == loader
    entry = replace(index.models["a"], extras=Extras(unknown={"later": "</script>&'"}))
    hostile = make_index({"a": entry}, index.modules)
    other = replace_index(loader, hostile)
    assert b"</script>&" not in other
    assert read_index(other) == hostile
