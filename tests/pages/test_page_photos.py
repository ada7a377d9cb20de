"""The pages Beautify, Style and the index, end to end: real photos, against the source models in their own runtimes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from playwright.sync_api import Browser, Page

from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, built_site, drawing, for_documents, patience, picturing, root, violations
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow
Pixels = npt.NDArray[np.uint8]
pictures = root / "assets" / "pages" / "pictures"
photo, small = pictures / "chelsea.jpg", pictures / "chelsea-small.jpg"
camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
style = 20

# The source models as they are: JPEG in, JPEG out.
by_tensorflow = """
import sys, numpy, tensorflow as tf
models, photo, small, out = sys.argv[1:]
read = lambda path: tf.constant(open(path, "rb").read())
pixels = lambda content: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()
serve = lambda name: tf.saved_model.load(f"{models}/{name}").signatures["serving_default"]
numpy.savez(
    out,
    photo=pixels(read(photo)),
    small=pixels(read(small)),
    beautify=pixels(serve("beautify")(photo=read(photo))["better"]),
    enlarge=pixels(serve("enlarge")(photo=read(small))["large"]),
)
"""

# Gives the pixels of a canvas of the page.
read_canvas = """
(selector) => {
  const canvas = document.querySelector(selector);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let binary = "";
  for (let i = 0; i < data.length; i++) if (i % 4 !== 3) binary += String.fromCharCode(data[i]);
  return { width: canvas.width, height: canvas.height, pixels: btoa(binary) };
}
"""

# Runs a model of the bundle over a picture in one piece, then in tiles; counts how often the page could act meanwhile.
in_tiles = """
async ([name, side, tile, scale]) => {
  const { sample, canvasOf } = await import("./pictures.js");
  const { runTiles, spans } = await import("./tiles.js");
  const { bundle } = await import("./page.js");
  const { models } = await bundle();
  const handle = models[name].load();
  await handle.full;
  const { canvas: picture, context: drawing } = canvasOf(side, side);
  drawing.drawImage(await sample("chelsea-small"), 0, 0);
  let runs = 0;
  const run = (data) => (runs++, handle.run(data, { as: "imagedata" }));
  const draw = async (size) => {
    const { canvas, context } = canvasOf(picture.width * scale, picture.height * scale);
    await runTiles(picture, context, run, { tile: size, margin: 12, scale });
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  const whole = await draw(4096);
  let beats = 0;
  const heart = setInterval(() => beats++);
  runs = 0;
  const pieces = await draw(tile);
  clearInterval(heart);
  let worst = 0;
  for (let i = 0; i < whole.length; i++) worst = Math.max(worst, Math.abs(whole[i] - pieces[i]));
  return { worst, runs, beats };
}
"""

give_file = """
([kind, name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const detail = kind === "paste" ? { clipboardData: transfer } : { dataTransfer: transfer };
  const Kind = kind === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new Kind(kind, { ...detail, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("photos")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing, *camera) as running:
        yield running


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pixels]:
    """What the source models make of the photos."""
    out = tmp_path_factory.mktemp("tensorflow") / "out.npz"
    command = [sys.executable, "-c", by_tensorflow, root / "assets/models", photo, small, out]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(out) as found:
        return {**found, "style": painted(found["small"])}


def painted(pixels: Pixels) -> Pixels:
    """What ONNX Runtime makes of a photo with the source of the style model."""
    session = onnxruntime.InferenceSession(str(root / "assets/models/style-onnx/multistyle26.onnx"))
    given = pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255
    (found,) = session.run(None, {"image": given, "style_weights": np.eye(26, dtype=np.float32)[style - 1]})
    return np.round(found[0].transpose(1, 2, 0) * 255).astype(np.uint8)


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def page(browser: Browser, witness: Witness) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 820}, locale="en-US")
    opened = context.new_page()
    opened.set_default_timeout(patience)
    witness.watch(opened)
    yield opened
    context.close()


def open_page(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.url}assets/pages/{name}.html")
    page.wait_for_function("document.body?.dataset.state === 'idle'")


def until_done(page: Page) -> None:
    page.wait_for_function("/done|failed/.test(document.body?.dataset.state)")
    assert page.locator("body").get_attribute("data-state") == "done", page.locator("#status").inner_text()


def choose(page: Page, file: Path) -> None:
    page.set_input_files("input[type=file]", file)
    page.wait_for_selector("#view > canvas")


def canvas(page: Page, selector: str) -> Pixels:
    found: dict[str, Any] = page.evaluate(read_canvas, selector)
    return np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(found["height"], found["width"], 3)


def psnr(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((one.astype(float) - other.astype(float)) ** 2))))


def clean(witness: Witness, site: Site) -> None:
    """Nothing went wrong, and nothing that could be a picture left the page."""
    assert witness.troubles == []
    assert witness.sent == []
    assert [url for url in witness.asked if not url.startswith(site.url)] == []


def test_beautify_makes_of_a_photo_what_the_source_model_makes(
    site: Site, page: Page, witness: Witness, expected: dict[str, Pixels], tmp_path: Path
) -> None:
    open_page(page, site, "beautify")
    assert [url for url in witness.asked if "/cdn/assets/" in url or "/node_modules/" in url] == []
    choose(page, photo)
    page.click("#start")
    until_done(page)
    result = canvas(page, "#view > canvas + canvas")
    given = canvas(page, "#view > canvas")
    assert psnr(given, expected["photo"]) > 40
    assert psnr(result, expected["beautify"]) > 38
    # The network changed the photo more than it differs from the source's answer.
    assert psnr(result, given) < psnr(result, expected["beautify"]) - 3
    assert page.locator("#status").inner_text().startswith("Done: 451 \u00d7 300 pixels")

    slider = page.get_by_role("slider")
    before = page.locator("#view").get_attribute("style")
    slider.press("ArrowLeft")
    assert page.locator("#view").get_attribute("style") != before
    assert slider.get_attribute("aria-valuetext") == "51 % after"

    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == "chelsea-better.jpg"
    started.value.save_as(tmp_path / "saved.jpg")
    assert (tmp_path / "saved.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert violations(page) == []
    for_documents(page, "beautify")
    clean(witness, site)


def test_enlarge_makes_of_a_photo_what_the_source_model_makes(
    site: Site, page: Page, witness: Witness, expected: dict[str, Pixels]
) -> None:
    open_page(page, site, "beautify")
    choose(page, small)
    page.check("input[value=enlarge]")
    page.click("#start")
    until_done(page)
    assert psnr(canvas(page, "#view > canvas + canvas"), expected["enlarge"]) > 35
    clean(witness, site)


def test_a_long_work_can_be_stopped(site: Site, page: Page, witness: Witness) -> None:
    open_page(page, site, "beautify")
    page.click("[data-sample=rocket]")
    page.wait_for_function("document.querySelector('#view > canvas')?.width === 640")
    page.click("#start")
    page.click("#stop")
    page.wait_for_function("document.body?.dataset.state === 'idle'")
    assert page.locator("#status").inner_text().strip() == "Stopped."
    assert page.locator("#start").is_visible()
    clean(witness, site)


@pytest.mark.parametrize(
    ("name", "side", "tile", "scale", "count"), [("beautify", 96, 48, 1, 9), ("enlarge", 64, 48, 2, 4)]
)
def test_tiles_have_no_seams_and_leave_the_page_alive(
    site: Site, page: Page, name: str, side: int, tile: int, scale: int, count: int
) -> None:
    open_page(page, site, "beautify")
    found = page.evaluate(in_tiles, [name, side, tile, scale])
    assert found["runs"] == count
    assert found["worst"] <= 1
    assert found["beats"] >= count


def test_style_paints_what_the_source_model_paints(
    site: Site, page: Page, witness: Witness, expected: dict[str, Pixels]
) -> None:
    open_page(page, site, "style")
    choose(page, small)
    assert [url for url in witness.asked if "/cdn/assets/" in url or "/node_modules/" in url] == []
    page.check(f"input[name=style][value='{style}']")
    until_done(page)
    result = canvas(page, "#view > canvas + canvas")
    assert psnr(result, expected["style"]) > 25
    assert psnr(result, expected["small"]) < 15
    assert violations(page) == []
    if picturing():
        page.click("[data-sample=coffee]")
        page.wait_for_function("document.querySelector('#view canvas').width > 300")
        until_done(page)
        for_documents(page, "style")
    page.locator("#strength").fill("0")
    assert np.array_equal(canvas(page, "#view > canvas + canvas"), canvas(page, "#view > canvas"))
    clean(witness, site)


def test_pictures_come_by_paste_drop_and_camera_and_bad_ones_are_refused_in_words(
    site: Site, page: Page, witness: Witness
) -> None:
    open_page(page, site, "beautify")
    content = base64.b64encode(small.read_bytes()).decode()
    for kind in ("paste", "drop"):
        page.evaluate(give_file, [kind, f"{kind}.jpg", "image/jpeg", content])
        page.wait_for_function(
            "(name) => document.querySelector('#view canvas')?.ariaLabel === `Your picture: ${name}`", arg=kind
        )
    page.evaluate(give_file, ["drop", "text.txt", "text/plain", base64.b64encode(b"no picture").decode()])
    page.get_by_text("cannot open this file").wait_for()
    page.get_by_role("button", name="Take a photo").click()
    page.get_by_role("button", name="Take it").click()
    page.wait_for_function("document.querySelector('#view canvas')?.ariaLabel === 'Photo from the camera'")
    assert page.evaluate("document.querySelector('#view canvas').width") >= 320
    page.get_by_role("button", name="中文").click()
    assert "就绪" in page.locator("#status").inner_text()
    clean(witness, site)


def test_the_index_shows_sizes_states_and_timings_as_they_come(site: Site, page: Page, witness: Witness) -> None:
    manifest = json.loads((site.root / "dist" / "manifest.json").read_text())["models"]
    page.goto(f"{site.url}assets/pages/index.html")
    page.wait_for_selector("table:not([hidden])")
    assert [row.get_attribute("id") for row in page.locator("tbody tr").all()] == list(manifest)
    for stage in manifest["beautify"]["stages"]:
        assert f"{stage['name']}: {round(stage['wire_bytes'] / 1000):,} kB" in page.locator("#beautify").inner_text()
    other = page.context.new_page()
    other.goto(f"{site.url}assets/pages/index.html")
    other.wait_for_selector("table:not([hidden])")
    here = page.locator("#beautify .here")
    assert here.inner_text() == "not cached"
    page.select_option("#network", "fast-4g")
    page.get_by_role("button", name="Load the beautifier").click()
    page.get_by_text("The beautifier is loaded").wait_for()
    # The simulated network has 165 ms of latency, and the head, a base and a refinement come one after another.
    assert page.evaluate("JSON.parse(localStorage['shardpress-timings']).beautify.full.ms") > 330
    for one in (page, other):
        one.wait_for_function("/full: \\d+\\.\\d\\d s/.test(document.querySelector('#beautify .times').innerText)")
    assert violations(page) == []
    page.select_option("#network", "")
    page.get_by_role("button", name="Load the beautifier").click()
    page.wait_for_function("document.querySelector('#beautify .here').innerText === 'cached'")
    page.get_by_role("button", name="Clear the cache").click()
    page.wait_for_function("document.querySelector('#beautify .here').innerText === 'not cached'")
    other.close()
    clean(witness, site)
