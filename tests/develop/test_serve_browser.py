"""The dev server in Chromium: the client in HTML of every kind, and one connection for seven tabs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page

from builder.develop.server.app import Site, make_app
from builder.develop.server.files import Mount
from builder.develop.server.hub import Hub
from builder.develop.server.run import running
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve

pytestmark = pytest.mark.slow
policy = '<meta http-equiv=Content-Security-Policy content="{}">'
pages = {
    "doctype.html": b"<!doctype html>",
    "text.html": b"hello",
    "bare.html": b"<title>x</title><p>no head, no body",
    "comment.html": b"<!-- </head><head> --><!doctype html><html><!-- <body> --><head><title>x</title></head><body>y",
    "attributes.html": b"<!doctype html><html data-x='</head>'><body title=\"</head><body>\"><p>x</p></body></html>",
    "upper.HTM": b"<!DOCTYPE HTML><HTML><HEAD><TITLE>X</TITLE></HEAD><BODY>Y</BODY></HTML>",
    "base.html": b"<!doctype html><head><base href='http://127.0.0.1:9/elsewhere/'></head><body>x",
    "wide.html": "\ufeff<!doctype html><html><head></head><body>Grüße 你好</body></html>".encode("utf-16-le"),
    "wide-big.html": "\ufeff<!doctype html><body>Grüße 你好".encode("utf-16-be"),
    "cyrillic.html": b"<!doctype html><meta charset=windows-1251><body>" + "Привет".encode("windows-1251"),
    "late.html": b"<!doctype html><head>"
    + b"<!-- -->" * 110
    + b"<meta charset=windows-1251><body>"
    + "Привет".encode("cp1251"),
    "self.html": policy.format("default-src 'self'").encode(),
    "nonce.html": policy.format("script-src 'nonce-abc='; connect-src 'self'").encode() + b"<p>x",
    "dynamic.html": policy.format("script-src 'strict-dynamic' 'nonce-abc='; connect-src 'self'").encode(),
    "map.html": b'<!doctype html><script type=importmap>{"imports": {"mine": "./mine.js"}}</script>'
    b"<script type=module>import { word } from 'mine'; document.title = word;</script>",
    "frames.html": b"<!doctype html><html><head></head><frameset cols='*'><frame src='text.html'></frameset></html>",
}
texts = {
    "wide.html": "Grüße 你好",
    "wide-big.html": "Grüße 你好",
    "cyrillic.html": "Привет",
    "late.html": "Привет",
    "text.html": "hello",
}


# Nothing comes before a doctype: it would take the page back to the quirks of old browsers.
standard = {name for name in pages if "wide" in name or b"<!doctype" in pages[name].lower()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def hub() -> Hub:
    return Hub()


@pytest.fixture(scope="module")
def url(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    for name, content in pages.items():
        (folder / name).write_bytes(content)
    (folder / "mine.js").write_text("export const word = 'mapped';")
    (folder / "part.html").write_text("<li>part</li>")
    site = Site(folder / "dist", folder, (Mount("", folder),), home=folder / "index.html")
    with running(make_app(lambda: site, hub), hub, host="127.0.0.1", port=0, certificates=folder / "c") as server:
        yield server.url


def tell(hub: Hub, what: str) -> None:
    """Have all pages show an error, or none."""
    hub.update(errors=({"model": "", "what": what, "where": "", "hint": ""},) if what else (), served=what == "served")


def listeners(hub: Hub) -> int:
    return len(hub._listeners)


def until(page: Page, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        page.wait_for_timeout(20)


def shows(page: Page, text: str) -> None:
    """Wait for an overlay with a text; by hand, since Playwright's own way of waiting needs what policies forbid."""
    overlay = "document.querySelector('shardpress-errors')?.shadowRoot.textContent ?? ''"

    def found() -> bool:
        try:
            return text in page.evaluate(overlay)
        except Error:  # it is being loaded again
            return False

    until(page, found)


@pytest.mark.parametrize("name", pages)
def test_the_client_lives_in_any_page(name: str, url: str, hub: Hub, context: BrowserContext) -> None:
    tell(hub, "broken")
    page = context.new_page()
    page.goto(url + name)
    overlay = page.locator("shardpress-errors section")
    overlay.wait_for(state="attached")
    assert "broken" in overlay.text_content()
    assert "last good one" not in overlay.text_content()
    wanted = "CSS1Compat" if name in standard else "BackCompat"
    assert page.evaluate("document.compatMode") == wanted
    assert page.evaluate("document.querySelector('script[data-shardpress-pages]').parentNode === document.head")
    if name in texts:
        shown = page.evaluate("(document.body ?? {}).firstChild?.textContent ?? ''")
        assert texts[name] in shown
    if name == "map.html":
        until(page, lambda: page.title() == "mapped")
    if name == "text.html":
        assert page.evaluate("fetch('part.html').then((answer) => answer.text())") == "<li>part</li>"
    tell(hub, "served")
    # Not wait_for_function, which asks again by eval: a policy of these pages forbids that.
    told = "document.querySelector('shardpress-errors')?.shadowRoot.textContent.includes('last good one')"
    until(page, lambda: page.evaluate(told))
    tell(hub, "")
    overlay.wait_for(state="detached")


def test_seven_tabs_share_one_connection(url: str, hub: Hub, context: BrowserContext) -> None:
    tell(hub, "one")
    tabs = [context.new_page() for _ in range(7)]
    for tab in tabs:
        tab.goto(f"{url}self.html")
    for tab in tabs:
        tab.locator("shardpress-errors section").wait_for(state="attached")
    assert listeners(hub) == 1
    # There is a connection left for everything else, and all hear of what is new.
    assert tabs[6].evaluate("fetch('mine.js').then(({ status }) => status)") == 200
    tell(hub, "two")
    for tab in tabs:
        shows(tab, "two")
    # The one that listened goes, and another takes its place; so it does when that one goes to another page.
    tabs[0].close()
    until(tabs[1], lambda: listeners(hub) == 1)
    tabs[1].goto(f"{url}mine.js")
    tell(hub, "three")
    for tab in tabs[2:]:
        shows(tab, "three")
    until(tabs[2], lambda: listeners(hub) == 1)
    # What is hidden by hand stays hidden until something new is told.
    tabs[3].evaluate("document.querySelector('shardpress-errors').shadowRoot.querySelector('button').click()")
    tabs[4].reload()
    tabs[4].locator("shardpress-errors section").wait_for(state="attached")
    assert tabs[3].locator("shardpress-errors").count() == 0
    for tab in tabs[2:]:
        tab.evaluate("() => { document.title = 'before'; }")
    hub.pages_changed()
    for tab in tabs[2:]:
        until(tab, lambda tab=tab: tab.title() != "before")  # type: ignore[misc]
        shows(tab, "three")
    tell(hub, "")


def test_a_tab_that_is_frozen_gives_way(url: str, hub: Hub, context: BrowserContext) -> None:
    tell(hub, "")
    leader, follower = context.new_page(), context.new_page()
    leader.goto(f"{url}self.html")
    until(leader, lambda: listeners(hub) == 1)
    follower.goto(f"{url}text.html")
    # As in a tab that the browser has stopped: it holds the lock and answers nobody.
    session = context.new_cdp_session(leader)
    session.send("Debugger.enable")
    session.send("Debugger.pause")
    leader_stops = session.send  # kept: the session must live as long as the tab stands still
    follower.bring_to_front()
    follower.evaluate("window.dispatchEvent(new Event('focus'))")
    until(follower, lambda: listeners(hub) == 2)
    tell(hub, "new")
    follower.locator("shardpress-errors section").wait_for(state="attached")
    leader_stops("Debugger.resume")
    until(follower, lambda: listeners(hub) == 1)


@pytest.mark.parametrize("without", ["locks", "BroadcastChannel"])
def test_without_locks_a_tab_listens_while_it_is_seen(
    without: str, url: str, hub: Hub, context: BrowserContext
) -> None:
    if without == "locks":
        context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
    else:
        context.add_init_script("delete window.BroadcastChannel")
    tell(hub, "seen")
    page = context.new_page()
    page.goto(f"{url}self.html")
    page.locator("shardpress-errors section").wait_for(state="attached")
    assert listeners(hub) == 1
    page.evaluate(
        "() => { Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); }"
    )
    until(page, lambda: listeners(hub) == 0)
    tell(hub, "back")
    page.evaluate("() => { delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange')); }")
    shows(page, "back")
    tell(hub, "")


def test_denied_locks_are_done_without(url: str, hub: Hub, context: BrowserContext) -> None:
    context.add_init_script(
        "navigator.locks.request = () => Promise.reject(new DOMException('denied', 'SecurityError'));"
    )
    tell(hub, "denied")
    page = context.new_page()
    page.goto(f"{url}self.html")
    page.locator("shardpress-errors section").wait_for(state="attached")
    tell(hub, "")


def test_another_sites_page_reads_nothing(url: str, tmp_path: Path, context: BrowserContext) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><p>evil")
    with serve(tmp_path) as site:
        page = context.new_page()
        page.route("http://evil.example/**", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
        page.goto("http://evil.example/")
        read = "url => fetch(url).then((answer) => answer.text(), (error) => String(error))"
        assert "Failed to fetch" in page.evaluate(read, f"{url}.shardpress/client.js")
        assert "Failed to fetch" in page.evaluate(read, f"{url}mine.js")
        run = """url => new Promise((done) => {
          const script = document.head.appendChild(Object.assign(document.createElement('script'), { src: url }));
          script.onload = () => done('ran'); script.onerror = () => done('refused');
        })"""
        assert page.evaluate(run, f"{url}.shardpress/page.js") == "refused"
        # The same from a local page is read.
        page.goto(site.url.replace("127.0.0.1", "localhost"))
        assert "attach" in page.evaluate(read, f"{url}.shardpress/client.js")
