"""Bundles and projects to deploy in tests, made without TensorFlow or Node."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from builder.bundle.format import ops_url, pinned_url
from builder.bundle.head import read_head, shard_urls
from builder.bundle.index import Index, read_index
from builder.cli.main import main
from builder.config.tables import Config, load_config
from builder.config.targets import TargetConfig
from builder.publish.apply import Deployer, Keeping
from builder.publish.pointer import loader_hash, split_pointer
from builder.publish.targets import Target, open_target
from builder.stores import TargetStore
from tests.helpers.models import write_model


def project(
    folder: Path,
    *,
    targets: str = "",
    seeds: dict[str, int] | None = None,
    width: int = 200,
    shard_bytes: str = "4 KiB",
) -> Path:
    """Write and build a project of small models; seeds change their weights."""
    shutil.copytree(_built(tuple((seeds or {"a": 1, "b": 2}).items()), width, shard_bytes), folder)
    path = folder / "build.toml"
    path.write_text(path.read_text() + targets + "\n")
    return folder


@functools.cache
def _built(seeds: tuple[tuple[str, int], ...], width: int, shard_bytes: str) -> Path:
    """Build once what many tests begin with; its cache stays behind, since few build it again."""
    folder = _kept() / "project"
    for name, seed in seeds:
        write_model(folder / name, width=width, seed=seed)
    tables = "\n".join(f'[models.{name}]\nsource = "{name}/model.json"' for name, _ in seeds)
    (folder / "build.toml").write_text(f'[build]\nshard_bytes = "{shard_bytes}"\n{tables}\n')
    build(folder)
    shutil.rmtree(folder / ".shardpress")
    return folder


def build(folder: Path) -> None:
    assert main(["-q", "--fast", "--config", str(folder / "build.toml")]) == 0


def _build_again(folder: Path) -> None:
    """Build what has changed; many tests change the same, and get what the first build of it gave."""
    dist, key = folder / "dist", _made_of(folder)
    if key in _outcomes:
        shutil.rmtree(dist, ignore_errors=True)  # a test may have moved it away
        shutil.copytree(_outcomes[key], dist)
        return
    build(folder)
    _outcomes[key] = shutil.copytree(dist, _kept() / "dist")


_outcomes: dict[bytes, Path] = {}


def _made_of(folder: Path) -> bytes:
    """Hash all that a build depends on: the settings, the sources, and what is there of the last one."""
    text = (folder / "build.toml").read_text()
    settings = {name: table for name, table in tomllib.loads(text).items() if name != "targets"}
    digest = hashlib.sha256(repr(settings).encode())
    models = [folder / table["source"] for table in settings["models"].values()]
    sources = [path for model in models for path in sorted(model.parent.iterdir())]
    for path in (*sources, *folder.glob("*.txt"), *sorted((folder / "dist").rglob("*"))):
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _kept() -> Path:
    """Make a folder that stays until the tests end."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def change(folder: Path, name: str, seed: int, width: int = 200) -> None:
    """Give a model other weights and build again."""
    write_model(folder / name, width=width, seed=seed)
    _build_again(folder)


def relabel(folder: Path, name: str, labels: list[str]) -> None:
    """Give a model labels, which changes its contract, and build again."""
    (folder / f"{name}.txt").write_text("\n".join(labels) + "\n")
    path = folder / "build.toml"
    text = path.read_text()
    line = f'source = "{name}/model.json"'
    if "labels" not in text:
        text = text.replace(line, f'{line}\nlabels = "{name}.txt"')
    path.write_text(text)
    _build_again(folder)


def target_of(folder: Path, name: str = "test") -> Target:
    config: Config = load_config(folder / "build.toml")
    table = config.targets.get(name) or TargetConfig(type="directory", path="public")
    return open_target(name, table, folder)


def deployer_of(target: Target, *, grace: float | None = None, keep: int | None = None) -> Deployer:
    keeping = Keeping(keep or target.config.keep_releases, target.grace if grace is None else grace)
    return Deployer(target.store, target.form, keeping)


def assert_live(store: TargetStore, pointer: str = "loader.js") -> tuple[str, Index]:
    """Follow all hashes from the pointer down; give the release's name and index."""
    found = store.get(pointer)
    assert found is not None
    loader, _ = split_pointer(found[0])
    index = read_index(loader)
    pinned = store.get(pinned_url(loader_hash(loader)))
    assert pinned is not None
    assert pinned[0] == loader
    for url, digest in index.module_urls().items():
        whole(store, url, digest)
    for head in index.heads():
        content = read_head(whole(store, head.url, head.sha256))
        for url, shard in zip(shard_urls(head.model, content), content.shards, strict=True):
            assert len(whole(store, url, shard.sha256)) == shard.bytes
        if content.ops:
            whole(store, ops_url(head.model, content.ops), content.ops)
    return index.release, index


def whole(store: TargetStore, key: str, digest: str) -> bytes:
    found = store.get(key)
    assert found is not None, f"{key} is missing"
    assert hashlib.sha256(found[0]).hexdigest() == digest, f"{key} is damaged"
    return found[0]


def state_of(store: TargetStore) -> dict[str, Any]:
    found = store.get("loader.js")
    assert found is not None
    state: dict[str, Any] = msgspec.to_builtins(split_pointer(found[0])[1])
    return state
