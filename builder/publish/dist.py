"""What ``dist/`` holds, as a deploy job reads it: ``manifest.json`` and ``cdn/``, without a cache or a build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..bundle.format import hash_digits
from ..bundle.head import read_head
from ..bundle.index import Index, read_index
from ..bundle.manifest import FileEntry, Manifest, ModelEntry
from ..errors import FormatError, UsageError
from ..typed import from_json
from .confined import read_confined
from .names import check_head, check_index, check_manifest

most_manifest = 64 << 20


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
    index: Index
    tool: str
    models: Mapping[str, LocalModel]
    worker: FileEntry
    modules: tuple[FileEntry, ...] = ()


def read_local(out: Path) -> Local:
    """Read a build's folder, which may come from a job that is not trusted: nothing that it names leads out of it.

    Raises:
        UsageError: there is none.
        FormatError: it is not what a build writes.
    """
    try:
        manifest = from_json(read_confined(out, "manifest.json", most_manifest), Manifest)
        where = str(out / "manifest.json")
        check_manifest(manifest, where)
        pinned = manifest.loader.pinned
        loader = read_confined(out, f"cdn/{pinned.url}", pinned.bytes)
    except OSError as error:
        raise UsageError(
            f"cannot be read ({error.strerror})",
            code="SP-122",
            where=str(error.filename or out),
            hint="Run the build first",
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(
            "is not a manifest this version reads", code="SP-123", where=str(out / "manifest.json"), hint="Build again"
        ) from error
    if hashlib.sha256(loader).hexdigest() != pinned.sha256:
        raise FormatError(
            "does not match manifest.json", code="SP-505", where=str(out / "cdn" / pinned.url), hint="Build again"
        )
    index = read_index(loader)
    check_index(index, manifest, where)
    models = {name: _model(entry) for name, entry in manifest.models.items()}
    modules = (*manifest.modules.values(), *(manifest.runtime.wasm if manifest.runtime else ()))
    return Local(out / "cdn", loader, index, manifest.generator, models, manifest.worker, modules)


def check_heads(local: Local, names: Iterable[str]) -> None:
    """Read the heads of some models, which a deploy is to make live.

    Raises:
        FormatError: one is not what the manifest says, or names other files.
    """
    for name in names:
        model = local.models[name]
        where = str(local.root / model.head.url)
        try:
            content = read_confined(local.root, model.head.url, model.head.bytes)
        except OSError as error:
            raise unreadable(error, local.root / model.head.url) from error
        if hashlib.sha256(content).hexdigest() != model.head.sha256:
            raise FormatError("does not match manifest.json", code="SP-505", where=where, hint="Build again")
        check_head(name, read_head(content, where), model.contract, model.shards, where)


def unreadable(error: OSError, path: Path) -> UsageError:
    """Return the error of a file that a build should have left."""
    return UsageError(
        f"cannot be read ({error.strerror})", code="SP-122", where=str(path), hint="Build again, then deploy"
    )


def _model(entry: ModelEntry) -> LocalModel:
    named = (*entry.shards, *((entry.ops,) if entry.ops else ()))
    return LocalModel(entry.contract, entry.head, named, tuple(entry.compat), entry.verified is not None)
