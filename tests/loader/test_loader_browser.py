"""The loader in Chromium: preloads are used, another origin is no obstacle, each file travels once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.bundle.render import render
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve

root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"

page_text = """<!doctype html><meta charset="utf-8"><title>page</title>
SNIPPET
<script>window.ready = new Promise((done) => addEventListener("load", done));</script>
<script src="tf.min.js"></script>
"""

use = """async ([address, rows]) => {
  await window.ready;
  const { models } = await import(address);
  const handle = models.tiny.load();
  const model = await handle.ready;
  const answer = (model) => tf.tidy(() => Array.from(model.execute(tf.tensor2d(rows), "logits").dataSync()));
  const base = answer(model);
  const full = answer(await handle.full);
  handle.dispose();
  return { base, full, tensors: tf.memory().numTensors };
}"""


@pytest.mark.slow
def test_preloads_are_used_and_each_file_travels_once_from_another_origin(tmp_path: Path) -> None:
    built = tiny.bundle(tmp_path / "cdn", {"tiny": tiny.graph_model(tmp_path / "source")}, shard_bytes=128)
    (model,) = built.models
    stages = [shard.stage for shard in model.content.shards]
    urls = [file.url for file in model.shards]
    first = [model.head.url, *(url for url, stage in zip(urls, stages, strict=True) if stage == 0)]
    pinned = built.loader.with_name("loader.0123456789abcdef.js")
    pinned.write_bytes(built.loader.read_bytes())
    site = tmp_path / "site"
    site.mkdir()
    (site / "tf.min.js").write_bytes(runtime.read_bytes())
    rows = np.linspace(-1, 1, 2 * tiny.features, dtype=np.float32).reshape(2, tiny.features)
    tensors = tiny.weights()
    expected = (rows @ tensors["kernel"] + tensors["bias"]).ravel()
    with serve(built.root) as cdn, serve(site) as own, chromium() as browser:
        snippet = render("preload.html.j2", base=cdn.url, pinned=pinned.name, modules=[], preloads=first)
        (site / "index.html").write_text(page_text.replace("SNIPPET", snippet.split("-->", 2)[2]))
        said: list[str] = []
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(own.url + "index.html")
        # The load event waits for no preload.
        come = "names => names.every((name) => performance.getEntriesByName(name).length)"
        page.wait_for_function(come, arg=[cdn.url + url for url in first])
        before = set(cdn.paths())
        assert before >= {f"/{url}" for url in first}
        result = page.evaluate(use, [cdn.url + pinned.name, rows.tolist()])
        # With WebGL the loader also takes the module that brings models back, in idle time.
        asked = [path for path in cdn.paths() if not path.startswith("/device.")]
    assert np.abs(np.array(result["full"]) - expected).max() < 1e-5
    assert 0 < np.abs(np.array(result["base"]) - expected).max() < 0.1
    assert result["tensors"] == 0
    assert sorted(asked) == sorted(f"/{url}" for url in [pinned.name, model.head.url, *urls])
    later = [path for path in asked if path not in before]
    assert sorted(later) == sorted(f"/{url}" for url, stage in zip(urls, stages, strict=True) if stage == 1)
    assert not [line for line in said if "preload" in line or "Tensor" in line], said


@pytest.mark.slow
def test_it_works_where_the_page_has_no_crypto(tmp_path: Path) -> None:
    built = tiny.bundle(tmp_path / "cdn", {"tiny": tiny.graph_model(tmp_path / "source")})
    (built.root / "tf.min.js").write_bytes(runtime.read_bytes())
    (built.root / "index.html").write_text(page_text.replace("SNIPPET", ""))
    with serve(built.root) as site, chromium("--host-resolver-rules=MAP plain.test 127.0.0.1") as browser:
        page = browser.new_page()
        page.goto(site.url.replace("127.0.0.1", "plain.test") + "index.html")
        assert page.evaluate("[isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
        result = page.evaluate(use, ["./loader.js", np.zeros((1, tiny.features)).tolist()])
    assert np.abs(np.array(result["full"]) - tiny.weights()["bias"]).max() < 1e-6
