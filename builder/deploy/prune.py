"""Removing what no kept release needs, under a lease that keeps deploys away meanwhile."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from builder.bundle import head_url, immutable_name, loader_name, module_urls, named_urls, pinned_url, read_index
from builder.deploy.apply import Deployer
from builder.deploy.history import required
from builder.deploy.plan import Action, heads_of, level, plain
from builder.deploy.pointer import (
    Lease,
    Pointer,
    State,
    fetch_json,
    fetch_loader,
    preview_name,
    read_pointer,
    with_generation,
)
from builder.deploy.probe import probe_prefix
from builder.deploy.records import Owned, find_owned, record_name
from builder.deploy.weaker import is_record, record_prefix
from builder.errors import StoreConflictError, StoreError
from builder.progress import Progress
from builder.stores import Listed, TargetStore

lease_seconds = 75  # a delete that is under way when the work time ends is over before the lease is
work_seconds = 15.0
fetchers = 16


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed, or would.

    Attributes:
        actions: in order.
        kept: the releases that stay.
        unrecorded: keys to be deleted that are known as ours only by what is deleted before them.
    """

    actions: tuple[Action, ...]
    kept: tuple[str, ...]
    unrecorded: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Stored bytes that are freed."""
        return sum(action.nbytes for action in self.actions)


def plan_prune(deployer: Deployer) -> Pruned:
    """Tell what a prune would remove; write nothing.

    Raises:
        StoreError: the store failed, or a kept release is not whole.
    """
    deployer.mends = False
    base = deployer.read()
    if base is None:
        raise StoreError("nothing is deployed here", where=deployer.store.place, hint="Deploy first")
    return _collect(deployer, base, deployer.state_of(base))


def prune(deployer: Deployer, progress: Progress) -> Pruned:
    """Remove what no kept release needs and what is older than the grace period.

    Raises:
        StoreConflictError: somebody deployed meanwhile; nothing that they need was removed.
        StoreError: the store failed, or a kept release is not whole.
    """
    base = required(deployer)
    state = deployer.state_of(base)
    plan = _collect(deployer, base, state)
    if not plan.actions and state == base.state:
        return plan
    holder = uuid.uuid4().hex[:8]
    begun = time.monotonic()
    deployer.swap(base.loader, with_generation(state, lease=Lease(holder, lease_seconds)), base.tag)
    try:
        plan, held = _remove(deployer, holder, begun, progress)
    except BaseException:
        _let_go(deployer, holder)
        raise
    deployer.swap(held.loader, with_generation(held.state, lease=None), held.tag)
    return plan


def _remove(deployer: Deployer, holder: str, begun: float, progress: Progress) -> tuple[Pruned, Pointer]:
    held = _held(deployer, holder)
    # Whatever was planned before the lease may have come into use until then.
    plan = _collect(deployer, held, held.state)
    deployer.announce(plan.unrecorded)
    progress.begin("", "delete", len(plan.actions))
    try:
        with ThreadPoolExecutor(fetchers) as pool:
            for start in range(0, len(plan.actions), 10 * fetchers):
                if time.monotonic() - begun > work_seconds:
                    begun = time.monotonic()
                    deployer.swap(held.loader, with_generation(held.state), held.tag)
                    held = _held(deployer, holder)
                for action in pool.map(_delete(deployer.store), plan.actions[start : start + 10 * fetchers]):
                    progress.advance(action.key)
    finally:
        progress.end("")
    return plan, held


def _let_go(deployer: Deployer, holder: str) -> None:
    """Give the lease back after a failure, so that nobody has to wait for its end."""
    with suppress(StoreError):
        held = _held(deployer, holder)
        deployer.swap(held.loader, with_generation(held.state, lease=None), held.tag)


def _delete(store: TargetStore) -> Any:
    def delete(action: Action) -> Action:
        store.delete(action.key)
        return action

    return delete


def _held(deployer: Deployer, holder: str) -> Pointer:
    held = read_pointer(deployer.store)
    if held is None or held.state.lease is None or held.state.lease.holder != holder:
        raise StoreConflictError("the lease was lost", where=deployer.store.place, hint="Run prune again")
    return held


def _collect(deployer: Deployer, base: Pointer, state: State) -> Pruned:
    store = deployer.store
    listed = list(store.listing())
    kept = {item.loader for item in state.releases} | {preview.loader for preview in state.previews.values()}
    needed = named(store, base, kept)
    owned = find_owned(store, listed, needed)
    grace = deployer.keeping.grace
    actions = [
        Action("delete", item.key, why, item.nbytes)
        for item in listed
        if (why := _why(item, needed, state, grace, base.now)) and _is_ours(item.key, owned, base, store)
    ]
    spent = owned.spent(listed, {action.key for action in actions}, grace)
    actions += [Action("delete", item.key, "a record of uploads that are gone", item.nbytes) for item in spent]
    names = sorted([*(item.name for item in state.releases), *(item.name for item in state.previews.values())])
    unrecorded = tuple(action.key for action in actions if owned.only_named(action.key))
    return Pruned(tuple(sorted(actions, key=_order)), tuple(names), unrecorded)


def _why(item: Listed, needed: set[str], state: State, grace: float, now: float) -> str:
    """Tell why an object goes, or "" when it stays."""
    if preview := preview_name.fullmatch(item.key):
        known = state.previews.get(preview[1])
        gone = known is None or known.until <= now
        return "the preview has ended" if gone and item.age > min(grace, 60.0) else ""
    if item.age < grace:
        return ""
    if item.key.startswith(probe_prefix):
        return "left by a probe"
    if item.key.startswith(record_prefix):
        return "a record of an old release" if _generation(item.key) < state.generation - 1 else ""
    # Sites name the offline worker themselves, and it hardly ever changes.
    if immutable_name.fullmatch(item.key) and not item.key.startswith("sw.") and plain(item.key) not in needed:
        return "no kept release names it"
    return ""


def _is_ours(key: str, owned: Owned, base: Pointer, store: TargetStore) -> bool:
    """Tell whether an object that nothing needs is known to be ours, whatever its name looks like."""
    if preview := preview_name.fullmatch(key):
        return key in owned.files or preview[1] in base.state.previews
    if key.startswith(record_prefix):
        return is_record(store, key)
    return key.startswith(probe_prefix) or plain(key) in owned.files


def _generation(key: str) -> int:
    digits = key.removeprefix(record_prefix).removesuffix(".js")
    return int(digits) if digits.isdigit() else 1 << 62


def named(store: TargetStore, base: Pointer, releases: Iterable[str]) -> set[str]:
    """Give the addresses of everything that the live release and some others name.

    Raises:
        StoreError: one of them is not whole, so it cannot be known what it needs.
    """
    urls = {loader_name, pinned_url(base.live), *module_urls(base.index)}
    heads = {head for entry in base.index["models"].items() for head in heads_of(*entry)}
    for digest in releases:
        loader = base.loader if digest == base.live else fetch_loader(store, digest)
        if loader is None:
            continue
        urls.add(pinned_url(digest))
        index = read_index(loader)
        urls.update(module_urls(index))
        heads |= {head for entry in index["models"].items() for head in heads_of(*entry)}

    def follow(head: tuple[str, str]) -> list[str]:
        name, digest = head
        url = head_url(name, digest)
        content = fetch_json(store, url, digest)
        if content is None:
            raise StoreError(
                "is missing, though a kept release names it",
                where=store.place + url,
                hint="Run `verify`, then deploy with --repair",
            )
        return [url, *named_urls(name, content)]

    stock = {
        (name, digest) for item in base.state.releases for name, digest in item.stock.items() if item.loader in releases
    }

    def follow_stock(item: tuple[str, str]) -> list[str]:
        url = f"assets/{item[0]}-stock.{item[1]}.json"
        content = fetch_json(store, url, item[1]) or {"weightsManifest": []}
        return [url, *(f"assets/{path}" for group in content["weightsManifest"] for path in group["paths"])]

    with ThreadPoolExecutor(fetchers) as pool:
        for found in (*pool.map(follow, sorted(heads)), *pool.map(follow_stock, sorted(stock))):
            urls.update(found)
    return urls


def _order(action: Action) -> tuple[bool, int, str]:
    """Pointers first, then what names other files, so that a prune that is cut off leaves no dangling names."""
    return record_name.fullmatch(action.key) is not None, -level(action.key), action.key
