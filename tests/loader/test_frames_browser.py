"""Frames of a real clip in Chromium, on the page's thread and in the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from builder.cli.main import main
from tests.helpers.serving import Site, serve
from tests.helpers.tints import write_tint

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
runtime = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
settings = """
[models.tint]
source = "tint/model.json"
picture = { range = [0, 1], resize = "nearest" }
answer = { kind = "picture", range = [0, 1] }
"""
# A clip that goes from black to white is made in the page, and played again and again until there were three answers.
look = """async (thread) => {
  const { models, configure } = await import("/models/loader.js");
  configure({
    tf: async () => {
      await import("/tf.min.js");
      await tf.setBackend("cpu");
      return tf;
    },
    workerTf: "/tf.min.js",
  });
  const handle = models.tint.load({ thread });
  await handle.full;
  const [width, height] = [64, 48];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm;codecs=vp8" });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const recorded = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  for (let shade = 0; shade < 256; shade += 6) {
    context.fillStyle = `rgb(${shade} ${shade} ${shade})`;
    context.fillRect(0, 0, width, height);
    await new Promise(requestAnimationFrame);
  }
  recorder.stop();
  await recorded;
  const src = URL.createObjectURL(new Blob(parts));
  const video = Object.assign(document.createElement("video"), { muted: true, loop: true, src });
  await video.play();
  const found = [];
  let before;
  for await (const { answer, frame, ...facts } of handle.frames(video, { as: "imagedata" })) {
    // Only the frame of this round is open.
    const closed = before && before.displayWidth === 0;
    before = frame;
    context.drawImage(frame, 0, 0);
    const [shown] = context.getImageData(width / 2, height / 2, 1, 1).data;
    found.push({ answered: answer.data[4 * 4 * 9], shown, closed, ...facts });
    if (found.length === 3) video.loop = false;
  }
  return { found, ended: video.ended, closed: before.displayWidth === 0, page: typeof tf };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site with a model that gives its picture back, half as bright."""
    folder = tmp_path_factory.mktemp("frames")
    write_tint(folder / "tint")
    (folder / "build.toml").write_text(settings)
    assert main(["--config", str(folder / "build.toml"), "-q", "--fast"]) == 0
    pages = folder / "site"
    pages.mkdir()
    (folder / "dist" / "cdn").rename(pages / "models")
    (pages / "tf.min.js").write_bytes(runtime.read_bytes())
    (pages / "index.html").write_text("<!doctype html><title>page</title>")
    with serve(pages) as running:
        yield running


@pytest.mark.parametrize("thread", ["page", "worker"])
def test_answers_belong_to_the_frames_of_a_clip_until_it_ends(site: Site, browser: Browser, thread: str) -> None:
    page = browser.new_page()
    page.goto(f"{site.url}index.html")
    result = page.evaluate(look, thread)
    found = result["found"]
    assert len(found) >= 3
    for one in found:
        assert abs(one["answered"] - one["shown"] / 2) <= 3
        assert (one["width"], one["height"]) == (64, 48)
        assert one["dropped"] >= 0
        assert one["ms"] > 0
    assert all(one["closed"] for one in found[1:])
    assert (result["ended"], result["closed"]) == (True, True)
    assert result["page"] == ("object" if thread == "page" else "undefined")
    page.close()
