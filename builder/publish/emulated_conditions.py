"""Pointers on stores that honour less than a conditional swap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..bundle.format import loader_name
from ..errors import FormatError, StoreConflictError
from ..stores import Fence, Found, Headers, Listed, Removed, Stat, TargetStore, no_headers
from ..stores.encoding import largest
from .pointer import split_pointer

record_prefix = "releases/"


class _Wrapper:
    """Hands everything on to the store within."""

    def __init__(self, store: TargetStore) -> None:
        """Wrap ``store``."""
        self.store = store

    @property
    def place(self) -> str:
        """As within."""
        return self.store.place

    @property
    def keeps_headers(self) -> bool:
        """As within."""
        return self.store.keeps_headers

    @property
    def is_sure(self) -> bool:
        """As within."""
        return self.store.is_sure

    @property
    def identity(self) -> str:
        """As within."""
        return self.store.identity

    def get(self, key: str) -> tuple[bytes, str] | None:
        """As within."""
        return self.store.get(key)

    def read(self, key: str, most: int = largest) -> Found | None:
        """As within."""
        return self.store.read(key, most)

    def stat(self, key: str) -> Stat | None:
        """As within."""
        return self.store.stat(key)

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """As within."""
        return self.store.put(key, content, headers)

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """As within."""
        self.store.overwrite(key, content, headers)

    def replace(self, key: str, content: bytes, headers: Headers) -> None:
        """As within."""
        self.store.replace(key, content, headers)

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """As within."""
        return self.store.create(key, content, headers)

    def set_headers(self, key: str, headers: Headers) -> None:
        """As within."""
        self.store.set_headers(key, headers)

    def list(self) -> Iterator[str]:
        """As within."""
        return self.store.list()

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """As within."""
        return self.store.listing(prefix)

    def delete(self, key: str) -> None:
        """As within."""
        self.store.delete(key)

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """As within."""
        return self.store.remove(keys, fence)

    @property
    def holds_fences(self) -> bool:
        """As within."""
        return self.store.holds_fences


class NumberedStore(_Wrapper):
    """Decides by numbered records that can be created once; ``loader.js`` follows, and any later run repairs it."""

    def __init__(self, store: TargetStore, *, repairs: bool = True) -> None:
        """Wrap ``store``; with ``repairs`` off nothing is written by reading."""
        super().__init__(store)
        self.repairs = repairs

    def read(self, key: str, most: int = largest) -> Found | None:
        """Read the newest record where it is newer than ``loader.js``, and repair that."""
        found = self.store.read(key, most)
        if key != loader_name:
            return found
        newest = found
        generation = _generation(found.content) if found else 0
        while (record := self.store.read(record_key(generation + 1))) is not None:
            newest = record
            generation += 1
        if newest is None or newest is found or not self.repairs:
            return newest
        self.store.replace(key, newest.content, newest.headers)
        return self.store.read(key)

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:  # noqa: ARG002
        """Create the record of this generation, or learn that somebody else did; other keys have no records."""
        if key != loader_name:
            self.store.replace(key, content, headers)
            return ""
        if not self.store.create(record_key(_generation(content)), content, headers):
            raise StoreConflictError(
                "another release was published in the meantime",
                code="SP-640",
                where=self.place + key,
                hint="Run the command again",
            )
        self.store.replace(key, content, headers)
        found = self.read(key)  # a slower writer must not leave an older release behind
        return found.tag if found else ""


class SingleWriterStore(_Wrapper):
    """Compares, then writes: right only while nobody else does."""

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        """Write an object where there is none, without a condition, which the store might refuse."""
        if self.store.stat(key) is not None:
            return False
        self.store.overwrite(key, content, headers)
        return True

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        """Replace the object after a look at it."""
        found = self.store.read(key)
        if (found.tag if found else None) != tag:
            raise StoreConflictError(
                "another release was published in the meantime",
                code="SP-640",
                where=self.place + key,
                hint="Run the command again",
            )
        self.store.replace(key, content, headers)
        found = self.store.read(key)
        return found.tag if found else ""


def record_key(generation: int) -> str:
    """Name the record of a generation."""
    return f"{record_prefix}{generation:08d}.js"


def is_record(store: TargetStore, key: str) -> bool:
    """Return whether an object with the name of a numbered record is one.

    Raises:
        StoreError: the store fails.
    """
    found = store.get(key)
    try:
        return found is not None and record_key(_generation(found[0])) == key
    except FormatError:
        return False


def _generation(content: bytes) -> int:
    return split_pointer(content)[1].generation
