"""What a store honours is tried out, not believed: some accept conditions and ignore them."""

from __future__ import annotations

import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..errors import StoreConflictError, StoreDeniedError, StoreError
from ..stores import Fence, TargetStore, clock

Capability = Literal["full", "create", "none"]
capabilities: tuple[Capability, ...] = get_args(Capability)
probe_prefix = "shardpress-probe-"


@dataclass(frozen=True, slots=True)
class Honours:
    """What a store was found to honour.

    Attributes:
        capability: ``full`` conditions, ``create`` without overwriting only, or ``none``.
        identity: which store that was.
    """

    capability: Capability
    identity: str

    @property
    def text(self) -> str:
        """Return it as a pointer's state has it."""
        return f"{self.capability}:{self.identity}"

    @classmethod
    def read(cls, text: str) -> Honours | None:
        """Read it from a pointer's state; None where nothing is known that this version understands."""
        word, _, identity = text.partition(":")
        return next((cls(capability, identity) for capability in capabilities if capability == word), None)


def probe(store: TargetStore) -> Capability:
    """Return whether a store honours conditional swaps, only creation without overwriting, or neither.

    Raises:
        StoreError: it cannot be written at all.
    """
    key = f"{probe_prefix}{uuid.uuid4().hex}"
    try:
        return _try(store, key)
    finally:
        with suppress(StoreError):  # a key that may not delete can still deploy; prune clears this away
            store.delete(key)


def holds_fence(store: TargetStore) -> bool:
    """Return whether a store refuses a delete whose fence has ended, and carries out one whose has not.

    Raises:
        StoreDeniedError: the credentials do not allow to delete.
        StoreError: the store cannot be written, or does not answer.
    """
    key = f"{probe_prefix}{uuid.uuid4().hex}"
    store.replace(key, b"1", {})
    try:
        found = store.read(key)
        if found is None:
            return False
        late = Fence(key, found.tag, found.now - 60.0, found.now - 30.0, clock() + 3600.0)
        with suppress(StoreDeniedError):
            store.remove((key,), late)
            return False
        store.remove((key,), Fence(key, found.tag, found.now, found.now + 600.0, clock()))
        return store.get(key) is None
    except StoreDeniedError:
        store.delete(key)  # denied too, where the key may not delete at all
        return False  # else the store knows no signatures in addresses
    finally:
        with suppress(StoreError):
            store.delete(key)


def _try(store: TargetStore, key: str) -> Capability:
    if not _creates(store, key):
        return "none"
    if not _swaps(store, key):
        return "create"
    return "full"


def _creates(store: TargetStore, key: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        first.write_bytes(b"1")
        second.write_bytes(b"2")
        try:
            store.put(key, first)
        except StoreError:
            # Refused conditions and refused credentials are told apart by a write without one.
            store.overwrite(key, first, {})
            return False
        refused = not store.put(key, second)
    found = store.get(key)
    return refused and found is not None and found[0] == b"1"


def _swaps(store: TargetStore, key: str) -> bool:
    found = store.get(key)
    if found is None:
        return False
    try:
        tag = store.swap(key, b"3", found[1])
    except StoreError:
        return False
    try:
        store.swap(key, b"4", found[1])
    except StoreConflictError:
        now = store.get(key)
        return now is not None and now == (b"3", tag)
    except StoreError:
        return False
    return False
