"""The first answer of a Vite app against that of a plain page: ``python bench/vite_app.py [-n 3] [--network slow-4g]``.

The classify example (``make examples``), a ladder with the policy ``now``, classifies the same picture in

- plain: a page with the pinned lines of preload.html,
- static: a Vite app whose script imports the models' package,
- lazy: one that imports it by ``import()``,
- npm: the same with TensorFlow.js from npm, which the bundle does not bring,
- worker, plain-worker: the app and the page with ``thread = "worker"`` in build.toml.

All come over one slow line (``slow_line.py``) from one server, compressed with brotli. It prints medians from the first
byte of the page to the first answer and to the last file that this answer needs, which files came more than once, and
for each variant a waterfall as the server saw it: what a worker asks for is in no list of the page's.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from first_screen import Server  # noqa: E402
from ladder_page import graphics, pack, page, settings  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402
from slow_line import Line, SlowHandler  # noqa: E402

from builder.pipeline.report.networks import networks  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402

later = re.compile(r"classify[.]|classify-(base|refine)|device|favicon")
variants = ("plain", "static", "lazy", "npm", "plain-worker", "worker")
imports = {
    "plain": 'const { models } = await import("./cdn/LOADER");',
    "plain-worker": 'const { models } = await import("./cdn/LOADER");',
    "static": 'import { models } from "models";',
    "lazy": 'const { models } = await import("models");',
    "npm": 'const { configure, models } = await import("models");\n'
    'configure({ tf: () => import("@tensorflow/tfjs") });',
    "worker": 'const { models } = await import("models");',
}
body = """
await picture.decode();
const { index } = await models.classify.load().run(picture);
window.answer = { first: since(), index };
"""
icon = '<link rel="icon" href="data:,">'
config = """
import shardpress from "PLUGIN/index.js";
export default { base: "./", plugins: [shardpress({ dist: "models-dist" })], build: { target: "es2022" } };
"""


Log = list[tuple[str, float, float]]


class LoggedHandler(SlowHandler):
    """Notes what was asked for, when, and when all of it was sent."""

    def __init__(self, *given: Any, log: Log, **more: Any) -> None:
        """Take the log, and what its base takes."""
        self.log = log
        super().__init__(*given, **more)

    def do_GET(self) -> None:  # noqa: N802
        """Answer, and note the path."""
        asked = time.monotonic()
        super().do_GET()
        self.log.append((self.path, asked, time.monotonic()))


def make_models(folder: Path, variant: str) -> None:
    """Build the ladder with what the variant needs."""
    folder.mkdir(parents=True)
    text = settings("ladder")
    if variant == "npm":
        text = text[: text.index("[runtime]")] + text[text.index("[models.") :]
    if "worker" in variant:
        text += 'thread = "worker"\n'
    (folder / "build.toml").write_text(text)
    (folder / "node_modules").symlink_to((root / "node_modules").resolve())
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--out", "models-dist", "-q"]
    subprocess.run(command, cwd=folder, check=True)


def make_plain(folder: Path, work: Path, variant: str) -> None:
    """Write the page without a bundler."""
    dist = work / "models-dist"
    shutil.copytree(dist / "cdn", folder / "cdn")
    (loader,) = (path.name for path in (folder / "cdn").glob("loader.*.js"))
    pack(folder / "cdn" / loader)
    pinned = (dist / "preload.html").read_text().split("<!--")[2].split("-->")[1]
    script = (imports[variant] + body).replace("LOADER", loader)
    text = page.replace("HEAD", pinned.replace("BASE", "cdn").strip()).replace("BODY", script)
    (folder / "index.html").write_text(text.replace("../picture", "picture"))


def make_app(folder: Path, work: Path, variant: str) -> None:
    """Write a Vite app, and build it."""
    (work / "public").mkdir()
    shutil.copy(root / "assets" / "pages" / "pictures" / "chelsea.jpg", work / "public" / "picture.jpg")
    head, script = page.split('<script type="module">')
    html = f"<!doctype html><html><head><title>page</title>{icon}</head><body>{head[head.index('<h1>') :]}"
    (work / "index.html").write_text(
        html.replace("../picture", "/picture") + '<script type="module" src="/main.js"></script></body></html>'
    )
    code = script[: script.index("BODY")]
    (work / "main.js").write_text(
        f"{imports[variant]}{code}{body}" if variant == "static" else f"{code}{imports[variant]}{body}"
    )
    (work / "vite.config.js").write_text(config.replace("PLUGIN", str(root / "packages" / "vite-plugin")))
    (work / "package.json").write_text('{"private": true, "type": "module"}')
    vite = root / "node_modules" / "vite" / "bin" / "vite.js"
    subprocess.run(["node", str(vite), "build", "--logLevel", "warn"], cwd=work, check=True)
    shutil.copytree(work / "dist", folder)
    for path in folder.rglob("*.js"):
        if not path.with_name(path.name + ".br").exists():
            pack(path)


def make_site(folder: Path, variant: str) -> None:
    """Write a variant's page and all that it fetches."""
    work = folder / "work" / variant
    made = next(
        (folder / "work" / one for one in alike(variant) if (folder / "work" / one / "models-dist").exists()), None
    )
    if made:
        work.mkdir(parents=True)
        (work / "node_modules").symlink_to((root / "node_modules").resolve())
        shutil.copytree(made / "models-dist", work / "models-dist")
    else:
        make_models(work, variant)
    site = folder / "site" / variant
    if variant.startswith("plain"):
        make_plain(site, work, variant)
    else:
        make_app(site, work, variant)
    shutil.copy(root / "assets" / "pages" / "pictures" / "chelsea.jpg", site / "picture.jpg")


def alike(variant: str) -> tuple[str, ...]:
    """Give the variants that have the same bundle."""
    groups = (("plain", "static", "lazy"), ("npm",), ("plain-worker", "worker"))
    return next(group for group in groups if variant in group)


def measure(browser: Browser, url: str, log: Log, latency: float) -> dict[str, Any]:
    """Open a page in a fresh profile; give what it says, and what the server saw, in ms from the page's first byte."""
    log.clear()
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(url, wait_until="commit")
    tab.wait_for_function("window.answer", timeout=180_000)
    found: dict[str, Any] = tab.evaluate("answer")
    context.close()
    start = log[0][1] + latency
    rows = [(path.split("/")[-1], 1000 * (asked - start), 1000 * (sent - start)) for path, asked, sent in log[1:]]
    names = [name for name, *_ in rows]
    found["twice"] = sorted({name for name in names if names.count(name) > 1})
    found["waterfall"] = rows
    # The last rung's come behind the answer.
    found["needed"] = max(sent for name, _, sent in rows if not later.match(name) and sent < found["first"])
    return found


def tell(name: str, runs: list[dict[str, Any]], plain: float) -> None:
    """Print what was measured of a variant, and the waterfall of the run in the middle."""
    first, needed = (statistics.median(run[key] for run in runs) for key in ("first", "needed"))
    middle = min(runs, key=lambda run: abs(run["first"] - first))
    spread = ", ".join(f"{run['first']:.0f}" for run in runs)
    print(f"\n{name}: first answer {first:.0f} ms ({spread}), x {first / plain:.3f}; its files {needed:.0f} ms")
    print(f"  class {middle['index']}, more than once {middle['twice']}")
    for file, start, end in sorted(middle["waterfall"], key=lambda row: row[1]):
        print(f"  {start:7.0f} {end:7.0f}  {file}")
    sys.stdout.flush()


def main() -> None:
    """Make the pages, and measure all in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=3)
    parser.add_argument("--network", choices=[one.name for one in networks()], default="slow-4g")
    parser.add_argument("--only", nargs="+", choices=variants, default=list(variants))
    parser.add_argument("--site", type=Path, help="folder to keep the pages in, for other runs")
    options = parser.parse_args()
    (network,) = (one for one in networks() if one.name == options.network)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.site or Path(temporary)).absolute()
        for name in options.only:
            if not (folder / "site" / name).exists():
                make_site(folder, name)
        log: Log = []
        line = Line(network.rate, network.latency)
        handler = partial(LoggedHandler, line=line, log=log, directory=str(folder / "site"))
        server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
        try:
            for _ in range(options.repetitions):
                for name in options.only:
                    with chromium(*graphics) as browser:
                        found[name].append(measure(browser, f"{url}{name}/index.html", log, network.latency))
        finally:
            server.shutdown()
    plain = statistics.median(run["first"] for run in found[options.only[0]])
    for name, runs in found.items():
        tell(name, runs, plain)


if __name__ == "__main__":
    main()
