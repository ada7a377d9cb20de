"""Who may read the development server: the host names it answers to, and the origins that may read it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Access:
    """What ``[serve]`` of build.toml allows beyond this machine.

    Attributes:
        hosts: names that requests may be for, in lower case; ``.example.com`` stands for all below it, too.
        origins: of pages that may read the bundle, as browsers write them: ``https://app.example.com``.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return status and text for a refused request; None for an accepted one.

        An unknown name may belong to a website whose owner points it to this machine (DNS rebinding). What
        another site's page embeds is refused as well as its CORS requests: a script that it runs reveals a lot.
        """
        host = headers.get("host", "")
        if not self.answers_to(host):
            name = _name(host)
            hint = f'; where it is yours, write hosts = ["{name}"] below [serve] in build.toml' if name else ""
            return 421, f"This server answers to addresses and localhost, not to {name or 'no name'}{hint}.\n"
        origin = asking_origin(headers)
        if origin is None or self.shares_with(origin, host):
            return None
        hint = f'; where that page is yours, write origins = ["{origin}"] below [serve] in build.toml'
        return 403, f"Pages of {origin or 'another site'} may not read this server{hint if origin else ''}.\n"

    def answers_to(self, host: str) -> bool:
        """Return whether a Host header is an address, localhost or a name of ours."""
        name = _name(host)
        return is_localhost(name) or _address(name) is not None or self._is_named(name)

    def shares_with(self, origin: str, host: str) -> bool:
        """Return whether pages of an origin may read answers for ``host``."""
        if origin in self.origins:
            return True
        scheme, _, rest = origin.partition("://")
        name = _name(rest)
        if scheme not in {"http", "https"} or not name:
            return False
        number = _address(name)
        local = is_localhost(name) or (number is not None and number.is_loopback)
        return local or name == _name(host) or self._is_named(name)

    def _is_named(self, name: str) -> bool:
        return any(
            name == host.lstrip(".") or (host.startswith(".") and name.endswith(host)) for host in self.hosts if name
        )


def asking_origin(headers: Mapping[str, str]) -> str | None:
    """Return the requesting page's origin; ``""`` if a foreign page hides it; None for our own and for no page."""
    if "origin" in headers:
        return headers["origin"]
    site = headers.get("sec-fetch-site", "none")
    if site in {"same-origin", "none"} or headers.get("sec-fetch-mode") == "navigate":
        return None
    if referer := headers.get("referer", ""):
        parts = referer.split("/", 3)
        return "/".join(parts[:3])
    name = _name(headers.get("host", ""))
    # Another port of this machine; below a name of a tunnel others may live.
    neighbour = site == "same-site" and (is_localhost(name) or _address(name) is not None)
    return None if neighbour else ""


def is_localhost(name: str) -> bool:
    """Whether every browser resolves a name to this machine."""
    return name == "localhost" or name.endswith(".localhost")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
