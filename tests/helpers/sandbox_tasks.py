"""What a confined process tries, one function an act: they give ``""`` where it works, else the name of the error."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": {"io_uring_setup": 425, "bpf": 321, "keyctl": 250, "ptrace": 101, "process_vm_readv": 310, "unshare": 272,
               "mount": 165, "perf_event_open": 298, "open_by_handle_at": 304, "pidfd_open": 434, "setns": 308,
               "process_vm_writev": 311, "userfaultfd": 323, "shmget": 29, "fork": 57, "clone3": 435, "openat2": 437,
               "pidfd_getfd": 438, "add_key": 248, "setuid": 105, "chroot": 161, "init_module": 175},
    "aarch64": {"io_uring_setup": 425, "bpf": 280, "keyctl": 219, "ptrace": 117, "process_vm_readv": 270, "unshare": 97,
                "mount": 40, "perf_event_open": 241, "open_by_handle_at": 265, "pidfd_open": 434, "setns": 268,
                "process_vm_writev": 271, "userfaultfd": 282, "shmget": 194, "clone3": 435, "openat2": 437,
                "pidfd_getfd": 438, "add_key": 217, "setuid": 146, "chroot": 51, "init_module": 105},
}[os.uname().machine]  # fmt: skip


def attempt(act: Callable[[], Any]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return ""


def call(number: int, *arguments: Any) -> None:
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def forbidden(outside: Path, other: int, port: int) -> dict[str, Callable[[], Any]]:
    """Give acts that must fail.

    Args:
        outside: a folder with ``secret`` and ``victim``, which is not the process's own.
        other: the id of another process.
        port: where somebody listens on loopback, TCP and UDP.
    """
    victim, secret = outside / "victim", outside / "secret"
    acts: dict[str, Callable[[], Any]] = {
        "read": secret.read_bytes,
        "read by a link of its own": lambda: through_link(secret),
        "read by a hard link": lambda: os.link(secret, Path.cwd() / "hard"),
        "list": lambda: list(outside.iterdir()),
        "list the root": lambda: list(Path("/").iterdir()),
        "read /etc/passwd": Path("/etc/passwd").read_bytes,
        "read by /proc/self/root": Path(f"/proc/self/root{secret}").read_bytes,
        "write": lambda: victim.write_bytes(b"x"),
        "append": lambda: os.close(os.open(victim, os.O_WRONLY | os.O_APPEND)),
        "truncate": lambda: os.truncate(victim, 0),
        "truncate on reading": lambda: os.open(sys.executable, os.O_RDONLY | os.O_TRUNC),
        "create": lambda: (outside / "new").write_bytes(b"x"),
        "folder": (outside / "folder").mkdir,
        "remove": victim.unlink,
        "rename": lambda: victim.rename(outside / "renamed"),
        "move away": lambda: victim.rename(Path.cwd() / "moved"),
        "link": lambda: (outside / "link").symlink_to(secret),
        "mode": lambda: victim.chmod(0o777),
        "mode by a descriptor": lambda: os.fchmod(os.open(sys.executable, os.O_RDONLY), 0o755),
        "owner": lambda: os.chown(victim, 0, 0),
        "times": lambda: os.utime(victim, (1, 1)),
        "attribute": lambda: os.setxattr(victim, "user.x", b"x"),
        "write to the log's folder": lambda: (Path.cwd().parent / "x").write_bytes(b"x"),
        "pipe among results": lambda: os.mkfifo(Path.cwd().parent / "out" / "pipe"),
        "link among results": lambda: (Path.cwd().parent / "out" / "link").symlink_to(secret),
        "write among sources": lambda: (Path.cwd().parent / "in" / "x").write_bytes(b"x"),
        "environment of another": Path(f"/proc/{other}/environ").read_bytes,
        "memory of another": lambda: os.open(f"/proc/{other}/mem", os.O_RDONLY),
        "command of another": Path(f"/proc/{other}/cmdline").read_bytes,
        "signal": lambda: os.kill(other, signal.SIGTERM),
        "signal its group": lambda: os.killpg(os.getpgid(other), signal.SIGTERM),
        "signal all": lambda: os.kill(-1, signal.SIGTERM),
        "limits of another": lambda: __import__("resource").prlimit(other, 7, (1, 1)),
        "fork": os.fork,
        "execute": lambda: os.execv("/bin/true", ["/bin/true"]),
        "execute itself": lambda: os.execv(sys.executable, [sys.executable]),
        "spawn": lambda: os.posix_spawn("/bin/true", ["/bin/true"], {}),
        "type into a terminal": lambda: __import__("fcntl").ioctl(0, 0x5412, b"x"),
        "own signals by a file": lambda: __import__("fcntl").fcntl(os.open("/dev/null", os.O_RDONLY), 8, other),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 5),
    }
    kinds = {"TCP": (2, 1), "UDP": (2, 2), "raw": (2, 3), "TCP 6": (10, 1), "UDP 6": (10, 2), "packet": (17, 3),
             "netlink": (16, 3), "unix": (1, 1), "crypto": (38, 5), "vsock": (40, 1)}  # fmt: skip
    acts |= {f"{name} socket": lambda kind=kind: socket.socket(*kind).close() for name, kind in kinds.items()}
    acts["inet pair"] = lambda: socket.socketpair(socket.AF_INET, socket.SOCK_STREAM)
    return acts | {name: lambda number=number: call(number, 0, 0, 0, 0, 0) for name, number in numbers.items()}


def through_link(target: Path) -> bytes:
    link = Path.cwd() / "link"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(target)
    return link.read_bytes()


def needed() -> dict[str, Callable[[], Any]]:
    """Give acts that must work."""
    out, scratch = Path.cwd().parent / "out", Path.cwd()

    def replace() -> None:
        (scratch / "a").write_bytes(b"x")
        (scratch / "a").replace(scratch / "b")
        (scratch / "b").rename(out / "c")
        (out / "c").unlink()

    def thread() -> None:
        one = threading.Thread(target=lambda: None)
        one.start()
        one.join()

    return {
        "replace": replace,
        "thread": thread,
        "import": lambda: __import__("numpy"),
        "own link": lambda: (scratch / "own").symlink_to(out),
        "folder": lambda: (out / "folder" / "deep").mkdir(parents=True),
        "randomness": lambda: Path("/dev/urandom").open("rb").read(4),
        "nothing": lambda: Path(os.devnull).write_bytes(b"x"),
        "processors": lambda: Path("/proc/cpuinfo").read_bytes(),
        "itself": lambda: Path("/proc/self/cmdline").read_bytes(),
        "standard library": lambda: Path(os.__file__).read_bytes(),
        "pair": lambda: [one.close() for one in socket.socketpair()],
        "signal to itself": lambda: os.kill(os.getpid(), 0),
        "clean up": lambda: (out / "folder" / "deep").rmdir() or (out / "folder").rmdir(),
    }


def try_all(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Try what is forbidden and what is needed, in a worker; ``text`` has the arguments of ``forbidden``."""
    outside, other, port = json.loads(text)
    bad = {name: attempt(act) for name, act in forbidden(Path(outside), other, port).items()}
    return bad, {name: attempt(act) for name, act in needed().items()}


def environment(_: object) -> tuple[dict[str, str], list[str]]:
    """Give the variables as they are and as they were at the start."""
    begun = Path("/proc/self/environ").read_bytes().decode().split("\0")
    return dict(os.environ), begun


def call_of_another_kind(_: object) -> None:
    """Ask the kernel as a program of 32 bits would, whose calls have other numbers (x86 only)."""
    import mmap

    code = bytes.fromhex("b814000000cd80c3")  # mov eax, 20; int 0x80; ret
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()


def call_x32(_: object) -> str:
    """Open a socket by the number that x32 has for it."""
    return attempt(lambda: call(0x40000000 | 41, 2, 1, 0))


def lead_out(folder: Path) -> None:
    """Leave something among the results that is not a plain file, by the name of what ``folder`` is asked to hold."""
    (folder / "plain").write_bytes(b"x")
    os.link(folder / "plain", folder / "twice")


class Bomb:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def forge(path: str) -> int:
    """Answer in place of the worker, with what would run code in the main process."""
    import pickle

    content = pickle.dumps(Bomb())
    for number in range(3, 32):
        with contextlib.suppress(OSError):
            os.write(number, len(content).to_bytes(8, "little") + content)
    return 1
