"""What in a target is ours: only what a record of ours names is ever deleted.

Before a deploy's first upload an object ``shardpress-uploads-<hash>.json`` names all that it is going to write, so that
what a killed one left is known too. A pinned loader is a record as well, through the heads that it names: earlier
versions wrote no others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from ..bundle.format import hash_digits, immutable_name, to_json
from ..bundle.head import named_urls
from ..bundle.index import HeadName, read_index
from ..errors import FormatError, StoreError, UsageError
from ..stores import Listed, TargetStore
from ..typed import from_json
from .plan import Plan, plain
from .pointer import StockModel, digits_of, fetch_head, fetch_loader, preview_name, split_pointer
from .previews import empty, preview_key

prefix = "shardpress-uploads-"
record_name = re.compile(rf"{prefix}([0-9a-f]{{{hash_digits}}})\.json")
loader_name = re.compile(rf"loader\.[0-9a-f]{{{hash_digits}}}\.js")
stock_name = re.compile(rf"assets/([a-z][a-z0-9-]*-stock)\.([0-9a-f]{{{hash_digits}}})\.json")
kept_seconds = 3600.0  # a deploy may be at work that has written its record and nothing yet
fetchers = 16
shown = 3  # names in a message


class Record(msgspec.Struct, frozen=True):
    """The keys that a deploy set out to write."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owned:
    """What is known to be ours.

    Attributes:
        files: addresses, without the suffixes of encoded copies.
        records: the keys that each upload record names.
    """

    files: frozenset[str]
    records: Mapping[str, frozenset[str]]

    def only_named(self, key: str) -> bool:
        """Return whether no upload record, but only another file that may go first, names an object."""
        return plain(key) in self.files and not any(key in keys for keys in self.records.values())

    def spent(self, listed: Iterable[Listed], gone: Collection[str], grace: float) -> list[Listed]:
        """Return the upload records that name nothing any more, once ``gone`` is deleted."""
        left = {item.key for item in listed} - set(gone)
        old = (item for item in listed if item.key in self.records and item.age >= max(grace, kept_seconds))
        return [item for item in old if not self.records[item.key] & left]


def record_uploads(store: TargetStore, keys: Iterable[str]) -> None:
    """Write down what is going to be written.

    Raises:
        StoreError: that failed.
    """
    content = to_json(msgspec.to_builtins(Record(tuple(sorted(keys)))))
    # Its name tells its content, so writing it again does no harm, and makes it young again.
    store.replace(f"{prefix}{_digits(content)}.json", content, {})


def recorded(store: TargetStore, listed: Iterable[str] | None = None) -> dict[str, frozenset[str]]:
    """Return the keys that each upload record of a store names; what only looks like a record is none.

    Args:
        store: the target.
        listed: keys that are there, if they are known.

    Raises:
        StoreError: the store fails.
    """
    names = [item.key for item in store.listing(prefix)] if listed is None else listed
    with ThreadPoolExecutor(fetchers) as pool:
        found = pool.map(lambda name: (name, _read(store, name)), filter(record_name.fullmatch, names))
        return {name: keys for name, keys in found if keys is not None}


def find_owned(store: TargetStore, listed: Collection[Listed], needed: Collection[str]) -> Owned:
    """Tell what is ours of what nothing needs.

    Args:
        store: the target.
        listed: all that is there.
        needed: addresses that stay anyway, and whose records need no look.

    Raises:
        StoreError: the store fails.
    """
    keys = [item.key for item in listed]
    records = recorded(store, keys)
    files = {plain(key) for named in records.values() for key in named}
    loaders = [key for key in keys if loader_name.fullmatch(key) and key not in needed]
    copies = [key for key in keys if stock_name.fullmatch(key) and key not in needed]
    with ThreadPoolExecutor(fetchers) as pool:
        heads: set[HeadName] = set()
        for found, named in pool.map(lambda key: _of_loader(store, key), loaders):
            files |= found
            heads |= {head for head in named if head.url not in needed}
        for found in (*pool.map(lambda head: _of_head(store, head), sorted(heads)),
                      *pool.map(lambda key: _of_stock(store, key), copies)):  # fmt: skip
            files |= found
    return Owned(frozenset(files), records)


def check_foreign(store: TargetStore, plan: Plan, preview: str) -> None:
    """Refuse a plan that would replace what is not known to be ours.

    Args:
        store: the target.
        plan: of a deploy.
        preview: its name, or "".

    Raises:
        UsageError: it would.
        StoreError: the store fails.
    """
    claimed = [action.key for action in plan.actions if action.do == "overwrite"] if plan.base is None else []
    if plan.base is None and not plan.idle and not store.keeps_headers:
        # Servers of folders prefer such copies, and would never answer with the loader.
        claimed += [key for key in ("loader.js.br", "loader.js.gz") if store.stat(key) is not None]
    if preview and plan.base and not plan.idle and preview not in plan.base.state.previews:
        key = preview_key(preview)
        found = store.get(key)
        claimed += [key] if found and not _is_loader(found[0]) else []
    if not claimed:
        return
    known = set().union(*recorded(store).values())
    if foreign := sorted(set(claimed) - known):
        more = f" and {len(foreign) - shown} more" if len(foreign) > shown else ""
        raise UsageError(
            f"holds files of others that would be overwritten: {', '.join(foreign[:shown])}{more}",
            code="SP-117",
            where=store.place,
            hint="Move them away, or choose another place",
        )


def _is_loader(content: bytes) -> bool:
    try:
        loader, _ = split_pointer(content)
        return loader == empty or bool(read_index(loader))
    except FormatError:
        return False


def _read(store: TargetStore, name: str) -> frozenset[str] | None:
    found = store.get(name)
    if found is None or name != f"{prefix}{_digits(found[0])}.json":
        return None
    try:
        keys = from_json(found[0], Record).keys
    except msgspec.DecodeError:
        return None
    # Whatever a record says, no other names than ours are deleted.
    return frozenset(key for key in keys if immutable_name.fullmatch(key) or preview_name.fullmatch(key))


def _of_loader(store: TargetStore, key: str) -> tuple[set[str], set[HeadName]]:
    """Return what a pinned loader names, and its heads; nothing if it only looks like one."""
    try:
        content = fetch_loader(store, digits_of(key))
        index = read_index(content) if content else None
    except (StoreError, FormatError):
        return set(), set()
    if index is None:
        return set(), set()
    return {key, *index.module_urls()}, index.heads()


def _of_head(store: TargetStore, head: HeadName) -> set[str]:
    try:
        content = fetch_head(store, head)
    except StoreError:
        content = None
    return {head.url, *(named_urls(head.model, content) if content else ())}


def _of_stock(store: TargetStore, key: str) -> set[str]:
    """Return the files of a stock copy whose ``model.json`` has the hash that its name says."""
    try:
        found = store.get(key)
        content: StockModel = json.loads(found[0]) if found and _digits(found[0]) == digits_of(key) else {}
        paths = {f"assets/{path}" for group in content["weightsManifest"] for path in group["paths"]}
    except (StoreError, ValueError, KeyError, TypeError):
        return set()
    stem = key.rsplit(".", 2)[0]
    return {key, *(path for path in paths if path.startswith(f"{stem}-"))}


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:hash_digits]
