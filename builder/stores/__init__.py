"""Where bundles are published. A store knows nothing of models.

A store has immutable objects, written once, and one object that is swapped on condition. Dry run and faults are
decorators around these five methods.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .encoding import largest

Headers = Mapping[str, str]
no_headers: Headers = {}


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a store has it.

    Attributes:
        content: its bytes, decoded.
        tag: changes with its content.
        age: seconds since it was written, by the store's clock, so that the clocks of deployers do not matter.
        now: the store's time, in seconds since 1970.
        headers: what it is served with; empty where a store keeps none.
    """

    content: bytes
    tag: str
    age: float
    now: float
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing: key, stored length, and seconds since it was written, by the store's clock."""

    key: str
    nbytes: int
    age: float


@dataclass(frozen=True, slots=True)
class Stat:
    """An object without its bytes.

    Attributes:
        nbytes: stored length.
        headers: it is served with.
        sha256: of the stored bytes, where it is known.
        proven: the store has computed ``sha256`` of what it holds; otherwise whoever wrote the object noted it.
    """

    nbytes: int
    headers: Headers
    sha256: str | None
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """The end of the right to delete. The store itself must hold it: a process may sleep between a look and a delete.

    Attributes:
        key: of the object that grants the right.
        tag: what it must still have; whoever takes the right away changes it.
        since: when it was read, by the store's clock.
        until: when the right ends, by the store's clock.
        read_at: when it was read, by ``clock``.
        enforced: the store refuses what comes later; otherwise ``left`` before each delete is all there is.
    """

    key: str
    tag: str
    since: float
    until: float
    read_at: float
    enforced: bool = True

    def left(self) -> float:
        """Seconds until the end, as far as this machine knows."""
        return self.until - self.since - (clock() - self.read_at)


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of deletes.

    Attributes:
        keys: of the objects that are gone.
        answered: none that was sent may still arrive.
    """

    keys: Sequence[str]
    answered: bool = True


def clock() -> float:
    """Give seconds that go on while this machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Store(Protocol):
    """A place for files under keys such as ``assets/face.0123456789abcdef.json``."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Give an object's bytes and its tag, which changes with its content; None where there is none.

        Raises:
            StoreError: the store does not answer as it should.
        """

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """Write an immutable object from a file; give False when it was there already, whole.

        Raises:
            StoreError: it could not be written.
        """

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        """Replace an object at once, if its tag is still ``tag`` (None: if there is still none); give the new tag.

        Raises:
            StoreConflictError: somebody else replaced it in between; nothing was written.
            StoreError: it could not be written.
        """

    def list(self) -> Iterator[str]:
        """Give all keys."""

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""


class TargetStore(Store, Protocol):
    """A store that releases are deployed to, perhaps far away."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    @property
    def keeps_headers(self) -> bool:
        """Whether objects carry headers, and so are stored in one encoding."""

    @property
    def is_sure(self) -> bool:
        """Whether its swaps are known to be conditional; otherwise that is tried out."""

    @property
    def identity(self) -> str:
        """Names the store, so that what was found out about it is not believed of another."""

    def read(self, key: str, most: int = largest) -> Found | None:
        """Give an object and all that is known of it; None where there is none.

        Raises:
            StoreError: the store does not answer as it should, or with more than ``most`` bytes.
        """

    def stat(self, key: str) -> Stat | None:
        """Describe an object without fetching it; None where there is none."""

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Write an object whatever was there."""

    def replace(self, key: str, content: bytes, headers: Headers) -> None:
        """Write a small object whatever was there."""

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """Write a small object unless there is one; give False when there is."""

    def set_headers(self, key: str, headers: Headers) -> None:
        """Give an object other headers without sending its bytes again."""

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Give all objects whose keys start with ``prefix``."""

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove objects in any order while the fence stands.

        What is not among the keys that are gone was not removed, because the right to it has ended or soon would.

        Raises:
            StoreError: the store failed, or refuses for another reason.
        """

    @property
    def holds_fences(self) -> bool:
        """Whether ``remove`` is known to be refused after its end; otherwise that is tried out."""
