"""Faults on the wire and on the disk, in Chromium: a right answer or the right typed error; the next load recovers.

What goes wrong at servers' first answers, in poisoned caches and between tabs is in ``test_loader_page.py``.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.helpers import models, tiny
from tests.helpers.fault_proxy import Proxy, faulty
from tests.helpers.serving import serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.es2017.min.js"
width = 20_000

page_text = """<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script src="tf.min.js"></script><script type="module" src="page.js"></script>
"""
page_script = """
const loader = await import("./cdn/loader.js");
window.loader = loader;
window.events = [];
window.fetched = [];
window.cut = [];
loader.configure({
  tf: window.tf,
  onEvent: (event) => events.push(event),
  fetch: async (url, init) => {
    fetched.push(new URL(url).pathname.replace(/^.cdn/, ""));
    try {
      const response = await fetch(url, init);
      const body = await response.arrayBuffer();
      return new Response(body, response);
    } catch (error) {
      cut.push(performance.now());
      throw error;
    }
  },
});
await tf.setBackend("cpu");
window.run = (model) => tf.tidy(() => Array.from(model.execute(tf.ones([1, WIDTH]), "y").dataSync()));
window.answer = async () => {
  const handle = loader.models.big.load();
  try {
    return { y: run(await handle.full), tensors: 0 };
  } catch ({ name, code, url, message }) {
    return { name, code, url, message };
  } finally {
    handle.dispose();
  }
};
window.kept = async (name = "shardpress") => (await (await caches.open(name)).keys()).length;
document.documentElement.dataset.ready = "";
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A site behind a proxy that does what it is told, with a bundle in ``cdn/``."""

    proxy: Proxy
    files: list[str]
    lengths: list[int]
    expected: np.ndarray
    seen: Counter[str]

    def fail(self, choose: Callable[[str, int], str]) -> None:
        """Let go wrong what ``choose`` says of a bundle file and the number of times it was asked for."""
        self.seen.clear()

        def decide(verb: str, path: str) -> str:
            if not path.startswith("/cdn/assets/"):
                return ""
            with self.proxy.lock:
                self.seen[path] += 1
                return choose(path.removeprefix("/cdn"), self.seen[path])

        self.proxy.choose = decide

    def mend(self) -> None:
        """Let nothing go wrong any more."""
        self.proxy.choose = lambda verb, path: ""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[tiny.Bundle, np.ndarray]:
    folder = tmp_path_factory.mktemp("built")
    source = models.write_model(folder / "source", width=width, seed=5)
    bundle = tiny.bundle(folder / "site" / "cdn", {"big": source}, shard_bytes=1 << 16)
    values = np.frombuffer(b"".join(path.read_bytes() for path in sorted(source.parent.glob("*.bin"))), np.float32)
    shutil.copy(runtime, folder / "site" / "tf.min.js")
    (folder / "site" / "page.js").write_text(page_script.replace("WIDTH", str(width)))
    (folder / "site" / "index.html").write_text(page_text)
    return bundle, values[: width * 8].reshape(width, 8).astype(np.float64).sum(axis=0) + values[width * 8 :]


@pytest.fixture
def place(built: tuple[tiny.Bundle, np.ndarray]) -> Iterator[Place]:
    bundle, expected = built
    (model,) = bundle.models
    with serve(bundle.root.parent) as site, faulty(site.url, rate=0, seed=0) as proxy:
        files = (model.head, *model.shards)
        addresses, lengths = [f"/{file.url}" for file in files], [file.blob.nbytes for file in files]
        place = Place(proxy, addresses, lengths, expected, Counter())
        place.mend()
        yield place


def visit(context: BrowserContext, place: Place, **options: Any) -> Page:
    """Open the page and set options; give it when it can load."""
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{place.proxy.url}/index.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate(f"loader.configure({json.dumps(options)})")
    return page


def check(page: Page, place: Place) -> None:
    """Have the page load the model; the answer must be right, and nothing left over."""
    result = page.evaluate("answer()")
    assert "y" in result, result
    assert np.abs(np.array(result["y"]) - place.expected).max() < 1e-2
    assert page.evaluate("tf.memory().numTensors") == 0


@pytest.mark.parametrize("kind", ["truncated", "short", "corrupted", "reset"])
def test_a_file_that_comes_wrong_once_is_asked_for_again(kind: str, context: BrowserContext, place: Place) -> None:
    place.fail(lambda path, times: kind if times == 1 else "")
    page = visit(context, place, concurrency=16)
    check(page, place)
    assert set(place.seen.values()) == {2}
    assert page.evaluate("kept()") == len(place.files)


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("404", "network", "answers 404"),
        ("corrupted", "integrity", "has other content"),
        ("short", "integrity", "bytes instead of"),
    ],
)
def test_a_file_that_stays_wrong_ends_in_an_error_that_names_it(
    kind: str, code: str, says: str, context: BrowserContext, place: Place
) -> None:
    wrong = place.files[4]
    place.fail(lambda path, times: kind if path == wrong else "")
    page = visit(context, place, concurrency=16)
    result = page.evaluate("answer()")
    assert (result["name"], result["code"]) == ("ModelError", code)
    assert result["url"] == f"{place.proxy.url}/cdn{wrong}"
    assert says in result["message"]
    assert page.evaluate("events.filter(({ type }) => type === 'failure').map(({ code }) => code)") == [code]
    assert page.evaluate("tf.memory().numTensors") == 0
    place.mend()
    check(page, place)


def test_a_stalled_answer_is_given_up_and_asked_for_again(context: BrowserContext, place: Place) -> None:
    slow = place.files[-1]  # the one of its length
    place.fail(lambda path, times: "stalled" if path == slow and times == 1 else "")
    page = visit(context, place)
    limits = (
        """(last) => loader.configure({ timeout: (bytes, tries) => (bytes === last && tries === 1 ? 1000 : 60000) })"""
    )
    page.evaluate(limits, place.lengths[-1])
    check(page, place)
    assert place.seen[f"/cdn{slow}"] == 2


def test_an_answer_that_stalls_for_good_is_a_network_error(context: BrowserContext, place: Place) -> None:
    place.fail(lambda path, times: "stalled" if path == place.files[0] else "")
    page = visit(context, place)
    page.evaluate("loader.configure({ timeout: () => 100 })")
    result = page.evaluate("answer()")
    assert (result["name"], result["code"]) == ("ModelError", "network")
    place.mend()
    page.evaluate("loader.configure({ timeout: () => 60000 })")
    check(page, place)


def test_a_network_that_is_cut_in_the_middle_of_bodies_ends_in_a_right_answer(
    context: BrowserContext, place: Place
) -> None:
    place.fail(lambda path, times: "stalled" if path in place.files[4:] and times == 1 else "")
    page = visit(context, place)
    page.evaluate("() => { Math.random = () => 0.99; window.running = answer(); }")  # the longest pauses between tries
    page.wait_for_function("fetched.length >= 6")
    context.set_offline(True)
    page.wait_for_function("!navigator.onLine")
    place.proxy.released.set()
    page.wait_for_function("cut.length")
    assert page.evaluate("kept()") < len(place.files)
    context.set_offline(False)
    result = page.evaluate("running")
    assert np.abs(np.array(result["y"]) - place.expected).max() < 1e-2
    assert page.evaluate("kept()") == len(place.files)


def test_a_network_that_stays_away_is_an_error_and_a_later_load_goes_on(context: BrowserContext, place: Place) -> None:
    page = visit(context, place)
    there = set(place.files[:5])
    place.fail(lambda path, times: "" if path in there else "reset")
    result = page.evaluate("answer()")
    assert (result["name"], result["code"]) == ("ModelError", "network")
    kept = page.evaluate("kept()")
    assert 0 < kept <= len(there)
    place.mend()
    page.evaluate("fetched.length = 0")
    check(page, place)
    assert len(page.evaluate("fetched")) == len(place.files) - kept


def test_a_full_disk_is_told_and_fails_no_load(context: BrowserContext, place: Place) -> None:
    page = visit(context, place)
    session = context.new_cdp_session(page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": place.proxy.url, "quotaSize": 200_000})
    check(page, place)
    failures = page.evaluate("events.filter(({ type }) => type === 'failure').map(({ code }) => code)")
    assert set(failures) == {"quota"}
    assert page.evaluate("kept()") < len(place.files)
    session.send("Storage.overrideQuotaForOrigin", {"origin": place.proxy.url})
    check(page, place)
    assert page.evaluate("kept()") == len(place.files)


# Time is counted in turns of the event loop, so that a slow machine cuts off where a fast one does.
turns = """
window.turn = () => new Promise((next) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    next();
  };
  port2.postMessage("");
});
window.count = async (promise) => {
  let turns = 0;
  let over = false;
  promise.finally(() => { over = true; });
  for (; !over; turns++) await turn();
  return turns;
};
"""
# What a load had kept when it was cut off is not fetched again by the next one.
cut_off = """async ([turns, way, box]) => {
  loader.configure({ cacheName: box, concurrency: 2 });
  const controller = new AbortController();
  const handle = loader.models.big.load({ signal: controller.signal });
  const outcome = handle.full.then((model) => model && "done", ({ name, code }) => `${name} ${code}`);
  for (let number = 0; number < turns; number++) await turn();
  if (way === "signal") controller.abort();
  else handle[way]();
  const ended = await outcome;
  handle.dispose();
  const before = await kept(box);
  fetched.length = 0;
  const result = await answer();
  return { ended, before, asked: fetched.length, after: await kept(box), y: result.y, tensors: tf.memory().numTensors };
}"""


def test_a_load_that_is_cancelled_at_any_instant_leaves_a_loader_that_works(
    context: BrowserContext, place: Place
) -> None:
    chance = random.Random(20)
    page = visit(context, place)
    page.evaluate(f"() => {{ {turns} }}")
    for box in ("first", "second"):  # the first one also compiles code
        page.evaluate("(cacheName) => loader.configure({ cacheName, concurrency: 2 })", box)
        whole = page.evaluate("count(answer())")
    outcomes: Counter[str] = Counter()
    for number in range(20):
        way = chance.choice(["signal", "cancel", "dispose"])
        result = page.evaluate(cut_off, [int(chance.random() * whole), way, f"box{number}"])
        outcomes[result["ended"]] += 1
        assert result["ended"] in {"done", "ModelError abort"}, result
        assert np.abs(np.array(result["y"]) - place.expected).max() < 1e-2
        assert result["tensors"] == 0
        assert result["asked"] <= len(place.files) - result["before"]
        assert result["after"] == len(place.files)
    assert outcomes["ModelError abort"] > 0
