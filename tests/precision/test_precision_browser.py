"""Coarse weights in Chromium: decoded in the worker, swapped between calls, nothing leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.codecs.steps import balanced, layout_of
from builder.model import BytesData, Weight
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve
from tests.loader.test_loader_browser import page_text, runtime

use = """async ([rows, worker]) => {
  await window.ready;
  const started = [];
  const { Worker } = window;
  window.Worker = class extends Worker { constructor(...args) { super(...args); started.push(1); } };
  const { models, configure } = await import("./loader.js");
  configure({ worker });
  await tf.setBackend("cpu");
  const answer = (model) => tf.tidy(() => Array.from(model.execute(tf.tensor2d(rows), "logits").dataSync()));
  const handle = models.tiny.load();
  const model = await handle.ready;
  const base = answer(model);
  const full = answer(await handle.full);
  handle.dispose();
  return { base, full, tensors: tf.memory().numTensors, workers: started.length };
}"""


@pytest.mark.slow
@pytest.mark.parametrize("worker", [True, False])
def test_the_page_has_the_builders_own_values(tmp_path: Path, worker: bool) -> None:
    generator = np.random.Generator(np.random.PCG64(6))
    kernel = generator.normal(size=(tiny.features, 12_000)).astype(np.float32)
    tensors = {"kernel": kernel, "bias": np.zeros(12_000, np.float32)}
    source = tiny.graph_model(tmp_path / "source", tensors)
    built = tiny.bundle(tmp_path / "cdn", {"tiny": source}, shard_bytes=100_000, precision="balanced")
    weight = Weight("kernel", kernel.shape, "float32", BytesData(kernel.tobytes()))
    codec = balanced(weight, layout_of(kernel.shape, (1,)))
    assert codec is not None
    planes = {plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(weight)}
    (built.root / "tf.min.js").write_bytes(runtime.read_bytes())
    (built.root / "index.html").write_text(page_text.replace("SNIPPET", ""))
    rows = np.eye(tiny.features, dtype=np.float32)
    with serve(built.root) as site, chromium() as browser:
        page = browser.new_page()
        page.goto(site.url + "index.html")
        result = page.evaluate(use, [rows.tolist(), worker])
    for stage, kept in (("base", (0, 1)), ("full", (0, 1, 2))):
        expected = np.frombuffer(codec.decode({index: planes[index] for index in kept}), "<f4")
        assert np.array_equal(np.array(result[stage], np.float32), expected), stage
    assert result["tensors"] == 0
    assert result["workers"] == int(worker)
