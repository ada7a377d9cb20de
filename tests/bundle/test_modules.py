"""Modules beside the loader: named in its index, written, described, deployed, checked, kept and pruned with it."""

from __future__ import annotations

import json
import os
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from builder.bundle.format import immutable_name, module_url
from builder.bundle.index import IndexEntry, make_index, read_index, replace_index
from builder.bundle.modules import always, module_templates
from builder.errors import FormatError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.live import StoredSite, check_live
from builder.publish.plan import Choice, level
from builder.publish.prune import prune
from tests.helpers.deploying import assert_live, build, deployer_of, project, target_of

digest = "0123456789abcdef" * 4


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return project(tmp_path / "site", seeds={"a": 1})


def urls_of(site: Path) -> set[str]:
    return set(read_index((site / "dist/cdn/loader.js").read_bytes()).module_urls())


def test_a_build_writes_and_describes_the_modules_that_its_models_need(site: Path) -> None:
    manifest = json.loads((site / "dist/manifest.json").read_bytes())
    rules = json.loads((site / "dist/headers.json").read_bytes())
    assert set(manifest["modules"]) == set(always)
    assert {file["url"] for file in manifest["modules"].values()} == urls_of(site)
    for url in urls_of(site):
        rule = next(rule for rule in rules if fnmatchcase(url, rule["path"]))
        assert "immutable" in rule["headers"]["Cache-Control"]
        assert (site / "dist/cdn" / url).stat().st_size > 0


def test_modules_are_immutable_and_go_before_the_loader() -> None:
    for name in module_templates:
        assert immutable_name.fullmatch(module_url(name, digest) + ".br")
        assert level(module_url(name, digest)) == 0
    # What lies beside a bundle is not the bundle's.
    assert not immutable_name.fullmatch(module_url("app", digest))


def test_modules_belong_to_the_code_of_a_loader() -> None:
    loader = b"const CONFIG=" + json.dumps(make_index({}, {"glue": digest}).encode()).encode() + b"\ncode"
    other = replace_index(
        loader, make_index({"a": IndexEntry(digest, 1, "now", "high", "graph-model", 1, 1)}, {"glue": "f" * 64})
    )
    assert read_index(other).module_urls() == {module_url("glue", digest): digest}
    plain = b"const CONFIG=" + json.dumps(make_index({}).encode()).encode() + b"\ncode"
    assert not read_index(replace_index(plain, read_index(loader))).modules
    with pytest.raises(FormatError, match=r"has an index of format"):
        read_index(loader.replace(b'"modules": {', b'"modules": {"x": 1, '))


def test_a_deploy_carries_checks_keeps_and_prunes_modules(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of(site)
    deployer = deployer_of(target, grace=0, keep=1)

    def release() -> set[str]:
        deploy(deployer, read_local(site / "dist"), Choice(), Silent())
        assert_live(target.store)
        return urls_of(site)

    first = release()
    assert check_live(StoredSite(target.store)).problems == ()
    monkeypatch.setattr(
        "builder.pipeline.write_dist.render_modules",
        lambda: {name: f"/*! other */ export const x = {len(name)};".encode() for name in module_templates},
    )
    build(site)
    assert not any((site / "dist/cdn" / url).exists() for url in first)
    second = release()
    assert not first & second
    kept = deployer_of(target, grace=0, keep=2)
    for path in (site / "public").rglob("*"):
        os.utime(path, (time.time() - 1e6,) * 2)
    assert not prune(kept, Silent()).actions
    gone = [action.key for action in prune(deployer, Silent()).actions]
    assert first <= set(gone)
    assert not second & set(gone)
    assert_live(target.store)
    # A prune that is cut off leaves no loader without what it imports.
    pinned = next(position for position, key in enumerate(gone) if key.startswith("loader."))
    assert pinned < min(gone.index(url) for url in first)
    lost = min(second)
    target.store.delete(lost)
    assert [problem.url for problem in check_live(StoredSite(target.store)).problems] == [lost]
