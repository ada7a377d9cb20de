"""``loader.js`` as the one mutable object of a target: a release, and in a last line all other mutable facts."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict, Unpack, cast

import msgspec

from ..bundle.format import hash_digits, loader_name, pinned_url
from ..bundle.head import Head, read_head
from ..bundle.index import HeadName, Index, read_index
from ..errors import FormatError, StoreError
from ..stores import Fence, Headers, TargetStore
from ..typed import from_json

state_mark = b"//# shardpress="
preview_name = re.compile(r"loader-([a-z0-9][a-z0-9-]*)\.js")


class Release(msgspec.Struct, frozen=True, array_like=True):
    """A release that was live.

    Attributes:
        loader: first 16 digits of its pinned loader's hash.
        at: when it was deployed, by the store's clock.
        until: when it was last seen live; 0 while it is.
        pinned: never pruned.
        stock: the stock copies that go with it, by model: 16 digits of the hash of their ``model.json``.
        id: its name for people, as its index has it; "" where an earlier version deployed it.
    """

    loader: str
    at: int
    until: int = 0
    pinned: bool = False
    stock: dict[str, str] = {}
    id: str = ""

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.id or self.loader


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """The right to delete, held for ``seconds`` from the moment the pointer was written."""

    holder: str
    seconds: int


class Preview(msgspec.Struct, frozen=True, array_like=True):
    """A release under a name of its own, until a time of the store's clock.

    Attributes:
        loader: as in a release.
        until: the time.
        id: its name for people.
        generation: the write of the pointer that announced it.
    """

    loader: str
    until: int
    id: str = ""
    generation: int = 0

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.id or self.loader


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mutable facts of a target besides the release itself.

    Attributes:
        generation: counts the writes of the pointer.
        nonce: of this write.
        tool: the version that wrote the code of the loader.
        headers: hash of the header rules that all objects of the release carry.
        store: what the store was found to honour, and which store that was.
        releases: newest first, in order of deployment; the live one among them.
        lease: of a prune under way.
        previews: by name.
        worker: address of the offline worker that goes with the release.
        owed: pointers whose copies at the CDN are not purged yet, with the generation that changed them.
    """

    generation: int = 0
    nonce: str = ""
    tool: str = ""
    headers: str = ""
    store: str = ""
    releases: tuple[Release, ...] = ()
    lease: Lease | None = None
    previews: dict[str, Preview] = {}
    worker: str = ""
    owed: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer as it was read.

    Attributes:
        loader: the release's loader: the pinned one, byte for byte.
        index: of it.
        state: the other facts.
        tag, age, now, headers: as the store gave them.
    """

    loader: bytes
    index: Index
    state: State
    tag: str
    age: float
    now: float
    headers: Headers = field(default_factory=dict)

    @property
    def live(self) -> str:
        """Name the live release by its loader."""
        return loader_hash(self.loader)

    @property
    def release(self) -> str:
        """Name the live release for people."""
        return self.index.release

    @property
    def lease_left(self) -> float:
        """Seconds for which somebody else may still delete."""
        return max(0.0, self.state.lease.seconds - self.age) if self.state.lease else 0.0

    @property
    def stock(self) -> dict[str, str]:
        """Return the stock copies that go with the live release."""
        return next((item.stock for item in self.state.releases if item.loader == self.live), {})


def read_pointer(store: TargetStore, key: str = loader_name) -> Pointer | None:
    """Read a pointer; None where nothing was ever deployed.

    Raises:
        StoreError: the store fails, or something else lies there.
    """
    found = store.read(key)
    if found is None:
        return None
    try:
        loader, state = split_pointer(found.content, store.place + key)
        index = read_index(loader)
    except FormatError as error:  # what lies on a target is the store's matter, not the build's
        hint = "Move it away or choose another place if it is not ours, else upgrade shardpress"
        raise StoreError(error.what, code="SP-604", where=store.place + key, hint=hint) from error
    return Pointer(loader, index, state, found.tag, found.age, found.now, found.headers)


def fence_of(held: Pointer, read_at: float, margin: float, *, enforced: bool) -> Fence:
    """Return the fence of a lease.

    Args:
        held: the pointer with the lease, as read back.
        read_at: by ``stores.clock``, before it was read.
        margin: seconds before the lease's end at which nothing may begin any more.
        enforced: the store holds it.
    """
    return Fence(loader_name, held.tag, held.now, held.now + held.lease_left - margin, read_at, enforced)


def split_pointer(content: bytes, where: str = loader_name) -> tuple[bytes, State]:
    """Return the release's loader and the state; a loader without a state has the empty one.

    Raises:
        FormatError: the state is damaged.
    """
    loader, mark, text = content.rpartition(state_mark)
    if not mark:
        return content, State()
    try:
        return loader, from_json(text, State)
    except msgspec.DecodeError as error:
        raise FormatError(
            "has a damaged last line", code="SP-508", where=where, hint="Deploy again with --repair"
        ) from error


def join_pointer(loader: bytes, state: State) -> bytes:
    """Return the bytes of a pointer; each call's differ by their nonce."""
    text = msgspec.json.encode(msgspec.structs.replace(state, nonce=uuid.uuid4().hex[:12]))
    return loader + state_mark + text + b"\n"


def loader_hash(loader: bytes) -> str:
    """Name a release by its loader."""
    return hashlib.sha256(loader).hexdigest()[:hash_digits]


def release_id(loader: bytes) -> str:
    """Name a release for people, as its build did: by its heads alone.

    Raises:
        FormatError: it is not a loader.
    """
    return read_index(loader).release


def digits_of(url: str) -> str:
    """Return the digits of its hash that an immutable file's address holds."""
    return url.rsplit(".", 2)[1]


def fetch_loader(store: TargetStore, digest: str) -> bytes | None:
    """Return a pinned loader, checked; None where there is none.

    Raises:
        StoreError: it is damaged.
    """
    key = pinned_url(digest)
    found = store.get(key)
    if found is None:
        return None
    if loader_hash(found[0]) != digest:
        raise StoreError("is damaged", code="SP-605", where=store.place + key, hint="Deploy with --repair")
    return found[0]


def fetch_head(store: TargetStore, head: HeadName) -> Head | None:
    """Return a head that an index names, checked; None where there is none.

    Raises:
        StoreError: it is damaged, or none that this version reads.
    """
    found = store.get(head.url)
    if found is None:
        return None
    if hashlib.sha256(found[0]).hexdigest() != head.sha256:
        raise StoreError("is damaged", code="SP-605", where=store.place + head.url, hint="Deploy with --repair")
    try:
        return read_head(found[0])
    except FormatError as error:
        raise StoreError(
            error.what, code="SP-605", where=store.place + head.url, hint="Deploy with --repair"
        ) from error


class StockGroup(TypedDict):
    """Weight files that belong together."""

    paths: list[str]


class StockModel(TypedDict, total=False):
    """What is used of a stock ``model.json``."""

    weightsManifest: list[StockGroup]


def fetch_json(store: TargetStore, key: str, digest: str) -> StockModel | None:
    """Return a stock model.json, checked against the digits of its hash; None where there is none.

    Raises:
        StoreError: it is damaged.
    """
    found = store.get(key)
    if found is None:
        return None
    if not hashlib.sha256(found[0]).hexdigest().startswith(digest):
        raise StoreError("is damaged", code="SP-605", where=store.place + key, hint="Deploy with --repair")
    try:
        return cast(StockModel, dict(json.loads(found[0])))
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError("is not JSON", code="SP-605", where=store.place + key, hint="Deploy with --repair") from error


def made_live(state: State, content: bytes, now: float, stock: Mapping[str, str], *, again: bool = False) -> State:
    """Note that a release is live from now on.

    Args:
        state: before.
        content: the release's loader.
        now: the store's time.
        stock: the stock copies that go with it.
        again: a rollback: the release keeps its place in the order of deployment.
    """
    time = int(now)
    loader = loader_hash(content)
    closed = [msgspec.structs.replace(item, until=item.until or time) for item in state.releases]
    before = next((item for item in closed if item.loader == loader), None)
    if again and before:
        releases = [msgspec.structs.replace(item, until=0) if item is before else item for item in closed]
    else:
        fresh = Release(loader, time, 0, before is not None and before.pinned, dict(stock), release_id(content))
        releases = [fresh, *(item for item in closed if item is not before)]
    return msgspec.structs.replace(state, generation=state.generation + 1, releases=tuple(releases), lease=None)


def trimmed(state: State, keep: int, grace: float, now: float) -> State:
    """Forget releases that are neither among the newest ``keep``, nor pinned, nor live within the grace period."""
    kept = tuple(
        item
        for number, item in enumerate(state.releases)
        if number < keep or item.pinned or item.until == 0 or now - item.until < grace
    )
    previews = {name: preview for name, preview in state.previews.items() if preview.until > now}
    return msgspec.structs.replace(state, releases=kept, previews=previews)


class Changes(TypedDict, total=False):
    """The fields of a state that writes change, besides its generation."""

    releases: tuple[Release, ...]
    lease: Lease | None
    previews: dict[str, Preview]
    owed: dict[str, int]


def with_generation(state: State, **changes: Unpack[Changes]) -> State:
    """Return the state of the next write."""
    return msgspec.structs.replace(state, generation=state.generation + 1, **changes)
