"""Whether a manifest and a head name what the format allows: they come from another job and are not believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..bundle.format import (
    digest_pattern,
    head_url,
    immutable_name,
    model_pattern,
    module_url,
    ops_url,
    pinned_url,
    shard_url,
    stock_shard_url,
    stock_url,
    wasm_url,
    worker_url,
)
from ..bundle.head import Head, shard_urls
from ..bundle.index import Index
from ..bundle.manifest import FileEntry, Manifest, ModelEntry
from ..errors import FormatError
from ..stores.encoding import largest

longest_name = 100


def check_manifest(manifest: Manifest, where: str) -> None:
    """Compare every address of a manifest with what the format makes of its hash.

    Raises:
        FormatError: one is another, or a length cannot be right.
    """
    if len(manifest.generator) > longest_name:
        raise _wrong(where, "a long name of its generator")
    for url, file in _named(manifest, where):
        if not digest_pattern.fullmatch(file.sha256):
            raise _wrong(where, f"the hash {file.sha256[:80]!r}")
        if file.url != url or not immutable_name.fullmatch(url):
            raise _wrong(where, f"the address {file.url[:200]!r}")
        if not 0 <= file.bytes <= largest or not all(0 < nbytes <= largest for nbytes in file.encodings.values()):
            raise _wrong(where, f"the length of {file.url}")


def check_index(index: Index, manifest: Manifest, where: str) -> None:
    """Compare a loader's index with its manifest.

    Raises:
        FormatError: they name different models, heads, modules or binaries.
    """
    heads = {name: (entry.head.sha256, entry.head.bytes) for name, entry in manifest.models.items()}
    if {name: (entry.head_sha256, entry.head_bytes) for name, entry in index.models.items()} != heads:
        raise FormatError(
            "names models or heads other than those in manifest.json", code="SP-505", where=where, hint="Build again"
        )
    modules = {name: file.sha256 for name, file in manifest.modules.items()}
    wasm = {_stem(file): file.sha256 for file in _wasm(manifest)}
    if index.modules != modules or index.wasm != wasm:
        raise FormatError(
            "names modules other than those in manifest.json", code="SP-505", where=where, hint="Build again"
        )


def check_head(name: str, head: Head, contract: str, named: Iterable[FileEntry], where: str) -> None:
    """Compare a head with what the manifest says of its model: its contract, its shards and the module of its ops.

    Raises:
        FormatError: it is of another model, or names other files.
    """
    files = {file.url: file.sha256 for file in named}
    found = dict(zip(shard_urls(name, head), (shard.sha256 for shard in head.shards), strict=True))
    if head.ops:
        found[ops_url(name, head.ops)] = head.ops
    if found != files or (head.name, head.contract) != (name, contract):
        raise FormatError("is not the head listed in manifest.json", code="SP-505", where=where, hint="Build again")


def _named(manifest: Manifest, where: str) -> Iterator[tuple[str, FileEntry]]:
    """Return every file with the address that it must have."""
    yield pinned_url(manifest.loader.pinned.sha256), manifest.loader.pinned
    yield worker_url(manifest.worker.sha256), manifest.worker
    for name, file in manifest.modules.items():
        yield module_url(name, file.sha256), file
    for file in _wasm(manifest):
        yield wasm_url(_stem(file), file.sha256), file
    for name, entry in manifest.models.items():
        if not model_pattern.fullmatch(name):
            raise _wrong(where, f"the name {name[:80]!r}")
        yield from _of_model(name, entry)


def _of_model(name: str, entry: ModelEntry) -> Iterator[tuple[str, FileEntry]]:
    yield head_url(name, entry.head.sha256), entry.head
    if entry.ops:
        yield ops_url(name, entry.ops.sha256), entry.ops
    counts: dict[str, int] = {}
    for shard in entry.shards:
        number = counts.setdefault(shard.stage, 0)
        counts[shard.stage] += 1
        yield shard_url(name, shard.stage, number, shard.sha256), shard
    for number, file in enumerate(entry.compat[:-1]):
        yield stock_shard_url(name, number, file.sha256), file
    for file in entry.compat[-1:]:
        yield stock_url(name, file.sha256), file


def _wasm(manifest: Manifest) -> list[FileEntry]:
    return manifest.runtime.wasm if manifest.runtime else []


def _stem(file: FileEntry) -> str:
    return file.url.partition(".")[0]


def _wrong(where: str, what: str) -> FormatError:
    return FormatError(f"holds what no build writes: {what}", code="SP-507", where=where, hint="Build again")
