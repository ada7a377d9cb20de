"""Functions that tests run in conversion workers, and a program whose worker must not outlive it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from builder.convert.pool import ConversionPool
from builder.errors import SourceError


def square(number: int) -> int:
    return number * number


def process(_: object) -> int:
    return os.getpid()


def modules(_: object) -> list[str]:
    return sorted(sys.modules)


def crash(number: int) -> None:
    os.write(2, b"the last words\n")
    os.kill(os.getpid(), number)


def leave(status: int) -> None:
    os._exit(status)


def fail(text: str) -> None:
    raise ValueError(text)


def refuse(where: str) -> None:
    raise SourceError("is damaged", where=where, hint="Save it again")


def speak(text: str) -> str:
    print(text)  # noqa: T201
    os.write(1, b"and from C++\n")
    return text


def wait_forever(started: Path) -> None:
    started.write_text(str(os.getpid()))
    threading.Event().wait()


if __name__ == "__main__":
    with ConversionPool(1) as pool:
        sys.stdout.write(f"{pool.submit(process, None).result()}\n")
        sys.stdout.flush()
        if sys.argv[1] == "busy":
            pool.submit(wait_forever, Path(sys.argv[2]))
        signal.pause()
