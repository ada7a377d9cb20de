"""The table ``[serve]`` of build.toml: names of hosts and origins of pages, as browsers write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

host_pattern = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# In lower case, without a path, and without the port that is usual.
origin_pattern = re.compile(
    r"(?!http://[^/]*:80$)(?!https://[^/]*:443$)"
    r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?"
)


def check_hosts(hosts: Iterable[str]) -> None:
    """Refuse what no Host header can name.

    Raises:
        ValueError: one of them is no name; ``.example.com`` is.
    """
    for host in hosts:
        if not host_pattern.fullmatch(host):
            raise ValueError(f"the host {host!r} is no name in lower case, without scheme and port")


def check_origins(origins: Iterable[str]) -> None:
    """Refuse what no Origin header can be.

    Raises:
        ValueError: one of them has a path, upper case or a usual port, or is ``null``, which any website can be.
    """
    for origin in origins:
        if not origin_pattern.fullmatch(origin):
            raise ValueError(f"the origin {origin!r} is not as browsers write it: 'https://app.example.com'")


class ServeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[serve]``: who may reach and read the server of ``--watch``, besides this machine."""

    hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Names it answers to, such as a tunnel's; '.example.com' stands for all below it, too.",
            examples=[["my-tunnel.example.com", ".example.org"]],
        ),
    ] = ()
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Pages that may read the bundle, by origin: 'https://app.example.com'.",
            examples=[["https://app.example.com"]],
        ),
    ] = ()
    links: Annotated[
        tuple[str, ...],
        Meta(
            title="Folders that links may lead to",
            description="Folders that links in served folders may lead to, besides those.",
            examples=[["/data/models"]],
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Check the names."""
        check_hosts(self.hosts)
        check_origins(self.origins)
