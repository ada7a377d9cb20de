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
from pathlib import Path

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from playwright.sync_api import Browser  # noqa: E402

from tests.browsing import chromium  # noqa: E402
from tests.paging import pages  # noqa: E402
from tests.serving import serve  # noqa: E402

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
    page.wait_for_timeout(1500)
    paints: dict[str, float] = page.evaluate("paints")
    context.close()
    return {"FCP": paints["first-contentful-paint"], "LCP": paints["largest-contentful-paint"]}


def compare(browser: Browser, url: str, name: str, repetitions: int) -> bool:
    """Measure and print one page; tell whether it keeps to the goal."""
    found: dict[str, list[dict[str, float]]] = {"plain-": [], "": []}
    for _ in range(repetitions):
        for prefix, runs in found.items():
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
    with tempfile.TemporaryDirectory() as temporary:
        make_site(Path(temporary))
        with serve(Path(temporary)) as site, chromium() as browser:
            chosen = [options.page] if options.page else pages
            results = [compare(browser, site.url, name, options.repetitions) for name in chosen]
    print(f"{sum(results)} of {len(results)} pages within {100 * goal - 100:.0f} %")


if __name__ == "__main__":
    main()
