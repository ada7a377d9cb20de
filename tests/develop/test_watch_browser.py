"""Live update in Chromium: new weights in a live model, reloads, and the overlay of what failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.developing import Watched, copied_checkout, watching

pytestmark = pytest.mark.slow
patience = 60_000
settings = """
[models.plain]
source = "models/plain/model.json"
[models.loop]
source = "models/loop/model.json"
[models.layers]
source = "models/layers/model.json"
"""
html = """<!doctype html>
<html><head><link rel="icon" href="data:,"><script src="/node_modules/@tensorflow/tfjs/dist/tf.min.js"></script></head>
<body><h1>first</h1><script type="module">
import { models, configure } from "../../dist/cdn/loader.js";
configure({ tf });
await tf.setBackend("cpu");
const handles = Object.values(models).map((entry) => entry.load());
const [layers, loop, plain] = await Promise.all(handles.map((handle) => handle.full));
window.swaps = [];
document.addEventListener("shardpress:swap", ({ detail }) => window.swaps.push(detail.name));
window.answers = async () => {
  const x = tf.ones([1, 24]), y = tf.ones([1, 80]);
  const [probs] = [].concat(plain.execute(x, ["Identity"]));
  const found = [probs, await loop.executeAsync(y), layers.predict(x)];
  const values = found.map((tensor) => Array.from(tensor.dataSync()));
  tf.dispose([x, y, found]);
  return { values, tensors: tf.memory().numTensors };
};
window.token = Math.random();
</script></body></html>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write(folder, 1)
    (folder / "build.toml").write_text(settings)
    (folder / "assets/pages").mkdir(parents=True)
    (folder / "assets/pages/index.html").write_text(html)
    return folder


def write(folder: Path, seed: int) -> None:
    tiny.graph_model(folder / "models/plain", tiny.weights(seed))
    tiny.loop_model(folder / "models/loop")
    tiny.layers_model(folder / "models/layers", tiny.weights(seed))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def watched(folder: Path, checkout: Path) -> Iterator[Watched]:
    with watching(folder / "build.toml", checkout=checkout) as running:
        running.wait_for("release")
        yield running


@pytest.fixture(scope="module")
def page(watched: Watched) -> Iterator[Page]:
    with chromium() as browser:
        opened = browser.new_page()
        opened.set_default_timeout(patience)
        opened.goto(watched.url)
        opened.wait_for_function("window.token")
        yield opened


def expected(seed: int) -> np.ndarray:
    return tiny.softmax(np.ones((1, tiny.features), np.float32), tiny.weights(seed))[0]


def test_new_weights_go_into_the_live_models(folder: Path, page: Page) -> None:
    token = page.evaluate("window.token")
    before = page.evaluate("answers()")
    np.testing.assert_allclose(before["values"][0], expected(1), atol=1e-6)
    page.evaluate(  # calls under way all the time must each see the old weights or the new ones
        """() => { window.seen = []; window.run = (async () => {
             while (!window.done) { window.seen.push(await answers()); await new Promise((go) => setTimeout(go, 5)); }
           })(); }"""
    )
    write(folder, 2)
    page.wait_for_function("window.swaps.length >= 2")
    page.evaluate("() => { window.done = true; return window.run; }")
    after = page.evaluate("answers()")
    assert page.evaluate("window.token") == token
    assert sorted(page.evaluate("window.swaps")) == ["layers", "plain"]
    for one in (0, 2):
        np.testing.assert_allclose(after["values"][one], expected(2), atol=1e-6)
        for seen in page.evaluate("window.seen"):
            old, new = (np.abs(np.array(seen["values"][one]) - expected(seed)).max() for seed in (1, 2))
            assert min(old, new) < 1e-6
    assert after["tensors"] == before["tensors"]


def test_a_model_with_a_loop_is_swapped_between_its_calls(folder: Path, page: Page) -> None:
    token = page.evaluate("window.token")
    page.evaluate("() => { window.done = false; window.swaps = []; }")
    content = (folder / "models/loop/weights.bin").read_bytes()
    page.evaluate(
        """() => { window.run = (async () => {
             while (!window.done) { await answers(); await new Promise((go) => setTimeout(go)); }
           })(); }"""
    )
    (folder / "models/loop/weights.bin").write_bytes(content[:12] + np.full(80, 7, np.float32).tobytes())
    page.wait_for_function("window.swaps.includes('loop')")
    page.evaluate("() => { window.done = true; return window.run; }")
    # Once, and that the change before was checked and compressed anew since then is no reason either.
    assert page.evaluate("window.swaps") == ["loop"]
    assert page.evaluate("answers()")["values"][1][0] == pytest.approx(32 + 7)
    assert page.evaluate("window.token") == token


def test_what_failed_lies_over_the_page_until_it_is_mended(folder: Path, page: Page) -> None:
    token = page.evaluate("window.token")
    (folder / "build.toml").write_text(settings + "prioritty = 'high'\n")
    overlay = page.locator("shardpress-errors section")
    overlay.wait_for()
    text = overlay.inner_text()
    assert "build.toml, models.layers" in text
    assert "unknown key 'prioritty'" in text
    assert "Did you mean 'priority'?" in text
    weights = folder / "models/plain/weights.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    (folder / "build.toml").write_text(settings)
    page.wait_for_function("document.querySelector('shardpress-errors')?.shadowRoot.textContent.includes('plain')")
    assert page.evaluate("answers()")["values"]
    weights.write_bytes(content)
    overlay.wait_for(state="detached")
    assert page.evaluate("window.token") == token


def test_anything_else_reloads_the_page(folder: Path, checkout: Path, page: Page) -> None:
    def reloaded(change: str) -> None:
        page.wait_for_function("token => window.token && window.token !== token", arg=token)

    token = page.evaluate("window.token")
    (folder / "assets/pages/index.html").write_text(html.replace("first", "second"))
    reloaded("page")
    assert page.locator("h1").inner_text() == "second"
    token = page.evaluate("window.token")
    (folder / "build.toml").write_text(settings + 'load = "idle"\n')
    reloaded("policy")
    token = page.evaluate("window.token")
    (checkout / "templates/loader.js.j2").touch()
    reloaded("template")
    token = page.evaluate("window.token")
    tiny.graph_model(folder / "models/plain", tiny.weights(3), generatedBy="another topology")
    reloaded("topology")
    # The changes before may still have a reload to come.
    page.wait_for_function(
        "async (wanted) => (await answers()).values[0].every((value, at) => Math.abs(value - wanted[at]) < 1e-6)",
        arg=expected(3).tolist(),
    )
