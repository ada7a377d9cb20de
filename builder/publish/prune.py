"""Removing what no kept release needs, under a lease that keeps deploys away meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from ..bundle.format import immutable_name, loader_name, pinned_url, stock_url
from ..bundle.head import named_urls
from ..bundle.index import HeadName, read_index
from ..errors import StoreConflictError, StoreError
from ..progress import Progress
from ..stores import Listed, TargetStore, clock
from .apply import Deployer
from .emulated_conditions import is_record, record_prefix
from .history import required
from .plan import Action, level, plain
from .pointer import (
    Lease,
    Pointer,
    State,
    fence_of,
    fetch_head,
    fetch_json,
    fetch_loader,
    preview_name,
    read_pointer,
    with_generation,
)
from .previews import settle_previews
from .probe import holds_fence, probe_prefix
from .records import Owned, find_owned, record_name

lease_seconds = 75
store_seconds = 15.0  # that a store may take over a delete which it has accepted: the fence ends this much earlier
work_seconds = 15.0
batch = 160
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
    deployer.repairs = False
    base = deployer.read()
    if base is None:
        raise StoreError("nothing is deployed here", code="SP-607", where=deployer.store.place, hint="Deploy first")
    return _collect(deployer, base, deployer.state_of(base))


def prune(deployer: Deployer, progress: Progress) -> Pruned:
    """Remove what no kept release needs and what is older than the grace period.

    Raises:
        StoreConflictError: somebody deployed meanwhile; nothing that they need was removed.
        StoreError: the store failed, or a kept release is not whole.
    """
    base = required(deployer)
    state = deployer.state_of(base)
    plan = _collect_now(deployer, base, state)
    if not plan.actions and state == base.state:
        return plan
    enforced = _tried(deployer)
    holder = uuid.uuid4().hex[:8]
    deployer.swap(base.loader, with_generation(state, lease=Lease(holder, lease_seconds)), base.tag)
    held = _Held(deployer, holder, enforced=enforced)
    try:
        return _remove(held, progress)
    finally:
        # A delete that was sent and not answered may still arrive, and is refused only when the fence has ended.
        if held.answered or deployer.store.holds_fences:
            _release_lease(held)


def _tried(deployer: Deployer) -> bool:
    """Try out whether the store refuses a delete that comes after its fence.

    Raises:
        StoreError: it does not, and the user has not guaranteed that nobody else writes.
    """
    if deployer.store.holds_fences or holds_fence(deployer.store):
        return True
    if deployer.unsafe:
        return False
    raise StoreError(
        "this store carries out deletes whose signature has expired, so a prune that was stopped could go on"
        " during a later deploy",
        code="SP-616",
        where=deployer.store.place,
        hint="Prune while nobody deploys, and say so: --unsafe-single-writer",
    )


class _Held:
    """A lease of ours: the pointer as it was read back, and the fence that comes of it."""

    def __init__(self, deployer: Deployer, holder: str, *, enforced: bool) -> None:
        self.deployer = deployer
        self.holder = holder
        self.enforced = enforced
        self.answered = True
        self.read()

    def read(self) -> None:
        """Read the lease back.

        Raises:
            StoreConflictError: it is somebody else's by now, or nobody's.
        """
        read_at = clock()
        pointer = read_pointer(self.deployer.store)
        if pointer is None or pointer.state.lease is None or pointer.state.lease.holder != self.holder:
            raise StoreConflictError(
                "the lease was lost", code="SP-644", where=self.deployer.store.place, hint="Run prune again"
            )
        self.pointer = pointer
        self.fence = fence_of(pointer, read_at, store_seconds, enforced=self.enforced)

    def renew(self) -> None:
        """Begin the lease's time anew."""
        self.deployer.swap(self.pointer.loader, with_generation(self.pointer.state), self.pointer.tag)
        self.read()

    def is_used(self) -> bool:
        """Return whether it is time to renew."""
        return lease_seconds - store_seconds - self.fence.left() > work_seconds

    def remove(self, keys: Sequence[str]) -> Sequence[str]:
        """Remove objects under the fence; give the keys of those that are gone."""
        before, self.answered = self.answered, False
        removed = self.deployer.store.remove(keys, self.fence)
        self.answered = before and removed.answered
        return removed.keys


def _remove(held: _Held, progress: Progress) -> Pruned:
    deployer, state = held.deployer, held.pointer.state
    # Under the lease a preview's file can fall behind no more, so what it names is known.
    settle_previews(deployer.store, deployer.form, state)
    # Whatever was planned before the lease may have come into use until then.
    plan = _collect_now(deployer, held.pointer, state)
    deployer.announce(plan.unrecorded)
    progress.begin("", "delete", len(plan.actions))
    try:
        for step in _steps(plan.actions):
            for start in range(0, len(step), batch):
                _remove_batch(held, step[start : start + batch], progress)
    finally:
        progress.end("")
    return plan


def _remove_batch(held: _Held, keys: Sequence[str], progress: Progress) -> None:
    left, fresh = list(keys), False
    while left:
        gone = set(held.remove(left))
        for key in gone:
            progress.advance(key)
        if fresh and not gone:
            place = held.deployer.store.place
            raise StoreError(
                "no delete finishes within a lease", code="SP-616", where=place, hint="Run prune again later"
            )
        left = [key for key in left if key not in gone]
        if fresh := bool(left) or held.is_used():
            held.renew()


def _steps(actions: Sequence[Action]) -> list[list[str]]:
    """Split what goes: whatever names other files is gone before them, but for the records of what is ours."""
    steps: list[list[str]] = [[], [], [], []]
    for action in actions:
        steps[3 if record_name.fullmatch(action.key) else 2 - level(action.key)].append(action.key)
    return steps


def _release_lease(held: _Held) -> None:
    """Return the lease back, so that nobody has to wait for its end; after a failure it may be lost already."""
    with suppress(StoreError):
        held.read()
        held.deployer.swap(held.pointer.loader, with_generation(held.pointer.state, lease=None), held.pointer.tag)


def _collect_now(deployer: Deployer, base: Pointer, state: State) -> Pruned:
    """Plan from a pointer; what is missing by it may have been removed rightly if it is the pointer no more."""
    try:
        return _collect(deployer, base, state)
    except StoreError as error:
        now = read_pointer(deployer.store)
        if now is not None and now.tag == base.tag:
            raise
        raise StoreConflictError(
            "another release was published in the meantime",
            code="SP-640",
            where=deployer.store.place,
            hint="Run prune again",
        ) from error


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
        return "the preview has ended" if known is None or known.until <= now else ""
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
    """Return whether an object that nothing needs is known to be ours, whatever its name looks like."""
    if preview := preview_name.fullmatch(key):
        return key in owned.files or preview[1] in base.state.previews
    if key.startswith(record_prefix):
        return is_record(store, key)
    return key.startswith(probe_prefix) or plain(key) in owned.files


def _generation(key: str) -> int:
    digits = key.removeprefix(record_prefix).removesuffix(".js")
    return int(digits) if digits.isdigit() else 1 << 62


def named(store: TargetStore, base: Pointer, releases: Iterable[str]) -> set[str]:
    """Return the addresses of everything that the live release and some others name.

    Raises:
        StoreError: one of them is not whole, so it cannot be known what it needs.
    """
    urls = {loader_name, pinned_url(base.live)}
    indices = [base.index]
    for digest in releases:
        loader = base.loader if digest == base.live else fetch_loader(store, digest)
        if loader is None:
            continue
        urls.add(pinned_url(digest))
        indices.append(read_index(loader))
    if not all(index.is_understood for index in indices):
        raise StoreError(
            "a kept release was written by a later version, so it is not known which files it needs",
            code="SP-603",
            where=store.place,
            hint="Upgrade shardpress",
        )
    urls.update(url for index in indices for url in index.module_urls())
    heads = {head for index in indices for head in index.heads()}

    def follow(head: HeadName) -> list[str]:
        content = fetch_head(store, head)
        if content is None:
            raise StoreError(
                "is missing, though a kept release names it",
                code="SP-608",
                where=store.place + head.url,
                hint="Run `verify`, then deploy with --repair",
            )
        return [head.url, *named_urls(head.model, content)]

    stock = {
        (name, digest) for item in base.state.releases for name, digest in item.stock.items() if item.loader in releases
    }

    def follow_stock(item: tuple[str, str]) -> list[str]:
        url = stock_url(*item)
        content = fetch_json(store, url, item[1]) or {"weightsManifest": []}
        return [url, *(f"assets/{path}" for group in content["weightsManifest"] for path in group["paths"])]

    with ThreadPoolExecutor(fetchers) as pool:
        for found in (*pool.map(follow, sorted(heads)), *pool.map(follow_stock, sorted(stock))):
            urls.update(found)
    return urls


def _order(action: Action) -> tuple[bool, int, str]:
    """Pointers first, then what names other files, so that a prune that is cut off leaves no dangling names."""
    return record_name.fullmatch(action.key) is not None, -level(action.key), action.key
