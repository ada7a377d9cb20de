"""The development server over real sockets: encodings, ranges, validators, what it keeps to itself."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

import brotli
import pytest

from builder.bundle.format import pinned_url
from builder.bundle.headers import header_rules
from builder.bundle.render import client_names, render
from builder.develop.server import files
from builder.develop.server.access import Access
from builder.develop.server.app import Site, client_path, make_app
from builder.develop.server.files import Mount, accepts, locate
from builder.develop.server.hub import Hub
from builder.develop.server.run import bind, is_loopback, running
from builder.errors import UsageError
from builder.pipeline.report.networks import Network, networks
from builder.publish.headers import headers_for
from tests.bundle.test_render import check_types
from tests.helpers import tiny


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
    folder: Path,
    hub: Hub | None = None,
    network: Network | None = None,
    host: str = "127.0.0.1",
    site: Site | None = None,
) -> Iterator[Client]:
    hub = hub or Hub()
    pages = folder / "assets" / "pages"
    usual = Site(folder / "dist", pages if pages.is_dir() else None, (Mount("assets/", folder / "assets"),))
    app = make_app(lambda: site or usual, hub, network)
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
    assert plain.headers["cache-control"] == "no-cache"


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
    assert page.index("<head>") < page.index("/.shardpress/page.js") < page.index("<title>")
    assert "export function attach" in script.body.decode()
    assert "client.js" in client.get("/.shardpress/page.js").body.decode()
    for path in re.findall(r'^import .* from "\./(.*)";$', script.body.decode(), re.MULTILINE):
        assert "\nexport " in client.get(f"/.shardpress/{path}").body.decode(), path


def test_a_page_gets_the_files_that_it_began_with_though_a_newer_build_took_them_away(
    folder: Path, tmp_path: Path
) -> None:
    """A page reads loader.js, then what that names: a build in between left it without models until it was reloaded."""
    (tmp_path / "blob").write_bytes(b"{}")
    taken = {f"assets/a.{digits * 16}.json": tmp_path / name for digits, name in (("0", "blob"), ("1", "lost"))}
    site = Site(folder / "dist", None, (Mount("assets/", folder / "assets"),), earlier=taken)
    with serving(folder, site=site) as client:
        gone = client.get("/dist/cdn/assets/a.0000000000000000.json")
        assert (gone.status, gone.body) == (200, b"{}")
        assert gone.headers["content-type"].startswith("application/json")
        here = next((folder / "dist/cdn/assets").glob("*.json")).name
        assert gone.headers["cache-control"] == client.get(f"/dist/cdn/assets/{here}").headers["cache-control"]
        assert client.get("/cdn/assets/a.0000000000000000.json").body == b"{}"
        for other in (
            "/dist/cdn/assets/a.1111111111111111.json",
            "/dist/cdn/assets/a.2222222222222222.json",
            "/assets/a.0000000000000000.json",
        ):
            assert client.get(other).status == 404


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
        ("Bytes=0-1", 206, 0, 2),
        ("bytes=" + "9" * 5000 + "-", 416, 0, 0),
        ("bytes=0-" + "9" * 5000, 206, 0, None),
        ("bytes=-" + "9" * 5000, 206, 0, None),
        ("bytes=" + "0" * 5000 + "3-4", 206, 3, 5),
        ("bytes=-0", 416, 0, 0),
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
    refused = client.get("/", Host="my.tunnel.example").body.decode()
    assert 'hosts = ["my.tunnel.example"]' in refused
    local = Access()
    assert local.answers_to("[::1]:8000")
    assert local.answers_to("site.localhost:8000")
    assert not local.answers_to("localhost.evil.example")
    assert not local.answers_to("")
    assert not local.answers_to("[::1")
    known = Access(hosts=("my.tunnel.example", ".lan.example"))
    assert known.answers_to("My.Tunnel.Example:443")
    assert known.answers_to("phone.lan.example")
    assert known.answers_to("lan.example")
    assert not known.answers_to("evilmy.tunnel.example")
    assert not known.answers_to("evillan.example")
    assert not known.answers_to("sub.my.tunnel.example")


def test_folders_redirect_to_their_page(folder: Path, client: Client) -> None:
    assert client.get("/").headers["location"].endswith("/assets/pages/")
    assert client.get("/assets/pages").headers["location"].endswith("/assets/pages/")
    assert client.get("/assets/").status == 404


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("https://localhost", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:4000", True),
        ("http://app.localhost:4000", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://192.168.1.7:5173", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
@pytest.mark.parametrize("path", ["/cdn/loader.js", "/dist/cdn/assets/a.bin", "/.shardpress/client.js"])
def test_only_local_pages_read_the_bundle(client: Client, path: str, origin: str, allowed: bool) -> None:
    answer = client.get(path, Origin=origin)
    assert answer.status == (200 if allowed else 403)
    assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
    if allowed:
        assert "Origin" in answer.headers["vary"]
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    if path.startswith("/.shardpress"):
        return
    asked = client.get(path, "OPTIONS", Origin=origin, Access_Control_Request_Method="GET")
    assert asked.status == (204 if allowed else 403)
    assert asked.headers.get("access-control-allow-origin") == (origin if allowed else None)


def test_what_another_site_embeds_without_asking_is_refused_too(folder: Path, client: Client) -> None:
    """A classic script runs wherever it is embedded, and its page then knows what it sets."""
    embedded = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"}
    path = "/assets/pages/style.css"
    assert client.get(path, **embedded).status == 403
    assert client.get(path, **embedded, Referer="https://evil.example/x").status == 403
    assert client.get(path, **embedded, Referer="http://localhost:5173/").status == 200
    assert client.get(path, **(embedded | {"Sec_Fetch_Site": "same-origin"})).status == 200
    assert client.get(path, **(embedded | {"Sec_Fetch_Site": "same-site"})).status == 200
    assert client.get("/assets/pages/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    told = client.get(path, Origin="https://app.example").body.decode()
    assert 'origins = ["https://app.example"]' in told


def test_configured_hosts_and_origins_are_let_in(folder: Path) -> None:
    access = Access(hosts=("me.tunnel.example",), origins=("https://app.example", "capacitor://localhost"))
    site = Site(folder / "dist", None, (), access=access)
    with serving(folder, site=site) as client:
        for origin in ("https://app.example", "capacitor://localhost", "https://me.tunnel.example"):
            assert client.get("/cdn/loader.js", Origin=origin).headers["access-control-allow-origin"] == origin
        asked = client.get("/cdn/loader.js", "OPTIONS", Origin="https://app.example")
        assert asked.headers["access-control-allow-private-network"] == "true"
        assert client.get("/cdn/loader.js", Origin="http://app.example").status == 403
        assert client.get("/cdn/loader.js", Host="me.tunnel.example", Origin="https://me.tunnel.example").status == 200
        assert client.get("/cdn/loader.js", Host="you.tunnel.example").status == 421
        neighbour = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors", "Host": "me.tunnel.example"}
        assert client.get("/cdn/loader.js", **neighbour).status == 403


def test_development_has_the_headers_of_deployment(tmp_path: Path) -> None:
    config = tmp_path / "build.toml"
    tiny.graph_model(tmp_path / "m")
    config.write_text('[models.a]\nsource = "m/model.json"\n')
    bundle = tiny.bundle(tmp_path / "dist/cdn", {"a": tiny.graph_model(tmp_path / "source")})
    names = [path.relative_to(bundle.root).as_posix() for path in bundle.root.rglob("*") if path.is_file()]
    rules = header_rules()
    with serving(tmp_path, site=Site(tmp_path / "dist", None, ())) as client:
        for name in names:
            wanted = next(rule["headers"] for rule in rules if fnmatchcase(name, rule["path"]))
            deployed = headers_for(name, None, {})
            for prefix in ("cdn", "dist/cdn"):
                headers = client.get(f"/{prefix}/{name}", Origin="http://localhost:1").headers
                # The one difference: deployment allows anybody, development whoever asks and may.
                for key, value in {**wanted, **deployed, "Access-Control-Allow-Origin": "http://localhost:1"}.items():
                    assert headers[key.lower()] == value, (name, key)
    assert any("immutable" in rule["headers"]["Cache-Control"] for rule in rules)


def test_links_lead_nowhere_else(tmp_path: Path) -> None:
    site, outside = tmp_path / "project", tmp_path / "outside"
    for place in (site / "assets/pages", site / "dist", site / "assets/.hidden", outside):
        place.mkdir(parents=True)
    (outside / "secret.txt").write_text("secret")
    (site / "build.toml").write_text("# settings")
    (site / "assets/own.txt").write_text("own")
    (site / "assets/.hidden/x.txt").write_text("hidden")
    links = {
        "file.txt": outside / "secret.txt",
        "folder": outside,
        "round": Path("round"),
        "own-link.txt": site / "assets/own.txt",
        "hidden-link.txt": site / "assets/.hidden/x.txt",
        "settings.txt": site / "build.toml",
        "device": Path("/dev/zero"),
    }
    for name, target in links.items():
        (site / "assets" / name).symlink_to(target)
    (site / "dist/out.txt").symlink_to(outside / "secret.txt")
    os.mkfifo(site / "assets/pipe")
    mounts = (Mount("assets/", site / "assets"),)
    with serving(site, site=Site(site / "dist", None, mounts)) as client:
        paths = (
            "file.txt",
            "folder/secret.txt",
            "folder/",
            "round",
            "hidden-link.txt",
            "settings.txt",
            "device",
            "pipe",
        )
        assert [client.get(f"/assets/{path}").status for path in paths] == [404] * len(paths)
        assert client.get("/dist/out.txt").status == 404
        assert client.get("/assets/own-link.txt").body == b"own"
        assert "links below [serve]" in client.get("/assets/file.txt").body.decode()
    with serving(site, site=Site(site / "dist", None, mounts, links=(outside,))) as client:
        assert client.get("/assets/file.txt").body == client.get("/assets/folder/secret.txt").body == b"secret"
        assert client.get("/assets/hidden-link.txt").status == 404


def test_a_root_serves_all_but_what_is_private(tmp_path: Path) -> None:
    for name in ("index.html", "style.css", "build.toml", "key.pem", ".env", "sw.js", "sub/index.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"<p>{name}</p>")
    for name in (".git/config", "cache/x", "node_modules/.pnpm/a/index.js"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "node_modules/a").symlink_to(tmp_path / "node_modules/.pnpm/a")
    site = Site(
        tmp_path / "dist",
        tmp_path,
        (Mount("node_modules/", tmp_path / "node_modules"), Mount("sw.js", tmp_path / "sw.js"), Mount("", tmp_path)),
        home=tmp_path / "index.html",
        secret=(tmp_path / "build.toml", tmp_path / "cache"),
    )
    hub = Hub()
    with serving(tmp_path, hub, site=site) as client:
        assert b"<p>index.html</p>" in client.get("/").body
        assert client.get("/sub?x=1").headers["location"].endswith("/sub/?x=1")
        assert b"<p>sub/index.html</p>" in client.get("/sub/").body
        served = ("style.css", "sw.js", "node_modules/a/index.js", "index.html")
        assert [client.get(f"/{name}").status for name in served] == [200] * 4
        kept = ("build.toml", "key.pem", ".env", ".git/config", "cache/x", "node_modules/.pnpm/a/index.js")
        assert [client.get(f"/{name}").status for name in kept] == [404] * 6
        assert client.get("/sw.js").headers["content-type"].startswith("text/javascript")
        (tmp_path / "index.html").unlink()
        gone = client.get("/", Sec_Fetch_Dest="document")
        assert gone.status == 404
        assert b"/.shardpress/page.js" in gone.body
    # What pages are made of is watched, and nothing else.
    assert {path.relative_to(tmp_path).as_posix() for path in hub.asked.known()} >= {"index.html", "style.css", "sw.js"}
    assert not any("node_modules" in path.parts for path in hub.asked.known())


def test_a_published_copy_gives_way_to_what_was_built_last(folder: Path, tmp_path: Path) -> None:
    """A page loads the bundle from where it is deployed to, and is kept up to date all the same."""
    copy = tmp_path / "site/models"
    copy.mkdir(parents=True)
    (copy / "loader.js").write_text("// older")
    (copy / "own.txt").write_text("mine")
    pages = tmp_path / "site"
    site = Site(folder / "dist", pages, (Mount("site/", pages), Mount("", pages)), copies=(copy,))
    hub = Hub()
    with serving(folder, hub, site=site) as client:
        for place in ("/models/", "/site/models/"):
            live = client.get(f"{place}loader.js", Sec_Fetch_Dest="script").body.decode()
            assert "attach(loader" in live
            assert client.get(f"{place}assets/a.bin").body == (folder / "dist/cdn/assets/a.bin").read_bytes()
            assert client.get(f"{place}own.txt").body == b"mine"
            assert client.get(place + "x" * 300).status == 404
    assert not any(path.name == "loader.js" for path in hub.asked.known())


@pytest.mark.parametrize("path", ["x" * 300, "/".join(["long"] * 2000), "x" * 5000, "%ff%fe", "a%00b", "%ed%a0%80"])
def test_absurd_paths_are_not_there(client: Client, path: str) -> None:
    for prefix in ("", "assets/", "dist/", "cdn/assets/"):
        answer = client.get(f"/{prefix}{path}", Sec_Fetch_Dest="document")
        assert answer.status == 404, prefix


def test_large_files_are_sent_in_pieces(folder: Path, client: Client) -> None:
    size = files.large + 10
    with (folder / "assets/video.mp4").open("wb") as file:
        file.seek(size - 3)
        file.write(b"end")
    path = "/assets/video.mp4"
    head = client.get(path, "HEAD")
    assert (head.status, int(head.headers["content-length"])) == (200, size)
    part = client.get(path, Range=f"bytes={size - 3}-")
    assert (part.status, part.body) == (206, b"end")
    assert part.headers["content-range"] == f"bytes {size - 3}-{size - 1}/{size}"
    assert client.get(path, Range=f"bytes={size}-").status == 416
    assert client.get(path, If_None_Match=head.headers["etag"]).status == 304
    assert len(client.get(path).body) == size


def test_preflights_are_answered(folder: Path, client: Client) -> None:
    answer = client.get("/cdn/loader.js", "OPTIONS", Origin="http://localhost:5173")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert answer.headers["access-control-allow-headers"] == "*"


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
        assert client.get("/.shardpress/events", Origin="https://evil.example").status == 403
        assert client.get("/.shardpress/events", "HEAD").status == 200
    # The server is down although nobody has closed these.
    assert response.read() == b"\n"
    connection.close()
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
    assert list(locate(mounts, "dist/a/b.js")) == [Path("/d/a/b.js")]
    assert list(locate(mounts, "dist/")) == [Path("/d")]
    assert list(locate(mounts, "dist//../x")) == []
    assert list(locate(mounts, "distant")) == []
    both = (*mounts, Mount("sw.js", Path("/p/sw.js")), Mount("", Path("/r")))
    assert list(locate(both, "dist/x")) == [Path("/d/x"), Path("/r/dist/x")]
    assert list(locate(both, "sw.js")) == [Path("/p/sw.js"), Path("/r/sw.js")]
    assert list(locate(both, "sw.json")) == [Path("/r/sw.json")]
    assert accepts("gzip;q=1.0, br;q=0.5", "br")
    assert not accepts("*;q=0.0", "br")
    assert not accepts("gzip", "br")


@pytest.mark.slow
def test_the_client_is_typed(tmp_path: Path) -> None:
    for name in client_names():
        (tmp_path / Path(name).name).write_text(render(name))
    check_types(tmp_path, "client.js")
    check_types(tmp_path, "page.js")
