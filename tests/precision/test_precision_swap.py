"""A model with a loop is refined while it runs: each answer is all of one stage, on every backend of TensorFlow.js."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve
from tests.loader.test_loader_browser import page_text, root, runtime

wasm = root / "node_modules" / "@tensorflow" / "tfjs-backend-wasm" / "dist"
doublings = 32  # of x in the loop
use = """async (backend) => {
  await window.ready;
  tf.wasm.setWasmPaths("./");
  await tf.setBackend(backend);
  await tf.ready();
  const { models, configure } = await import("./loader.js");
  let release;
  const gate = new Promise((done) => (release = done));
  configure({
    cache: "none",
    fetch: async (url, init) => {
      if (url.includes("-refine-")) await gate;
      return fetch(url, init);
    },
  });
  const before = tf.memory().numTensors;
  const x = tf.ones([1, 80]);
  const answer = async (model) => {
    const y = await model.executeAsync(x);
    const values = Array.from(await y.data());
    y.dispose();
    return values;
  };
  const handle = models.loop.load();
  const model = await handle.ready;
  const answers = [await answer(model)];
  let refined = false;
  const full = handle.full.finally(() => (refined = true));
  const running = [answer(model), answer(model)];
  release();
  while (!refined) {
    running.push(answer(model), answer(model));
    await new Promise((done) => setTimeout(done));
  }
  await full;
  answers.push(...(await Promise.all(running)), await answer(model));
  handle.dispose();
  x.dispose();
  return { answers, backend: tf.getBackend(), left: tf.memory().numTensors - before };
}"""


def two_weights(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Write ``32 (x + early) + offset``, whose sum is inside a loop."""
    path = tiny.loop_model(folder)
    content = json.loads(path.read_bytes())
    early = np.random.Generator(np.random.PCG64(10)).normal(size=80).astype(np.float32)
    nodes = content["modelTopology"]["node"]
    constant = {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": {"dtype": "DT_FLOAT"}}}
    for node in nodes:
        if node["name"] == "loop":
            node["input"] = ["zero", "start"]
    nodes += [tiny.node("early", "Const", **constant), tiny.node("start", "AddV2", "x", "early")]
    group = content["weightsManifest"][0]
    group["weights"].append({"name": "early", "shape": [80], "dtype": "float32"})
    path.write_text(json.dumps(content))
    with (folder / group["paths"][0]).open("ab") as file:
        file.write(early.tobytes())
    return path, {"early": early, "offset": tiny.loop_offset()}


def value(weights: dict[str, np.ndarray], stages: tuple[bool, bool]) -> Any:
    """Give the answer to ones when each of the two weights is coarse or not."""
    bits = {name: array.view(np.uint32) for name, array in weights.items()}
    coarse = {name: ((word & 0xFFFF0000) | 0x8000).view(np.float32).astype(np.float64) for name, word in bits.items()}
    early, offset = (
        coarse[name] if is_coarse else weights[name].astype(np.float64)
        for name, is_coarse in zip(("early", "offset"), stages, strict=True)
    )
    return doublings * (1 + early) + offset


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, dict[str, np.ndarray]]]:
    folder = tmp_path_factory.mktemp("swap")
    source, weights = two_weights(folder / "source")
    built = tiny.bundle(folder / "cdn", {"loop": source})
    (built.root / "tf.min.js").write_bytes(runtime.read_bytes())
    for file in (*wasm.glob("*.wasm"), wasm / "tf-backend-wasm.min.js"):
        (built.root / file.name).write_bytes(file.read_bytes())
    text = page_text.replace("SNIPPET", "") + '<script src="tf-backend-wasm.min.js"></script>\n'
    (built.root / "index.html").write_text(text)
    with serve(built.root) as site, chromium() as browser:
        page = browser.new_page()
        page.goto(site.url + "index.html")
        yield page, weights


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl"])
def test_answers_are_all_of_one_stage(case: tuple[Page, dict[str, np.ndarray]], backend: str) -> None:
    page, weights = case
    page.reload()
    result = page.evaluate(use, backend)
    assert result["backend"] == backend
    assert result["left"] == 0
    states = [(True, True), (False, False), (True, False), (False, True)]
    wanted = np.array([value(weights, state) for state in states])
    nearest = [int(np.abs(wanted - np.array(answer)).max(axis=1).argmin()) for answer in result["answers"]]
    distances = [
        np.abs(wanted[number] - answer).max() for number, answer in zip(nearest, result["answers"], strict=True)
    ]
    assert max(distances) < 1e-3
    assert nearest[0] == 0
    assert nearest[-1] == 1
    assert set(nearest) == {0, 1}
