"""The index of a loader: golden bytes, and the object at an entry's end, where later versions say more."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.bundle.format import to_json
from builder.bundle.index import Extras, IndexEntry, OlderHead, make_index, read_index, replace_index
from builder.errors import FormatError, StoreError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import Local, read_local
from builder.publish.plan import Choice
from builder.publish.prune import prune
from tests.helpers.deploying import assert_live, change, deployer_of, project, target_of

digest, other = "0123456789abcdef" * 4, "fedcba9876543210" * 4
entry = IndexEntry(digest, 1, "now", "high", "graph-model", 2, 3)
later = {"rungs": [["small", other, 9]], "share": 0.5}


def loader_of(*entries: object, **more: object) -> bytes:
    models = {f"m{number}": found for number, found in enumerate(entries)}
    return b"const CONFIG=" + to_json({"format": 1, "release": "0" * 16, "models": models, **more}) + b";code"


def test_golden_index() -> None:
    older = Extras(OlderHead("c" * 16, other, 7))
    made = make_index({"b": replace(entry, extras=older), "a": entry}, {"glue": other}, {"tf-simd": digest})
    assert to_json(made.encode()) == (
        b'{"format":1,"release":"b736eb9e466dc341","models":{'
        b'"a":["%(d)b",1,"now","high","graph-model",2,3],'
        b'"b":["%(d)b",1,"now","high","graph-model",2,3,{"older":["cccccccccccccccc","%(o)b",7]}]},'
        b'"modules":{"glue":"%(o)b"},"wasm":{"tf-simd":"%(d)b"}}'
    ) % {b"d": digest.encode(), b"o": other.encode()}


@pytest.mark.parametrize(
    "extras",
    [{}, {"older": ["c", other, 7]}, {"thread": "worker"}, later, {"version": 2, "older": ["c", other, 7], **later}],
)
def test_what_later_versions_put_at_an_entrys_end_is_kept(extras: dict[str, Any]) -> None:
    loader = loader_of([*entry.encode(), *([extras] if extras else [])])
    index = read_index(loader)
    assert index.models["m0"] == replace(entry, extras=index.models["m0"].extras)
    assert index.models["m0"].extras.encode() == extras
    assert replace_index(loader, index) == loader


def test_an_entry_of_more_items_is_read() -> None:
    index = read_index(loader_of([*entry.encode(), 8, later]))
    assert index.models["m0"] == replace(entry, extras=Extras(unknown=later))


@pytest.mark.parametrize(
    "extras",
    [{"older": []}, {"older": {}}, {"older": ["c", "../x", 1]}, {"version": "2"}, {"version": None}, {"thread": 1}],
)
def test_an_object_that_says_nonsense_is_refused(extras: Mapping[str, Any]) -> None:
    with pytest.raises(FormatError, match="damaged"):
        read_index(loader_of([*entry.encode(), extras]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site", seeds={"a": 1, "b": 2})


def with_extras(local: Local, name: str, extras: Extras) -> Local:
    models = {**local.index.models, name: replace(local.index.models[name], extras=extras)}
    index = make_index(models, local.index.modules)
    return replace(local, index=index, loader=replace_index(local.loader, index))


def test_a_deploy_of_another_model_keeps_what_it_does_not_know(site: Path) -> None:
    target = target_of(site)
    deployer = deployer_of(target)
    deploy(deployer, with_extras(read_local(site / "dist"), "a", Extras(unknown=later)), Choice(), Silent())
    change(site, "b", 7)
    deploy(deployer, read_local(site / "dist"), Choice(only=("b",)), Silent())
    assert assert_live(target.store)[1].models["a"].extras == Extras(unknown=later)


def test_prune_deletes_nothing_beside_a_release_of_a_later_version(site: Path) -> None:
    target = target_of(site)
    deployer = deployer_of(target, grace=0, keep=1)
    deploy(deployer, read_local(site / "dist"), Choice(), Silent())
    change(site, "b", 7)
    later_one = with_extras(read_local(site / "dist"), "a", Extras(version=2, unknown=later))
    deploy(deployer, later_one, Choice(), Silent())
    for path in (site / "public").rglob("*"):
        os.utime(path, (time.time() - 1e6,) * 2)
    before = set(target.store.list())
    with pytest.raises(StoreError, match="later version"):
        prune(deployer, Silent())
    assert before <= set(target.store.list())
    assert assert_live(target.store)[1].models["a"].extras.encode() == {"version": 2, **later}
