"""The one protocol that makes a bundle live in a store.

Immutable files first, each shard before the head that names it; then the pinned loader; then one conditional swap of
``loader.js``. Killed at any instant, the old release or the new one is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import File, immutable_name, loader_name
from builder.progress import ignore
from builder.stores import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did, by key."""

    put: tuple[str, ...]
    skipped: tuple[str, ...]
    swapped: bool


def publish(files: Iterable[File], loader: File, store: Store, progress: Callable[[str], None] = ignore) -> Published:
    """Publish a bundle.

    Args:
        files: heads and shards, a head after its shards.
        loader: the pinned loader; its content becomes ``loader.js``.
        store: where to.
        progress: called with each key.

    Raises:
        StoreConflictError: somebody else published in between.
        StoreError: the store failed; what was live still is.
    """
    live = store.get(loader_name)
    put: list[str] = []
    skipped: list[str] = []
    for file in (*files, loader):
        for key, path in file.variants():
            (put if store.put(key, Path(path)) else skipped).append(key)
            progress(key)
    content = loader.blob.path.read_bytes()
    changed = live is None or live[0] != content
    if changed:
        store.swap(loader_name, content, live[1] if live else None)
    return Published(tuple(put), tuple(skipped), changed)


def remove_unnamed(files: Iterable[File], loader: File, store: Store) -> tuple[str, ...]:
    """Remove the bundle files that ``files`` and ``loader`` do not hold; anything else in the store stays."""
    kept = {key for file in (*files, loader) for key, _ in file.variants()}
    removed = tuple(key for key in store.list() if immutable_name.fullmatch(key) and key not in kept)
    for key in removed:
        store.delete(key)
    return removed
