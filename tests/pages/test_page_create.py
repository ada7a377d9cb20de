"""The page that trains a network from nothing, on drawings made by mouse and by keys."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, built_site, drawing, patience, root
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow
Stroke = list[tuple[float, float]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("create")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


def ring(chance: random.Random) -> list[Stroke]:
    """Give a circle with corners."""
    radius, start = chance.uniform(0.22, 0.36), chance.uniform(0, 6)
    angles = [start + step * math.tau / 14 for step in range(15)]
    return [[(0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)) for angle in angles]]


def tick(chance: random.Random) -> list[Stroke]:
    """Give a check mark."""
    x, y, size = chance.uniform(0.1, 0.25), chance.uniform(0.45, 0.6), chance.uniform(0.8, 1.1)
    return [[(x, y), (x + 0.2 * size, y + 0.25 * size), (x + 0.6 * size, y - 0.3 * size)]]


def draw(page: Page, strokes: list[Stroke]) -> None:
    box = page.locator("#pad").bounding_box()
    assert box is not None
    for first, *others in strokes:
        page.mouse.move(box["x"] + first[0] * box["width"], box["y"] + first[1] * box["height"])
        page.mouse.down()
        for x, y in others:
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.up()


def keep_drawings(page: Page, folder: Path) -> None:
    """Write the first drawing of each kind as inputs: the network may answer all noise alike."""
    read = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    for place, kind in enumerate(page.locator("#kinds .kind:has(canvas)").all()):
        pixels = np.array(kind.locator("canvas").first.evaluate(read), np.float32)
        np.savez(folder / f"{place}.npz", x=(1 - pixels / 255).reshape(1, 28, 28, 1))


def test_it_learns_drawings_from_nothing_and_exports_what_the_build_accepts(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(patience)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/create.html?lang=en")
    page.wait_for_selector("#kinds .kind")
    kinds = {"Ring": ring, "Tick": tick}
    chance = random.Random(4)
    for place, (name, shape) in enumerate(kinds.items()):
        kind = page.locator("#kinds .kind").nth(place)
        kind.locator("input").fill(name)
        kind.locator("input").blur()
        for _ in range(5):
            draw(page, shape(chance))
            page.get_by_role("button", name=f"This is one: {name}").click()
        assert kind.locator(".soft").inner_text() == "5 drawings"
    assert [url for url in witness.asked if "/cdn/assets/" in url] == []
    page.get_by_role("button", name="Train").click()
    page.wait_for_selector("body[data-state=trained]")
    # The head alone was fetched: there are no weights.
    assert all(url.endswith(".json") for url in witness.asked if "/cdn/assets/" in url)
    for name, shape in kinds.items():
        for _ in range(2):
            page.get_by_role("button", name="Clear").click()
            page.evaluate("delete document.querySelector('#verdict').dataset.label")
            draw(page, shape(chance))
            page.wait_for_selector("#verdict[data-label]")
            assert page.locator("#verdict").get_attribute("data-label") == name
    # The same by keys: a tick is down to the right, then far up to the right.
    page.get_by_role("button", name="Clear").click()
    page.evaluate("delete document.querySelector('#verdict').dataset.label")
    page.locator("#pad").focus()
    for key in ["ArrowLeft"] * 6 + [" "] + ["ArrowDown", "ArrowRight"] * 4 + ["ArrowUp", "ArrowRight", "ArrowUp"] * 6:
        page.keyboard.press(key)
    page.keyboard.press(" ")
    page.wait_for_selector("#verdict[data-label=Tick]")

    downloads = []
    page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 - bound methods cannot be handlers
    page.get_by_role("button", name="Save as files").click()
    page.wait_for_function("document.querySelector('#status').textContent.includes('Saved')")
    while len(downloads) < 3:
        page.wait_for_event("download")
    for download in downloads:
        download.save_as(tmp_path / "made" / download.suggested_filename)
    keep_drawings(page, tmp_path / "made")
    (tmp_path / "build.toml").write_text(
        '[models.mine]\nsource = "made/model.json"\nlabels = "made/labels.txt"\nverify.inputs = "made/*.npz"\n'
    )
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    command = [sys.executable, str(root / "build.py"), "--strict", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model = json.loads((tmp_path / "dist" / "manifest.json").read_text())["models"]["mine"]
    assert model["verified"]["agreement"] == 1.0
    assert len(model["weights"]) == 6
    assert witness.troubles == []
    assert witness.sent == []
    context.close()


def test_it_draws_samples_itself(site: Site, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/create.html?lang=en")
    page.get_by_role("button", name="Draw samples for me").click()
    assert page.locator(".shots canvas").count() == 24
    assert page.get_by_role("button", name="Train").is_enabled()
    page.get_by_role("button", name="中文").click()
    assert page.get_by_role("button", name="圆").is_visible()
    page.close()


def test_the_types_of_the_pages_modules() -> None:
    check_types(root / "assets" / "pages", "create.js", "create-pad.js", "create-samples.js", "export.js")
