"""Leases, fences and what a prune that sleeps may do; previews; what follows a release."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builder.cli.main import main
from builder.errors import StoreConflictError, StoreDeniedError, StoreError
from builder.progress import Silent
from builder.publish import follow_up
from builder.publish.apply import Deployer, deploy
from builder.publish.dist import read_local
from builder.publish.follow_up import check_patiently, pay
from builder.publish.live import Checked, Problem
from builder.publish.plan import Choice
from builder.publish.pointer import State, join_pointer, read_pointer, split_pointer
from builder.publish.previews import empty, settle_preview
from builder.publish.probe import holds_fence
from builder.publish.prune import prune
from builder.publish.targets import Target
from builder.stores import Fence, Removed, clock
from builder.stores.directory import DirectoryStore
from builder.stores.locking import locked
from tests.helpers.deploying import assert_live, change, deployer_of, project, state_of, target_of


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
    for path in (folder / "public").rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def with_unneeded(folder: Path) -> dict[str, bytes]:
    """Deploy twice and give the files that only the first release needs."""
    assert run(folder, "deploy", "--no-verify") == 0
    first = {key: (folder / "public" / key).read_bytes() for key in store_of(folder).list()}
    change(folder, "a", 7)
    assert run(folder, "deploy", "--no-verify") == 0
    second = read_local(folder / "dist")
    needed = {file.url for model in second.models.values() for file in (model.head, *model.shards)}
    gone = {key: content for key, content in first.items() if key.startswith("assets/a") and key not in needed}
    assert gone
    make_old(folder)
    return gone


class SleepyStore(DirectoryStore):
    """Lets somebody else act between the pruner's decision to delete and the delete."""

    def __init__(self, root: Path, action: Callable[[], None]) -> None:
        super().__init__(root)
        self.action: Callable[[], None] | None = action

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        action, self.action = self.action, None
        if action:
            action()
        return super().remove(keys, fence)


def test_a_pruner_that_slept_longer_than_its_lease_deletes_nothing(folder: Path) -> None:
    unneeded = with_unneeded(folder)

    def meanwhile() -> None:
        os.utime(folder / "public" / "loader.js", (time.time() - 80,) * 2)
        change(folder, "a", 1)  # needs again what the pruner is about to delete, and sends none of it
        assert run(folder, "deploy", "--no-verify") == 0

    deployer = deployer_of(target_of(folder), grace=0.0, keep=1)
    deployer.store = SleepyStore(folder / "public", meanwhile)
    with pytest.raises(StoreConflictError, match=r"published (meanwhile|in the meantime)|lost"):
        prune(deployer, Silent())
    assert all((folder / "public" / key).read_bytes() == content for key, content in unneeded.items())
    assert_live(store_of(folder))
    assert "lease" not in state_of(store_of(folder))


def test_a_lease_that_has_ended_is_taken_away_before_anything_is_relied_on(folder: Path) -> None:
    with_unneeded(folder)
    seen: list[bool] = []

    class Watching(DirectoryStore):
        def stat(self, key: str) -> Any:
            seen.append("lease" in state_of(self))
            return super().stat(key)

    base = read_pointer(store_of(folder))
    assert base is not None
    leased = msgspec.structs.replace(base.state, lease=("dead", 75))
    (folder / "public" / "loader.js").write_bytes(join_pointer(base.loader, leased))
    make_old(folder)
    change(folder, "a", 1)
    deployer = deployer_of(target_of(folder))
    deployer.store = Watching(folder / "public")
    deploy(deployer, read_local(folder / "dist"), Choice(), Silent())
    assert seen
    assert not any(seen)
    assert deployer.overtook, "so the check after it reads everything"


def test_a_delete_without_an_answer_leaves_the_lease_to_end_by_itself(folder: Path) -> None:
    with_unneeded(folder)

    class Unsure(DirectoryStore):
        holds_fences = False  # type: ignore[assignment]
        failing = False

        def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
            if fence.key != "loader.js":  # the probe
                if fence.until < time.time():
                    raise StoreDeniedError("expired")
                return super().remove(keys, fence)
            if self.failing:
                raise StoreError("does not answer")
            return Removed(super().remove(keys, fence).keys, answered=False)

    deployer = deployer_of(target_of(folder), grace=0.0, keep=1)
    deployer.store = Unsure(folder / "public")
    assert prune(deployer, Silent()).actions
    assert state_of(store_of(folder))["lease"], "an earlier try may still arrive"
    os.utime(folder / "public" / "loader.js", (time.time() - 80,) * 2)
    change(folder, "a", 8)
    assert run(folder, "deploy", "--no-verify") == 0
    make_old(folder)
    deployer.store.failing = True
    with pytest.raises(StoreError, match="does not answer"):
        prune(deployer, Silent())
    assert state_of(store_of(folder))["lease"]


def test_a_store_that_ignores_the_end_of_signatures_is_pruned_only_on_the_users_word(folder: Path) -> None:
    with_unneeded(folder)

    class Careless(DirectoryStore):
        holds_fences = False  # type: ignore[assignment]
        fences: list[Fence] = []  # noqa: RUF012

        def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
            self.fences.append(fence)
            for key in keys:
                self.delete(key)
            return Removed(keys)

    store = Careless(folder / "public")
    assert not holds_fence(store)
    assert not [key for key in store.list() if "probe" in key]
    deployer = deployer_of(target_of(folder), grace=0.0, keep=1)
    deployer.store = store
    with pytest.raises(StoreError, match="expired"):
        prune(deployer, Silent())
    assert "lease" not in state_of(store)
    deployer.unsafe = True
    assert prune(deployer, Silent()).actions
    assert not store.fences[-1].enforced
    assert_live(store)


def test_a_key_that_may_not_delete_is_told_so(tmp_path: Path) -> None:
    class Denied(DirectoryStore):
        def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
            raise StoreDeniedError("access is denied for s3:DeleteObject")

        def delete(self, key: str) -> None:
            raise StoreDeniedError("access is denied for s3:DeleteObject", where=key)

    with pytest.raises(StoreDeniedError, match="DeleteObject"):
        holds_fence(Denied(tmp_path / "store"))


@pytest.mark.parametrize("leased", [False, True])
def test_a_stopped_process_that_holds_the_folder_is_told_of(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, leased: bool
) -> None:
    with_unneeded(folder)
    base = read_pointer(store_of(folder))
    assert base is not None
    if leased:
        state = msgspec.structs.replace(base.state, lease=("dead", 75))
        (folder / "public" / "loader.js").write_bytes(join_pointer(base.loader, state))
        make_old(folder)
    monkeypatch.setattr("builder.stores.directory.lock_seconds", 0.05)
    change(folder, "a", 1)
    capsys.readouterr()
    with locked(folder / "public", 0.0):
        assert run(folder, "deploy") == 3
        assert run(folder, "rollback") == 3
    assert capsys.readouterr().err.count("suspended build, deploy or prune, end it") == 2


def test_the_time_left_counts_from_before_the_lease_was_read() -> None:
    fence = Fence("loader.js", "tag", 1000.0, 1060.0, clock() - 50.0)
    assert 9.0 < fence.left() < 10.1


def test_no_delete_ends_within_a_lease(folder: Path) -> None:
    with_unneeded(folder)

    class Stuck(DirectoryStore):
        def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
            return Removed(())

    deployer = deployer_of(target_of(folder), grace=0.0, keep=1)
    deployer.store = Stuck(folder / "public")
    with pytest.raises(StoreError, match="within a lease"):
        prune(deployer, Silent())


def test_nothing_young_is_pruned(folder: Path) -> None:
    """An object that no release needs may belong to a deploy that is under way."""
    unneeded = sorted(with_unneeded(folder))
    young, old = unneeded[0], unneeded[1:]
    base = read_pointer(store_of(folder))
    assert base is not None
    live, past = base.state.releases
    ended = msgspec.structs.replace(past, at=1, until=2)  # it was live long before the grace period
    state = msgspec.structs.replace(base.state, releases=(live, ended))
    (folder / "public" / "loader.js").write_bytes(join_pointer(base.loader, state))
    os.utime(folder / "public" / young, (time.time() - 50,) * 2)
    gone = {action.key for action in prune(deployer_of(target_of(folder), grace=100.0, keep=1), Silent()).actions}
    assert young not in gone
    assert (folder / "public" / young).exists()
    assert set(old) <= gone


def preview_of(folder: Path, name: str = "one") -> Any:
    state = read_pointer(store_of(folder))
    assert state is not None
    return state.state.previews[name]


class KilledStore(DirectoryStore):
    """Dies before it writes a preview's file."""

    def swap(self, key: str, content: bytes, tag: str | None, headers: Any = None) -> str:
        if key.startswith("loader-"):
            raise KeyboardInterrupt
        return super().swap(key, content, tag)


def leave_half_a_preview(folder: Path) -> None:
    deployer = deployer_of(target_of(folder))
    deployer.store = KilledStore(folder / "public")
    with pytest.raises(KeyboardInterrupt):
        deploy(deployer, read_local(folder / "dist"), Choice(preview="one"), Silent())


def test_a_rerun_finishes_a_preview(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    leave_half_a_preview(folder)
    done = answer(capsys, folder, "deploy", "--preview", "one")
    assert done["changed"]
    assert assert_live(store_of(folder), "loader-one.js")[0] == done["release"]
    assert answer(capsys, folder, "deploy", "--preview", "one")["idle"]
    (folder / "public" / "loader-one.js").unlink()
    assert answer(capsys, folder, "deploy", "--preview", "one")["changed"]


def test_a_prune_finishes_a_preview_before_it_deletes(folder: Path) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    assert run(folder, "deploy", "--preview", "one") == 0
    old = (folder / "public" / "loader-one.js").read_bytes()
    change(folder, "a", 8)
    leave_half_a_preview(folder)
    assert (folder / "public" / "loader-one.js").read_bytes() == old
    assert_live(store_of(folder), "loader-one.js")
    make_old(folder)
    assert prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent()).actions
    assert assert_live(store_of(folder), "loader-one.js")[0] == preview_of(folder).name


def test_a_writer_that_slept_does_not_bring_an_old_preview_back(folder: Path) -> None:
    """Also when the file has the content that it had before he slept, or has come and gone."""
    run(folder, "deploy")
    change(folder, "a", 7)
    assert run(folder, "deploy", "--preview", "one") == 0
    seventh = preview_of(folder).name
    change(folder, "a", 8)
    leave_half_a_preview(folder)

    class Sleepy(DirectoryStore):
        action: Callable[[], None] | None = None
        refused = 0

        def swap(self, key: str, content: bytes, tag: str | None, headers: Any = None) -> str:
            action, self.action = self.action, None
            if action:
                action()
            try:
                return super().swap(key, content, tag)
            except StoreConflictError:
                self.refused += 1
                raise

    def meanwhile() -> None:
        change(folder, "a", 7)
        assert run(folder, "deploy", "--preview", "one") == 0
        make_old(folder)
        prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())

    store = Sleepy(folder / "public")
    store.action = meanwhile
    form = deployer_of(target_of(folder)).form
    settle_preview(store, form, "one")
    assert store.refused == 1
    assert assert_live(store_of(folder), "loader-one.js")[0] == seventh

    def meanwhile_ended() -> None:
        assert run(folder, "deploy", "--preview", "two", "--ttl", "0 s", "--no-verify") == 0
        prune(deployer_of(target_of(folder), grace=0.0, keep=1), Silent())

    change(folder, "a", 9)
    late = Sleepy(folder / "public")

    assert run(folder, "deploy", "--preview", "two") == 0
    (folder / "public" / "loader-two.js").write_bytes(join_pointer(empty, State()))
    late.action = meanwhile_ended
    settle_preview(late, form, "two")
    assert late.refused == 1
    found = store_of(folder).get("loader-two.js")
    assert found is None or split_pointer(found[0])[0] == empty


def test_a_ttl_counts_from_each_deploy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "deploy")
    change(folder, "a", 7)
    first = answer(capsys, folder, "deploy", "--preview", "one", "--ttl", "1h")
    assert first["preview"]["url"].endswith("/public/loader-one.js")
    assert not answer(capsys, folder, "deploy", "--preview", "one", "--ttl", "1h")["changed"]
    until = preview_of(folder).until
    longer = answer(capsys, folder, "deploy", "--preview", "one", "--ttl", "3h")
    assert longer["changed"]
    assert 7100 < preview_of(folder).until - until < 7300
    assert longer["preview"]["until"] > first["preview"]["until"]
    unchanged = answer(capsys, folder, "deploy", "--preview", "one")
    assert (unchanged["changed"], unchanged["preview"]) == (False, longer["preview"]), "no --ttl, no change"
    assert [action["do"] for action in longer["actions"] if action["do"] not in ("skip", "swap")] == []
    capsys.readouterr()
    assert run(folder, "deploy", "--preview", "one", "--ttl", "1h") == 0
    text = capsys.readouterr().out
    assert "preview one" in text
    assert "loader-one.js until 2" in text
    assert "is live at" not in text


class Cdn:
    """A copy of the pointer that goes stale, and a clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.copy = b""
        self.slept: list[float] = []
        self.late = 0.0  # seconds of sleep until a purge has reached everywhere
        self.purges: list[str] = []
        self.failing = False
        self.log: list[str] = []
        monkeypatch.setattr(follow_up, "follow_up", self.purge)
        monkeypatch.setattr(follow_up, "sleep", self.slept.append)
        monkeypatch.setattr("builder.publish.live.site_of", lambda target: self)
        self.store = store_of(folder)

    def purge(self, target: Target, pointer: str, release: str) -> None:
        if self.failing:
            raise StoreError("the release is live, but the hook failed")
        self.purges.append(pointer)
        self.log.append("purge")
        self.begun = sum(self.slept)

    begun = 0.0

    def fetch(self, key: str, limits: Any, *, origin: bool = True) -> tuple[bytes, dict[str, str]]:
        self.log.append("read")
        found = self.store.get(key)
        if found is None:
            raise StoreError("answers 404", where=key)
        if key == "loader.js":
            if self.purges and sum(self.slept) - self.begun >= self.late:
                self.copy = found[0]
            return self.copy or found[0], {}
        return found[0], {}

    def complaints(self, key: str, headers: Any) -> list[str]:
        return []


@pytest.fixture
def cdn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cdn:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    table = '[targets.test]\ntype = "directory"\npath = "public"\nhook = ["purge"]\npublic_url = "https://cdn.test/"\n'
    return Cdn(project(tmp_path / "site", targets=table), monkeypatch)


def test_the_cdn_is_purged_before_the_check_and_may_take_its_time(cdn: Cdn, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, cdn.folder, "deploy")["purged"] == ["loader.js"]
    assert cdn.log[0] == "purge"
    assert "read" in cdn.log
    change(cdn.folder, "a", 7)
    assert run(cdn.folder, "deploy") == 0
    cdn.late = 20.0
    cdn.log.clear()
    done = answer(capsys, cdn.folder, "rollback")
    assert done["ok"]
    assert cdn.log[0] == "purge"
    assert cdn.slept == [1.0, 2.0, 4.0, 8.0, 16.0]
    cdn.slept.clear()
    cdn.late = 1e9
    assert run(cdn.folder, "rollback", "--to", done["before"]) == 4
    assert sum(cdn.slept) == follow_up.patience_of_cdn
    assert assert_live(cdn.store)[0] == done["before"], "it is done nevertheless"


def test_a_preview_is_purged_too(cdn: Cdn, capsys: pytest.CaptureFixture[str]) -> None:
    run(cdn.folder, "deploy")
    change(cdn.folder, "a", 7)
    done = answer(capsys, cdn.folder, "deploy", "--preview", "one")
    assert done["purged"] == ["loader-one.js"]
    assert done["preview"]["url"] == "https://cdn.test/loader-one.js"
    assert cdn.purges == ["loader.js", "loader-one.js"]


@pytest.mark.parametrize("words", [("deploy",), ("rollback", "--to"), ("prune",)])
def test_what_a_killed_run_has_not_purged_the_next_one_does(cdn: Cdn, words: tuple[str, ...]) -> None:
    run(cdn.folder, "deploy")
    change(cdn.folder, "a", 7)
    cdn.purges.clear()
    deployer = deployer_of(target_of(cdn.folder))
    deployer.purges = True
    deploy(deployer, read_local(cdn.folder / "dist"), Choice(), Silent())  # and killed here
    assert state_of(cdn.store)["owed"] == {"loader.js": 3}
    assert cdn.purges == []
    live = assert_live(cdn.store)[0]
    assert run(cdn.folder, *words, *([live] if "--to" in words else [])) == 0
    assert cdn.purges == ["loader.js"]
    assert "owed" not in state_of(cdn.store)
    assert run(cdn.folder, "deploy") == 0
    assert cdn.purges == ["loader.js"], "once"


def test_a_purge_that_fails_is_owed_until_one_succeeds(cdn: Cdn) -> None:
    cdn.failing = True
    assert run(cdn.folder, "deploy") == 4
    assert run(cdn.folder, "deploy") == 4, "a rerun with nothing else to do tries again"
    cdn.failing = False
    assert run(cdn.folder, "deploy") == 0
    assert cdn.purges == ["loader.js"]
    assert "owed" not in state_of(cdn.store)


def test_what_somebody_else_changed_meanwhile_stays_owed(cdn: Cdn, monkeypatch: pytest.MonkeyPatch) -> None:
    deployer = deployer_of(target_of(cdn.folder))
    deployer.purges = True
    deploy(deployer, read_local(cdn.folder / "dist"), Choice(), Silent())

    def purge(*_: object) -> None:
        monkeypatch.setattr(follow_up, "follow_up", cdn.purge)
        change(cdn.folder, "a", 7)
        other = Deployer(cdn.store, deployer.form, deployer.keeping, purges=True)
        deploy(other, read_local(cdn.folder / "dist"), Choice(), Silent())  # and killed

    monkeypatch.setattr(follow_up, "follow_up", purge)
    assert pay(target_of(cdn.folder), deployer) == ("loader.js",)
    assert state_of(cdn.store)["owed"] == {"loader.js": 2}


def test_a_check_waits_only_for_what_may_pass(cdn: Cdn) -> None:
    told: list[str] = []
    target = target_of(cdn.folder)
    wrong = Checked("x", 1, 1, (Problem("loader.js", "no Access-Control-Allow-Origin"),))
    assert check_patiently(lambda: wrong, target, told.append) is wrong
    assert cdn.slept == []
    assert told == []
    old = Checked("x", 1, 1, (Problem("loader.js", "release x is live, not y", passing=True),))
    answers = [old, old, Checked("y", 1, 1, ())]
    assert not check_patiently(lambda: answers.pop(0), target, told.append).problems
    assert cdn.slept == [1.0, 2.0]
    assert len(told) == 1
