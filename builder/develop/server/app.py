"""The development server as an ASGI application: pages, the bundle, the runtime, and build announcements."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ...bundle.format import loader_name, pinned_url
from ...bundle.headers import anybody, file_headers
from ...bundle.index import read_index
from ...bundle.render import client_names, render
from ...errors import ShardpressError
from ...pipeline.report.networks import Network
from .access import Access
from .files import Mount, answer_bytes, answer_file, confined, locate
from .hub import Hub
from .media import media_type
from .pages import answer_page, missing_page, page_endings, wants_client
from .throttle import Throttle

private = "/.shardpress/"
client_path = "/.shardpress/client.js"
scripts = tuple(name.removeprefix("dev/") for name in client_names())
worker_name = "sw.js"


@dataclass(frozen=True, slots=True)
class Site:
    """What is served.

    Attributes:
        out: the build's folder; at ``/dist/``, and its bundle at ``/cdn/``.
        pages: folder with the pages, or None.
        mounts: further folders; one with the prefix ``""`` is the root.
        home: file that ``/`` answers with, whether or not it exists; None redirects to the pages.
        access: who may read it.
        links: folders that links may lead to, besides those that are served.
        secret: files and folders that are never served.
        copies: folders that deployments copy the bundle to; pages that load it from there get the latest build.
        earlier: files of the builds before, by address in the bundle: a page may have begun with one of them.
    """

    out: Path
    pages: Path | None
    mounts: tuple[Mount, ...]
    home: Path | None = None
    access: Access = field(default_factory=Access)
    links: tuple[Path, ...] = ()
    secret: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()
    earlier: Mapping[str, Path] = field(default_factory=dict)

    @property
    def all_mounts(self) -> tuple[Mount, ...]:
        """Return every folder; the first whose prefix fits, and that has the file, counts."""
        return Mount("dist/", self.out), Mount("cdn/", self.out / "cdn"), *self.mounts

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return all that links may lead to, resolved."""
        return _real((*(mount.folder for mount in self.all_mounts), *self.links))

    def original(self, place: Path) -> Path:
        """Return the file of the last build where a place is that of its copy."""
        for copy in self.copies:
            if place.is_relative_to(copy):
                built = self.out / "cdn" / place.relative_to(copy)
                return built if self.find(built) else place
        return place

    def find(self, place: Path) -> Path | None:
        """Return where a path leads, if that is served."""
        return confined(place, self.roots, _real(self.secret))

    def leads_out(self, place: Path) -> bool:
        """Whether a path leads to something that is not served."""
        try:
            real = place.resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return False
        return not any(real.is_relative_to(root) for root in self.roots)


def make_app(site: Callable[[], Site], hub: Hub, network: Network | None = None) -> ASGIApp:
    """Return the application; without ``network`` it is not slowed down. ``site`` is called for every request."""

    def guarded(answer: Callable[[Site, Request], Response]) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            now = site()
            refused = now.access.refusal(request.headers)
            found = PlainTextResponse(refused[1], refused[0]) if refused else answer(now, request)
            return found if refused else _shared(found, request)

        return respond

    @guarded
    def anything(now: Site, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=anybody)
        path = request.url.path.lstrip("/")
        found = _Answering(now, hub, request.headers, request.url.query).answer(
            path, pinned="pinned" in request.query_params
        )
        if request.method == "HEAD" and isinstance(found, StreamingResponse):  # a large file need not be read for that
            return Response(status_code=found.status_code, headers=dict(found.headers))
        return found

    @guarded
    def events(_: Site, request: Request) -> Response:
        headers = {**anybody, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":  # the stream would never end
            return Response(headers=headers, media_type="text/event-stream")
        return StreamingResponse(hub.listen(), headers=headers, media_type="text/event-stream")

    @guarded
    def script(_: Site, request: Request) -> Response:
        name = request.url.path.removeprefix(private)
        return answer_bytes(render(f"dev/{name}").encode(), media_type(name), request.headers, anybody)

    routes = [
        Route(private + "events", events),
        *(Route(private + name, script) for name in scripts),
        Route("/{path:path}", anything, methods=["GET", "HEAD", "OPTIONS"]),
    ]
    app: ASGIApp = Starlette(routes=routes)
    return Throttle(app, network, private) if network else app


def _shared(response: Response, request: Request) -> Response:
    """Name the requesting origin where deployment allows any: other websites' pages may read nothing here."""
    if "Access-Control-Allow-Origin" not in response.headers:
        return response
    del response.headers["Access-Control-Allow-Origin"]
    response.headers.add_vary_header("Origin")
    origin = request.headers.get("origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = "*"
            # A page of a configured website that reaches into this machine is asked for by browsers in particular.
            response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response


class _Answering:
    """Turns one request into an answer."""

    def __init__(self, site: Site, hub: Hub, headers: Mapping[str, str], query: str) -> None:
        self._site = site
        self._query = query
        self._hub = hub
        self._headers = headers

    def answer(self, path: str, *, pinned: bool) -> Response:
        """Return the answer for a decoded path without its leading slash."""
        if not path:
            return self._entrance()
        places = [self._site.original(place) for place in locate(self._site.all_mounts, path)]
        for place in places:
            real = self._find(place)
            if real is not None and real.is_dir():
                if not path.endswith("/"):
                    return self._to_folder(path)
                real = self._find(place / "index.html")
            found = self._file(real, pinned=pinned) if real else None
            if found:
                return found
        if any(mount.prefix == f"{path}/" for mount in self._site.all_mounts):
            return self._to_folder(path)
        return self._earlier(places) or self._missing(path, places)

    def _earlier(self, places: list[Path]) -> Response | None:
        """Answer with a file that a newer build has taken away since the page began to load."""
        for place in places:
            if not place.is_relative_to(self._site.out):
                continue
            address = place.relative_to(self._site.out).as_posix().removeprefix("cdn/")
            if address in self._site.earlier:
                try:
                    content = self._site.earlier[address].read_bytes()
                except OSError:  # the cache was emptied
                    return None
                more = {**file_headers(address), **anybody}
                return answer_bytes(content, media_type(place.name), self._headers, more)
        return None

    def _to_folder(self, path: str) -> Response:
        return RedirectResponse(quote(f"/{path}/") + (f"?{self._query}" if self._query else ""))

    def _find(self, place: Path) -> Path | None:
        """Return where a path leads; have it watched, unless a build or a package manager writes it."""
        real = self._site.find(place)
        if "node_modules" not in place.parts and not self._is_built(place) and not (real and self._is_built(real)):
            self._hub.asked.note(place)
        return real

    def _is_built(self, path: Path) -> bool:
        return any(path.is_relative_to(out) for out in (self._site.out, *_real((self._site.out,))))

    def _entrance(self) -> Response:
        site = self._site
        if site.home is not None:
            real = self._find(site.home)
            found = self._file(real, pinned=False) if real else None
            return found or self._missing("index.html", [])
        for mount in site.mounts if site.pages is not None else ():
            if mount.prefix and site.pages is not None and site.pages.is_relative_to(mount.folder):
                rest = site.pages.relative_to(mount.folder).as_posix()
                return RedirectResponse(quote(f"/{mount.prefix}{'' if rest == '.' else rest + '/'}"))
        return RedirectResponse("/dist/report.html")

    def _file(self, real: Path, *, pinned: bool) -> Response | None:
        headers = self._headers
        if self._is_built(real):
            cdn = self._site.out.resolve() / "cdn"
            more = file_headers(real.relative_to(cdn).as_posix()) if real.is_relative_to(cdn) else {}
            if real == cdn / loader_name and headers.get("sec-fetch-dest") == "script" and not pinned:
                return _live_loader(real, headers)
            return answer_file(real, headers, {**more, **anybody})
        if real.suffix.lower() in page_endings:
            try:
                return answer_page(real.read_bytes(), self._hub.state.pages, headers, {"Vary": "Sec-Fetch-Dest"})
            except OSError:
                return None
        return answer_file(real, headers, {})

    def _missing(self, path: str, places: list[Path]) -> Response:
        led_out = any(map(self._site.leads_out, places))
        shared = anybody if path.startswith(("dist/", "cdn/")) else {}
        headers = {"Cache-Control": "no-store", **shared}
        if "sec-fetch-dest" in self._headers and wants_client(self._headers):
            return missing_page(path, self._advice(path, led_out=led_out), self._hub.state.pages)
        why = f": {link_advice}" if led_out else ""
        return PlainTextResponse(f"There is no {path[:200]!r} here{why}.\n", 404, headers)

    def _advice(self, path: str, *, led_out: bool) -> str:
        if led_out:
            return escape(link_advice) + "."
        if self._site.home is not None and path == "index.html":
            return (
                f"Write your page to <code>{escape(str(self._site.home))}</code>. "
                'What the last build made: <a href="/dist/report.html">its report</a>.'
            )
        return 'Its folder may hold others. What there is at <a href="/">/</a>.'


link_advice = "it is a link that leads out of what is served, see links below [serve] in build.toml"


def _real(places: tuple[Path, ...]) -> tuple[Path, ...]:
    found = []
    for place in places:
        try:
            found.append(place.resolve())
        except (OSError, RuntimeError):
            continue
    return tuple(found)


def _live_loader(path: Path, headers: Mapping[str, str]) -> Response | None:
    """Return a module that exports all of the pinned loader and keeps the page's models up to date."""
    try:
        content = path.read_bytes()
        index = read_index(content)
    except (OSError, ShardpressError):
        return None
    pinned = pinned_url(hashlib.sha256(content).hexdigest())
    heads = {name: entry.head_sha256 for name, entry in index.models.items()}
    script = render("dev/loader.js.j2", pinned=f"./{pinned}", client=client_path, heads=heads)
    more = {**anybody, **file_headers(loader_name), "Vary": "Accept-Encoding, Sec-Fetch-Dest"}
    return answer_bytes(script.encode(), media_type(loader_name), headers, more)
