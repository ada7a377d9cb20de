"""The page that learns new classes: taught from pictures, kept over a reload, and its files built."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, built_site, drawing, patience, root
from tests.helpers.serving import Site

pytestmark = pytest.mark.slow
samples = root / "assets" / "samples"
per_class = 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built_site(tmp_path_factory.mktemp("retrain")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Give a browser whose camera shows a real face that sways to and fro."""
    film = tmp_path_factory.mktemp("clip") / "face.mjpeg"
    with Image.open(samples / "astronaut.png") as file:
        photo = file.convert("RGB")
    frames = io.BytesIO()
    for number in range(12):
        left = 40 + 4 * abs(number - 6)
        photo.crop((left, 0, left + 400, 300)).resize((640, 480)).save(frames, "JPEG", quality=90)
    film.write_bytes(frames.getvalue())
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with chromium(*drawing, *camera) as running:
        yield running


def cuttings(name: str, folder: Path) -> list[Path]:
    """Write squares out of a sample photo; the last one is for judging."""
    with Image.open(samples / name) as file:
        photo = file.convert("RGB")
    paths = []
    for number in range(per_class + 1):
        side = int(min(photo.size) * (0.95 - 0.06 * number))
        left, top = (int((length - side) * (number / per_class)) for length in photo.size)
        paths.append(folder / f"{Path(name).stem}-{number}.png")
        photo.crop((left, top, left + side, top + side)).resize((224, 224)).save(paths[-1])
    return paths


def opened(page: Page, site: Site) -> Witness:
    page.set_default_timeout(patience)
    witness = Witness()
    witness.watch(page)
    page.goto(f"{site.url}assets/pages/retrain.html?lang=en")
    page.wait_for_selector("#kinds .kind")
    return witness


def await_shots(page: Page, count: int) -> None:
    """Wait until so many pictures have been taken in."""
    page.wait_for_function(
        "count => document.querySelectorAll('.shots canvas').length === count && document.body.dataset.reading === '0'",
        arg=count,
    )


def judge(page: Page, picture: Path, wanted: str) -> None:
    """Let the page name a picture, and wait for the answer that it must have."""
    page.evaluate("delete document.querySelector('#verdict').dataset.label")
    page.locator("#input input[type=file]").set_input_files(picture)
    page.wait_for_selector("#verdict[data-label]")
    assert page.locator("#verdict").get_attribute("data-label") == wanted
    assert page.locator("#bars dt").first.inner_text() == wanted


def test_it_learns_keeps_and_exports_what_the_build_accepts(site: Site, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 1000})
    page = context.new_page()
    witness = opened(page, site)
    train = page.get_by_role("button", name="Train", exact=True)
    assert train.is_disabled()
    seen, judged = {}, {}
    for place, (name, photo) in enumerate({"Tabby": "chelsea.png", "Machine": "motorcycle_left.png"}.items()):
        *seen[name], judged[name] = cuttings(photo, tmp_path)
        kind = page.locator("#kinds .kind").nth(place)
        kind.locator("input[type=text]").fill(name)
        kind.locator("input[type=file]").set_input_files(seen[name])
    await_shots(page, 2 * per_class)
    train.click()
    page.wait_for_selector("body[data-state=trained]")
    assert "100 % correct, 100 % on held-out pictures" in page.locator("#status").inner_text()
    for name, picture in judged.items():
        judge(page, picture, name)

    page.reload()
    page.wait_for_selector("body[data-state=restored]")
    assert "Tabby, Machine" in page.locator("#status").inner_text()
    assert page.locator("#kinds input[type=text]").evaluate_all("all => all.map((one) => one.value)") == list(judged)
    for name, picture in judged.items():
        judge(page, picture, name)

    downloads = []
    page.on("download", lambda download: downloads.append(download))  # noqa: PLW0108 - bound methods cannot be handlers
    page.get_by_role("button", name="Save as files").click()
    page.wait_for_function("document.querySelector('#status').textContent.includes('Saved')")
    while len(downloads) < 3:
        page.wait_for_event("download")
    for download in downloads:
        download.save_as(tmp_path / "head" / download.suggested_filename)
    assert (tmp_path / "head" / "labels.txt").read_text().split() == list(judged)
    config = (
        '[models.mine]\nsource = "head/model.json"\nlabels = "head/labels.txt"\nload = "manual"\n'
        'verify.inputs = "head/*.npz"\n'
    )
    for name, features in {"blank": np.zeros, "full": np.ones}.items():  # it may answer all noise alike
        np.savez(tmp_path / "head" / f"{name}.npz", x=features((1, 1280), np.float32))
    (tmp_path / "build.toml").write_text(config)
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    command = [sys.executable, str(root / "build.py"), "--strict", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model = json.loads((tmp_path / "dist" / "manifest.json").read_text())["models"]["mine"]
    assert model["format"] == "layers-model"
    assert sorted(weight["shape"] for weight in model["weights"]) == [[2], [1280, 2]]
    assert model["verified"]["agreement"] == 1.0

    page.get_by_role("button", name="Forget").click()
    page.wait_for_selector("body[data-state=idle]")
    page.reload()
    page.wait_for_selector("body[data-state=idle] #kinds .kind")
    assert page.get_by_role("button", name="Save as files").is_hidden()
    assert witness.troubles == []
    assert witness.sent == []
    context.close()


def test_the_camera_teaches_it_and_is_answered_live(site: Site, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, permissions=["camera"])
    page = context.new_page()
    witness = opened(page, site)
    mine, other = (page.locator("#kinds .kind").nth(place) for place in range(2))
    mine.locator("input[type=text]").fill("Me")
    other.locator("input[type=text]").fill("Tabby")
    shoot = mine.locator("button.shoot")
    assert shoot.is_disabled()
    page.get_by_role("button", name="Camera", exact=True).click()
    page.wait_for_function("document.querySelector('#view video')?.videoWidth === 640")
    for count in range(1, per_class + 1):
        shoot.click()
        await_shots(page, count)
    *seen, judged = cuttings("chelsea.png", tmp_path)
    other.locator("input[type=file]").set_input_files(seen)
    await_shots(page, 2 * per_class)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_selector("body[data-state=trained]")
    # Nobody asks: the running video is answered by itself.
    page.wait_for_selector("#verdict[data-label=Me]")
    page.get_by_role("button", name="Camera", exact=True).click()
    assert page.locator("#view video").count() == 0
    assert shoot.is_disabled()
    judge(page, judged, "Tabby")
    assert witness.troubles == []
    assert witness.sent == []
    context.close()


def test_the_samples_teach_it_without_a_camera_or_files(site: Site, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    witness = opened(page, site)
    page.get_by_role("button", name="Use sample pictures").click()
    await_shots(page, 16)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_selector("body[data-state=trained]")
    assert "100 % on held-out pictures" in page.locator("#status").inner_text()
    page.locator("[data-sample=coffee]").click()
    page.wait_for_selector("#verdict[data-label=Coffee]")
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


def test_the_types_of_the_pages_modules() -> None:
    check_types(root / "assets" / "pages", "retrain.js", "retrain-head.js", "retrain-classes.js")
