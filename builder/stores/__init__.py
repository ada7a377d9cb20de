"""Where bundles are published. A store knows nothing about models.

A store has immutable objects, written once, and one object that is swapped conditionally. A dry run and fault injection
are decorators around the five methods of ``Store``.
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
        headers: those it is served with; empty if the store keeps none.
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
        proven: the store itself computed ``sha256`` of its content; otherwise the writer of the object recorded it.
    """

    nbytes: int
    headers: Headers
    sha256: str | None
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """When the right to delete ends. The store itself must enforce it: a process may sleep between check and delete.

    Attributes:
        key: of the object that grants the right.
        tag: its tag, which must be unchanged; revoking the right changes it.
        since: when it was read, by the store's clock.
        until: when the right ends, by the store's clock.
        read_at: when it was read, by ``clock``.
        enforced: the store refuses later deletes; otherwise ``left`` before each delete is the only check.
    """

    key: str
    tag: str
    since: float
    until: float
    read_at: float
    enforced: bool = True

    def left(self) -> float:
        """Seconds until the end, by this machine's clock."""
        return self.until - self.since - (clock() - self.read_at)


@dataclass(frozen=True, slots=True)
class Removed:
    """The outcome of deletes.

    Attributes:
        keys: of the removed objects.
        answered: every request was answered, so none can still arrive.
    """

    keys: Sequence[str]
    answered: bool = True


def clock() -> float:
    """Seconds of a clock that keeps running while this machine is suspended, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Store(Protocol):
    """A place for files under keys such as ``assets/face.0123456789abcdef.json``."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its tag, which changes with its content; None if there is no such object.

        Raises:
            StoreError: the store failed.
        """

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """Write an immutable object from a file; return False if it already exists, intact.

        Raises:
            StoreError: it could not be written.
        """

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        """Replace an object atomically if its tag is still ``tag`` (None: it still does not exist); return the new tag.

        Raises:
            StoreConflictError: somebody else replaced it in between; nothing was written.
            StoreError: it could not be written.
        """

    def list(self) -> Iterator[str]:
        """Iterate over all keys."""

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""


class TargetStore(Store, Protocol):
    """A store that releases are deployed to, possibly remote."""

    @property
    def place(self) -> str:
        """Where it is, for messages; ends so that a key can follow."""

    @property
    def keeps_headers(self) -> bool:
        """Whether objects carry headers, and so are stored in one encoding."""

    @property
    def is_sure(self) -> bool:
        """Whether its swaps are known to be conditional; otherwise this is tested."""

    @property
    def identity(self) -> str:
        """Identifies the store, so that test results for it are not applied to another."""

    def read(self, key: str, most: int = largest) -> Found | None:
        """Return an object with its metadata; None if there is no such object.

        Raises:
            StoreError: the store failed, or sent more than ``most`` bytes.
        """

    def stat(self, key: str) -> Stat | None:
        """Describe an object without fetching it; None if there is no such object."""

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Write an object, overwriting any existing one."""

    def replace(self, key: str, content: bytes, headers: Headers) -> None:
        """Write a small object, overwriting any existing one."""

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """Write a small object unless it exists; return False if it does."""

    def set_headers(self, key: str, headers: Headers) -> None:
        """Change an object's headers without sending its bytes again."""

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Iterate over all objects whose keys start with ``prefix``."""

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove objects, in any order, until the fence's end.

        Keys missing from the result were not removed, because the right to do so had ended or was about to.

        Raises:
            StoreError: the store failed, or refused for another reason.
        """

    @property
    def holds_fences(self) -> bool:
        """Whether the store is known to refuse ``remove`` after the fence's end; otherwise this is tested."""
