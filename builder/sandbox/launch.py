"""Starts a program behind the wall: a Python of its own raises the wall around itself and becomes that program."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .wall import Wall, clean_environment, package, raise_wall

elf = b"\x7fELF"
# Imports nothing but this folder, with no packages of this interpreter. An order is a file: many shards are more than a
# command line holds.
beginning = f"import sys; sys.path.insert(0, sys.argv[1]); from {__name__} import become; become(sys.argv[2])"
harmless_options = re.compile(r"--(no-[a-z-]+|(max-[a-z-]+-size|stack-size)=\d+)")  # of Node: no files, no ports


def start_behind_wall(
    program: str,
    arguments: Sequence[str],
    reads: Iterable[Path],
    writes: Sequence[Path],
    errors: IO[bytes],
    *,
    asked: bool = False,
    memory: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a program that reads and writes nothing but what is named; its standard output is a pipe.

    Args:
        program: its file; Node, or a script that stands for it.
        arguments: its arguments.
        reads: files and folders it reads, beside itself and the system's libraries.
        writes: folders it writes to, at least one.
        errors: an open file that gets its standard error.
        asked: its standard input is a pipe too.
        memory: bytes of data it may have, on Linux; 0: as many as there are.

    Raises:
        OSError: it cannot be started.
    """
    command = [program, *arguments]
    if sys.platform == "linux":
        order = {
            "program": real_program(program),
            "arguments": list(arguments),
            "reads": [str(path.resolve()) for path in reads],
            "writes": [str(path.resolve()) for path in writes],
            "memory": memory,
        }
        place = writes[0].resolve() / "behind-wall.json"
        place.write_text(json.dumps(order), encoding="utf-8")
        command = [sys.executable, "-I", "-S", "-B", "-c", beginning, str(package.parent), str(place)]
    environment = clean_environment(os.environ, writes[0])
    options = os.environ.get("NODE_OPTIONS", "").split()
    environment["NODE_OPTIONS"] = " ".join(option for option in options if harmless_options.fullmatch(option))
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE if asked else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )


def run_behind_wall(
    program: str, arguments: Sequence[str], reads: Iterable[Path], writes: Sequence[Path], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program as ``start_behind_wall`` does, and give what it said.

    Args:
        program: its file.
        arguments: its arguments.
        reads: files and folders it reads.
        writes: folders it writes to, at least one.
        timeout: seconds it may take.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
        OSError: it cannot be started.
    """
    with tempfile.TemporaryFile() as errors, start_behind_wall(program, arguments, reads, writes, errors) as process:
        try:
            said, _ = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        errors.seek(0)
        texts = (content.decode(errors="replace") for content in (said, errors.read()))
        return subprocess.CompletedProcess([program, *arguments], process.returncode, *texts)


def real_program(found: str) -> str:
    """Return the program itself where a script of a version manager stands for Node: behind the wall no script runs.

    Args:
        found: the file found on PATH.
    """
    path = Path(found).resolve()
    try:
        with path.open("rb") as file:
            if file.read(4) == elf:
                return str(path)
        done = subprocess.run([found, "-p", "process.execPath"], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return found
    return shutil.which(done.stdout.strip()) or found


def become(place: str) -> None:
    """Raise the wall around this process and become the program of an order.

    Args:
        place: of a JSON file with ``program``, ``arguments``, the folders and files ``reads`` and ``writes``, and the
            bytes of ``memory``.
    """
    order: Mapping[str, Any] = json.loads(Path(place).read_bytes())
    if order["memory"]:
        import resource  # of Linux, as the wall is

        resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], order["memory"]))
    program, writes = str(order["program"]), [Path(path) for path in order["writes"]]
    file = Path(program)
    beside = file.parent.with_name("lib") if file.parent.name == "bin" else file.parent  # Node may bring libraries
    reads = (*(Path(path) for path in order["reads"]), beside)
    raise_wall(Wall(reads, tuple(writes), executes=(file,)))
    os.execv(program, [program, *order["arguments"]])  # noqa: S606
