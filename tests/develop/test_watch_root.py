"""``index.html`` beside build.toml in Chromium: live swap, one reload for an edit, and pages that come back."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.developing import Watched, watching

pytestmark = pytest.mark.slow
settings = '[build]\nout = "public/models"\n[models.plain]\nsource = "model/model.json"\n'
html = """<!doctype html>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,">
<script src="/node_modules/@tensorflow/tfjs/dist/tf.min.js"></script>
<h1>first</h1><script type="module">
import { models, configure } from "./public/models/cdn/loader.js";
import { word } from "./linked/word.js";
configure({ tf });
await tf.setBackend("cpu");
const model = await models.plain.load().full;
window.swaps = 0;
document.addEventListener("shardpress:swap", () => window.swaps++);
window.answer = () => tf.tidy(() => Array.from(model.execute(tf.ones([1, 24]), ["Identity"]).dataSync()));
window.word = word;
window.loads = sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1;
</script>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    tiny.graph_model(folder / "model", tiny.weights(1))
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/word.js").write_text('export const word = "one";')
    (folder / "linked").symlink_to(folder / "elsewhere")
    (folder / "build.toml").write_text(settings)
    (folder / "index.html").write_text(html)
    (folder / "style.css").write_text("h1 { color: rgb(1, 2, 3); }")
    (folder / "sw.js").write_text("self.addEventListener('message', ({ source }) => source.postMessage('here'));")
    return folder


@pytest.fixture(scope="module")
def watched(folder: Path) -> Iterator[Watched]:
    with watching(folder / "build.toml") as running:
        running.wait_for("checked: release")
        yield running


@pytest.fixture(scope="module")
def page(watched: Watched) -> Iterator[Page]:
    with chromium() as browser:
        opened = browser.new_page()
        opened.set_default_timeout(60_000)
        opened.goto(watched.url)
        opened.wait_for_function("window.loads === 1")
        yield opened


def loads(page: Page, count: int) -> None:
    page.wait_for_function("count => window.loads >= count", arg=count)
    assert page.evaluate("window.loads") == count


def test_it_is_served_at_the_root_with_new_weights_swapped_in(folder: Path, page: Page, watched: Watched) -> None:
    assert page.url == watched.url
    at = len(watched.lines)
    tiny.graph_model(folder / "model", tiny.weights(2))
    page.wait_for_function("window.swaps === 1")
    wanted = tiny.softmax(np.ones((1, tiny.features), np.float32), tiny.weights(2))[0]
    np.testing.assert_allclose(page.evaluate("answer()"), wanted, atol=1e-6)
    watched.wait_for("checked: release", at)
    # What the build wrote beside the page, quick and then small, reloaded nothing.
    assert page.evaluate("[window.loads, window.swaps]") == [1, 1]


def test_one_edit_is_one_reload(folder: Path, page: Page, watched: Watched) -> None:
    before = page.evaluate("window.loads")
    (folder / "notes.txt").write_text("nobody asked for this")
    (folder / "public/other.txt").write_text("nor for this")
    (folder / "index.html").write_text(html.replace("first", "second"))
    loads(page, before + 1)
    assert page.locator("h1").inner_text() == "second"
    (folder / "style.css").write_text("h1 { color: rgb(4, 5, 6); }")
    loads(page, before + 2)
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(4, 5, 6)"
    (folder / "elsewhere/word.js").write_text('export const word = "two";')
    loads(page, before + 3)
    assert page.evaluate("window.word") == "two"
    (folder / "index.html").write_text(html)
    loads(page, before + 4)


def test_a_page_that_is_deleted_comes_back(folder: Path, page: Page) -> None:
    (folder / "index.html").unlink()
    page.get_by_text("loads again as soon as there is one").wait_for()
    (folder / "index.html").write_text(html.replace("first", "again"))
    page.get_by_role("heading", name="again").wait_for()
    page.wait_for_function("window.answer")


def test_its_service_worker_is_served(page: Page) -> None:
    answer = """async () => {
      const registration = await navigator.serviceWorker.register("/sw.js");
      await navigator.serviceWorker.ready;
      const said = new Promise((done) => navigator.serviceWorker.addEventListener("message", ({ data }) => done(data)));
      navigator.serviceWorker.startMessages();
      registration.active.postMessage("?");
      const found = [await said, new URL(registration.scope).pathname];
      await registration.unregister();
      return found;
    }"""
    assert page.evaluate(answer) == ["here", "/"]


def test_what_is_private_stays_so(watched: Watched) -> None:
    for name in ("build.toml", ".shardpress/", "public/models/../../build.toml"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(watched.url + name, timeout=60)


def test_a_first_build_that_fails_does_not_speak_of_a_last_good_one(tmp_path: Path) -> None:
    tiny.graph_model(tmp_path / "model", tiny.weights(1))
    (tmp_path / "model/weights.bin").write_bytes(b"short")
    (tmp_path / "build.toml").write_text('[models.a]\nsource = "model/model.json"\n')
    with watching(tmp_path / "build.toml") as running:
        running.wait_for("nothing has been built yet")
        with urllib.request.urlopen(f"{running.url}.shardpress/events", timeout=60) as answer:
            state = json.loads(answer.readline().removeprefix(b"data: "))
        assert state["errors"]
        assert state["served"] is False
        at = len(running.lines)
        tiny.graph_model(tmp_path / "model", tiny.weights(1))
        at = running.wait_for("checked: release", at)
        (tmp_path / "model/weights.bin").write_bytes(b"short")
        running.wait_for("the last good bundle is still served", at)
