"""The second wall: what a process that meets untrusted models keeps, and how it gives up the rest.

The first wall is in ``builder.sources.safety``: it refuses models that ask for files or the network. This one does not
rely on it: whatever a model manages to run finds no files but its own, no network, no other process and no secrets.
"""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import landlock, seccomp
from .landlock import READ, WRITE, Access

package = Path(__file__).resolve().parents[1]  # not from ``packages``: behind the wall only this folder is imported
# What the C library, Python and TensorFlow read of the system; each is left out where it is missing.
system_files = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/libexec", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives"),
    "/etc/ssl/openssl.cnf",
    *("/usr/share/zoneinfo", "/usr/share/locale"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems", "/proc/sys/vm"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node"),
    *("/dev/zero", "/dev/urandom", "/dev/random"),
)
loader_patterns = ("lib64/ld-*", "lib/ld-*", "lib/*-linux-gnu*/ld-*", "nix/store/*-glibc-*/lib/ld-*")
# All else of the environment may be a secret, or lead to one.
kept_variables = re.compile(
    r"PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|LD_LIBRARY_PATH|DYLD_(FALLBACK_)?LIBRARY_PATH|PYTHON(HOME|HASHSEED|UTF8|FAULTHANDLER)"
    r"|(OMP|OPENBLAS|MKL|KMP|NUMEXPR|VECLIB|GOTO)_[A-Z0-9_]+|MALLOC_[A-Z_]+|NVPL_BLAS_[A-Z_]+"
    r"|TF_(CPP_MIN_LOG_LEVEL|NUM_INTRAOP_THREADS|NUM_INTEROP_THREADS|DETERMINISTIC_OPS)"
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|PATHEXT|NUMBER_OF_PROCESSORS|PROCESSOR_[A-Z]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Wall:
    """What a process keeps.

    Attributes:
        reads: files and folders that it reads, beside the system's libraries.
        writes: folders in which it makes files and folders, but no links, devices, pipes or sockets.
        scratch: a folder in which it may make links too.
        executes: the programs that may take its place.
    """

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    scratch: Path | None = None
    executes: tuple[Path, ...] = ()


def raise_wall(wall: Wall) -> tuple[str, ...]:
    """Give up all that ``wall`` does not keep, for good, in this process and all that it starts.

    To be called before a second thread starts.

    Returns:
        What the system cannot enforce, a sentence each: () when the wall stands.
    """

    def confine_files() -> None:
        landlock.apply(_rules(wall))

    def confine_calls() -> None:
        seccomp.apply(may_execute=bool(wall.executes))

    return _missing(confine_files, confine_calls)


def missing() -> tuple[str, ...]:
    """Tell what a wall would lack on this system, a sentence each."""
    return _missing(lambda: None, lambda: None)


def _missing(confine_files: Callable[[], None], confine_calls: Callable[[], None]) -> tuple[str, ...]:
    found = []
    forbidden = "the system forbids {} ({}), as some containers do"
    try:
        if landlock.version():
            confine_files()
        else:
            found.append(f"files outside their folder are open to them, as {_reason('Landlock (Linux 5.13 or later)')}")
    except OSError as error:
        found.append(f"files outside their folder are open to them: {forbidden.format('Landlock', error.strerror)}")
    calls = "the network and other processes are open to them"
    try:
        if problem := seccomp.missing():
            found.append(f"{calls}: {problem}")
        else:
            confine_calls()
    except OSError as error:
        found.append(f"{calls}: {forbidden.format('filters of system calls', error.strerror)}")
    return tuple(found)


def _reason(needed: str) -> str:
    return f"{'this kernel' if sys.platform == 'linux' else 'this system'} lacks {needed}"


def _rules(wall: Wall) -> list[tuple[Path, Access]]:
    reads = [*map(Path, system_files), *library_folders(), *wall.reads]
    rules = [(path, READ) for path in reads]
    rules += [(path, WRITE) for path in wall.writes]
    if pinned := _pin(Path("/proc/self")):
        rules.append((pinned, READ))
    rules += [(Path("/dev/null"), READ | Access.WRITE_FILE)]
    if wall.scratch is not None:
        rules.append((wall.scratch, WRITE | Access.MAKE_SYM))
    # The kernel starts a program together with its loader.
    loaders = [name for pattern in loader_patterns for name in Path("/").glob(pattern)] if wall.executes else []
    rules += [(path, READ | Access.EXECUTE) for path in (*wall.executes, *loaders)]
    return rules


def _pin(path: Path) -> Path | None:
    """Keep a folder of ``/proc`` open: the kernel may forget it otherwise, and with it the rule."""
    try:
        return Path(f"/proc/self/fd/{os.open(path, os.O_PATH | os.O_CLOEXEC)}")
    except OSError:
        return None


def python_files() -> tuple[Path, ...]:
    """Return where Python, the installed packages and this one lie, which is less than ``sys.path``: no projects."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(name) for name in names]
    folders += [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    prefixes = [f"{prefix}/{name}" for prefix in (sys.prefix, sys.base_prefix) for name in ("lib", "lib64", "bin")]
    files = [sys.executable, f"{sys.prefix}/pyvenv.cfg"]
    named = dict.fromkeys(name for name in [*folders, *prefixes, *files] if name)
    return (*map(Path, named), package)


def library_folders() -> tuple[Path, ...]:
    """Return where libraries are looked for beside the usual places, and where those in use lie."""
    named = [name for name in os.environ.get("LD_LIBRARY_PATH", "").split(":") if name]
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    used = [line.split(maxsplit=5)[5] for line in lines if ".so" in line]
    return tuple(dict.fromkeys([*map(Path, named), *(Path(name).parent for name in used)]))


def clean_environment(given: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Return what of an environment a confined process is started with; home and temporary files are in ``scratch``."""
    kept = {name: value for name, value in given.items() if kept_variables.fullmatch(name)}
    folder = str(scratch)
    return {**kept, "HOME": folder, "USERPROFILE": folder, "TMPDIR": folder, "TEMP": folder, "TMP": folder}
