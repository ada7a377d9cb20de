"""The loader in pages as they are: repeat visits, tabs, strict policies, faults on the wire, and no network at all."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page

from builder.bundle.render import render_worker
from tests.helpers import models, tiny
from tests.helpers.browsing import without_workers
from tests.helpers.paging import held_waits
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.es2017.min.js"
width = 20_000

page_text = """<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">POLICY
<script src="tf.min.js"></script><script type="module" src="page.js"></script>
"""
page_script = """
const settings = new URL(location.href).searchParams;
const loader = await import(settings.get("loader") ?? "./cdn/loader.js");
const events = [];
const onEvent = (event) => events.push(event);
window.fetched = [];
const counting = (url, init) => {
  fetched.push(new URL(url).pathname.replace(/^.cdn/, ""));
  return fetch(url, init);
};
loader.configure({ tf: window.tf, onEvent, fetch: counting, ...JSON.parse(settings.get("options") ?? "{}") });
await tf.setBackend("cpu");
window.loader = loader;
window.events = events;
window.answer = async () => {
  const handle = loader.models.big.load();
  const model = await handle.full;
  const { source } = handle.progress;
  const y = tf.tidy(() => Array.from(model.execute(tf.ones([1, WIDTH]), "y").dataSync()));
  handle.dispose();
  const measures = performance.getEntriesByType("measure").map(({ name }) => name);
  const said = events.map(({ stage, code }) => stage ?? code);
  return { y, source, tensors: tf.memory().numTensors, measures, events: said };
};
window.pictured = async () => {
  const handle = loader.models.big.load();
  await handle.full;
  const x = tf.ones([1, WIDTH]);
  const y = await handle.run({ x });
  const values = Array.from(y.dataSync());
  tf.dispose([x, y]);
  handle.dispose();
  return values;
};
document.documentElement.dataset.ready = "";
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A site with a page, and the bundle in ``cdn/`` below it and on another origin."""

    site: Site
    cdn: Site
    bundle: tiny.Bundle
    expected: np.ndarray

    @property
    def files(self) -> list[str]:
        """Paths of the head and all shards."""
        (model,) = self.bundle.models
        return [f"/{file.url}" for file in (model.head, *model.shards)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[tiny.Bundle, np.ndarray]:
    folder = tmp_path_factory.mktemp("built")
    source = models.write_model(folder / "source", width=width, seed=3)
    bundle = tiny.bundle(folder / "site" / "cdn", {"big": source}, shard_bytes=1 << 16)
    tiny.bundle(folder / "site" / "coarse", {"big": source}, shard_bytes=1 << 16, precision="balanced")
    values = np.frombuffer(b"".join(path.read_bytes() for path in sorted(source.parent.glob("*.bin"))), np.float32)
    expected = values[: width * 8].reshape(width, 8).astype(np.float64).sum(axis=0) + values[width * 8 :]
    site = folder / "site"
    shutil.copy(runtime, site / "tf.min.js")
    (site / "page.js").write_text(page_script.replace("WIDTH", str(width)))
    (site / "index.html").write_text(page_text.replace("POLICY", ""))
    return bundle, expected


@pytest.fixture
def place(built: tuple[tiny.Bundle, np.ndarray]) -> Iterator[Place]:
    bundle, expected = built
    with serve(bundle.root.parent) as site, serve(bundle.root) as cdn:
        yield Place(site, cdn, bundle, expected)


def visit(
    context: BrowserContext, place: Place, *, page: str = "index.html", far: bool = False, **options: Any
) -> Page:
    """Open the page; give it when its script has run."""
    opened = context.new_page()
    query = f"options={json.dumps(options)}" + (f"&loader={place.cdn.url}loader.js" if far else "")
    opened.goto(f"{place.site.url}{page}?{query}")
    opened.wait_for_selector("html[data-ready]", state="attached")
    return opened


def check(result: dict[str, Any], place: Place) -> None:
    assert np.abs(np.array(result["y"]) - place.expected).max() < 1e-2
    assert result["tensors"] == 0


def asked(page: Page) -> list[str]:
    """Give the paths that the loader has asked for since the last time."""
    paths: list[str] = page.evaluate("fetched.splice(0)")
    return sorted(paths)


@pytest.mark.parametrize("far", [False, True])
def test_a_worker_decodes_whatever_the_loaders_origin(context: BrowserContext, place: Place, far: bool) -> None:
    said: list[str] = []
    workers: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    context.on("page", lambda opened: opened.on("worker", lambda worker: workers.append(worker.url)))
    page = visit(context, place, far=far)
    result = page.evaluate("answer()")
    check(result, place)
    assert [url[:5] for url in workers] == ["blob:"]
    assert without_workers(page)
    assert result["source"] == "network"
    assert result["events"] == ["head", "base", "full"]
    assert result["measures"] == [f"shardpress big {stage}" for stage in ("head", "base", "full")]
    assert asked(page) == sorted(place.files)
    check(page.evaluate("answer()"), place)
    assert not [text for text in said if "backend" not in text], said


def test_a_worker_decodes_coarse_weights_as_the_page_does(context: BrowserContext, place: Place) -> None:
    answers = []
    for worker in (True, False):
        workers: list[str] = []
        page = context.new_page()
        page.on("worker", lambda started, workers=workers: workers.append(started.url))
        options = json.dumps({"worker": worker, "cache": "none"})
        page.goto(f"{place.site.url}index.html?options={options}&loader=./coarse/loader.js")
        page.wait_for_selector("html[data-ready]", state="attached")
        result = page.evaluate("answer()")
        assert bool(workers) == worker
        assert np.abs(np.array(result["y"]) - place.expected).max() < 0.5
        answers.append(result["y"])
    assert answers[0] == answers[1]


policies = {
    "no workers": "worker-src 'none'",
    "no policy for trusted types": "require-trusted-types-for 'script'; trusted-types 'none'",
    "our policy for trusted types": "require-trusted-types-for 'script'; trusted-types shardpress; worker-src blob:",
}


@pytest.mark.parametrize("what", policies)
def test_strict_policies_still_give_a_working_load(what: str, context: BrowserContext, place: Place) -> None:
    policy = f"default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; {policies[what]}"
    name = f"{what.replace(' ', '-')}.html"
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    (place.site.root / name).write_text(page_text.replace("POLICY", tag))
    workers: list[str] = []
    context.on("page", lambda opened: opened.on("worker", lambda worker: workers.append(worker.url)))
    page = visit(context, place, page=name)
    check(page.evaluate("answer()"), place)
    assert bool(workers) == (what == "our policy for trusted types")


def test_a_repeat_visit_takes_no_model_bytes(context: BrowserContext, place: Place) -> None:
    page = visit(context, place)
    assert page.evaluate("loader.models.big.status()") == "absent"
    check(page.evaluate("answer()"), place)
    page.close()
    page = visit(context, place)
    assert page.evaluate("loader.models.big.status()") == "cached"
    result = page.evaluate("answer()")
    check(result, place)
    assert result["source"] == "cache"
    assert asked(page) == []


def test_two_tabs_fetch_each_file_once(context: BrowserContext, place: Place) -> None:
    pages = [visit(context, place), visit(context, place)]
    for page in pages:
        page.evaluate("() => { window.running = answer(); }")
    for page in pages:
        check(page.evaluate("running"), place)
    assert sorted([*asked(pages[0]), *asked(pages[1])]) == sorted(place.files)


def test_a_poisoned_and_a_missing_cache_entry_are_mended(context: BrowserContext, place: Place) -> None:
    page = visit(context, place)
    check(page.evaluate("answer()"), place)
    page.evaluate("""async () => {
      const box = await caches.open("shardpress");
      const [one, two, three] = await box.keys();
      await box.put(one, new Response("<html>captive portal</html>"));
      await box.put(two, new Response(new Uint8Array((await (await box.match(two)).arrayBuffer()).byteLength)));
      await box.delete(three);
    }""")
    asked(page)
    check(page.evaluate("answer()"), place)
    assert len(asked(page)) == 3
    check(page.evaluate("answer()"), place)
    assert asked(page) == []


def test_a_load_goes_on_after_the_network_was_away(context: BrowserContext, place: Place) -> None:
    shards = place.files[1:]
    broken = set(shards[3:])
    place.site.fail = lambda path: 404 if path.removeprefix("/cdn") in broken else None
    page = visit(context, place, concurrency=1)
    code = page.evaluate("answer().catch(({ name, code, url }) => [name, code, url])")
    assert code[:2] == ["ModelError", "network"]
    assert code[2].startswith(place.site.url)
    assert page.evaluate("loader.models.big.status()") == "partial"
    held = page.evaluate("caches.open('shardpress').then((box) => box.keys()).then((keys) => keys.length)")
    place.site.fail = None
    asked(page)
    check(page.evaluate("answer()"), place)
    assert len(asked(page)) == len(place.files) - held
    assert held == 4


def test_a_server_that_fails_at_first_is_asked_again(context: BrowserContext, place: Place) -> None:
    seen: Counter[str] = Counter()

    def fail(path: str) -> int | None:
        seen[path] += 1
        return 500 if path.startswith("/cdn/assets/") and seen[path] == 1 else None

    place.site.fail = fail
    page = visit(context, place, concurrency=16)
    check(page.evaluate("answer()"), place)


def test_a_module_is_imported_again_and_from_elsewhere(context: BrowserContext, place: Place) -> None:
    seen: Counter[str] = Counter()

    def fail(path: str) -> int | None:
        seen[path] += 1
        return 404 if path.startswith("/cdn/glue.") and seen[path] == 1 else None

    place.site.fail = lambda path: 404 if path.startswith("/cdn/glue.") else None
    page = visit(context, place)
    expected = pytest.approx(page.evaluate("answer()")["y"])
    code, url = page.evaluate("pictured().catch(({ code, url }) => [code, url])")
    assert code == "network"
    assert url.startswith(f"{place.site.url}cdn/glue.")
    page = visit(context, place, fallbackUrls=[place.cdn.url])
    assert page.evaluate("pictured()") == expected
    place.site.fail = fail
    page = visit(context, place)
    assert page.evaluate("pictured()") == expected
    (module,) = [path for path in seen if path.startswith("/cdn/glue.")]
    assert seen[module] == 2


def test_going_offline_in_the_middle_of_a_load_ends_in_a_right_answer(context: BrowserContext, place: Place) -> None:
    page = visit(context, place)
    seen: list[str] = []

    def fail(path: str) -> int | None:
        seen.append(path)
        if len(seen) == 4:
            page_offline.append(True)
        return None

    page_offline: list[bool] = []
    place.site.fail = fail
    page.evaluate("() => { window.running = answer(); }")
    for _ in range(30_000):
        if page_offline:
            break
        page.wait_for_timeout(1)
    assert page_offline, seen
    context.set_offline(True)
    page.wait_for_function("!navigator.onLine")
    context.set_offline(False)
    check(page.evaluate("running"), place)


def test_a_load_survives_an_hour_without_a_network(context: BrowserContext, place: Place) -> None:
    page = visit(context, place, concurrency=1)
    page.evaluate("() => { window.phases = []; }")
    context.set_offline(True)
    page.evaluate(held_waits)
    page.evaluate("""() => {
      window.running = answer();
      window.handle = loader.models.big.load({ onProgress: ({ phase }) => phases.push(phase) });
    }""")
    page.wait_for_function("handle.progress.phase === 'offline'")
    page.evaluate("pass(60 * 60 * 1000)")
    assert page.evaluate("handle.progress.phase") == "offline"
    assert page.evaluate("events.map(({ type }) => type)") == ["offline"]
    context.set_offline(False)
    page.evaluate("handle.full.then(() => handle.dispose())")
    assert np.abs(np.array(page.evaluate("running")["y"]) - place.expected).max() < 1e-2
    assert "offline" in page.evaluate("phases")
    said = page.evaluate("events.map(({ type, stage }) => stage ?? type)")
    assert said == ["offline", "online", "head", "base", "full"]


def test_an_app_with_routes_and_a_base_finds_its_bundle(context: BrowserContext, place: Place) -> None:
    text = page_text.replace("POLICY", '<base href="/">')
    (place.site.root / "app" / "deep").mkdir(parents=True, exist_ok=True)
    (place.site.root / "app" / "deep" / "index.html").write_text(text)
    page = visit(context, place, page="app/deep/index.html", baseUrl="cdn", fallbackUrls=["cdn/"])
    page.evaluate("history.pushState(null, '', '/elsewhere/at/all')")
    page.evaluate("document.querySelector('base').href = '/nowhere/'")
    check(page.evaluate("answer()"), place)
    assert asked(page) == sorted(place.files)


def test_a_policy_whose_name_is_taken_leaves_a_worker(context: BrowserContext, place: Place) -> None:
    policy = "require-trusted-types-for 'script'; trusted-types shardpress shardpress-2; worker-src blob:"
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    (place.site.root / "taken.html").write_text(page_text.replace("POLICY", tag))
    workers: list[str] = []
    context.on("page", lambda opened: opened.on("worker", lambda worker: workers.append(worker.url)))
    page = visit(context, place, page="taken.html")
    page.evaluate("trustedTypes.createPolicy('shardpress', {})")
    check(page.evaluate("answer()"), place)
    assert workers


def test_a_sandboxed_frame_that_may_keep_nothing_and_lock_nothing_still_loads(
    context: BrowserContext, place: Place
) -> None:
    page = visit(context, place)
    page.evaluate("""() => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.src = "index.html";
      document.body.append(frame);
    }""")
    (frame,) = [frame for frame in page.frames if frame != page.main_frame]
    frame.wait_for_selector("html[data-ready]", state="attached")
    assert frame.evaluate("location.origin + ' ' + origin").endswith("null")
    store = "{ get: async () => undefined, put: async () => {}, keys: async () => [], delete: async () => true }"
    frame.evaluate(f"loader.configure({{ store: {store} }})")
    check(frame.evaluate("answer()"), place)


def test_a_lock_that_another_tab_never_gives_back_does_not_stop_a_load(context: BrowserContext, place: Place) -> None:
    frozen, page = visit(context, place), visit(context, place)
    frozen.evaluate(
        """async (hashes) => {
      for (const hash of hashes) await new Promise((held) => navigator.locks.request(`shardpress ${hash}`, () => {
        held();
        return new Promise(() => {});
      }));
    }""",
        [place.bundle.models[0].head.blob.sha256],
    )
    page.evaluate(held_waits)
    page.evaluate("() => { window.running = answer(); }")
    page.wait_for_function("waiting(5000)")
    page.evaluate("pass(5000)")
    check(page.evaluate("running"), place)


def test_after_one_visit_the_page_runs_without_a_network_and_nothing_was_ever_sent(
    context: BrowserContext, place: Place
) -> None:
    site = place.site.root
    (site / "cdn" / "sw.0123456789abcdef.js").write_bytes(render_worker())
    (site / "sw.js").write_text(
        'self.shardpress = { base: "/cdn/", shell: ["/index.html", "/page.js"], runtime: ["/tf.min.js"] };'
        'importScripts("/cdn/sw.0123456789abcdef.js");'
    )
    sent: list[tuple[str, str | None]] = []
    context.on("request", lambda request: sent.append((request.method, request.post_data)))
    page = visit(context, place)
    page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
    page.wait_for_function("navigator.serviceWorker.controller")
    check(page.evaluate("answer()"), place)
    page.close()
    context.set_offline(True)
    place.site.forget()
    page = visit(context, place)
    result = page.evaluate("answer()")
    check(result, place)
    assert result["source"] == "cache"
    assert place.site.requests == []
    # What the loader imports at first need is there too.
    assert page.evaluate("pictured()") == pytest.approx(result["y"])
    # A head that the loader has kept is answered to anybody who asks for it.
    status = page.evaluate(f"fetch('/cdn{place.files[0]}').then(({{ status }}) => status)")
    assert status == 200
    assert set(sent) == {("GET", None)}
    assert {request.method for request in place.site.requests} <= {"GET"}


def test_the_offline_worker_meets_other_peoples_sites(context: BrowserContext, place: Place) -> None:
    site = place.site.root
    (site / "cdn" / "sw.0123456789abcdef.js").write_bytes(render_worker())
    (site / "sw.js").write_text(
        'self.shardpress = { base: "/cdn/", shell: ["/", "/shell", "/page.js"], runtime: ["/tf.min.js"],'
        ' fallback: "/" };'
        'importScripts("/cdn/sw.0123456789abcdef.js");'
    )
    html = {"Content-Type": "text/html"}
    index = (site / "index.html").read_bytes()

    def special(path: str) -> tuple[int, dict[str, str], bytes] | None:
        if path == "/":
            return 200, {**html, "Vary": "*"}, index
        if path == "/shell":
            return 302, {"Location": "/moved/shell"}, b""
        if path == "/moved/shell":
            return 200, html, b"<title>shell</title>"
        if path.startswith("/?user="):
            return 200, html, b"<title>of one visitor only</title>"
        return None

    place.site.special = special
    page = context.new_page()
    page.goto(f"{place.site.url}shell")
    page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
    page.wait_for_function("navigator.serviceWorker.controller")
    page.goto(f"{place.site.url}?user=1")
    assert page.title() == "of one visitor only"
    context.set_offline(True)
    page.goto(f"{place.site.url}shell")
    assert page.title() == "shell"
    for address in ("", "?user=2", "a/route/of/the/app?user=1"):
        page.goto(place.site.url + address)
        assert page.title() == "page", address


def test_the_page_is_told_of_a_new_release_and_goes_on(context: BrowserContext, place: Place) -> None:
    site = place.site.root
    (site / "cdn" / "sw.0123456789abcdef.js").write_bytes(render_worker())
    (site / "sw.js").write_text('self.shardpress = { base: "/cdn/" }; importScripts("/cdn/sw.0123456789abcdef.js");')
    page = visit(context, place)
    page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
    page.wait_for_function("navigator.serviceWorker.controller")
    loader = site / "cdn" / "loader.js"
    old = loader.read_bytes()
    release = place.bundle.index.release
    try:
        loader.write_bytes(old.replace(release.encode(), b"f" * 16))
        # Servers tell files apart by the second.
        os.utime(loader, (4e9, 4e9))
        told = """async () => {
          const told = new Promise((done) => {
            navigator.serviceWorker.addEventListener("message", ({ data }) => done(data));
          });
          navigator.serviceWorker.startMessages();
          await (await fetch("/cdn/loader.js", { cache: "no-cache" })).text();
          return told;
        }"""
        assert page.evaluate(told) == {"type": "shardpress-release", "release": "f" * 16}
    finally:
        loader.write_bytes(old)
    check(page.evaluate("answer()"), place)


def test_nothing_begins_before_the_load_event_and_visible_waits_for_its_element(
    context: BrowserContext, place: Place
) -> None:
    below = '<img src="slow.png" alt=""><div id="below" data-model="big" style="margin-top: 9000px">here</div>'
    (place.site.root / "long.html").write_text(page_text.replace("POLICY", "") + below)
    held = threading.Event()

    def fail(path: str) -> int | None:
        if path == "/slow.png":
            held.wait(60)
            return 404
        return None

    place.site.fail = fail
    page = context.new_page()
    frames = (
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
    )
    try:
        page.goto(f"{place.site.url}long.html", wait_until="commit")
        page.wait_for_selector("html[data-ready]", state="attached")
        page.evaluate("() => { window.handles = ['idle', 'visible'].map((when) => loader.models.big.load({ when })); }")
        page.evaluate("() => handles.shift().cancel()")
        page.evaluate("() => document.querySelector('#below').scrollIntoView()")
        page.evaluate(frames)
        assert page.evaluate("document.readyState") != "complete"
        assert asked(page) == []
        page.evaluate("scrollTo(0, 0)")
        page.evaluate(frames)
    finally:
        held.set()
    page.wait_for_load_state("load")
    page.evaluate(frames)
    assert page.evaluate("handles[0].progress.phase") == "waiting"
    assert asked(page) == []
    page.evaluate("document.querySelector('#below').scrollIntoView()")
    page.evaluate("handles[0].full.then(() => {})")
    assert asked(page) == sorted(place.files)
