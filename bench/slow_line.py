"""Serves a folder over a slow line, which all that a visitor's browser asks for shares.

Chromium's own simulation of networks is one for each thread's requests: what a worker asks for would come unhindered.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from first_screen import Handler, Server

from builder.pipeline.report.networks import networks

piece = 8192  # bytes that go over the line at once


class Line:
    """A line of some bytes a second: pieces of all answers go over it one after another."""

    def __init__(self, rate: float, latency: float) -> None:
        """Open a line.

        Args:
            rate: bytes a second.
            latency: seconds from a request to the first byte of its answer.
        """
        self.rate, self.latency = rate, latency
        self._free = 0.0
        self._lock = threading.Lock()

    def carry(self, count: int) -> None:
        """Wait until ``count`` more bytes have gone over the line."""
        with self._lock:
            now = time.monotonic()
            self._free = max(now, self._free) + count / self.rate
            left = self._free - now
        time.sleep(left)


class SlowHandler(Handler):
    """Answers over a line."""

    def __init__(self, *given: Any, line: Line, **more: Any) -> None:
        """Take the line, and what its base takes."""
        self.line = line
        super().__init__(*given, **more)

    def do_GET(self) -> None:  # noqa: N802
        """Answer after the line's latency, a piece at a time."""
        time.sleep(self.line.latency)
        quick = self.wfile
        self.wfile = _Paced(quick, self.line)  # type: ignore[assignment]
        try:
            super().do_GET()
        finally:
            self.wfile = quick


class _Paced:
    """What writes an answer over a line."""

    def __init__(self, file: Any, line: Line) -> None:
        self._file, self._line = file, line

    def write(self, content: bytes) -> int:
        for start in range(0, len(content), piece):
            part = content[start : start + piece]
            self._line.carry(len(part))
            self._file.write(part)
        return len(content)

    def flush(self) -> None:
        self._file.flush()


def serve(folder: Path, network: str = "") -> Server:
    """Serve a folder on a free port, over a network of ``networks()`` if one is named."""
    handler: partial[Handler] = partial(Handler, directory=str(folder))
    for one in networks():
        if one.name == network:
            handler = partial(SlowHandler, line=Line(one.rate, one.latency), directory=str(folder))
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
