"""Runs the server: a free port, a certificate if other machines may connect, a thread of its own."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .certificate import write_certificate
from .hub import Hub

tries = 20


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes:
        url: where, with a closing slash, for a browser on this machine.
        others: where, for other machines.
        port: the one in use.
    """

    url: str
    others: tuple[str, ...]
    port: int


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket on ``port`` or the next free one; port 0 means any.

    Raises:
        UsageError: the address is not this machine's, or no port near is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(port, min(port + tries, 65_536)) if port else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise UsageError(
                    f"the server cannot listen on {host} ({error.strerror})",
                    code="SP-116",
                    where="--host",
                    hint="Use an address of this machine, or leave out --host",
                ) from error
        else:
            return listener
    raise UsageError(
        f"ports {port} to {port + tries - 1} are all in use",
        code="SP-115",
        where="--port",
        hint="Choose another one with --port",
    )


def lan_addresses() -> tuple[str, ...]:
    """Return the addresses by which other machines reach this one, as far as the system knows them."""
    found = set()
    # Connecting a datagram socket sends nothing; it only asks which address would be used. 192.0.2.1 is nobody's.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.add(str(probe.getsockname()[0]))
        except OSError:
            pass
    return tuple(sorted(address for address in found if not is_loopback(address)))


@contextmanager
def running(app: object, hub: Hub, *, host: str, port: int, certificates: Path) -> Iterator[Running]:
    """Serve an application in a thread until the block ends.

    Args:
        app: an ASGI application.
        hub: closed at the end, so that no listening page holds the server up.
        host: address to listen on; one that others can reach is served over HTTPS.
        port: the first to try.
        certificates: folder for the self-signed certificate.

    Raises:
        UsageError: the server cannot listen there.
    """
    import uvicorn

    listener = bind(host, port)
    taken = int(listener.getsockname()[1])
    secure = not is_loopback(host)
    everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    addresses = (lan_addresses() if everywhere else (host,)) if secure else ()
    files = write_certificate(certificates, addresses) if secure else None
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(files[0]) if files else None,
        ssl_keyfile=str(files[1]) if files else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="dev-server", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            listener.close()
            raise UsageError(
                "the server could not be started", code="SP-116", where="--watch", hint="Try another --host or --port"
            )
        thread.join(0.01)
    scheme = "https" if secure else "http"
    here = host if not secure or not everywhere else "127.0.0.1"
    try:
        yield Running(
            f"{scheme}://{_in_url(here)}:{taken}/",
            tuple(f"{scheme}://{_in_url(address)}:{taken}/" for address in addresses),
            taken,
        )
    finally:
        hub.close()
        server.should_exit = True
        thread.join()
        listener.close()


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
