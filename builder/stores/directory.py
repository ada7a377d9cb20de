"""A folder as a store."""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreConflictError, StoreError
from ..files.atomic import is_stale, write_atomically
from . import Fence, Found, Headers, Listed, Removed, Stat, no_headers
from .encoding import largest
from .locking import locked

lock_seconds = 60.0  # a stopped process may hold it for ever


class DirectoryStore:
    """Keys are paths below ``root``. Every write is a rename; the swap locks ``root`` itself."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``; the first write makes it.

        Raises:
            StoreError: it is no folder.
        """
        self.root = root
        if root.exists() and not root.is_dir():
            raise StoreError(
                "is no folder", code="SP-602", where=str(root), hint="Move it away, or choose another place"
            )

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Give an object's bytes and its SHA-256 as tag."""
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(error, self._path(key)) from error
        return content, hashlib.sha256(content).hexdigest()

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:  # noqa: ARG002
        """Copy a file to ``key``; one that is there but differs (a torn disk, a stray edit) is replaced."""
        path = self._path(key)
        try:
            if path.is_file() and filecmp.cmp(path, content, shallow=False):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
            os.close(descriptor)
            temporary = Path(name)
            try:
                shutil.copyfile(content, temporary)
                temporary.chmod(0o644)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _failure(error, path) from error
        return True

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:  # noqa: ARG002
        """Replace one object by rename while nobody else can."""
        with self._locked():
            found = self.get(key)
            if (found and found[1]) != tag:
                raise StoreConflictError(
                    "another release was published meanwhile",
                    code="SP-640",
                    where=str(self._path(key)),
                    hint="Run the command again",
                )
            try:
                if not found or found[0] != content:
                    write_atomically(self._path(key), content)
            except OSError as error:
                raise _failure(error, self._path(key)) from error
        return hashlib.sha256(content).hexdigest()

    def list(self) -> Iterator[str]:
        """Give the paths of all files, sorted."""
        yield from sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and not is_stale(path)
        )

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise _failure(error, self._path(key)) from error

    @property
    def place(self) -> str:
        """The folder, with a closing slash, so that a key can follow."""
        return f"{self.root}/"

    @property
    def keeps_headers(self) -> bool:
        """No: the server of the folder gives them, and chooses the encoding."""
        return False

    @property
    def is_sure(self) -> bool:
        """Yes: a lock guards the swap."""
        return True

    @property
    def identity(self) -> str:
        """Any folder is as good as another."""
        return "directory"

    def read(self, key: str, most: int = largest) -> Found | None:  # noqa: ARG002
        """Give a file and its age."""
        path = self._path(key)
        try:
            with path.open("rb") as file:  # content and age of one file, also when another one takes its place
                content, written = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(error, path) from error
        now = time.time()
        return Found(content, hashlib.sha256(content).hexdigest(), max(0.0, now - written), now)

    def stat(self, key: str) -> Stat | None:
        """Give a file's length and hash."""
        found = self.get(key)
        return None if found is None else Stat(len(found[0]), {}, found[1], proven=True)

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Copy a file to ``key``."""
        self.put(key, content, headers)

    def replace(self, key: str, content: bytes, headers: Headers) -> None:  # noqa: ARG002
        """Write a small file whatever was there."""
        try:
            write_atomically(self._path(key), content)
        except OSError as error:
            raise _failure(error, self._path(key)) from error

    def create(self, key: str, content: bytes, headers: Headers = no_headers) -> bool:
        """Write a small file unless there is one."""
        with self._locked():
            if self._path(key).exists():
                return False
            self.replace(key, content, headers)
            return True

    def set_headers(self, key: str, headers: Headers) -> None:
        """Do nothing: a folder keeps no headers."""

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Give all files below ``prefix``."""
        now = time.time()
        for key in self.list():
            if key.startswith(prefix):
                try:
                    status = self._path(key).stat()
                except FileNotFoundError:
                    continue  # removed since
                yield Listed(key, status.st_size, max(0.0, now - status.st_mtime))

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove files while nobody can change what grants the right to."""
        with self._locked():
            found = self.get(fence.key)
            if found is None or found[1] != fence.tag:
                return Removed(())
            for key in keys:
                self.delete(key)
            return Removed(keys)

    @property
    def holds_fences(self) -> bool:
        """Yes: the lock is held from the look to the last delete, also by a process that is stopped in between."""
        return True

    def remove_stale(self) -> None:
        """Remove what killed writers left under temporary names; only for who holds the folder alone."""
        for path in [path for path in self.root.rglob("*.tmp") if is_stale(path)]:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self.root, lock_seconds):
                yield
        except OSError as error:
            raise _failure(error, self.root) from error

    def _path(self, key: str) -> Path:
        """Give a key's path.

        Raises:
            StoreError: it would lead out of the folder.
        """
        if key.startswith("/") or "\\" in key or "\0" in key or ".." in key.split("/"):
            raise StoreError(f"{key!r} is no key", code="SP-605", where=str(self.root), hint="Deploy with --repair")
        return self.root / key


def _failure(error: OSError, path: Path) -> StoreError:
    return StoreError(
        f"cannot be read or written ({error.strerror})",
        code="SP-601",
        where=str(path),
        hint="Check the disk and the permissions",
    )
