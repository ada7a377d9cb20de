"""Functions that tests run in conversion workers, and a program whose worker must not outlive it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from builder.convert.pool import ConversionPool
from builder.errors import SourceError


def slimmed(folder: Path) -> tuple[int, int]:
    """Load a SavedModel slimmed; give the number of its functions before and after."""
    from builder.convert import worker

    tf = worker._tensorflow()
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "model"
        plain.symlink_to(folder)
        copy = worker._slim_copy(plain)
        tf.saved_model.load(str(copy))
        return _count_functions(folder), _count_functions(copy)


def _count_functions(folder: Path) -> int:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return len(content.meta_graphs[0].graph_def.library.function)


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
