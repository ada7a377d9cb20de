"""An HTTP proxy on loopback that now and then answers 503, hangs up, is slow, cuts answers short or loses them.

Where ``choose`` says so, it also answers ``404``, changes bytes (``corrupted``), ends an answer too early as if it were
whole (``short``), sends half of it and then nothing until ``released`` is set (``stalled``), or only then passes a
request on (``late``). A share of DELETEs is late by a random time.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

unknown = b"<Error><Code>NotImplemented</Code><Message>A header you provided implies that.</Message></Error>"
exists = b"<Error><Code>FileAlreadyExists</Code><Message>The object exists.</Message></Error>"
kinds = ("unavailable", "reset", "slow", "truncated", "lost")


@dataclass(slots=True)
class Proxy:
    """A running proxy; ``rate`` is the share of requests that go wrong, ``slow_deletes`` that of late DELETEs."""

    url: str
    rate: float
    chance: random.Random
    faults: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    choose: Callable[[str, str], str] | None = None
    released: threading.Event = field(default_factory=threading.Event)
    forbid_header: str = ""
    slow_deletes: float = 0.0
    longest_delay: float = 0.0

    def delay(self, verb: str) -> float:
        """Give the seconds after which a DELETE goes on to the server, also when nobody waits for it any more."""
        with self.lock:
            if verb != "DELETE" or self.chance.random() >= self.slow_deletes:
                return 0.0
            self.faults["late delete"] = self.faults.get("late delete", 0) + 1
            return self.chance.uniform(0, self.longest_delay)

    def draw(self, verb: str, path: str) -> str:
        """Give what goes wrong with a request, or ""; ``choose`` decides where it is set."""
        if self.choose:
            return self.choose(verb, path)
        with self.lock:
            if self.chance.random() >= self.rate:
                return ""
            kind = self.chance.choice(kinds)
            self.faults[kind] = self.faults.get(kind, 0) + 1
            return kind


class Handler(BaseHTTPRequestHandler):
    """Forwards a request, or does something else with it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy
    port: int

    def _pass_on(self) -> None:
        if "100-continue" in self.headers.get("Expect", ""):
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.proxy.draw(self.command, self.path)
        if kind == "unavailable":
            self._answer(503, {"Content-Length": "0"}, b"")
            return
        if kind == "404":
            self._answer(404, {"Content-Length": "9"}, b"not found")
            return
        if kind == "reset":
            self._hang_up()
            return
        self._delay(kind)
        if self.proxy.forbid_header and self._dialect(body):
            return
        status, headers, content = self._forward(body)
        if kind == "lost":
            self._hang_up()
        elif kind == "corrupted":
            self._answer(status, headers, content[:-1] + bytes([content[-1] ^ 1]))
        elif kind == "short":
            self._answer(status, headers | {"Content-Length": str(len(content) // 2)}, content[: len(content) // 2])
        elif kind == "stalled":
            self._answer(status, headers, content[: len(content) // 2])
            self.wfile.flush()
            self.proxy.released.wait(120)
            self._hang_up()
        elif kind == "truncated" and content:
            self._answer(status, headers, content[: len(content) // 2])
            self._hang_up()
        else:
            self._answer(status, headers, content)

    def _delay(self, kind: str) -> None:
        if kind == "slow":
            time.sleep(0.3)
        if kind == "late":
            self.proxy.released.wait(120)
        time.sleep(self.proxy.delay(self.command))

    def _dialect(self, body: bytes) -> bool:
        """Speak as stores do that know no conditions but a header of their own; tell whether that was the answer."""
        if self.headers.get("If-Match") or self.headers.get("If-None-Match"):
            self._answer(501, {"Content-Length": str(len(unknown)), "Content-Type": "application/xml"}, unknown)
            return True
        if self.command != "PUT" or self.headers.get(self.proxy.forbid_header) != "true":
            return False
        self.headers["If-None-Match"] = "*"  # not among the signed headers, so the signature still holds
        status, headers, content = self._forward(body)
        if status == 412:
            status, content = 409, exists
            headers = {"Content-Length": str(len(exists)), "Content-Type": "application/xml"}
        self._answer(status, headers, content)
        return True

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            left_out = ("transfer-encoding", "connection", "content-length")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in left_out}
            length = answer.headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
            return answer.status, {**kept, "Content-Length": length or "0"}, content
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # killed deployers hang up too
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
    setattr(Handler, f"do_{method}", Handler._pass_on)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: hanging up, on either side, is the point."""


@contextmanager
def faulty(upstream: str, *, rate: float, seed: int, forbid_header: str = "") -> Iterator[Proxy]:
    """Stand before ``upstream`` until the block ends.

    Args:
        upstream: address of a real server.
        rate: share of requests that go wrong.
        seed: of the chances.
        forbid_header: play a store that refuses conditions, and honours this header instead.
    """
    proxy = Proxy("", rate, random.Random(seed), forbid_header=forbid_header)
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"proxy": proxy, "port": urlsplit(upstream).port}))
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
