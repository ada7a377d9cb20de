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

lock_seconds = 60.0  # a suspended process may hold it for ever


class DirectoryStore:
    """Keys are paths below ``root``. Every write is a rename; the swap locks ``root`` itself."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``; the first write makes it.

        Raises:
            StoreError: it is not a folder.
        """
        self.root = root
        if root.exists() and not root.is_dir():
            raise StoreError(
                "is not a folder", code="SP-602", where=str(root), hint="Move it away, or choose another path"
            )

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its SHA-256 as tag."""
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(error, self._path(key)) from error
        return content, hashlib.sha256(content).hexdigest()

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:  # noqa: ARG002
        """Copy a file to ``key``; an existing one that differs (disk damage, a stray edit) is replaced."""
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
        """Replace one object by rename, under the lock."""
        with self._locked():
            found = self.get(key)
            if (found and found[1]) != tag:
                raise StoreConflictError(
                    "another release was published in the meantime",
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
        """Return the paths of all files, sorted."""
        yield from sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and not is_stale(path)
        )

    def delete(self, key: str) -> None:
        """Remove a file, if it exists."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise _failure(error, self._path(key)) from error

    @property
    def place(self) -> str:
        """The folder with a trailing slash, so that a key can follow."""
        return f"{self.root}/"

    @property
    def keeps_headers(self) -> bool:
        """No: the web server of the folder sets headers and encoding."""
        return False

    @property
    def is_sure(self) -> bool:
        """Yes: a lock guards the swap."""
        return True

    @property
    def identity(self) -> str:
        """All folders behave alike."""
        return "directory"

    def read(self, key: str, most: int = largest) -> Found | None:  # noqa: ARG002
        """Return a file and its age."""
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
        """Return a file's length and hash."""
        found = self.get(key)
        return None if found is None else Stat(len(found[0]), {}, found[1], proven=True)

    def overwrite(self, key: str, content: Path, headers: Headers) -> None:
        """Copy a file to ``key``."""
        self.put(key, content, headers)

    def replace(self, key: str, content: bytes, headers: Headers) -> None:  # noqa: ARG002
        """Write a small file, overwriting any existing one."""
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
        """Return all files below ``prefix``."""
        now = time.time()
        for key in self.list():
            if key.startswith(prefix):
                try:
                    status = self._path(key).stat()
                except FileNotFoundError:
                    continue  # removed since
                yield Listed(key, status.st_size, max(0.0, now - status.st_mtime))

    def remove(self, keys: Sequence[str], fence: Fence) -> Removed:
        """Remove files under the lock, so that nobody can change the object that grants the right to."""
        with self._locked():
            found = self.get(fence.key)
            if found is None or found[1] != fence.tag:
                return Removed(())
            for key in keys:
                self.delete(key)
            return Removed(keys)

    @property
    def holds_fences(self) -> bool:
        """Yes: the lock is held from the check to the last delete, even by a process suspended in between."""
        return True

    def remove_stale(self) -> None:
        """Remove temporary files of killed writers; only for a caller that has the folder to itself."""
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
        """Return a key's path.

        Raises:
            StoreError: the key leads out of the folder.
        """
        if key.startswith("/") or "\\" in key or "\0" in key or ".." in key.split("/"):
            raise StoreError(
                f"{key!r} is not a valid key", code="SP-605", where=str(self.root), hint="Deploy with --repair"
            )
        return self.root / key


def _failure(error: OSError, path: Path) -> StoreError:
    return StoreError(
        f"cannot be read or written ({error.strerror})",
        code="SP-601",
        where=str(path),
        hint="Check the disk and the permissions",
    )
