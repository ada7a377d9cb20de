"""The one protocol that makes a bundle live in a store.

Immutable files first, each shard before the head that names it; then the pinned loader; then one conditional swap of
``loader.js``. Killed at any instant, the old release or the new one is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..bundle.files import File
from ..bundle.format import immutable_name, loader_name
from ..progress import ignore
from ..stores import Store

Item = TypeVar("Item")


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

    def write(item: tuple[str, Path]) -> None:
        key, path = item
        (put if store.put(key, Path(path)) else skipped).append(key)
        progress(key)

    content = loader.blob.path.read_bytes()
    changed = live is None or live[0] != content

    def swap() -> None:
        if changed:
            store.swap(loader_name, content, live[1] if live else None)

    write_release([list(file.variants()) for file in (*files, loader)], write, swap)
    return Published(tuple(put), tuple(skipped), changed)


def write_release(
    steps: Iterable[Sequence[Item]], write: Callable[[Item], None], swap: Callable[[], None], workers: int = 1
) -> None:
    """Write what a release needs, each step whole before the next one begins, then make it live.

    Args:
        steps: what may be written in any order, several of them in the order that matters.
        write: writes one; called from several threads when there are several workers.
        swap: the one conditional write.
        workers: threads.

    Raises:
        StoreError: a write failed; nothing was swapped.
    """
    if workers == 1:
        for step in steps:
            for item in step:
                write(item)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for step in steps:
                tasks = [pool.submit(write, item) for item in step]
                try:
                    for task in tasks:
                        task.result()
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
    swap()


def remove_unnamed(files: Iterable[File], loader: File, store: Store, owned: Collection[str]) -> tuple[str, ...]:
    """Remove the bundle files among ``owned`` that ``files`` and ``loader`` do not hold; anything else stays."""
    kept = {key for file in (*files, loader) for key, _ in file.variants()}
    removed = tuple(key for key in store.list() if key in owned and immutable_name.fullmatch(key) and key not in kept)
    for key in removed:
        store.delete(key)
    return removed
