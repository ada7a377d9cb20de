"""``init --example``: from an empty folder to a model in a page of one's own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from builder.cli.examples import example_names
from builder.cli.main import main
from builder.config.tables import load_config
from builder.develop.server.app import Site, make_app
from builder.develop.server.files import Mount
from builder.develop.server.hub import Hub
from builder.develop.server.run import running
from builder.pipeline.run import build
from builder.pipeline.session import BuildOptions
from builder.progress import Silent
from builder.verify.run import find_node_modules
from builder.work.workers import LocalWorkers
from tests.helpers.browsing import chromium

patience = 120_000
draw = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 64 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#1538d0";
  pen.fillRect(0, 0, 96, 64);
  pen.fillStyle = "#e0c020";
  pen.ellipse(48, 32, 28, 18.7, 0, 0, 7);
  pen.fill();
  return canvas.toDataURL("image/png").split(",")[1];
}"""


@pytest.mark.parametrize("name", example_names)
def test_an_example_is_small_whole_and_never_written_over(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my site"
    assert main(["init", "--example", name, "--json", str(folder)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {Path(file).name for file in answer["files"]} == {"build.toml", "make_model.py", "index.html"}
    assert "--watch" in answer["command"]
    for file in answer["files"]:
        assert len(Path(file).read_text(encoding="utf-8").splitlines()) <= 100
    assert load_config(folder / "build.toml").models
    assert main(["init", "--example", name, str(folder)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["init", "--example", name, "--force", str(folder)]) == 0
    assert main(["init", "--example", name]) == 2


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every example, with its first model made and built."""
    folder = tmp_path_factory.mktemp("sites")
    found = {name: folder / name for name in example_names}
    programs = []
    for name, site in found.items():
        assert main(["init", "--example", name, "--quiet", str(site)]) == 0
        command = [sys.executable, "make_model.py"]
        programs.append(
            subprocess.Popen(command, cwd=site, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    for program in programs:
        said, _ = program.communicate(timeout=400)
        assert program.returncode == 0, said
    with LocalWorkers(1) as pool:
        for site in found.values():
            options = BuildOptions(jobs=2, fast=True)
            config = load_config(site / "build.toml")
            # strict: TensorFlow.js has run it, and there is nothing to warn of.
            build(config, options, site / "dist", Silent(), strict=True, pool=pool)
    return found


@contextmanager
def shown(site: Path, *switches: str) -> Iterator[Page]:
    """Open an example's page as watch mode serves it; nothing may go wrong in it."""
    hub = Hub()
    modules = find_node_modules(site)
    assert modules
    mounts = (Mount("assets/", site / "assets"), Mount("node_modules/", modules))
    served = Site(site / "dist", site / "assets/pages", mounts)
    app = make_app(lambda: served, hub)
    with (
        running(app, hub, host="127.0.0.1", port=0, certificates=site / "certificate") as server,
        chromium(*switches) as browser,
    ):
        page = browser.new_page()
        page.set_default_timeout(patience)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{server.url}assets/pages/")
        yield page
        assert wrong == []


def give_picture(page: Page) -> None:
    content = base64.b64decode(page.evaluate(draw))
    page.set_input_files("#file", {"name": "picture.png", "mimeType": "image/png", "buffer": content})


def state_says(page: Page, pattern: str) -> None:
    page.wait_for_function(
        "pattern => /did not work|not among/.test(state.textContent) || new RegExp(pattern).test(state.textContent)",
        arg=pattern,
    )
    assert "did not work" not in page.locator("#state").inner_text()


@pytest.mark.slow
def test_beautify_shows_a_picture_of_the_same_size(sites: dict[str, Path]) -> None:
    with shown(sites["beautify"]) as page:
        give_picture(page)
        state_says(page, "^Done")
        size, middle = page.evaluate(
            """() => { const canvas = document.querySelector("#result canvas");
              return [[canvas.width, canvas.height], [...canvas.getContext("2d").getImageData(48, 32, 1, 1).data]]; }"""
        )
    assert size == [96, 64]
    assert middle[0] > 190  # still yellow
    assert middle[2] < 60


@pytest.mark.slow
def test_classify_knows_a_circle(sites: dict[str, Path]) -> None:
    with shown(sites["classify"]) as page:
        give_picture(page)
        state_says(page, "^It is a")
        assert page.locator("#state").inner_text() == "It is a circle."
        assert page.locator("#answers li").count() == 3


@pytest.mark.slow
def test_ar_follows_the_camera(sites: dict[str, Path]) -> None:
    with shown(sites["ar"], "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as page:
        page.click("#start")
        state_says(page, "^At [0-9]+ %, [0-9]+ %")
        assert page.locator("#mark").is_visible()


@pytest.mark.slow
def test_words_finds_what_is_near(sites: dict[str, Path]) -> None:
    with shown(sites["words"]) as page:
        page.fill("#word", "cat")
        page.press("#word", "Enter")
        state_says(page, "^Near cat")
        near = [line.split()[0] for line in page.locator("#near li").all_inner_texts()]
        assert {"dog", "horse", "cow", "rabbit"} <= set(near)
        assert page.locator("#known option").first.get_attribute("value") == "cat"
