"""Refuses system calls in the kernel, by a program of classic BPF: seccomp, Linux 3.17 and later.

Arguments that are pointers cannot be looked into, which is why ``clone3`` and ``openat2`` are said to be missing: the C
library then uses ``clone`` and ``openat``, whose flags can be seen.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Mapping, Sequence

from .syscalls import audit_arch, newest, numbers, seccomp_call, this_machine

_load, _and, _equal, _at_least, _any_bit, _return = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_allow, _errno, _kill = 0x7FFF0000, 0x00050000, 0x80000000
_number_at, _arch_at, _arguments_at = 0, 4, 16  # in struct seccomp_data
_set_mode_filter, _get_action_avail, _all_threads = 1, 2, 1
_no_new_privileges = 38

_thread = 0x00010000  # CLONE_THREAD
_namespaces = 0x7E020080  # CLONE_NEW*
_truncate_on_reading = 0x203, 0x200  # O_ACCMODE | O_TRUNC, and O_RDONLY | O_TRUNC: older Landlocks let it pass
_terminal_and_flags = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)  # TCGETS … FIOCLEX, TCGETS2
_prctls = (
    3,
    4,
    15,
    16,
    21,
    23,
    39,
    41,
    42,
    0x53564D41,
)  # of this process: dumpable, name, what is set, names of memory
_owners = (8, 10, 15, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY: signals by way of a file
_missing = ("clone3", "openat2", "io_uring_setup")

Instruction = tuple[int, int, int, int]


def missing() -> str:
    """Tell why calls cannot be refused here, or ``""``."""
    machine = this_machine()
    if os.name != "posix" or not hasattr(os, "pidfd_open"):
        return "this system is not Linux"
    if machine not in audit_arch:
        return f"the filter of system calls does not know {machine}"
    answer = ctypes.c_uint32(_errno)
    if _libc().syscall(seccomp_call.get(machine, 277), _get_action_avail, 0, ctypes.byref(answer)):
        return f"the kernel has no seccomp filters ({os.strerror(ctypes.get_errno())})"
    return ""


def apply(*, may_execute: bool = False) -> None:
    """Refuse, in this process and all that it starts, whatever is not in the table of ``syscalls``.

    Args:
        may_execute: another program may take this one's place.

    Raises:
        OSError: the kernel refuses.
    """
    program = compile_filter(this_machine(), os.getpid(), may_execute=may_execute)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc = _libc()
    set_no_new_privileges()
    if libc.syscall(seccomp_call.get(this_machine(), 277), _set_mode_filter, _all_threads, header):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_no_new_privileges() -> None:
    """Promise that no program started from here gains rights, without which the kernel refuses all else.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc().prctl(_no_new_privileges, 1, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def compile_filter(machine: str, process: int, *, may_execute: bool) -> bytes:
    """Return the program: the architecture's check, then a binary search over the numbers of calls.

    Args:
        machine: as ``platform.machine()`` names it.
        process: the id of the process that is to be confined.
        may_execute: ``execve`` is allowed.
    """
    calls = numbers(machine)
    checks = _checks(process)
    if not may_execute:
        del calls["execve"]
    leaves = {number: checks.get(name, [_give(_allow)]) for name, number in calls.items()}
    leaves |= {calls[name]: [_give(_errno | errno.ENOSYS)] for name in _missing}
    program = [
        (_load, 0, 0, _arch_at),
        (_equal, 1, 0, audit_arch[machine]),
        _give(_kill),
        (_load, 0, 0, _number_at),
        *_search(_ranges(leaves)),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _checks(process: int) -> dict[str, list[Instruction]]:
    """Return what calls that are allowed with some arguments only look at."""
    own = [process]
    opening = {"open": 1, "openat": 2}
    return {
        "clone": [
            (_load, 0, 0, _argument(0)),
            (_any_bit, 2, 0, _namespaces),
            (_any_bit, 0, 1, _thread),
            _give(_allow),
            _give(_errno | errno.EPERM),
        ],
        "kill": _only(0, own),
        "tgkill": _only(0, own),
        "prlimit64": _only(0, [0, process]),
        "sched_setaffinity": _only(0, [0, process]),
        "socketpair": _only(0, [1]),
        "ioctl": _only(1, _terminal_and_flags, errno.ENOTTY),
        "prctl": _only(0, _prctls),
        "fcntl": [
            (_load, 0, 0, _argument(1)),
            *[(_equal, len(_owners) - place, 0, value) for place, value in enumerate(_owners)],
            _give(_allow),
            _give(_errno | errno.EPERM),
        ],
        **{
            name: [
                (_load, 0, 0, _argument(place)),
                (_and, 0, 0, _truncate_on_reading[0]),
                (_equal, 1, 0, _truncate_on_reading[1]),
                _give(_allow),
                _give(_errno | errno.EPERM),
            ]
            for name, place in opening.items()
        },
    }


def _only(argument: int, values: Sequence[int], error: int = errno.EPERM) -> list[Instruction]:
    """Allow some values of an argument, of which the kernel looks at the low 32 bits."""
    return [
        (_load, 0, 0, _argument(argument)),
        *[(_equal, len(values) - place, 0, value) for place, value in enumerate(values)],
        _give(_errno | error),
        _give(_allow),
    ]


def _ranges(leaves: Mapping[int, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """Return the first number of each run of calls that are treated alike, from 0 on, and how.

    Numbers of the x32 way of calling begin at 2**30 and so are among those that are too new.
    """
    found: list[tuple[int, list[Instruction]]] = []
    for number in range(newest + 1):
        leaf = leaves.get(number, [_give(_errno | errno.EPERM)])
        if number == newest:
            leaf = [_give(_errno | errno.ENOSYS)]
        if not found or found[-1][1] != leaf:
            found.append((number, leaf))
    return found


def _search(ranges: Sequence[tuple[int, list[Instruction]]]) -> list[Instruction]:
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _search(ranges[:middle]), _search(ranges[middle:])
    start = ranges[middle][0]
    if len(low) > 255:  # farther than a comparison jumps
        return [(_at_least, 0, 1, start), (0x05, 0, 0, len(low)), *low, *high]
    return [(_at_least, len(low), 0, start), *low, *high]


def _argument(place: int) -> int:
    return _arguments_at + 8 * place


def _give(value: int) -> Instruction:
    return _return, 0, 0, value


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
