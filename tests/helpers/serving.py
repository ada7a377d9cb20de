"""A small static file server for tests: right types, CORS, and a log of what was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

media_types = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".wasm": "application/wasm",
    ".bin": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it; ``path`` is decoded and without the query."""

    method: str
    path: str
    status: int
    headers: dict[str, str]


@dataclass(slots=True)
class Site:
    """A running server.

    Attributes:
        url: where it listens, with a closing slash.
        requests: what was asked for so far, in the order of the answers' first bytes.
        fail: called with each decoded path; an HTTP status to answer instead of the file, or None.
        gone: whether connections end without an answer, for those that a browser keeps open outlive a server.
        special: called with each path and query; status, headers and body to answer instead of the file, or None.
    """

    root: Path
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    fail: Callable[[str], int | None] | None = None
    special: Callable[[str], tuple[int, dict[str, str], bytes] | None] | None = None
    gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self, prefix: str = "/") -> list[str]:
        """Give the paths of all GET requests under ``prefix`` so far, in order."""
        with self.lock:
            return [item.path for item in self.requests if item.method == "GET" and item.path.startswith(prefix)]

    def forget(self) -> None:
        """Empty the log."""
        with self.lock:
            self.requests.clear()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, site: Site) -> None:
        self.site = site
        super().__init__(*args, directory=str(site.root))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def _answer(self, usual: Callable[[], None]) -> None:
        if self.site.gone:
            self.close_connection = True
            return
        if special := self.site.special and self.site.special(self.path):
            status, headers, body = special
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            return
        status = self.site.fail(unquote(urlsplit(self.path).path)) if self.site.fail else None
        if status is None:
            usual()
        else:
            self.send_error(status)

    def guess_type(self, path: object) -> str:
        return media_types.get(Path(str(path)).suffix, "application/octet-stream")

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Note each answer."""
        entry = Request(self.command, unquote(urlsplit(self.path).path), int(code), dict(self.headers))  # type: ignore[call-overload]
        with self.site.lock:
            self.site.requests.append(entry)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet: tests read the log instead."""


@contextmanager
def serve(root: Path) -> Iterator[Site]:
    """Serve the files under ``root`` on a free port of 127.0.0.1 until the block ends."""
    site = Site(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site=site))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
