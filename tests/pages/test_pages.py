"""The example pages in headless Chromium: every real model through the built loader, against its source."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page

from builder.config.tables import load_config
from builder.convert.requests import ReferenceRequest, SourceOptions, task_of
from builder.sources.detect import detect
from builder.work.pool import ConversionPool
from tests.helpers.browsing import chromium
from tests.helpers.serving import Site, serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
names = ("face", "mesh", "emotion", "people", "upscale", "denoise")
patience = 240_000

# Feeds each model what `run` feeds it of its example's picture, cut down where a software GPU would take long.
answers = """
async ([name, source]) => {
  const { examples, findFace } = await import("/assets/pages/examples.js");
  const { models, configure } = await import("/dist/cdn/loader.js");
  await import("/node_modules/@tensorflow/tfjs/dist/tf.min.js");
  configure({ tf });
  const example = examples.find((one) => one.name === name);
  let picture = await example.open();
  if (name === "upscale" || name === "denoise") picture = picture.getContext("2d").getImageData(0, 0, 64, 64);
  const handle = models[name].load();
  const built = await handle.full;
  let input;
  const seeing = built.executor ? "execute" : "predict";
  const ask = built[seeing];
  built[seeing] = function (fed, names) {
    input ??= tf.keep((fed.shape ? fed : Object.values(fed)[0]).clone());
    return ask.call(this, fed, names);
  };
  if (!example.look) await handle.run(picture);
  else await example.look(handle, picture, await findFace(models.face.load(), picture));
  built[seeing] = ask;
  const text = (values) => {
    let binary = "";
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return btoa(binary);
  };
  const give = async (tensor) => ({ shape: tensor.shape, values: text(await tensor.data()) });
  const answer = async (model) => {
    const outputs = model.predict(input);
    const found = {};
    const list = outputs.shape ? [outputs] : Object.values(outputs);
    for (const [i, output] of list.entries()) found[i] = await give(output);
    return found;
  };
  const result = { input: await give(input), ours: await answer(built), backend: tf.getBackend() };
  if (source) {
    const open = models[name].format === "layers-model" ? tf.loadLayersModel : tf.loadGraphModel;
    result.source = await answer(await open(source));
  }
  return result;
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    command = [sys.executable, "build.py", "--quiet", "--out", str(folder / "dist")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nThe examples' sources come with make examples."
    for name in ("assets", "node_modules"):
        (folder / name).symlink_to(root / name)
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--use-angle=swiftshader", "--enable-unsafe-swiftshader") as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 700})
    opened.set_default_timeout(patience)
    yield opened
    opened.close()


def array(given: dict[str, Any]) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(given["values"]), np.float32).reshape(given["shape"])


def worst(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    assert got.shape == expected.shape
    return float(np.max(np.abs(got - expected)) / max(1.0, float(np.max(np.abs(expected)))))


def test_the_page_runs_every_example(site: Site, page: Page) -> None:
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    site.forget()
    page.goto(f"{site.url}assets/pages/examples.html")
    sentences = {}
    for name in (*names, "beautify"):
        section = page.locator(f"#{name}")
        section.scroll_into_view_if_needed()
        if section.get_by_role("button").is_visible():
            section.get_by_role("button").click()
        page.wait_for_function("name => /done|failed/.test(document.getElementById(name).dataset.state)", arg=name)
        assert section.get_attribute("data-state") == "done", section.inner_text()
        sentences[name] = section.locator("[data-part=answer]").inner_text()
    assert troubles == []
    assert sentences["face"].startswith("Found 1, sure to")
    assert sentences["mesh"] == "468 points."
    assert sentences["emotion"] == "Mostly happy."
    assert re.fullmatch(r"A person covers (3|4|5)\d % of the picture\.", sentences["people"])
    assert sentences["upscale"] == "128 x 128 became 256 x 256."
    assert sentences["beautify"].startswith("256 x 256 pixels, ")
    before, after = (float(word) for word in sentences["denoise"].split() if word.replace(".", "").isdigit())
    assert after > before + 3


def test_files_come_in_the_order_of_their_usefulness_and_once(site: Site, page: Page) -> None:
    manifest = json.loads((site.root / "dist" / "manifest.json").read_text())["models"]
    site.forget()
    page.goto(f"{site.url}assets/pages/index.html")
    page.wait_for_selector("table:not([hidden])")
    assert site.paths("/dist/cdn/assets/") == []
    page.add_script_tag(url=f"{site.url}node_modules/@tensorflow/tfjs/dist/tf.min.js")
    for name in names:
        site.forget()
        load = (
            "import('/dist/cdn/loader.js').then((m) => (m.configure({ tf }), m.models[name].load().full)).then(() => 1)"
        )
        page.evaluate(f"(name) => {load}", name)
        paths = [path.removeprefix("/dist/cdn/") for path in site.paths("/dist/cdn/assets/")]
        stages = [stage["name"] for stage in manifest[name]["stages"]]
        stage_of = {shard["url"]: stages.index(shard["stage"]) for shard in manifest[name]["shards"]}
        assert paths[0] == manifest[name]["head"]["url"]
        assert sorted(paths[1:]) == sorted(stage_of)
        order = [stage_of[path] for path in paths[1:]]
        assert order == sorted(order)


@pytest.mark.parametrize("name", names)
def test_each_output_equals_the_sources(site: Site, page: Page, name: str, tmp_path: Path) -> None:
    source = load_config(root / "build.toml").models[name].source
    page.goto(f"{site.url}assets/pages/index.html")
    stock = f"/{source}" if source.endswith(".json") else ""
    result = page.evaluate(answers, [name, stock])
    assert result["backend"] == "webgl"
    ours = {output: array(given) for output, given in result["ours"].items()}
    if stock:
        expected = {output: array(given) for output, given in result["source"].items()}
    else:
        expected = by_its_runtime(root / source, array(result["input"]), tmp_path)
        assert len(expected) == 1
        expected = dict(zip(ours, expected.values(), strict=True))
    assert ours.keys() == expected.keys()
    assert {
        output: worst(ours[output], expected[output]) for output in ours if worst(ours[output], expected[output]) > 1e-4
    } == {}


def by_its_runtime(source: Path, given: npt.NDArray[np.float32], folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Run the unconverted source on one input, in TensorFlow or the interpreter of TensorFlow Lite."""
    name, kind = "image" if source.is_dir() else "input_1", detect(source)
    np.savez(folder / "in.npz", **{name: given})
    with ConversionPool(1) as pool:
        request = ReferenceRequest(SourceOptions(source, kind), folder / "in.npz", folder / "out.npz")
        pool.submit(task_of("reference", kind), request).result()
    with np.load(folder / "out.npz") as outputs:
        return dict(outputs)
