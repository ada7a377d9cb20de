"""A folder that one process holds: the folder itself is locked, so no lock file lies in what is published."""

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
# What file systems over a network say to a lock on a folder; there a file beside it is locked.
no_folder_locks = frozenset((errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP))


@contextmanager
def locked(folder: Path, seconds: float) -> Iterator[None]:
    """Hold a folder, which is made when missing; a process that ends lets go of it.

    Args:
        folder: what to hold.
        seconds: how long to wait for it.

    Raises:
        StoreLockedError: another process holds it and goes on doing so.
        OSError: it cannot be made or opened.
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
                    f"another process has written to this folder for {seconds:.0f} s",
                    code="SP-645",
                    where=str(folder),
                    hint="See whether a build, deploy or prune is stopped, end it, then run the command again",
                ) from error
            time.sleep(pause)
        else:
            return
