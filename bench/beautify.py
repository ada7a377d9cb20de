"""What a large photo costs the page's thread: ``python bench/beautify.py [-n 3] [--megapixels 12]``.

Builds the model of ``assets/pages/beautify.html`` (``make examples`` first) and opens that page in headless Chromium,
in every repetition once for each side: with this loader on the page's thread (``page``), as it was before there was a
worker, and with ``load({ thread: "worker" })`` (``ours``), which the page asks for. A JPEG photo is chosen, then made
livelier, tile by tile, on ``--backend``. From the choice until all is done: long tasks on the page's thread, how many,
their sum and the longest; p95 between the screen's frames. Tasks are longer where others use the machine too, so the
longest is also given as time of the processor. Medians of all repetitions, and the worst.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

from ar import arguments, build_bundle, describe, drawing, make_own_side, open_page, report  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402
from slow_line import serve  # noqa: E402

from tests.helpers.browsing import chromium  # noqa: E402

over = "['done', 'failed'].includes(document.body.dataset.state)"


def write_photo(path: Path, megapixels: float) -> None:
    """Write a JPEG photo of so many million pixels, four to three."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    with Image.open(root / "assets" / "samples" / "astronaut.png") as file:
        file.convert("RGB").resize((round(height * 4 / 3), height), Image.Resampling.BICUBIC).save(path, quality=92)


def busiest(trace: bytes) -> float:
    """Give the longest task of the page's thread as time of the processor, in ms: work of others is not in it."""
    events = json.loads(trace)["traceEvents"]
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    tasks = (one for one in events if one["name"].endswith("RunTask") and "tdur" in one)
    return max(one["tdur"] / 1000 for one in tasks if threads.get((one["pid"], one["tid"])) == "CrRendererMain")


def measure(browser: Browser, url: str, photo: Path) -> dict[str, float]:
    """Have a photo made livelier once, and give the figures."""
    page = open_page(browser)
    page.goto(f"{url}assets/pages/beautify.html?lang=en")
    page.wait_for_selector("body[data-state=idle]")
    browser.start_tracing(page=page, categories=["toplevel"])
    begun = page.evaluate("performance.now()")
    page.set_input_files("input[type=file]", photo)
    page.wait_for_selector("#view > canvas")
    chosen = page.evaluate("performance.now()")
    page.click("#start")
    page.wait_for_function(over)
    # Tasks are told of when they are over, a moment later.
    page.evaluate("new Promise((done) => requestIdleCallback(done))")
    end = page.evaluate("performance.now()")
    said = page.locator("#status").inner_text()
    assert page.locator("body").get_attribute("data-state") == "done", said
    log = page.evaluate("log")
    trace = browser.stop_tracing()
    page.context.close()
    long = [duration for start, duration in log["long"] if begun <= start <= end]
    found = describe(log, begun, end)
    return {
        "on the screen, ms": chosen - begun,
        "done, ms": end - chosen,
        "long tasks": found["long tasks"],
        "long tasks, ms": found["long tasks, ms"],
        "longest task, ms": max(long, default=0.0),
        "longest by processor, ms": busiest(trace),
        "screen p95, ms": found["screen p95, ms"],
    }


def main() -> None:
    """Measure both sides in turn."""
    parser = arguments(__doc__, ("page", "ours"), "wasm")
    parser.add_argument("--megapixels", type=float, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build_bundle(folder, ["beautify"])
        write_photo(folder / "photo.jpg", options.megapixels)
        for side in options.sides:
            make_own_side(folder, side, options.backend)
        servers = {name: serve(folder / name, options.network) for name in options.sides}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        try:
            for _ in range(options.repetitions):
                for name, server in servers.items():
                    with chromium(*drawing) as browser:
                        url = f"http://127.0.0.1:{server.server_address[1]}/"
                        found[name].append(measure(browser, url, folder / "photo.jpg"))
        finally:
            for server in servers.values():
                server.shutdown()
    report(found)
    for key in ("longest task, ms", "longest by processor, ms"):
        worst = {name: round(max(run[key] for run in runs)) for name, runs in found.items()}
        print(f"{key}, of all runs:", json.dumps(worst))


if __name__ == "__main__":
    main()
