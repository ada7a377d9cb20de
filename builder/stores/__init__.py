"""Where bundles are published. A store knows nothing of models.

A store has immutable objects, written once, and one object that is swapped on condition. Dry run and faults are
decorators around these five methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """A place for files under keys such as ``assets/face.0123456789abcdef.json``."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Give an object's bytes and its tag, which changes with its content; None where there is none.

        Raises:
            StoreError: the store does not answer as it should.
        """

    def put(self, key: str, content: Path) -> bool:
        """Write an immutable object from a file; give False when it was there already, whole.

        Raises:
            StoreError: it could not be written.
        """

    def swap(self, key: str, content: bytes, tag: str | None) -> str:
        """Replace an object at once, if its tag is still ``tag`` (None: if there is still none); give the new tag.

        Raises:
            StoreConflictError: somebody else replaced it in between; nothing was written.
            StoreError: it could not be written.
        """

    def list(self) -> Iterator[str]:
        """Give all keys."""

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
