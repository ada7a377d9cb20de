"""The package's form for service workers, where nothing can be imported at need: it fetches, keeps, checks and decodes.

Firefox runs this in ``test_firefox.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext

from builder.bundle.render import render_package
from tests.helpers import models, tiny
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
esbuild = root / "node_modules" / "esbuild" / "bin" / "esbuild"

worker = """
import { ModelError, configure, models, storage } from "./package/inline.js";
const said = [];
configure({ baseUrl: "/cdn/", store: storage(), onEvent: ({ type, code }) => said.push(code ?? type) });
const jobs = {
  async read() {
    const { weightData } = await models.big.ioHandler().load();
    const bytes = [weightData].flat().flatMap((buffer) => Array.from(new Uint8Array(buffer)));
    return { bytes, status: await models.big.status(), said };
  },
  async fail() {
    const failure = await models.lost.prefetch().catch((error) => error);
    return [failure instanceof ModelError, failure.code];
  },
};
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => {
  event.waitUntil(jobs[event.data]().catch(String).then((done) => event.source.postMessage(done)));
});
"""

ask = """async (job) => {
  const { active } = await navigator.serviceWorker.ready;
  const told = new Promise((done) => {
    navigator.serviceWorker.addEventListener("message", ({ data }) => done(data), { once: true });
  });
  navigator.serviceWorker.startMessages();
  active.postMessage(job);
  return told;
}"""


@dataclass(frozen=True, slots=True)
class Inlined:
    """A site with a service worker that holds the loader, and the weights of its model as they were."""

    site: Site
    weights: bytes


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("inlined")
    sources = {
        name: models.write_model(folder / name, width=64, seed=seed) for seed, name in enumerate(("big", "lost"), 3)
    }
    site = folder / "site"
    built = tiny.bundle(site / "cdn", sources, shard_bytes=512)
    for path in (site / "cdn" / "assets").glob("lost-*"):
        path.unlink()
    described = [
        {"name": name, "kind": "graph-model", "inputs": ["x"], "outputs": ["y"], "load": "manual", "stages": ["base"]}
        for name in sources
    ]
    (site / "package").mkdir()
    package = render_package(built.index.encode(), [{**one, "labels": []} for one in described], "my-models", "1.0.0")
    for name, content in package.items():
        (site / "package" / name).write_bytes(content)
    (site / "worker.js").write_text(worker)
    (site / "index.html").write_text('<!doctype html><title>page</title><link rel="icon" href="data:,">')
    command = [str(esbuild), "worker.js", "--bundle", "--format=iife", "--outfile=sw.js", "--log-level=error"]
    done = subprocess.run(
        command, cwd=site, check=False, capture_output=True, text=True, env={**os.environ}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return site, (folder / "big" / "shard0.bin").read_bytes()


@pytest.fixture
def inlined(packed: tuple[Path, bytes]) -> Iterator[Inlined]:
    folder, weights = packed
    with serve(folder) as site:
        yield Inlined(site, weights)


def test_a_service_worker_with_the_loader_in_it_reads_keeps_and_fails_like_a_page(
    context: BrowserContext, inlined: Inlined
) -> None:
    page = context.new_page()
    page.goto(f"{inlined.site.url}index.html")
    page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => {})")
    first = page.evaluate(ask, "read")
    assert np.array_equal(np.array(first["bytes"], np.uint8), np.frombuffer(inlined.weights, np.uint8))
    assert first["status"] == "cached"
    inlined.site.forget()
    again = page.evaluate(ask, "read")
    assert again["bytes"] == first["bytes"]
    assert inlined.site.paths("/cdn/assets/") == []
    assert json.dumps(again["said"]) == "[]"
    assert page.evaluate(ask, "fail") == [True, "network"]
    page.close()
