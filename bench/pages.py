"""The first screen of every page against the same page without its script: ``python bench/pages.py``.

First and largest contentful paint on Slow 4G (180,000 B/s, 562.5 ms) with a CPU four times slower, in headless
Chromium; needs ``make build``. Both variants are opened in turn, each in a fresh browser context; medians, quartiles
and ratios of medians are printed. A page without its module has no model, loader and TensorFlow.js: text, stylesheet
and picture only. One repetition of one page takes about fifteen seconds.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

import brotli  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402

from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.paging import pages  # noqa: E402
from tests.helpers.serving import media_types  # noqa: E402

slow_4g = {"offline": False, "latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}
goal = 1.02
observe = """
window.paints = {};
for (const type of ["paint", "largest-contentful-paint"])
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) paints[entry.name || type] = entry.startTime;
  }).observe({ type, buffered: true });
"""


def make_site(folder: Path) -> None:
    """Put the pages into ``folder``, each also as ``plain-NAME`` without its module."""
    (folder / "assets").mkdir()
    shutil.copytree(root / "assets" / "pages", folder / "assets" / "pages")
    for name in ("dist", "node_modules"):
        (folder / name).symlink_to(root / name)
    for name in pages:
        text = (folder / "assets" / "pages" / name).read_text(encoding="utf-8")
        plain, count = re.subn(r'\s*<script type="module"[^>]*></script>', "", text)
        if count != 1:
            raise SystemExit(f"error: {name} has {count} module scripts, not one.")
        (folder / "assets" / "pages" / f"plain-{name}").write_text(plain, encoding="utf-8")


class Handler(SimpleHTTPRequestHandler):
    """Answers as a CDN does: texts with brotli, and connections stay open."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        kind = media_types.get(path.suffix, "application/octet-stream")
        body = path.read_bytes()
        coded = kind.startswith("text/") or kind == "application/json"
        body = brotli.compress(body, quality=9) if coded else body
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if coded:
            self.send_header("Content-Encoding", "br")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """Does not report visitors that leave early."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet."""


def measure(browser: Browser, url: str) -> dict[str, float]:
    """Give the paints of one visit."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", slow_4g)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(observe)
    page.goto(url, wait_until="load", timeout=120_000)
    page.wait_for_function("paints['first-contentful-paint'] && paints['largest-contentful-paint']", timeout=120_000)
    page.wait_for_timeout(1000)
    paints: dict[str, float] = page.evaluate("paints")
    context.close()
    return {"FCP": paints["first-contentful-paint"], "LCP": paints["largest-contentful-paint"]}


def compare(browser: Browser, url: str, name: str, repetitions: int) -> bool:
    """Measure and print one page; tell whether it keeps to the goal."""
    found: dict[str, list[dict[str, float]]] = {"plain-": [], "": []}
    for turn in range(repetitions):
        # Neither variant is always the first.
        for prefix, runs in sorted(found.items(), reverse=bool(turn % 2)):
            runs.append(measure(browser, f"{url}assets/pages/{prefix}{name}"))
    good = True
    for key in ("FCP", "LCP"):
        middle = {prefix: statistics.median(run[key] for run in runs) for prefix, runs in found.items()}
        ratio = middle[""] / middle["plain-"]
        good &= ratio <= goal
        low, _, high = statistics.quantiles([run[key] for run in found[""]], n=4)
        times = f"without {middle['plain-']:6.0f} ms  with {middle['']:6.0f} ms ({low:.0f} … {high:.0f})"
        print(f"{name:16} {key}  {times}  x {ratio:.3f}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=7)
    parser.add_argument("--page", choices=pages)
    options = parser.parse_args()
    chosen = [options.page] if options.page else pages
    with tempfile.TemporaryDirectory() as temporary:
        make_site(Path(temporary))
        server = Server(("127.0.0.1", 0), partial(Handler, directory=temporary))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with chromium() as browser:
            results = [compare(browser, url, name, options.repetitions) for name in chosen]
        server.shutdown()
    print(f"{sum(results)} of {len(results)} pages within {100 * goal - 100:.0f} %")


if __name__ == "__main__":
    main()
