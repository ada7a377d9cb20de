"""Which files pages have requested: only those are watched, however many there are beside them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

Stamp = tuple[int, int, int] | None
most = 4096
longest_name, longest_path = 255, 4095  # bytes; no file has longer ones


def stamp(path: Path) -> Stamp:
    """Return what changes with a file's content, also behind links; None when it is missing."""
    try:
        status = path.stat()
        # A folder's own length and time say nothing that its files do not.
        return (0, 0, status.st_ino) if is_folder(path) else (status.st_size, status.st_mtime_ns, status.st_ino)
    except (OSError, ValueError):
        return None


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; no name is too long for that."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


class Asked:
    """The files that pages are made of, each in its state when first requested; the oldest are dropped for new ones.

    Written by the server's threads, read by the loop's.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._files: dict[Path, Stamp] = {}
        self.wake: Callable[[], None] = lambda: None

    def note(self, path: Path) -> None:
        """Record a file before it is read, even if it is missing: it may be created later."""
        name = os.fsencode(path)
        if len(name) > longest_path or max(map(len, name.split(os.fsencode(os.sep)))) > longest_name:
            return
        with self._lock:
            known = path in self._files
            # Asked for again, it is among the newest; as it was at first it stays.
            self._files[path] = self._files.pop(path) if known else stamp(path)
            if len(self._files) > most:
                del self._files[next(iter(self._files))]
        if not known:
            self.wake()

    def known(self) -> dict[Path, Stamp]:
        """Return the files."""
        with self._lock:
            return dict(self._files)
