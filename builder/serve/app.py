"""The development server as an ASGI application: pages, the bundle, the runtime, and news of each build."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from builder.bundle import loader_name, pinned_url, read_index
from builder.errors import ShardpressError
from builder.networks import Network
from builder.render import render
from builder.serve.files import Mount, answer_bytes, answer_file, locate
from builder.serve.hub import Hub
from builder.serve.media import media_type
from builder.serve.network import Throttle

private = "/.shardpress/"
client_path = "/.shardpress/client.js"
anybody = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


@dataclass(frozen=True, slots=True)
class Site:
    """What is served.

    Attributes:
        out: the build's folder; at ``/dist/``, and its bundle at ``/cdn/``.
        pages: folder with the pages, or None.
        mounts: further folders.
    """

    out: Path
    pages: Path | None
    mounts: tuple[Mount, ...]

    @property
    def all_mounts(self) -> tuple[Mount, ...]:
        """Give every folder; the first whose prefix fits counts."""
        return Mount("dist/", self.out), Mount("cdn/", self.out / "cdn"), *self.mounts


def make_app(site: Callable[[], Site], hub: Hub, network: Network | None = None) -> ASGIApp:
    """Give the application; without ``network`` it is as fast as it can be. ``site`` is asked at every request."""

    def anything(request: Request) -> Response:
        if not is_local(request.headers.get("host", "")):
            return PlainTextResponse("This server answers to addresses and localhost only.\n", 421)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={**anybody, "Access-Control-Allow-Headers": "*"})
        path = request.url.path.lstrip("/")
        live = request.headers.get("sec-fetch-dest") == "script" and "pinned" not in request.query_params
        return _answer(site(), hub, path, request.headers, live=live) if path else _entrance(site())

    async def events(request: Request) -> Response:
        if not is_local(request.headers.get("host", "")):
            return PlainTextResponse("This server answers to addresses and localhost only.\n", 421)
        origin = request.headers.get("origin", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Origin"}
        if is_local(urlsplit(origin).netloc):
            headers["Access-Control-Allow-Origin"] = origin
        return StreamingResponse(hub.listen(), headers=headers, media_type="text/event-stream")

    def client(request: Request) -> Response:
        script = render("dev/client.js").encode()
        return answer_bytes(script, media_type("client.js"), request.headers, anybody)

    routes = [
        Route(private + "events", events),
        Route(client_path, client),
        Route("/{path:path}", anything, methods=["GET", "HEAD", "OPTIONS"]),
    ]
    app: ASGIApp = Starlette(routes=routes)
    return Throttle(app, network, private) if network else app


def is_local(host: str) -> bool:
    """Tell whether a Host header is an address or localhost: a name could be anybody's who points it here."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _entrance(site: Site) -> Response:
    if site.pages is not None:
        for mount in site.mounts:
            if site.pages.is_relative_to(mount.folder):
                rest = site.pages.relative_to(mount.folder).as_posix()
                return RedirectResponse(quote(f"/{mount.prefix}{'' if rest == '.' else rest + '/'}"))
    return RedirectResponse("/dist/report.html")


def _answer(site: Site, hub: Hub, path: str, headers: Mapping[str, str], *, live: bool) -> Response:
    place = locate(site.all_mounts, path)
    if place is None and not path.endswith("/"):
        place = locate(site.all_mounts, path + "/")
    if place is not None and place.is_dir():
        if not path.endswith("/"):
            return RedirectResponse(quote(f"/{path}/"))
        place /= "index.html"
    bundle = path.startswith(("dist/", "cdn/"))
    if place is not None and bundle and place.name == loader_name and live:
        found = _live_loader(place, headers)
    elif place is not None and not bundle and place.suffix == ".html":
        found = _page(place, hub, headers)
    else:
        found = answer_file(place, headers, anybody if bundle else {}) if place else None
    return found or PlainTextResponse(
        f"There is no {path!r} here.\n", 404, {"Cache-Control": "no-store", **(anybody if bundle else {})}
    )


def _live_loader(path: Path, headers: Mapping[str, str]) -> Response | None:
    """Give a module that exports all of the pinned loader and keeps the page's models up to date."""
    try:
        content = path.read_bytes()
        index = read_index(content)
    except (OSError, ShardpressError):
        return None
    pinned = pinned_url(hashlib.sha256(content).hexdigest())
    heads = {name: entry[0] for name, entry in index["models"].items()}
    script = render("dev/loader.js.j2", pinned=f"./{pinned}", client=client_path, heads=heads)
    vary = {**anybody, "Vary": "Accept-Encoding, Sec-Fetch-Dest"}
    return answer_bytes(script.encode(), media_type(loader_name), headers, vary)


def _page(path: Path, hub: Hub, headers: Mapping[str, str]) -> Response | None:
    """Give a page with the client in its head."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    tag = f'<script type="module" src="{client_path}" data-shardpress-pages="{hub.state.pages}"></script>\n'.encode()
    mark = re.search(rb"</head\s*>|<body\b|</html\s*>", content, re.IGNORECASE)
    at = mark.start() if mark else len(content)
    return answer_bytes(content[:at] + tag + content[at:], media_type(path.name), headers, {})
