"""Locks a folder for one process. The folder itself is locked, so that no lock file is published."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreLockedError

pause = 0.01
# How network file systems refuse a lock on a folder; a file beside it is locked instead.
no_folder_locks = frozenset((errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP))


@contextmanager
def locked(folder: Path, seconds: float) -> Iterator[None]:
    """Lock a folder, creating it if missing; the lock ends with the process.

    Args:
        folder: what to lock.
        seconds: how long to wait for it.

    Raises:
        StoreLockedError: another process still holds it after that time.
        OSError: it cannot be created or opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            _take(descriptor, folder, seconds)
        except OSError as error:
            if error.errno not in no_folder_locks:
                raise
            os.close(descriptor)
            beside = folder.parent / f".{folder.name}.lock"
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            _take(descriptor, folder, seconds)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise StoreLockedError(
                    f"another process has held this folder for {seconds:.0f} s",
                    code="SP-645",
                    where=str(folder),
                    hint="Check for a suspended build, deploy or prune, end it, then run the command again",
                ) from error
            time.sleep(pause)
        else:
            return
