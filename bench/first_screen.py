"""What models cost a page: ``python bench/first_screen.py [-n 9] [--part all]``.

Makes a model of 14 MB of float32 weights, builds it with its own TensorFlow.js, and opens pages in headless Chromium,
all variants in turn in every repetition. It prints medians, the spread (lower and upper quartile), and ratios of
medians from the same run. Chromium simulates slow networks and CPUs.

- screen: first and largest contentful paint and total blocking time of the whole page until 4 s after its load event,
  Slow 4G and a CPU four times slower, while 14 MB come: no model, a model by this loader, and the stock way (tf.min.js
  and ``loadGraphModel`` at the start of the page).
- blocking: total blocking time of the whole page until the model is there at its final precision, CPU as above, no
  network limit: the same pages.
- answer: from the page's load event, TensorFlow.js ready on all sides, to the first answer and to the final precision,
  Slow 4G, for the stock way, this loader (``exact``) and the precision ``small``.
- page: the same from the first byte of the page, TensorFlow.js counted, each its own way: the stock way brings
  tf.min.js, this loader what ``[runtime]`` built.
- visits: bytes of the model's files at the first visit, at the next one, and after a new training of the last layer.
- ladder: the classify example (``make examples``) to its first and its last answer (``ladder_page.py``).

Pages of ``answer`` and ``page`` wait for the network nearly all of the time, so ``--together`` repetitions run side by
side: nine of these two parts take about ten minutes then, and of all parts about twenty.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import brotli
import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from ladder_page import graphics, make_ladder_site, tell_ladder, variants  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page  # noqa: E402

from builder.bundle.format import head_url  # noqa: E402
from builder.bundle.head import read_head, shard_urls  # noqa: E402
from builder.bundle.index import read_index  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402

width, layers = 709, 7  # 3.52 M weights
slow_4g = {"offline": False, "latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}
no_limit = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
types = {
    ".css": "text/css",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
}

html = """<!doctype html><html lang="en"><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<style>body { font: 18px sans-serif; margin: 2em; } img { width: 480px; height: 480px; display: block; }</style>
<script>
  window.long = [];
  window.paints = {};
  new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => [e.startTime, e.duration]))).observe(
    { type: "longtask", buffered: true });
  for (const type of ["paint", "largest-contentful-paint"])
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) paints[entry.name || type] = entry.startTime;
    }).observe({ type, buffered: true });
  window.loaded = new Promise((done) => addEventListener("load", () => setTimeout(() => done(performance.now()))));
</script>
HEAD
<h1>A page with a picture</h1><p>The picture is the largest thing on the screen.</p><img src="picture.png" alt="">
<p id="model" data-model="big">TEXT</p>FOOT</html>
"""
one = f"const run = (tf, model) => tf.tidy(() => model.execute(tf.ones([1, {width}])).dataSync()[0]);"
own = """<script type="module">
if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done));
const { observe } = await import("./cdn/loader.js");
const [handle] = observe(document);
await handle.full;
window.done = performance.now();
</script>"""
stock = """<script src="tf.min.js"></script><script>
tf.loadGraphModel("stock/model.json").then(() => { window.done = performance.now(); });
</script>"""
at_once = """<link rel="modulepreload" href="cdn/loader.js"><script type="module">ONE
import { models, runtime } from "./cdn/loader.js";
const handle = models.MODEL.load();
const model = await handle.ready;
const tf = await runtime();
const first = run(tf, model);
const ready = performance.now();
await handle.full;
const value = run(tf, model);
window.answer = { first: ready, final: performance.now(), error: Math.abs(value - first), value };
</script>""".replace("ONE", one)
stock_at_once = """<script src="tf.min.js"></script><script>ONE
tf.loadGraphModel("stock/model.json").then((model) => {
  const value = run(tf, model);
  const time = performance.now();
  window.answer = { first: time, final: time, error: 0, value };
});
</script>""".replace("ONE", one)
# In the head and at the end of the body of each page.
pages = {
    "none": ("", ""),
    "loader": ("", own),
    "stock": (stock, ""),
    "bare": ('<script src="tf.min.js"></script>', ""),
    "page-loader": (at_once.replace("MODEL", "big"), ""),
    "page-small": (at_once.replace("MODEL", "coarse"), ""),
    "page-stock": (stock_at_once, ""),
}


def write_model(folder: Path, *, head: int = 0) -> Path:
    """Write a chain of matrix products in the stock form, in shards of 4 MB as the stock converter does.

    ``head`` is the number of the last layer's training: all else stays.
    """
    generator = np.random.default_rng(1)
    shape = {"dim": [{"size": "-1"}, {"size": str(width)}]}
    kind = {"type": "DT_FLOAT"}
    nodes: list[dict[str, Any]] = [
        {"name": "x", "op": "Placeholder", "attr": {"dtype": kind, "shape": {"shape": shape}}}
    ]
    content = b""
    specs = []
    for i in range(layers):
        name = f"w{i}"
        if i == layers - 1 and head:
            generator = np.random.default_rng(100 + head)
        content += (generator.normal(size=(width, width)) / np.sqrt(width)).astype(np.float32).tobytes()
        specs.append({"name": name, "shape": [width, width], "dtype": "float32"})
        nodes.append({"name": name, "op": "Const", "attr": {"dtype": kind}})
        inputs = [nodes[-2]["name"] if i == 0 else f"m{i - 1}", name]
        flags = {"transpose_a": {"b": False}, "transpose_b": {"b": False}, "T": kind}
        nodes.append({"name": f"m{i}", "op": "MatMul", "input": inputs, "attr": flags})
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for n, start in enumerate(range(0, len(content), 1 << 22)):
        paths.append(f"group1-shard{n + 1}.bin")
        (folder / paths[-1]).write_bytes(content[start : start + (1 << 22)])
    signature = {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
        "outputs": {"y": {"name": f"m{layers - 1}:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
    }
    model = {
        "format": "graph-model",
        "signature": signature,
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1}},
        "weightsManifest": [{"paths": paths, "weights": specs}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


def picture(cells: int = 120, scale: int = 4) -> bytes:
    """Give a PNG of coarse noise, the largest thing on the page."""
    side = cells * scale
    pixels = np.random.default_rng(2).integers(0, 256, (cells, cells, 3), np.uint8)
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def build(folder: Path, out: str, *options: str) -> Path:
    """Build the models with their own TensorFlow.js; give the bundle."""
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--out", out, "-q", *options]
    subprocess.run(command, cwd=folder, check=True)
    return folder / out / "cdn"


def make_site(folder: Path) -> None:
    """Write all pages, the bundle, the stock model and TensorFlow.js, everything with brotli beside it."""
    source = write_model(folder / "stock")
    # tf.min.js has these two backends.
    (folder / "build.toml").write_text(
        '[runtime]\nbuild = true\nbackends = ["webgl", "cpu"]\n'
        f'[models.big]\nsource = {json.dumps(str(source))}\nload = "idle"\n'
        f'[models.coarse]\nsource = {json.dumps(str(source))}\nload = "manual"\nprecision = "small"\n'
    )
    (folder / "node_modules").symlink_to((root / "node_modules").resolve())
    build(folder, "dist").rename(folder / "cdn")
    tfjs = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
    (folder / "tf.min.js").write_bytes(tfjs.read_bytes())
    (folder / "picture.png").write_bytes(picture())
    for name, (head, foot) in pages.items():
        text = html.replace("HEAD", head).replace("FOOT", foot).replace("TEXT", "More text. " * 40)
        (folder / f"{name}.html").write_text(text)
    for path in [folder / "tf.min.js", *(folder / "stock").iterdir(), folder / "cdn" / "loader.js"]:
        path.with_name(path.name + ".br").write_bytes(brotli.compress(path.read_bytes(), quality=11))


def retrain(folder: Path, number: int) -> None:
    """Give the model another last layer, 0 for the first one, and publish that beside the release that is there."""
    write_model(folder / "stock", head=number)
    new = build(folder, f"dist-{number}", "--only", "big")
    shutil.copytree(new, folder / "cdn", dirs_exist_ok=True)
    (folder / "cdn" / "loader.js.br").write_bytes(brotli.compress((new / "loader.js").read_bytes(), quality=11))


class Handler(SimpleHTTPRequestHandler):
    """Serves brotli copies and counts bytes of models."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        coded = path.with_name(path.name + ".br")
        body = (coded if coded.exists() else path).read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", types.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            "Cache-Control", "no-cache" if path.suffix == ".html" or path.name == "loader.js" else "max-age=31536000"
        )
        if coded.exists():
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


def open_page(browser: Browser, limits: dict[str, Any], cpu: int) -> tuple[BrowserContext, Page, CDPSession]:
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", limits)
    session.send("Emulation.setCPUThrottlingRate", {"rate": cpu})
    return context, page, session


def blocked(page: Page) -> float:
    """Give the total blocking time of a page until now, in ms."""
    return sum(max(0.0, duration - 50) for _, duration in page.evaluate("long"))


def screen(browser: Browser, url: str, name: str) -> dict[str, float]:
    context, page, _ = open_page(browser, slow_4g, 4)
    page.goto(f"{url}{name}.html", wait_until="commit")
    page.evaluate("loaded")
    page.wait_for_timeout(4000)
    paints = page.evaluate("paints")
    found = {"FCP": paints["first-contentful-paint"], "LCP": paints["largest-contentful-paint"], "TBT": blocked(page)}
    context.close()
    return found


def blocking(browser: Browser, url: str, name: str) -> dict[str, float]:
    context, page, _ = open_page(browser, no_limit, 4)
    page.goto(f"{url}{name}.html")
    page.evaluate("loaded")
    if name != "none":
        page.wait_for_function("window.done", timeout=120_000)
    page.wait_for_timeout(1000)
    found = {"TBT": blocked(page)}
    context.close()
    return found


ask = {
    "loader": f"""async () => {{
      {one}
      const {{ models, configure }} = await import("./cdn/loader.js");
      configure({{ tf }});
      const start = performance.now();
      const handle = models.big.load();
      const first = run(tf, await handle.ready);
      const ready = performance.now() - start;
      const last = run(tf, await handle.full);
      return {{ first: ready, final: performance.now() - start, error: Math.abs(first - last), value: last }};
    }}""",
    "stock": f"""async () => {{
      {one}
      const start = performance.now();
      const value = run(tf, await tf.loadGraphModel("stock/model.json"));
      const time = performance.now() - start;
      return {{ first: time, final: time, error: 0, value }};
    }}""",
}
ask["small"] = ask["loader"].replace("models.big", "models.coarse")
arrived = """new Promise((done) => {
  const timer = setInterval(() => window.answer && (clearInterval(timer), done(window.answer)), 100);
})"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page that is at work; its answer is asked for later."""

    context: BrowserContext
    page: Page
    expression: str

    def result(self) -> dict[str, float]:
        found: dict[str, float] = self.page.evaluate(self.expression)
        self.context.close()
        return found


def answer(browser: Browser, url: str, name: str) -> Waiting:
    context, page, _ = open_page(browser, slow_4g, 1)
    page.goto(f"{url}bare.html")
    page.evaluate("loaded")
    page.evaluate("tf.setBackend('cpu')")
    if name != "stock":
        page.evaluate("import('./cdn/loader.js').then(() => {})")  # the page's own script, there before the load event
    page.evaluate(f"() => {{ window.asked = ({ask[name]})(); }}")
    return Waiting(context, page, "asked")


def whole_page(browser: Browser, url: str, name: str) -> Waiting:
    context, page, _ = open_page(browser, slow_4g, 1)
    page.goto(f"{url}page-{name}.html", wait_until="commit")
    return Waiting(context, page, arrived)


use = """async () => {
  const { models } = await import("./cdn/loader.js");
  const handle = models.big.load();
  await handle.full;
  return handle.progress.wire;
}"""


def visit(context: BrowserContext, url: str) -> tuple[list[str], int]:
    """Open a page that loads the model; give the model's files that came over the network, and their bytes as sent."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on("Network.requestWillBeSent", lambda e: names.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: int(e["encodedDataLength"])}))
    session.send("Network.enable")
    page.goto(f"{url}none.html")
    page.evaluate(use)
    page.wait_for_timeout(500)  # for the last events
    page.close()
    found = {names[key].removeprefix(url): size for key, size in sizes.items() if "/assets/" in names.get(key, "")}
    return sorted(found), sum(found.values())


def visits(browser: Browser, folder: Path, url: str, repetitions: int) -> None:
    """Print what visits cost before and after a new training of the last layer."""
    rows = []
    for number in range(1, repetitions + 1):
        context = browser.new_context()
        _, first = visit(context, url)
        _, again = visit(context, url)
        retrain(folder, number)
        names, trained = visit(context, url)
        context.close()
        rows.append((first, again, trained))
        foreign = strangers(folder, names)
        retrain(folder, 0)
        if foreign:
            raise SystemExit(f"after the training of the last layer also came: {foreign}")
    first, again, trained = (statistics.median(values) for values in zip(*rows, strict=True))
    print(f"\nBytes of the model's files, {repetitions} repetitions, medians")
    print(f"  first visit {first:,.0f}; repeat visit {again:,.0f}")
    print(
        f"  after a new training of the last layer {trained:,.0f} ({trained / first:.3f}): its shards and the head only"
    )


def strangers(folder: Path, names: list[str]) -> list[str]:
    """Give the files among ``names`` that are neither a head nor hold any of the last layer."""
    index = read_index((folder / "cdn" / "loader.js").read_bytes())
    head_file = head_url("big", index.models["big"].head_sha256)
    head = read_head((folder / "cdn" / head_file).read_bytes())
    last = next(number for number, weight in enumerate(head.weights) if weight.name == f"w{layers - 1}")
    allowed = {head_file}
    for url, shard in zip(shard_urls("big", head), head.shards, strict=True):
        if any(segment.weight == last for segment in shard.segments):
            allowed.add(url)
    return sorted(set(names) - {f"cdn/{url}" for url in allowed})


def describe(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:9.0f} ms ({low:.0f} … {high:.0f})"


def measure_in_turn(measure: Any, names: list[str], repetitions: int) -> dict[str, list[dict[str, float]]]:
    """Measure the variants one after another in each repetition."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(repetitions):
        for name in names:
            found[name].append(measure(name))
    return found


def measure_together(
    start: Any, names: list[str], repetitions: int, together: int
) -> dict[str, list[dict[str, float]]]:
    """Measure several repetitions side by side; pages start one after another, so that none begins beside another."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for begin in range(0, repetitions, together):
        waiting = []
        for _ in range(min(together, repetitions - begin)):
            for name in names:
                waiting.append((name, start(name)))
                time.sleep(1)
        for name, one_page in waiting:
            found[name].append(one_page.result())
    return found


def show(title: str, found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians, spread, and ratios to the first variant (differences where that is zero)."""
    names = list(found)
    print(f"\n{title}, {len(found[names[0]])} repetitions: median (quartiles), against {names[0]}")
    for key in found[names[0]][0]:
        if key in ("error", "value", "kB", "index", "last"):
            continue
        base = statistics.median(run[key] for run in found[names[0]])
        for name in names:
            values = [run[key] for run in found[name]]
            middle = statistics.median(values)
            against = f"  x {middle / base:.3f}" if base and key != "TBT" else f"  {middle - base:+.0f} ms"
            print(f"  {key:6} {name:8} {describe(values)}{against if name != names[0] else ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=9)
    parts = ("all", "screen", "blocking", "answer", "page", "visits", "ladder")
    parser.add_argument("--part", choices=parts, default="all")
    parser.add_argument("--together", type=int, default=3, help="repetitions side by side where the network decides")
    parser.add_argument("--site", type=Path, help="folder to keep the pages in, for other runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.site or Path(temporary)).absolute()
        if not (folder / "cdn").exists() and options.part != "ladder":
            make_site(folder)
        if not (folder / "ladder").exists() and options.part in ("all", "ladder"):
            make_ladder_site(folder / "ladder")
        server = Server(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        if options.part != "ladder":
            tell_sizes(folder)
        try:
            if options.part != "ladder":
                with chromium() as browser:
                    run_parts(options, browser, folder, url)
            if options.part in ("all", "ladder"):
                with chromium(*graphics) as browser:
                    climb(options, browser, url)
        finally:
            server.shutdown()


def tell_sizes(folder: Path) -> None:
    """Print what the stock way and this one send."""
    wire = sum(p.stat().st_size for p in (folder / "stock").glob("*.br"))
    (code,) = (folder / "cdn").glob("tf.*.js.br")
    print(f"stock {wire / 1e6:.2f} MB as sent, {4 * width * width * layers / 1e6:.2f} MB of weights")
    sizes = [path.stat().st_size for path in (folder / "tf.min.js.br", code)]
    print(f"tf.min.js {sizes[0] / 1e3:.0f} kB as sent, built {sizes[1] / 1e3:.0f} kB ({sizes[1] / sizes[0]:.2f})")


def climb(options: argparse.Namespace, browser: Browser, url: str) -> None:
    """Measure the ladder; the pages draw, so none runs beside another."""

    def measure(name: str) -> dict[str, float]:
        context, page, _ = open_page(browser, slow_4g, 1)
        page.goto(f"{url}ladder/{name}/index.html", wait_until="commit")
        return Waiting(context, page, arrived).result()

    found = measure_in_turn(measure, list(variants), options.repetitions)
    show("MobileNetV2 on Slow 4G, from the first byte of the page to an answer", found)
    tell_ladder(found)


def run_parts(options: argparse.Namespace, browser: Browser, folder: Path, url: str) -> None:
    count, together = options.repetitions, options.together
    wanted = {"screen", "blocking", "answer", "page", "visits"} if options.part == "all" else {options.part}
    three = ["none", "loader", "stock"]
    if "screen" in wanted:
        show("Slow 4G, CPU / 4", measure_in_turn(lambda name: screen(browser, url, name), three, count))
    if "blocking" in wanted:
        found = measure_in_turn(lambda name: blocking(browser, url, name), three, count)
        show("14 MB fetched and made a model, CPU / 4", found)
    for part, title, start in (
        ("answer", "Slow 4G, TensorFlow.js ready, to an answer", answer),
        ("page", "Slow 4G, from the first byte of the page to an answer", whole_page),
    ):
        if part in wanted:
            names = ["stock", "loader", "small"]
            found = measure_together(lambda name, start=start: start(browser, url, name), names, count, together)
            show(title, found)
            for name, runs in found.items():
                print(f"  {name}: value {runs[-1]['value']:.6f}, first precision off by {runs[-1]['error']:.2e}")
    if "visits" in wanted:
        visits(browser, folder, url, count)


if __name__ == "__main__":
    main()
