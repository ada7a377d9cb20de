"""What ``dist/`` holds, as a deploy job reads it: ``manifest.json`` and ``cdn/``, without a cache or a build."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from builder.bundle import hash_digits, read_index
from builder.errors import UsageError
from builder.schema import FileEntry, Manifest, ModelEntry


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model's files in ``dist/cdn``.

    Attributes:
        contract: what pages depend on.
        head: its file.
        shards: its files, the module of its own ops with them.
        stock: the files of the stock copy, its ``model.json`` last; often none.
        verified: TensorFlow.js ran it.
    """

    contract: str
    head: FileEntry
    shards: tuple[FileEntry, ...]
    stock: tuple[FileEntry, ...]
    verified: bool

    @property
    def stock_hash(self) -> str | None:
        """Name the stock copy, if there is one."""
        return self.stock[-1].sha256[:hash_digits] if self.stock else None


@dataclass(frozen=True, slots=True)
class Local:
    """A bundle on disk.

    Attributes:
        root: the folder ``cdn``.
        loader: the loader's bytes.
        index: of it.
        tool: the version that made it.
        models: by name.
        worker: the offline worker's module.
        modules: what the loader imports at first need, and the binaries of TensorFlow.js.
    """

    root: Path
    loader: bytes
    index: Mapping[str, Any]
    tool: str
    models: Mapping[str, LocalModel]
    worker: FileEntry
    modules: tuple[FileEntry, ...] = ()


def read_local(out: Path) -> Local:
    """Read a build's folder.

    Raises:
        UsageError: there is none, or it is not whole.
    """
    path = out / "manifest.json"
    hint = "Run the build first"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        pinned = manifest.loader.pinned
        loader = (out / "cdn" / pinned.url).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(error.filename or path), hint=hint) from error
    except msgspec.DecodeError as error:
        raise UsageError("is not a manifest this version reads", where=str(path), hint="Build again") from error
    if hashlib.sha256(loader).hexdigest() != pinned.sha256:
        raise UsageError("is not what manifest.json says", where=str(out / "cdn" / pinned.url), hint="Build again")
    models = {name: _model(entry) for name, entry in manifest.models.items()}
    modules = (*manifest.modules.values(), *(manifest.runtime.wasm if manifest.runtime else ()))
    return Local(out / "cdn", loader, read_index(loader), manifest.generator, models, manifest.worker, modules)


def _model(entry: ModelEntry) -> LocalModel:
    named = (*entry.shards, *((entry.ops,) if entry.ops else ()))
    return LocalModel(entry.contract, entry.head, named, tuple(entry.compat), entry.verified is not None)
