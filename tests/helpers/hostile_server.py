"""A web server on loopback that serves a folder with the right headers, and single files as badly as tests ask for."""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import brotli

from builder.publish.headers import headers_for

bomb_bytes = 300 << 20
drip_seconds = 0.02


@functools.cache
def bomb() -> bytes:
    """Give a few hundred bytes that brotli unpacks to ``bomb_bytes``."""
    compressor = brotli.Compressor(quality=5, lgwin=24)
    parts = [compressor.process(bytes(1 << 20)) for _ in range(bomb_bytes >> 20)]
    return b"".join((*parts, compressor.finish()))


@dataclass(slots=True)
class Site:
    """A running server; ``ways`` says how paths are answered that are not answered well."""

    url: str
    ways: dict[str, str] = field(default_factory=dict)
    every: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    answer: Callable[[str, str], tuple[int, dict[str, str], bytes]] | None = None


class Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    site: Site
    root: Path

    def do_GET(self) -> None:
        key = self.path.lstrip("/")
        self.site.asked.append((key, self.headers.get("Authorization")))
        if self.site.answer:
            status, headers, content = self.site.answer(self.command, self.path)
            self._answer(status, content, headers)
            return
        way = self.site.ways.get(key, self.site.every)
        path = self.root / key
        body = path.read_bytes() if path.is_file() else b""
        answers = {
            "": (200, body, {}),
            "denied": (403, b"<Error><Code>AccessDenied</Code></Error>", {}),
            "missing": (404, b"", {}),
            "redirect": (302, b"", {"Location": "https://user:hunter2@other.example.com/x?X-Amz-Signature=abcdef0123"}),
            "plain 302": (302, b"", {}),
            "bomb": (200, bomb(), {"Content-Encoding": "br"}),
            "unknown encoding": (200, body, {"Content-Encoding": "zstd"}),
            "corrupt gzip": (200, b"\x1f\x8b\x08" + body[:99], {"Content-Encoding": "gzip"}),
            "not brotli": (200, body, {"Content-Encoding": "br"}),
            "larger": (200, body * 3 + bytes(200_000), {}),
            "cut short": (200, body, {"Content-Length": str(len(body) + 7)}),
            "bare": (200, body, {"Cache-Control": "", "Content-Type": "", "Access-Control-Allow-Origin": ""}),
            "not HTTP": (0, b"", {}),
            "html": (200, b"<html>Sign in to the wireless network</html>", {}),
        }
        if way in answers:
            status, content, more = answers[way]
            self._answer(status, content, headers_for(key, None, {}) | {"Access-Control-Allow-Origin": "*"} | more)
        elif way == "endless":
            self._answer(200, b"", {"Content-Length": str(1 << 40)})
            self._repeat(bytes(1 << 16), 0.0)
        elif way == "silent":
            self.site.ended.wait(60)
        elif way == "drips its head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            self._repeat(b"x", drip_seconds)
        elif way == "drips its body":
            self._answer(200, b"", {"Content-Length": str(len(body) or 1000)})
            self._repeat(b"x", drip_seconds)

    def _read_and_answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        if not status:
            self.wfile.write(b"220 mail.example.com ESMTP\r\n")
            return
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _repeat(self, piece: bytes, seconds: float) -> None:
        while not self.site.ended.wait(seconds):
            self.wfile.write(piece)
            self.wfile.flush()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # whoever asked hung up, as it should
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


for verb in ("HEAD", "PUT", "POST", "DELETE"):
    setattr(Handler, f"do_{verb}", Handler._read_and_answer)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextmanager
def hostile(root: Path, secure: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve ``root`` until the block ends, over TLS where a certificate is given."""
    site = Site("")
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site, "root": root}))
    if secure:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    site.url = f"http{'s' if secure else ''}://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
