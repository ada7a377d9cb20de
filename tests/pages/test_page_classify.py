"""The page that names what is on a picture, against TensorFlow running the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from builder.convert.requests import ReferenceRequest, SourceOptions
from builder.work.pool import ConversionPool
from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, built_site, drawing, for_documents, patience, root
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow
samples = root / "assets" / "samples"
photos = ("chelsea.png", "coffee.png", "motorcycle_left.png")
edge = 224

# Holds back the large model, and then what refines it, until the test says so.
hold = """
const gates = {};
for (const stage of ["base", "refine"]) {
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  gates[stage] = { gate, go };
}
window.letCome = (stage) => gates[stage].go();
const { fetch } = window;
window.fetch = async (address, options) => {
  const [, stage] = /\\/classify-(base|refine)-/.exec(String(address.url ?? address)) ?? [];
  await gates[stage]?.gate;
  return fetch(address, options);
};
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("classify")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The name that the source model gives each photo."""
    folder = tmp_path_factory.mktemp("expected")
    batch = np.concatenate([middle(samples / name) for name in photos])
    np.savez(folder / "in.npz", image=batch)
    source = SourceOptions(root / "assets" / "models" / "classify", "saved-model")
    with ConversionPool(1) as pool:
        pool.submit("reference", ReferenceRequest(source, folder / "in.npz", folder / "out.npz")).result()
    names = (root / "assets" / "models" / "mobilenet" / "labels.txt").read_text().splitlines()
    with np.load(folder / "out.npz") as outputs:
        (probs,) = (outputs[key] for key in outputs.files)
    return {name: names[row.argmax()] for name, row in zip(photos, probs, strict=True)}


def middle(path: Path) -> Any:
    """Give the largest square in the middle as [1, 224, 224, 3] in 0..1, by other code than the page's."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    square = picture.crop((left, top, left + side, top + side)).resize((edge, edge), Image.Resampling.BILINEAR)
    return np.asarray(square, np.float32)[None] / 255


def choose(page: Page, path: Path) -> None:
    """Choose a file and wait until the page has it."""
    page.locator("input[type=file]").set_input_files(path)
    page.wait_for_selector(f"#view canvas[aria-label='Your picture: {path.stem}']")


def state(page: Page, *wanted: str) -> None:
    page.wait_for_function("wanted => wanted.includes(document.body?.dataset.state)", arg=list(wanted))


def first(page: Page) -> str:
    """Give the likeliest class that the page shows."""
    return page.locator("#bars dt").first.inner_text()


def rung(page: Page, number: int) -> None:
    page.wait_for_selector(f"body[data-rung='{number}']")


def test_photos_get_a_guess_and_then_the_sources_answer_at_first_and_at_full_precision(
    site: Site, browser: Browser, expected: dict[str, str], tmp_path: Path
) -> None:
    assert len(set(expected.values())) == len(photos)
    chosen = {name: tmp_path / f"mine-{name}" for name in photos}
    for name, path in chosen.items():
        path.write_bytes((samples / name).read_bytes())
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(patience)
    page.add_init_script(hold)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/classify.html?lang=en")
    told: dict[str, dict[str, str]] = {"base": {}, "full": {}}
    origin = page.locator("#origin")
    state(page, "base", "failed")
    rung(page, 1)
    assert "A first guess of the small model" in origin.inner_text()
    assert page.locator("#answer").inner_text().startswith("Not sure: perhaps ")
    assert page.locator("#bars dt").count() == 5
    page.evaluate("letCome('base')")
    rung(page, 2)
    for name in photos:
        choose(page, chosen[name])
        state(page, "base", "failed")
        assert "first stage of the large model" in origin.inner_text()
        assert page.locator("#bars dt").count() == 5
        told["base"][name] = first(page)
    page.evaluate("letCome('refine')")
    for name in reversed(photos):
        choose(page, chosen[name])
        state(page, "done", "failed")
        assert "full precision" in origin.inner_text()
        told["full"][name] = first(page)
        # The detector takes the cat for a face at its first look.
        assert page.locator("#faces").is_hidden()
        if name == "chelsea.png":
            for_documents(page, "classify")
    assert told == {"base": expected, "full": expected}
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


def test_a_face_gets_its_emotion_in_both_languages(site: Site, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(patience)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/classify.html?lang=en")
    page.get_by_role("button", name="An astronaut, smiling").click()
    page.wait_for_selector("#faces:not([hidden])")
    assert page.locator("#faces").get_attribute("data-emotion") == "happy"
    assert page.locator("#faces strong").inner_text() == "Mostly happy"
    page.get_by_role("button", name="中文").click()
    assert page.locator("#faces strong").inner_text() == "看起来开心"
    assert page.locator("#faces dt").first.inner_text() == "开心"
    assert page.locator("#faces canvas").get_attribute("aria-label") == "找到的人脸"
    state(page, "done", "failed")
    assert page.locator("body").get_attribute("data-state") == "done"
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


def test_a_picture_can_be_dropped_or_pasted_and_other_files_are_explained(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/classify.html?lang=en")
    page.wait_for_selector("[data-sample]")
    give = """async ([kind, source, name, type]) => {
      const answer = await fetch(`pictures/${source}`);
      const data = new DataTransfer();
      data.items.add(new File([await answer.blob()], name, { type }));
      const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
      document.querySelector("main").dispatchEvent(event);
    }"""
    page.evaluate(give, ["drop", "rocket.jpg", "dropped.jpg", "image/jpeg"])
    page.wait_for_selector("#view canvas[aria-label='Your picture: dropped']")
    page.evaluate(give, ["paste", "coffee.jpg", "pasted.jpg", "image/jpeg"])
    page.wait_for_selector("#view canvas[aria-label='Your picture: pasted']")
    page.evaluate(give, ["drop", "README.txt", "broken.png", "image/png"])
    page.wait_for_function("document.querySelector('#status').textContent.includes('cannot open this file')")
    page.close()


def test_the_types_of_the_pages_modules() -> None:
    check_types(root / "assets" / "pages", "bars.js", "emotion.js", "vision.js", "classify.js")
