"""Restricts which files a process reaches: Landlock, Linux 5.13 and later, without root."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

from .seccomp import set_no_new_privileges

_create_ruleset, _add_rule, _restrict_self = 444, 445, 446  # the same on every architecture
_version_flag, _path_beneath = 1, 1
_network = 0b11  # binding and connecting TCP, from version 4 on
_scopes = 0b11  # abstract sockets and signals, from version 6 on


class Access(IntFlag):
    """What may be done beneath a path; the kernel's own numbers."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
WRITE = (
    READ
    | Access.WRITE_FILE
    | Access.REMOVE_DIR
    | Access.REMOVE_FILE
    | Access.MAKE_DIR
    | Access.MAKE_REG
    | Access.REFER
    | Access.TRUNCATE
)
_of_files = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_since = {2: Access.REFER, 3: Access.TRUNCATE, 5: Access.IOCTL_DEV}


def version() -> int:
    """Return the version of Landlock here; 0 where there is none.

    Raises:
        OSError: it is there and may not be used, as in a container that forbids it.
    """
    if not hasattr(os, "pidfd_open"):  # Linux only
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(_create_ruleset, None, 0, _version_flag)
    if found > 0:
        return int(found)
    number = ctypes.get_errno()
    if number in {errno.ENOSYS, errno.EOPNOTSUPP}:  # built without, or switched off
        return 0
    raise OSError(number, os.strerror(number))


def apply(rules: Iterable[tuple[Path, Access]]) -> None:
    """Refuse, in this process and all that it starts, files beyond ``rules``, TCP, signals and abstract sockets.

    Args:
        rules: paths and what may be done there and beneath; one that does not exist is left out.

    Raises:
        OSError: the kernel refuses.
    """
    has = version()
    handled = _handled(has)
    attributes = struct.pack("QQQ", handled, _network if has >= 4 else 0, _scopes if has >= 6 else 0)
    length = 24 if has >= 6 else 16 if has >= 4 else 8
    ruleset = _call(_create_ruleset, attributes[:length], length, 0)
    try:
        for path, access in rules:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, access & handled)
        set_no_new_privileges()
        _call(_restrict_self, ruleset, 0)
    finally:
        os.close(ruleset)


def _handled(has: int) -> Access:
    newer = Access(0)
    for since, access in _since.items():
        if has < since:
            newer |= access
    return ~newer & Access((1 << 16) - 1)


def _allow(ruleset: int, path: Path, access: Access) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _of_files
        if access:
            _call(_add_rule, ruleset, _path_beneath, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = libc.syscall(number, *arguments)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(answer)
