"""What is kept for later visits: a release that follows another under open tabs, and files that the browser takes away.

These tests ask nothing of the browser but what ``tests.helpers.firefox`` has too, so that
Firefox runs them in ``test_firefox.py``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page

from builder.bundle.render import render_worker
from tests.helpers import models, tiny
from tests.helpers.serving import Site, serve
from tests.loader.test_loader_page import page_script, page_text, runtime

pytestmark = pytest.mark.slow
width = 64

answers = """async (name) => {
  const handle = loader.models[name].load();
  const model = await handle.full;
  const y = tf.tidy(() => Array.from(model.execute(tf.ones([1, WIDTH]), "y").dataSync()));
  handle.dispose();
  return y;
}""".replace("WIDTH", str(width))

kept = "(name) => caches.open(name).then((box) => box.keys()).then((keys) => keys.map(({ url }) => url))"


class Web:
    """A site whose bundle can be replaced by another release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "site"
        self.site: Site
        self.expected: dict[str, dict[str, np.ndarray]] = {}
        for number, release in enumerate(("old", "new")):
            sources = {}
            for name in ("big", "other"):
                seed = 1 + number + 10 * (name == "other")
                path = models.write_model(folder / release / name, width=width, seed=seed)
                values = np.frombuffer((path.parent / "shard0.bin").read_bytes(), np.float32)
                weights = values[: width * 8].reshape(width, 8).astype(np.float64)
                self.expected.setdefault(release, {})[name] = weights.sum(axis=0) + values[width * 8 :]
                sources[name] = path
            tiny.bundle(folder / release / "cdn", sources, shard_bytes=512)
        self.root.mkdir()
        shutil.copy(runtime, self.root / "tf.min.js")
        (self.root / "page.js").write_text(page_script.replace("WIDTH", str(width)))
        (self.root / "index.html").write_text(page_text.replace("POLICY", ""))

    def publish(self, release: str, time: int) -> None:
        """Put a release beside the ones before, as deploy does, and a worker of its own."""
        worker = f"sw.{time:016x}.js"
        shutil.copytree(self.folder / release / "cdn", self.root / "cdn", dirs_exist_ok=True)
        (self.root / "cdn" / worker).write_bytes(render_worker())
        loader = self.root / "cdn" / "loader.js"
        (self.root / "sw.js").write_text(
            'self.shardpress = { base: "/cdn/", shell: ["/index.html", "/page.js"], runtime: ["/tf.min.js"] };'
            f'importScripts("/cdn/{worker}");'
        )
        # Servers tell files apart by the second.
        for path in (loader, self.root / "sw.js"):
            os.utime(path, (time, time))

    def files(self, release: str) -> set[str]:
        """The first 16 digits of the hashes of a release's files."""
        return {path.name.split(".")[-2] for path in (self.folder / release / "cdn" / "assets").iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Web:
    return Web(tmp_path_factory.mktemp("updates"))


@pytest.fixture
def web(made: Web) -> Iterator[Web]:
    shutil.rmtree(made.root / "cdn", ignore_errors=True)
    made.publish("old", 4_000_000_000)
    with serve(made.root) as site:
        made.site = site
        yield made


def visit(context: BrowserContext, web: Web) -> Page:
    page = context.new_page()
    page.goto(f"{web.site.url}index.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def check(page: Page, web: Web, release: str, name: str = "big") -> None:
    assert np.abs(np.array(page.evaluate(answers, name)) - web.expected[release][name]).max() < 1e-4


def keys(page: Page, cache: str = "shardpress") -> set[str]:
    return {url.rsplit("/", 1)[1] for url in page.evaluate(kept, cache)}


def lasting(context: BrowserContext, web: Web) -> Page:
    """Open the page with the store that notices what goes."""
    page = visit(context, web)
    page.evaluate("() => { window.store = loader.storage(); loader.configure({ store }); }")
    page.evaluate("store.then(() => {})")
    return page


def evictions(page: Page) -> list[tuple[str, int, int, bool]]:
    found: list[dict[str, Any]] = page.evaluate("events.filter(({ type }) => type === 'eviction')")
    return [(one["model"], one["files"], one["bytes"], one["persisted"]) for one in found]


def test_tabs_keep_their_release_while_a_new_one_comes_and_then_the_old_files_go(
    context: BrowserContext, web: Web
) -> None:
    old = visit(context, web)
    old.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
    old.wait_for_function("navigator.serviceWorker.controller")
    check(old, web, "old")
    # Modules that older loaders import at need, and the pinned loader of a page: the page that names it is kept.
    pinned, module, stale = "loader.1111111111111111.js", "glue.2222222222222222.js", "glue.3333333333333333.js"
    (web.root / "page.js").write_text(f"{page_script.replace('WIDTH', str(width))}\n// {pinned}")
    put = """([name, text]) => caches.open("shardpress-offline")
      .then((box) => box.put(`/cdn/${name}`, new Response(text)))"""
    for name, text in ((pinned, f'"glue":"{module[5:21]}"'), (module, ""), (stale, "")):
        old.evaluate(f"given => ({put})(given).then(() => {{}})", [name, text])

    web.publish("new", 4_000_000_060)
    old.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update()).then(() => {})")
    old.wait_for_function("navigator.serviceWorker.getRegistration().then(({ waiting }) => !!waiting)")
    # The tab has its release, also of what it had not asked for yet, and the module of its loader.
    check(old, web, "old")
    check(old, web, "old", "other")
    assert stale in keys(old, "shardpress-offline")
    new = visit(context, web)
    check(new, web, "new")
    check(old, web, "old")
    assert keys(new) >= web.files("old")
    assert old.evaluate("navigator.serviceWorker.getRegistration().then(({ waiting }) => !!waiting)")

    old.close()
    new.close()
    # A browser may need a moment to see that the tabs are gone: a tab before that is one of the old worker's.
    for _ in range(50):
        page = visit(context, web)
        if page.evaluate("navigator.serviceWorker.getRegistration().then(({ waiting }) => !waiting)"):
            break
        page.close()
    page.wait_for_function("navigator.serviceWorker.controller?.state === 'activated'")
    check(page, web, "new", "other")
    check(page, web, "new")
    held = keys(page, "shardpress-offline")
    assert {pinned, module} <= held
    assert stale not in held
    assert page.evaluate("loader.prune()") == len(web.files("old") - web.files("new"))
    assert keys(page) == web.files("new")
    page.close()
    context.set_offline(True)
    web.site.forget()
    page = visit(context, web)
    check(page, web, "new")
    check(page, web, "new", "other")
    # Browsers look for a new worker even so.
    assert [request.path for request in web.site.requests if not re.search(r"/sw\.", request.path)] == []


def test_files_that_the_browser_has_taken_away_are_told_once_and_fetched_again(
    context: BrowserContext, web: Web
) -> None:
    page = lasting(context, web)
    check(page, web, "old")
    check(page, web, "old", "other")
    assert evictions(page) == []
    sizes = """async () => {
      const box = await caches.open("shardpress");
      const gone = (await box.keys()).slice(0, 2);
      let bytes = 0;
      for (const key of gone) {
        bytes += (await (await box.match(key)).arrayBuffer()).byteLength;
        await box.delete(key);
      }
      return bytes;
    }"""
    gone = page.evaluate(sizes)
    page.close()
    page = lasting(context, web)
    told = evictions(page)
    assert sum(files for _, files, _, _ in told) == 2
    assert sum(size for _, _, size, _ in told) == gone
    page.evaluate("fetched.splice(0)")
    check(page, web, "old")
    check(page, web, "old", "other")
    assert len(page.evaluate("fetched")) == 2
    assert evictions(page) == told
    page.close()
    page = lasting(context, web)
    assert evictions(page) == []
    # All is gone under an open page: each model is told of at its next load, in one record.
    page.evaluate("caches.delete('shardpress').then(() => {})")
    check(page, web, "old")
    assert sorted(model for model, *_ in evictions(page)) == ["big", "other"]
    assert sum(files for _, files, _, _ in evictions(page)) == len(web.files("old"))
    check(page, web, "old", "other")
    assert len(evictions(page)) == 2
    assert keys(page) == web.files("old")
    page.close()


def test_what_is_forgotten_on_purpose_is_no_eviction(context: BrowserContext, web: Web) -> None:
    page = lasting(context, web)
    check(page, web, "old")
    page.close()
    web.publish("new", 4_000_000_120)
    page = lasting(context, web)
    check(page, web, "new")
    assert page.evaluate("loader.prune()") > 0
    page.close()
    page = lasting(context, web)
    assert evictions(page) == []
    # A file that is wrong is forgotten, and fetched again.
    page.evaluate("""async () => {
      const box = await caches.open("shardpress");
      const [one] = await box.keys();
      await box.put(one, new Response("wrong"));
    }""")
    check(page, web, "new")
    assert evictions(page) == []


def test_lasting_room_is_asked_for_on_request_only(context: BrowserContext, web: Web) -> None:
    page = visit(context, web)
    stub = """(answer) => {
      window.asked = 0;
      navigator.storage.persist = async () => (asked++, answer === "denied" ? Promise.reject(new Error()) : answer);
      navigator.storage.persisted = async () => answer === true;
    }"""
    for answer in (True, False, "denied"):
        page.evaluate(stub, answer)
        page.evaluate("() => { window.store = loader.storage(); loader.configure({ store }); }")
        check(page, web, "old")
        assert page.evaluate("asked") == 0
        assert page.evaluate("store.then((store) => store.persist())") is (answer is True)
        assert page.evaluate("store.then((store) => store.persisted())") is (answer is True)
        assert page.evaluate("asked") == 1
    assert page.evaluate("loader.models.big.status()") == "cached"


def test_a_full_disk_a_missing_module_and_a_forbidden_memory_fail_no_load(context: BrowserContext, web: Web) -> None:
    web.site.fail = lambda path: 404 if path.startswith("/cdn/storage.") else None
    page = visit(context, web)
    page.evaluate("() => { const { random } = Math; Math.random = () => random() / 1000; }")
    page.evaluate("() => { window.store = loader.storage(); loader.configure({ store }); }")
    check(page, web, "old")
    assert page.evaluate("store.then((store) => store.persist === undefined)")
    assert page.evaluate("loader.models.big.status()") == "cached"
    page.evaluate("caches.delete('shardpress').then(() => {})")
    page.close()
    web.site.fail = None
    page = lasting(context, web)
    page.evaluate("""() => {
      window.put = Cache.prototype.put;
      Cache.prototype.put = async () => { throw new DOMException("full", "QuotaExceededError"); };
    }""")
    check(page, web, "old")
    told = page.evaluate("events.filter(({ code }) => code === 'quota').map(({ message }) => message)")
    assert len(told) == len([name for name in (web.folder / "old/cdn/assets").iterdir() if name.name.startswith("big")])
    assert all("bytes are used" in message for message in told)
    page.evaluate("() => { Cache.prototype.put = put; Storage.prototype.setItem = () => { throw new Error('no'); }; }")
    check(page, web, "old", "other")
    assert page.evaluate("loader.models.other.status()") == "cached"
