"""Progress as people see it: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, TextIO

from ..progress import Progress, Silent
from ..redact import redact

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Lines:
    """Writes a line when a step of a model begins."""

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def begin(self, subject: str, step: str, total: int) -> None:
        """Say which step begins."""
        parts = f" ({total} files)" if step == "compress" else ""
        self._write(f"{subject or 'all'}: {step}{parts}")

    def advance(self, subject: str) -> None:
        """Say nothing."""

    def end(self, subject: str) -> None:
        """Say nothing."""

    def note(self, subject: str, text: str) -> None:
        """Say it."""
        self._write(f"{subject}: {text}")

    def _write(self, line: str) -> None:
        self._stream.write(redact(line) + "\n")
        self._stream.flush()


class Bars:
    """Shows a bar for every step under way."""

    def __init__(self, bars: RichProgress) -> None:
        """Draw with ``bars``."""
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def begin(self, subject: str, step: str, total: int) -> None:
        """Add a bar."""
        with self._lock:
            self._tasks[subject] = self._bars.add_task(f"{subject or 'all'}: {step}", total=total)

    def advance(self, subject: str) -> None:
        """Move the bar on."""
        with self._lock:
            if subject in self._tasks:
                self._bars.advance(self._tasks[subject])

    def end(self, subject: str) -> None:
        """Take the bar away."""
        with self._lock:
            if subject in self._tasks:
                self._bars.remove_task(self._tasks.pop(subject))

    def note(self, subject: str, text: str) -> None:
        """Print above the bars."""
        self._bars.console.print(redact(f"{subject}: {text}"), markup=False)


@contextmanager
def open_progress(*, quiet: bool, verbose: int) -> Iterator[Progress]:
    """Return the progress that fits where stderr goes."""
    if quiet:
        yield Silent()
    elif not sys.stderr.isatty() or verbose > 1:
        yield Lines(sys.stderr)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        left = (TextColumn("left"), TimeRemainingColumn(compact=True))
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *left)
        with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
            yield Bars(bars)
