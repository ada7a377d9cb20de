"""The pages Find and Cut out: they draw what ``run`` answers, over a clip and without a camera."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, bare_site, built_site, drawing, patience, root
from tests.helpers.serving import Site

folder = root / "assets" / "pages"
bright = "[...document.querySelector('.overlay').getContext('2d').getImageData(0, 0, 640, 480).data]"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


def opened(browser: Browser, site: Site, name: str, witness: Witness) -> Page:
    page = browser.new_page(viewport={"width": 1100, "height": 900}, reduced_motion="reduce")
    page.set_default_timeout(patience)
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/{name}.html?lang=en")
    page.wait_for_selector("body[data-state=idle]")
    assert [url for url in witness.asked if "/cdn/assets/" in url] == []
    return page


@pytest.mark.slow
def test_a_box_lies_around_the_face_and_its_points_inside(site: Site, browser: Browser) -> None:
    witness = Witness()
    page = opened(browser, site, "find", witness)
    page.get_by_role("button", name="Play the sample clip").click()
    page.wait_for_function("document.querySelector('#found').textContent === 'Faces: 1'")
    marked = page.evaluate(f"{bright}.flatMap((n, i) => i % 4 === 3 && n > 200 ? [(i - 3) / 4] : [])")
    columns, rows = [place % 640 for place in marked], [place // 640 for place in marked]
    # The clip stands still: the face is there on the sample's frame, as one looks at it.
    assert 150 < min(columns) < 240 < 330 < max(columns) < 420
    assert 60 < min(rows) < 160 < 200 < max(rows) < 320
    # The model runs in the worker: the page itself has not even its TensorFlow.js.
    assert len(page.workers) == 1
    assert page.evaluate("typeof tf") == "undefined"
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("body[data-state=idle]")
    assert page.locator("#view img").is_visible()
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


@pytest.mark.slow
def test_the_background_goes_and_the_person_stays(site: Site, browser: Browser) -> None:
    witness = Witness()
    page = opened(browser, site, "cutout", witness)
    # There is no camera here: the clip plays in its place, and the page says so.
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector("#found:not(:empty)")
    assert page.locator("#notice").inner_text()
    share = int(re.sub(r"\D", "", page.locator("#found").inner_text()))
    assert 30 < share < 80
    at = "(x, y) => [...document.querySelector('.overlay').getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)"
    corner = page.evaluate(f"({at})(600, 20)")
    face = page.evaluate(f"({at})(290, 190)")
    assert max(abs(got - wanted) for got, wanted in zip(corner, (24, 92, 84), strict=True)) < 40
    assert max(abs(got - wanted) for got, wanted in zip(face, (24, 92, 84), strict=True)) > 60
    assert witness.troubles == []
    page.close()


@pytest.mark.slow
def test_without_a_worker_the_pages_own_thread_does_it(site: Site, browser: Browser) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.set_default_timeout(patience)
    witness = Witness()
    witness.watch(page)
    page.add_init_script("delete window.Worker")
    page.goto(f"{site.url}assets/pages/find.html?lang=en")
    page.get_by_role("button", name="Play the sample clip").click()
    page.wait_for_function("document.querySelector('#found').textContent === 'Faces: 1'")
    assert page.workers == []
    assert page.evaluate("typeof tf.tensor") == "function"
    assert witness.troubles == []
    page.close()


# A camera that shows a canvas, and a model that never comes.
stand_in = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  const stream = canvas.captureStream(10);
  window.tracks = stream.getTracks();
  return stream;
};
"""
gone = """
const gone = Promise.reject(new Error("gone"));
gone.catch(() => {});
async function* frames() { await gone; }
export const models = { faces: { load: () => ({ ready: gone, full: gone, frames, progress: { phase: "failed" } }) } };
export const configure = () => {};
"""


@pytest.mark.slow
def test_the_camera_is_let_go_of_when_the_model_does_not_come(browser: Browser, tmp_path: Path) -> None:
    with bare_site(tmp_path, gone) as bare:
        page = browser.new_page()
        page.set_default_timeout(patience)
        page.add_init_script(stand_in)
        page.goto(f"{bare.url}assets/pages/find.html?lang=en")
        page.get_by_role("button", name="Use the camera").click()
        page.wait_for_selector("body[data-state=failed]")
        assert page.evaluate("window.tracks.map((track) => track.readyState)") == ["ended"]
        assert "gone" in page.locator("#notice").inner_text()
        page.close()


@pytest.mark.slow
def test_the_scripts_are_typed() -> None:
    check_types(root, *(f"assets/pages/{name}.js" for name in ("live", "find", "cutout")))


def test_the_pages_own_script_is_short() -> None:
    for name in ("find", "cutout"):
        assert len((folder / f"{name}.js").read_text().splitlines()) < 25
