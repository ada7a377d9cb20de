"""The README's moving picture: ``python bench/moving_picture.py``, after ``make build``.

Opens the page Classify in headless Chromium on Slow 4G (180,000 B/s, 562.5 ms), films what the window shows until the
model is complete, and writes ``docs/images/classify.webp``, three times as fast, each frame with the seconds since the
page was asked for. Nothing is staged: the page is the one of ``assets/pages``, served with brotli as a CDN does.
"""

from __future__ import annotations

import argparse
import base64
import functools
import io
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

import brotli  # noqa: E402
from pages import Handler, Server, make_site, slow_4g  # noqa: E402
from PIL import Image, ImageChops, ImageDraw, ImageFont  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.paging import drawing  # noqa: E402
from tests.helpers.serving import media_types  # noqa: E402

window = {"width": 1000, "height": 860}
width, strip = 760, 26
least_seconds = 0.4  # between frames
last_seconds = 4.0
speed = 3
most_bytes = 200_000


@functools.cache
def coded(path: Path) -> bytes | None:
    """Give a file in brotli: the copy that a build made, or one of a text; None for what is smaller as it is."""
    copy = path.with_name(path.name + ".br")
    if copy.is_file():
        return copy.read_bytes()
    return brotli.compress(path.read_bytes(), quality=9) if path.suffix in {".js", ".css", ".html", ".json"} else None


class Coded(Handler):
    """Answers with encoded copies that are ready, as those of a CDN are."""

    def do_GET(self) -> None:  # noqa: N802 named by http.server
        path = Path(self.translate_path(self.path))
        body = coded(path) if path.is_file() else None
        if body is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", media_types.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Encoding", "br")
        self.end_headers()
        self.wfile.write(body)


def visit(page: Page, url: str) -> None:
    page.goto(url, wait_until="commit", timeout=60_000)
    page.wait_for_function("document.body?.dataset.state === 'done'", timeout=120_000)


def film(url: str) -> tuple[list[tuple[float, Image.Image]], dict[str, float]]:
    """Give what a visitor sees, with seconds since the page was asked for, and when its states began."""
    frames: list[tuple[float, bytes]] = []
    with chromium(*drawing) as browser:
        visit(browser.new_context().new_page(), url)  # the server compresses texts once
        page = browser.new_context(viewport=window, locale="en-US").new_page()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", slow_4g)

        def note(frame: dict[str, Any]) -> None:
            frames.append((frame["metadata"]["timestamp"], base64.b64decode(frame["data"])))
            session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

        session.on("Page.screencastFrame", note)
        page.add_init_script("""
          window.states = {};
          addEventListener("DOMContentLoaded", () => {
            new MutationObserver(() => { states[document.body.dataset.state] ??= performance.now() / 1000; })
              .observe(document.body, { attributes: true });
          });""")
        session.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
        visit(page, url)
        page.wait_for_timeout(700)
        begun = page.evaluate("performance.timeOrigin / 1000")
        states: dict[str, float] = page.evaluate("states")
        session.send("Page.stopScreencast")
    pictures = [(time - begun, Image.open(io.BytesIO(data)).convert("RGB")) for time, data in frames if time >= begun]
    return pictures, states


def thinned(frames: list[tuple[float, Image.Image]]) -> list[tuple[float, Image.Image]]:
    """Leave out frames that show nothing new or come too soon after another; the last one stays."""
    kept: list[tuple[float, Image.Image]] = []
    for number, (time, picture) in enumerate(frames):
        last = number == len(frames) - 1
        new = not kept or ImageChops.difference(kept[-1][1], picture).getbbox() is not None
        if new and (last or not kept or time - kept[-1][0] >= least_seconds):
            kept.append((time, picture))
    return kept


def captioned(time: float, picture: Image.Image) -> Image.Image:
    """Write the time below a frame."""
    height = round(picture.height * width / picture.width)
    whole = Image.new("RGB", (width, height + strip), "#16181d")
    whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS))
    text = f"{time:4.1f} s on Slow 4G, shown {speed} times as fast"
    ImageDraw.Draw(whole).text((12, height + 4), text, fill="#e8eaee", font=ImageFont.load_default(15))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=root / "docs" / "images" / "classify.webp")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        make_site(Path(temporary))
        server = Server(("127.0.0.1", 0), partial(Coded, directory=temporary))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        frames, states = film(f"http://127.0.0.1:{server.server_address[1]}/assets/pages/classify.html")
        server.shutdown()
    frames = thinned(frames)
    times = [time for time, _ in frames]
    ends = [*times[1:], times[-1] + last_seconds * speed]
    lengths = [round(1000 * (end - time) / speed) for time, end in zip(times, ends, strict=True)]
    pictures = [captioned(time, picture) for time, picture in frames]
    for quality in range(70, 10, -10):
        first, *rest = pictures
        first.save(options.out, save_all=True, append_images=rest, duration=lengths, loop=0, quality=quality, method=6)
        if options.out.stat().st_size <= most_bytes:
            break
    else:
        raise SystemExit(f"error: {options.out} is larger than {most_bytes} bytes.")
    print(f"{len(pictures)} frames, {options.out.stat().st_size} bytes, quality {quality}; states: {states}")


if __name__ == "__main__":
    main()
