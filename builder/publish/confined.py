"""Files of an untrusted folder: no link is followed on the way to them, and no more is read than was agreed on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import FormatError

folder_flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
file_flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a named pipe must not block
link_errors = (NotADirectoryError, IsADirectoryError)


@contextmanager
def open_confined(root: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file below a folder.

    Args:
        root: the folder; links on the way to it are the user's own.
        name: relative, with forward slashes.

    Raises:
        FormatError: the name leads out, or a part of it is a link or no file.
        OSError: it cannot be opened.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or any(part in {"..", "."} or "\\" in part for part in parts):
        raise _refusal(root, name, "leads out of the folder")
    folder = os.open(root, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        for part in parts[:-1]:
            inner = _open(part, folder_flags, folder, root, name)
            os.close(folder)
            folder = inner
        descriptor = _open(parts[-1], file_flags, folder, root, name)
    finally:
        os.close(folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _refusal(root, name, "is no regular file")
        yield file


def read_confined(root: Path, name: str, most: int) -> bytes:
    """Read a regular file below a folder, of at most ``most`` bytes.

    Raises:
        FormatError: as ``open_confined``, or it is larger.
        OSError: it cannot be read.
    """
    with open_confined(root, name) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise _refusal(root, name, f"is larger than the {most} bytes it may have")
        content = file.read(most + 1)
    if len(content) > most:
        raise _refusal(root, name, "grows while it is read")
    return content


def _open(part: str, flags: int, folder: int, root: Path, name: str) -> int:
    try:
        status = os.stat(part, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise _refusal(root, name, f"is reached through a link ({part})")
        return os.open(part, flags, dir_fd=folder)
    except link_errors as error:
        raise _refusal(root, name, f"is not reached through folders ({part})") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            error.filename = str(root / name)
        raise


def _refusal(root: Path, name: str, what: str) -> FormatError:
    return FormatError(
        what, code="SP-507", where=f"{root / name}", hint="Build again; a build writes plain files and folders only"
    )
