"""A store in memory, for tests and plans."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreConflictError
from . import Headers, no_headers


class MemoryStore:
    """Keeps everything in a dictionary."""

    def __init__(self) -> None:
        """Create an empty store."""
        self.objects: dict[str, bytes] = {}

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its SHA-256 as tag."""
        content = self.objects.get(key)
        return None if content is None else (content, hashlib.sha256(content).hexdigest())

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:  # noqa: ARG002
        """Keep a file's bytes."""
        new = content.read_bytes()
        if self.objects.get(key) == new:
            return False
        self.objects[key] = new
        return True

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:  # noqa: ARG002
        """Replace one object."""
        found = self.get(key)
        if (found and found[1]) != tag:
            raise StoreConflictError(
                "another release was published in the meantime", code="SP-640", where=key, hint="Run the command again"
            )
        self.objects[key] = content
        return hashlib.sha256(content).hexdigest()

    def list(self) -> Iterator[str]:
        """Return all keys, sorted."""
        yield from sorted(self.objects)

    def delete(self, key: str) -> None:
        """Forget an object."""
        self.objects.pop(key, None)
