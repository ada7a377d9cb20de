"""Stores that honour less: what the probe finds, and how numbered records decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builder.errors import StoreConflictError, StoreError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.emulated_conditions import record_key
from builder.publish.plan import Choice
from builder.publish.probe import probe
from builder.stores.directory import DirectoryStore
from tests.helpers.deploying import assert_live, change, deployer_of, project, state_of, target_of


class KeepingStore(DirectoryStore):
    """Never overwrites with ``put``, as an S3 store that honours If-None-Match; has to be tried out."""

    @property
    def is_sure(self) -> bool:
        return False

    def put(self, key: str, content: Path, headers: Any = None) -> bool:
        return self.create(key, content.read_bytes())


class CreateOnlyStore(KeepingStore):
    """Takes If-Match and ignores it."""

    def swap(self, key: str, content: bytes, tag: str | None, headers: Any = None) -> str:
        self.replace(key, content, {})
        found = self.get(key)
        assert found is not None
        return found[1]


class CarelessStore(CreateOnlyStore):
    """Ignores all conditions."""

    def put(self, key: str, content: Path, headers: Any = None) -> bool:
        self.replace(key, content.read_bytes(), {})
        return True


class RefusingStore(CreateOnlyStore):
    """Answers conditions with an error, as stores do that have not heard of them."""

    def put(self, key: str, content: Path, headers: Any = None) -> bool:
        raise StoreError("answered 501 NotImplemented", where=key)

    def overwrite(self, key: str, content: Path, headers: Any = None) -> None:
        self.replace(key, content.read_bytes(), {})


class DeniedStore(RefusingStore):
    """May not be written at all."""

    def replace(self, key: str, content: bytes, headers: Any = None) -> None:
        raise StoreError("access is denied", where=key)


@pytest.mark.parametrize(
    ("kind", "found"),
    [(KeepingStore, "full"), (CreateOnlyStore, "create"), (CarelessStore, "none"), (RefusingStore, "none")],
)
def test_a_store_is_found_out(tmp_path: Path, kind: type[DirectoryStore], found: str) -> None:
    store = kind(tmp_path / "store")
    assert probe(store) == found
    assert list(store.list()) == [], "the probe leaves nothing"


def test_a_store_that_refuses_everything_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="denied"):
        probe(DeniedStore(tmp_path / "store"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return project(tmp_path / "site")


def run(folder: Path, store: DirectoryStore, only: tuple[str, ...] = ()) -> None:
    deployer = deployer_of(target_of(folder))
    deployer.store = store
    deploy(deployer, read_local(folder / "dist"), Choice(only=only), Silent())


def test_numbered_records_decide_where_only_creation_is_safe(folder: Path) -> None:
    store = CreateOnlyStore(folder / "public")
    run(folder, store)
    change(folder, "a", 7)
    run(folder, store)
    assert state_of(store)["generation"] == 2
    assert {record_key(1), record_key(2)} <= set(store.list())
    assert_live(store)


def test_a_later_run_repairs_a_pointer_that_a_killed_one_left_behind(folder: Path) -> None:
    store = CreateOnlyStore(folder / "public")
    run(folder, store)
    first = (folder / "public" / "loader.js").read_bytes()
    change(folder, "a", 7)
    run(folder, store)
    second, _ = assert_live(store)
    (folder / "public" / "loader.js").write_bytes(first)
    run(folder, store)  # nothing to do but that
    assert assert_live(store)[0] == second
    (folder / "public" / "loader.js").unlink()
    change(folder, "b", 9)
    run(folder, store)
    assert state_of(store)["generation"] == 3
    assert_live(store)


def test_of_two_writers_the_record_knows_the_first(folder: Path) -> None:
    store = CreateOnlyStore(folder / "public")
    run(folder, store)
    change(folder, "a", 7)
    kept = folder / "kept"
    (folder / "dist").rename(kept)
    local = read_local(kept)
    change(folder, "a", 8)

    class Late(CreateOnlyStore):
        def create(self, key: str, content: bytes, headers: Any = None) -> bool:
            if key == record_key(2):
                run(folder, store)
            return super().create(key, content)

    deployer = deployer_of(target_of(folder))
    deployer.store = Late(folder / "public")
    with pytest.raises(StoreConflictError):
        deploy(deployer, local, Choice(), Silent())
    assert assert_live(store)[1] == read_local(folder / "dist").index


def test_without_any_conditions_a_user_must_vouch(folder: Path) -> None:
    for kind in (CarelessStore, RefusingStore):
        store = kind(folder / kind.__name__)
        with pytest.raises(StoreError, match="ignores conditions"):
            run(folder, store)
        assert store.get("loader.js") is None
        deployer = deployer_of(target_of(folder))
        deployer.store, deployer.unsafe = store, True
        deploy(deployer, read_local(folder / "dist"), Choice(), Silent())
        assert_live(store)
