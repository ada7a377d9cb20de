"""One GET over the web within limits of bytes, ratio and time; no redirect is followed.

``urllib`` with a deadline of our own rather than httpx: the latter has no limit for a whole answer or for what it
unpacks to either, and would be five packages more in the install of a deploy job.
"""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote, urlsplit

from ..errors import DeniedError, StoreError
from ..stores.answers import TimedResponse, slowest, trouble
from ..stores.encoding import decode_stream

idle_seconds = 20.0  # between two pieces of an answer
file_seconds = 30.0  # for an answer as a whole, besides what its length asks for
largest_unknown = 64 << 20  # decoded, where no length is known: loaders and modules
most_ratio = 1000  # likewise
more_on_the_wire = 64 << 10  # what an encoding may add to bytes that it cannot shorten
step = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may cost.

    Attributes:
        nbytes: its decoded length, which the file that names it tells; None where nothing does.
        deadline: on the monotonic clock, or None for one by length.
    """

    nbytes: int | None = None
    deadline: float | None = None

    @property
    def most(self) -> int:
        """Decoded bytes that are taken."""
        return largest_unknown if self.nbytes is None else self.nbytes

    def end(self) -> float:
        """Return the moment at which the answer must be complete."""
        own = time.monotonic() + file_seconds + (self.nbytes or 0) / slowest
        return own if self.deadline is None else min(own, self.deadline)


def fetch(url: str, headers: Mapping[str, str], limits: Limits) -> tuple[bytes, dict[str, str]]:
    """Return the decoded body of an answer and its headers, in lower case.

    Args:
        url: of http or https; a user and password in it are sent as basic authentication.
        headers: of the request.
        limits: of the answer.

    Raises:
        DeniedError: the server answers 401 or 403.
        StoreError: it answers with another status, not in time, too much, or what cannot be decoded.
    """
    address, login = _without_login(url)
    end = limits.end()
    left = end - time.monotonic()
    if left <= 0:
        raise StoreError("was not checked: the whole check took too long", code="SP-654", where=address, hint=slow_hint)
    request = urllib.request.Request(address, headers={**headers, **login})  # noqa: S310
    try:
        with _opener(end).open(request, timeout=min(left, idle_seconds)) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            chunks = _chunks(answer, address, limits)
            ratio = most_ratio if limits.nbytes is None else None
            return decode_stream(chunks, found.get("content-encoding", ""), address, limits.most, ratio), found
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, address) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _failure(error, address, late=time.monotonic() >= end) from error


slow_hint = "Look at the server and the network, then run `verify` again"


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    login, mark, host = parts.netloc.rpartition("@")
    if not mark:
        return url, {}
    words = base64.b64encode(unquote(login).encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {words}"}


def _opener(deadline: float) -> urllib.request.OpenerDirector:
    """Return what opens web addresses and nothing else: proxies of the environment, but no redirects, files or FTP."""

    class Plain(http.client.HTTPConnection):
        response_class = staticmethod(partial(TimedResponse, deadline=deadline))  # type: ignore[assignment]

    class Secure(http.client.HTTPSConnection):
        response_class = staticmethod(partial(TimedResponse, deadline=deadline))  # type: ignore[assignment]

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        Http(),
        Https(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _chunks(answer: http.client.HTTPResponse, where: str, limits: Limits) -> Iterator[bytes]:
    most = limits.most + more_on_the_wire
    read = 0
    while chunk := answer.read1(step):
        read += len(chunk)
        if read > most:
            raise StoreError("exceeds the size limit", code="SP-606", where=where, hint="Deploy with --repair")
        yield chunk
    if answer.length:  # read1 takes the end of a connection for the end of a body
        raise StoreError(f"ends {answer.length} bytes too early", code="SP-654", where=where, hint=slow_hint)


def _refusal(error: urllib.error.HTTPError, where: str) -> StoreError:
    status = error.code
    if status in (401, 403):
        return DeniedError(f"answers {status}: the public may not read it", code="SP-652", where=where)
    if 300 <= status < 400:
        place = error.headers.get("Location")
        return StoreError(
            f"answers {status}, a redirect{f' to {place}' if place else ''}",
            code="SP-612",
            where=where,
            hint="Set public_url to the final address; a redirect costs each visitor a round trip",
        )
    return StoreError(f"answers {status}", code="SP-653", where=where)


def _failure(error: Exception, where: str, *, late: bool) -> StoreError:
    if late:
        return StoreError("is not answered in time", code="SP-654", where=where, hint=slow_hint)
    what, hint, code = trouble(error, urlsplit(where).hostname or "the server") or (
        f"cannot be fetched ({str(error) or type(error).__name__})",
        "Check public_url",
        "SP-653",
    )
    return StoreError(what, code=code, where=where, hint=hint)
