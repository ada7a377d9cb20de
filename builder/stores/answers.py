"""HTTP answers with a deadline, and what it means if none arrives."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

read_seconds = 60.0  # for the head of an answer to GET or HEAD, and for a body of unknown length
write_seconds = 300.0  # a store may take long for an upload's last request
slowest = 16 << 10  # bytes per second; a slower body is abandoned


class TimedResponse(http.client.HTTPResponse):
    """An answer with a deadline for all of it: a timeout alone restarts with every byte that arrives."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        """Read from ``sock``.

        Args:
            sock: as http.client gives it.
            debuglevel: likewise.
            method: likewise.
            url: likewise.
            deadline: on the monotonic clock; None for one by method and length.
        """
        super().__init__(sock, debuglevel, method, url)
        self._given = deadline is not None
        if deadline is None:
            seconds = read_seconds if method in ("GET", "HEAD") else write_seconds
            deadline = time.monotonic() + seconds
        self._timed = _Timed(self.fp.detach(), sock, deadline)
        self.fp = io.BufferedReader(self._timed)

    def begin(self) -> None:
        """Read the head, and allow the body time according to its length."""
        super().begin()
        if self.length and not self._given:
            self._timed.deadline += self.length / slowest


class _Timed(io.RawIOBase):
    """The bytes of a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock  # the name under which botocore looks for it
        self._idle = sock.gettimeout()
        self.deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left if self._idle is None else min(left, self._idle))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def trouble(error: BaseException, host: str) -> tuple[str, str, str] | None:
    """Return why a server did not answer, what to do, and the code; None if the causes do not tell.

    Args:
        error: of any library; the cause may be nested.
        host: who was asked.
    """
    found_causes = list(causes(error))
    for kind, what, hint, code in (
        (socket.gaierror, f"the name {host} cannot be resolved", "Check its spelling, and the network's name server",
         "SP-620"),
        (ssl.SSLCertVerificationError, "",
         "Check the address; set SSL_CERT_FILE or AWS_CA_BUNDLE for a certificate of your own", "SP-621"),
        (ssl.SSLError, f"the TLS connection to {host} failed", "Check that the address is an https one, and its port",
         "SP-621"),
        (ConnectionRefusedError, f"{host} refuses the connection", "Check the address and that the server runs",
         "SP-622"),
        (ConnectionError, f"{host} closed the connection",
         "Run the command again; if that does not help, look at the server", "SP-622"),
        (TimeoutError, f"{host} does not answer in time", "Check the address and the network, then run it again",
         "SP-623"),
    ):  # fmt: skip
        found = next((cause for cause in found_causes if isinstance(cause, kind)), None)
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"the certificate of {host} is not trusted ({found.verify_message})", hint, code
        if found is not None:
            return what, hint, code
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an error and its causes, wherever each library stores them."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        more = getattr(one, "kwargs", None)
        waiting += [getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += [more.get("error")] if isinstance(more, dict) else []
