"""Watch mode as a process of its own, for tests."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

root = Path(__file__).resolve().parents[2]
patience = 60.0


@dataclass(slots=True)
class Watched:
    """A running watch mode.

    Attributes:
        url: where it serves, with a closing slash.
        lines: what it has printed so far, stdout and stderr together.
    """

    process: subprocess.Popen[str]
    url: str = ""
    lines: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, pattern: str, start: int = 0) -> int:
        """Wait for a line that has ``pattern``, from line number ``start`` on; give the number of the next one."""
        until = time.monotonic() + patience
        at = start
        with self.news:
            while True:
                while at < len(self.lines):
                    at += 1
                    if re.search(pattern, self.lines[at - 1]):
                        return at
                left = until - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    raise AssertionError(f"no {pattern!r} in:\n" + "".join(self.lines[start:]))
                self.news.wait(min(left, 0.5))


def copied_checkout(folder: Path) -> Path:
    """Copy what watch mode is made of: whoever edits the templates of this one reloads the pages of other tests."""
    for name in ("builder", "templates"):
        shutil.copytree(root / name, folder / name)
    for name in ("build.py", "package.json"):
        shutil.copy(root / name, folder / name)
    (folder / "node_modules").symlink_to(root / "node_modules")
    return folder


@contextmanager
def watching(config: Path, *options: str, checkout: Path = root) -> Iterator[Watched]:
    """Run ``build.py --watch`` of a checkout on a free port until the block ends; it must end cleanly by Ctrl-C."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        str(checkout / "build.py"),
        "--config",
        str(config),
        "--watch",
        "--port",
        "0",
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watched = Watched(process)

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            with watched.news:
                watched.lines.append(line)
                watched.news.notify_all()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        watched.wait_for("Serving http")
        watched.url = re.search(r"Serving (\S+/)", "".join(watched.lines))[1]  # type: ignore[index]
        yield watched
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # the fault handler tells where every thread is
            process.wait(timeout=60)
            reader.join()
            raise AssertionError("Ctrl-C did not end it:\n" + "".join(watched.lines)) from None
        assert code == 130, "".join(watched.lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        assert process.stdout
        process.stdout.close()
