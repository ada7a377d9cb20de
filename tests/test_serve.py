"""The development server over real sockets: encodings, ranges, validators, what it keeps to itself."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import brotli
import pytest

from builder.bundle import pinned_url
from builder.errors import UsageError
from builder.networks import Network, networks
from builder.render import render
from builder.serve.app import Site, client_path, is_local, make_app
from builder.serve.files import Mount, accepts, locate
from builder.serve.hub import Hub
from builder.serve.run import bind, is_loopback, running
from tests import tiny
from tests.test_render import check_types


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Client:
    port: int
    secure: bool = False

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection: http.client.HTTPConnection
        if self.secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()


@contextmanager
def serving(
    folder: Path, hub: Hub | None = None, network: Network | None = None, host: str = "127.0.0.1"
) -> Iterator[Client]:
    hub = hub or Hub()
    pages = folder / "assets" / "pages"
    site = Site(folder / "dist", pages if pages.is_dir() else None, (Mount("assets/", folder / "assets"),))
    app = make_app(lambda: site, hub, network)
    with running(app, hub, host=host, port=0, certificates=folder / "certificate") as server:
        yield Client(server.port, server.url.startswith("https"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as a build leaves it: a bundle with a sidecar of a shard and of the pinned loader, and a page."""
    tmp_path = tmp_path_factory.mktemp("project")
    made = tiny.bundle(tmp_path / "dist" / "cdn", {"a": tiny.graph_model(tmp_path / "source")})
    shard = next((made.root / "assets").glob("*.bin"))
    shard.rename(shard.with_name("a.bin"))
    shard.with_name("a.bin.br").write_bytes(brotli.compress(shard.with_name("a.bin").read_bytes()))
    content = made.loader.read_bytes()
    pinned = made.root / pinned_url(sha256(content).hexdigest())
    pinned.write_bytes(content)
    pinned.with_name(pinned.name + ".br").write_bytes(brotli.compress(content))
    pages = tmp_path / "assets" / "pages"
    pages.mkdir(parents=True)
    (pages / "index.html").write_text("<!doctype html><html><head><title>x</title></head><body>hello</body></html>")
    (pages / "style.css").write_text("body {}")
    (tmp_path / "assets" / ".secret").write_text("no")
    (tmp_path / "build.toml").write_text("")
    return tmp_path


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    with serving(folder) as opened:
        yield opened


def test_sidecars_go_to_those_who_take_them(folder: Path, client: Client) -> None:
    content = (folder / "dist/cdn/assets/a.bin").read_bytes()
    plain = client.get("/dist/cdn/assets/a.bin")
    packed = client.get("/dist/cdn/assets/a.bin", Accept_Encoding="gzip, br")
    refused = client.get("/dist/cdn/assets/a.bin", Accept_Encoding="br;q=0")
    assert plain.body == refused.body == content
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "br"
    assert brotli.decompress(packed.body) == content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in packed.headers["vary"]
    assert plain.headers["access-control-allow-origin"] == "*"
    assert plain.headers["cache-control"] == "no-store"


def test_the_loader_goes_with_the_copy_of_its_pinned_twin(folder: Path, client: Client) -> None:
    answer = client.get("/cdn/loader.js", Accept_Encoding="br")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert brotli.decompress(answer.body) == (folder / "dist/cdn/loader.js").read_bytes()


def test_pages_get_a_loader_that_keeps_them_up_to_date(folder: Path, client: Client) -> None:
    live = client.get("/dist/cdn/loader.js", Sec_Fetch_Dest="script").body.decode()
    plain = client.get("/dist/cdn/loader.js?pinned=1", Sec_Fetch_Dest="script").body
    page = client.get("/assets/pages/").body.decode()
    script = client.get(client_path)
    assert "export * from" in live
    assert "attach(loader" in live
    assert plain == (folder / "dist/cdn/loader.js").read_bytes()
    assert page.index(client_path) < page.index("</head>")
    assert "export function attach" in script.body.decode()


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=5-", 206, 5, None),
        ("bytes=-4", 206, -4, None),
        ("bytes=3-999999", 206, 3, None),
        ("bytes=999999-", 416, 0, 0),
        ("bytes=9-5", 416, 0, 0),
        ("bytes=0-1,4-5", 200, 0, None),
        ("lines=0-1", 200, 0, None),
    ],
)
def test_ranges_are_of_the_plain_bytes(
    folder: Path, client: Client, asked: str, status: int, start: int, stop: int | None
) -> None:
    content = (folder / "dist/cdn/assets/a.bin").read_bytes()
    answer = client.get("/cdn/assets/a.bin", Range=asked, Accept_Encoding="br")
    assert answer.status == status
    assert answer.body == content[start:stop]
    assert "content-encoding" not in answer.headers
    if status == 206:
        first = start % len(content)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(content)}"


def test_validators(folder: Path, client: Client) -> None:
    tag = client.get("/cdn/assets/a.bin").headers["etag"]
    assert client.get("/cdn/assets/a.bin", If_None_Match=f'"x", {tag}').status == 304
    assert client.get("/cdn/assets/a.bin", If_None_Match='"x"').status == 200
    assert client.get("/cdn/assets/a.bin", Range="bytes=0-1", If_Range='"x"').status == 200
    assert client.get("/cdn/assets/a.bin", Range="bytes=0-1", If_Range=tag).status == 206
    head = client.get("/cdn/assets/a.bin", "HEAD")
    assert head.status == 200
    assert head.body == b""
    assert int(head.headers["content-length"]) == (folder / "dist/cdn/assets/a.bin").stat().st_size


@pytest.mark.parametrize(
    "path",
    [
        "/build.toml",
        "/assets/.secret",
        "/assets/../build.toml",
        "/assets/%2e%2e/build.toml",
        "/assets/..%5cbuild.toml",
        "/x",
    ],
)
def test_nothing_else_is_served(folder: Path, client: Client, path: str) -> None:
    assert client.get(path).status == 404


def test_names_that_could_be_anybodys_are_refused(folder: Path, client: Client) -> None:
    assert client.get("/assets/pages/", Host="evil.example").status == 421
    assert client.get("/.shardpress/events", Host="evil.example").status == 421
    assert client.get("/", Host="localhost:8000").status == 307
    assert is_local("[::1]:8000")
    assert not is_local("localhost.evil.example")
    assert not is_local("")


def test_folders_redirect_to_their_page(folder: Path, client: Client) -> None:
    assert client.get("/").headers["location"].endswith("/assets/pages/")
    assert client.get("/assets/pages").headers["location"].endswith("/assets/pages/")
    assert client.get("/assets/").status == 404


def test_preflights_are_answered(folder: Path, client: Client) -> None:
    answer = client.get("/cdn/loader.js", "OPTIONS", Origin="http://localhost:5173")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"


def test_events_tell_the_state_now_and_later(folder: Path) -> None:
    hub = Hub()
    with serving(folder, hub) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
        connection.request("GET", "/.shardpress/events", headers={"Origin": "http://localhost:5173"})
        response = connection.getresponse()
        assert response.getheader("Access-Control-Allow-Origin") == "http://localhost:5173"
        first = json.loads(response.readline().removeprefix(b"data: "))
        response.readline()
        hub.update(release="r1", errors=({"model": "a", "what": "w", "where": "", "hint": ""},))
        second = json.loads(response.readline().removeprefix(b"data: "))
        response.readline()
        hub.pages_changed()
        third = json.loads(response.readline().removeprefix(b"data: "))
        stranger = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
        stranger.request("GET", "/.shardpress/events", headers={"Origin": "https://evil.example"})
        assert stranger.getresponse().getheader("Access-Control-Allow-Origin") is None
    # The server is down although nobody has closed these.
    assert response.read() == b"\n"
    for one in (connection, stranger):
        one.close()
    assert (first["release"], second["release"]) == ("", "r1")
    assert second["errors"][0]["what"] == "w"
    assert first["pages"] == second["pages"] != third["pages"]


def test_a_port_in_use_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if port < 65_000:
            listener = bind("127.0.0.1", port)
            assert port < listener.getsockname()[1] <= port + 20
            listener.close()
    with pytest.raises(UsageError, match="cannot listen on"):
        bind("203.0.113.7", 8000)
    assert is_loopback("127.0.0.2")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")


def test_other_machines_are_served_over_https(folder: Path) -> None:
    with serving(folder, host="0.0.0.0") as client:
        assert client.secure
        assert client.get("/cdn/loader.js").status == 200
    assert stat.S_IMODE((folder / "certificate" / "key.pem").stat().st_mode) == 0o600


def test_a_simulated_network_takes_its_time_over_all_connections(folder: Path) -> None:
    (folder / "assets/x.bin").write_bytes(bytes(40_000))
    with serving(folder, network=Network("test", 200_000, 0.1)) as client:
        begun = time.monotonic()
        assert len(client.get("/assets/x.bin").body) == 40_000
        assert time.monotonic() - begun >= 0.3 - 0.01
    assert [network.name for network in networks()] == ["3g", "slow-4g", "fast-4g"]


def test_locate_and_accepts() -> None:
    mounts = (Mount("dist/", Path("/d")),)
    assert locate(mounts, "dist/a/b.js") == Path("/d/a/b.js")
    assert locate(mounts, "dist/") == Path("/d")
    assert locate(mounts, "dist//../x") is None
    assert locate(mounts, "distant") is None
    assert accepts("gzip;q=1.0, br;q=0.5", "br")
    assert not accepts("*;q=0.0", "br")
    assert not accepts("gzip", "br")


@pytest.mark.slow
def test_the_client_is_typed(tmp_path: Path) -> None:
    (tmp_path / "client.js").write_text(render("dev/client.js"))
    check_types(tmp_path, "client.js")
