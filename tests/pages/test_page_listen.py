"""The page Listen: a microphone, or a clip in its place, goes through ``run`` window by window."""

from __future__ import annotations

import subprocess
import sys
import wave
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from builder.answers.audio import resample, to_windows
from builder.answers.wav import read_wav
from tests.bundle.test_render import check_types
from tests.helpers.browsing import chromium
from tests.helpers.paging import Witness, drawing, for_documents, patience, root
from tests.helpers.serving import Site, serve

folder = root / "assets" / "pages"
# tf.min.js evaluates code, and the worker of the loader's decoding is a blob; the worklet is none.
policy = "script-src 'self' 'unsafe-eval'; worker-src blob:"
clip = folder / "sounds" / "hello.wav"

# Notes the tracks of microphones, and what takes their samples.
notes = """
window.tracks = [];
window.nodes = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  window.tracks.push(...stream.getTracks());
  return stream;
};
const Node = window.AudioWorkletNode;
window.AudioWorkletNode = class extends Node {
  constructor(...given) {
    super(...given);
    window.nodes.push("worklet");
  }
};
"""
hear = """
async ([bytes, rate]) => {
  const { models, configure } = await import("/dist/cdn/loader.js");
  await import("/node_modules/@tensorflow/tfjs/dist/tf.min.js");
  configure({ tf });
  const handle = models.speech.load();
  await handle.full;
  const file = new Uint8Array(await (await fetch("/assets/pages/sounds/hello.wav")).arrayBuffer());
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(file.slice().buffer);
  const before = tf.memory().numTensors;
  const scores = (found) => found.map(({ answer }) => answer.top.find(({ index }) => index === 1).score);
  const result = { file: scores(await handle.run(file)), buffer: scores(await handle.run(decoded)), refused: [] };
  const bad = [new Uint8Array(0), new Blob(["no sound"]), { samples: new Float32Array(0), rate },
    { samples: Float32Array.of(0, NaN), rate }, { samples: new Float32Array(9), rate: 0 },
    7, "text", { input: 7 }, undefined];
  for (const given of bad) {
    try {
      await handle.run(given);
      result.refused.push("");
    } catch (error) {
      result.refused.push(`${error.name} ${error.code}: ${error.message}`);
    }
  }
  const long = new AbortController();
  const minutes = { samples: new Float32Array(16000 * 600), rate: 16000 };
  const work = handle.run(minutes, { signal: long.signal }).catch((error) => error.name);
  await new Promise((tell) => setTimeout(tell, 100));
  long.abort();
  result.aborted = await work;
  result.left = tf.memory().numTensors - before;
  handle.dispose();
  return result;
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("listen")
    command = [sys.executable, "build.py", "--quiet", "--only", "speech", "--out", str(place / "dist")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nThe examples' sources come with make examples."
    for name in ("assets", "node_modules"):
        (place / name).symlink_to(root / name)
    with serve(place) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run a Chromium whose microphone says the clip over and over, at another rate and on two channels."""
    channels, rate = read_wav(clip.read_bytes())
    louder = np.clip(np.rint(32767 * resample(channels[0], rate, 44_100)), -32768, 32767).astype("<i2")
    spoken = tmp_path_factory.mktemp("spoken") / "spoken.wav"
    with wave.open(str(spoken), "wb") as file:
        file.setparams((2, 2, 44_100, len(louder), "NONE", ""))
        file.writeframes(np.stack([louder, louder], 1).tobytes())
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium(*drawing, *fake, f"--use-file-for-fake-audio-capture={spoken}") as running:
        yield running


def opened(browser: Browser, site: Site, witness: Witness) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(patience)
    page.add_init_script(notes)
    witness.watch(page)

    def strictly(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

    page.route("**/listen.html*", strictly)
    page.goto(f"{site.url}assets/pages/listen.html?lang=en")
    page.wait_for_selector("body[data-state=idle]")
    assert [url for url in witness.asked if "/cdn/assets/" in url] == []
    return page


@pytest.mark.slow
def test_the_microphone_is_heard_and_released(site: Site, browser: Browser) -> None:
    witness = Witness()
    page = opened(browser, site, witness)
    page.get_by_role("button", name="Use the microphone").click()
    for words in ("Somebody is speaking.", "Nobody is speaking.", "Somebody is speaking."):
        page.wait_for_function("words => document.querySelector('#found').textContent === words", arg=words)
    for_documents(page, "listen")
    assert page.evaluate("nodes") == ["worklet"]
    assert page.evaluate("tracks.map(({ readyState }) => readyState)") == ["live"]
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("body[data-state=idle]")
    page.wait_for_function("tracks.every(({ readyState }) => readyState === 'ended')")
    assert page.locator("#view img").is_visible()
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


@pytest.mark.slow
def test_the_clip_plays_without_a_microphone(site: Site, browser: Browser) -> None:
    witness = Witness()
    page = opened(browser, site, witness)
    page.get_by_role("button", name="Play the sample clip").click()
    page.wait_for_selector("body[data-state=running]")
    page.wait_for_selector("body[data-state=idle]")
    # Near the upper edge there are only the bars of speech.
    row = "[...document.querySelector('#view canvas').getContext('2d').getImageData(0, 40, 640, 1).data]"
    drawn = page.evaluate(f"{row}.filter((n, i) => i % 4 === 3 && n > 200).length")
    assert 150 < drawn < 450
    assert page.evaluate("tracks.length") == 0
    assert witness.troubles == []
    assert witness.sent == []
    page.close()


@pytest.mark.slow
def test_files_buffers_and_bad_input_in_a_page(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(patience)
    page.goto(f"{site.url}assets/pages/create.html")
    found = page.evaluate(hear, [[], 48_000])
    channels, rate = read_wav(clip.read_bytes())
    spec = {"rate": 16_000, "samples": 576, "hop": 512, "lead": 64, "scale": 1, "offset": 0, "dtype": "float32"}
    windows = to_windows(channels, rate, {**spec, "shape": [1, 576]})
    assert len(found["file"]) == len(windows)
    assert sum(score > 0.5 for score in found["file"]) > 80
    same = sum((a > 0.5) == (b > 0.5) for a, b in zip(found["file"], found["buffer"], strict=True))
    assert same > 0.97 * len(windows), "the browser's own way to 48 kHz changes little"
    assert found["refused"][:5] == [
        "ModelError contract: The sound cannot be used: the browser cannot decode it",
        "ModelError contract: The sound cannot be used: the browser cannot decode it",
        "ModelError contract: The sound cannot be used: it is empty",
        "ModelError contract: The sound cannot be used: it has samples that are no numbers",
        "ModelError contract: The sound cannot be used: its rate is 0",
    ]
    for said in found["refused"][5:]:
        assert said.startswith("ModelError contract: The input input takes a sound: a file, an AudioBuffer")
    assert found["aborted"] == "AbortError"
    assert found["left"] == 0
    page.close()


@pytest.mark.slow
def test_a_page_without_a_microphone_says_so(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(patience)
    for name, words in (
        ("NotFoundError", "There is no microphone"),
        ("NotAllowedError", "not allowed to use the microphone"),
    ):
        page.add_init_script(
            f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{name}'); }};"
        )
        page.goto(f"{site.url}assets/pages/listen.html?lang=en")
        page.get_by_role("button", name="Use the microphone").click()
        page.wait_for_selector("body[data-state=failed]")
        assert words in page.locator("#notice").inner_text()
    page.close()


@pytest.mark.slow
def test_the_scripts_are_typed() -> None:
    check_types(root, "assets/pages/listen.js", "assets/pages/sounds.js")


def test_the_pages_own_script_is_short() -> None:
    lines = [line for line in (folder / "listen.js").read_text().splitlines() if line and not line.startswith("/**")]
    assert len(lines) < 56
