"""What models cost a page: ``python bench/first_screen.py [-n 9] [--part screen|blocking|answer|all]``.

Makes a model of 14 MB of float32 weights, builds it, and opens pages in headless Chromium, all variants in turn in
every repetition. It prints medians, the spread (lower and upper quartile), and ratios of medians from the same run.

- screen: first and largest contentful paint with Slow 4G and a CPU four times slower; no model, a model by this loader
  (``idle``), and the stock way (tf.min.js and ``loadGraphModel`` at the start of the page).
- blocking: total blocking time while all 14 MB are fetched, checked and decoded, CPU as above, no network limit.
- answer: from the page's load event, TensorFlow.js ready, to the first answer and to the final precision, Slow 4G, for
  the stock way, this loader (``exact``) and the precision ``small``; then bytes of a repeat visit. One repetition takes
  about three minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import brotli
import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page  # noqa: E402

from tests.browsing import chromium  # noqa: E402

width, layers = 709, 7  # 3.52 M weights
slow_4g = {"offline": False, "latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}
no_limit = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
types = {".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".png": "image/png"}

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
bring = """const bring = () => new Promise((done, fail) => document.head.append(
  Object.assign(document.createElement("script"),
    { src: "tf.min.js", onload: () => done(window.tf), onerror: fail })));"""
one = f"const run = (tf, model) => tf.tidy(() => model.execute(tf.ones([1, {width}])).dataSync()[0]);"
heads = {
    "none": "",
    "loader": "",
    "stock": f"""<script src="tf.min.js"></script><script>{one}
tf.loadGraphModel("stock/model.json").then((model) => {{ window.answer = [run(tf, model), performance.now()]; }});
</script>""",
    "bare": '<script src="tf.min.js"></script>',
}


feet = {
    "loader": f"""<script type="module">
if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done));
const {{ configure, observe }} = await import("./cdn/loader.js");
{bring} {one}
configure({{ tf: bring }});
const [handle] = observe(document);
handle.ready.then(async (model) => {{ window.answer = [run(await tf, model), performance.now()]; }});
</script>""",
}


def write_model(folder: Path) -> Path:
    """Write a chain of matrix products in the stock form, in shards of 4 MB as the stock converter does."""
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
        content += (generator.normal(size=(width, width)) / np.sqrt(width)).astype(np.float32).tobytes()
        specs.append({"name": name, "shape": [width, width], "dtype": "float32"})
        nodes.append({"name": name, "op": "Const", "attr": {"dtype": kind}})
        inputs = [nodes[-2]["name"] if i == 0 else f"m{i - 1}", name]
        flags = {"transpose_a": {"b": False}, "transpose_b": {"b": False}, "T": kind}
        nodes.append({"name": f"m{i}", "op": "MatMul", "input": inputs, "attr": flags})
    folder.mkdir(parents=True)
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


def make_site(folder: Path) -> None:
    """Write all pages, the bundle, the stock model and TensorFlow.js, everything with brotli beside it."""
    source = write_model(folder / "stock")
    (folder / "build.toml").write_text(
        f'[models.big]\nsource = {json.dumps(str(source))}\nload = "idle"\n'
        f'[models.coarse]\nsource = {json.dumps(str(source))}\nload = "manual"\nprecision = "small"\n'
    )
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--out", "dist", "-q"]
    subprocess.run(command, cwd=folder, check=True)
    (folder / "dist" / "cdn").rename(folder / "cdn")
    tfjs = root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
    (folder / "tf.min.js").write_bytes(tfjs.read_bytes())
    (folder / "picture.png").write_bytes(picture())
    for name, head in heads.items():
        (folder / f"{name}.html").write_text(
            html.replace("HEAD", head).replace("FOOT", feet.get(name, "")).replace("TEXT", "More text. " * 40)
        )
    for path in [folder / "tf.min.js", *(folder / "stock").iterdir(), folder / "cdn" / "loader.js"]:
        path.with_name(path.name + ".br").write_bytes(brotli.compress(path.read_bytes(), quality=9))


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
        self.send_header("Cache-Control", "no-cache" if path.suffix == ".html" else "max-age=31536000")
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


def screen(browser: Browser, url: str, name: str) -> dict[str, float]:
    context, page, _ = open_page(browser, slow_4g, 4)
    page.goto(f"{url}{name}.html", wait_until="commit")
    page.evaluate("loaded")
    page.wait_for_timeout(3000)
    paints = page.evaluate("paints")
    context.close()
    return {"FCP": paints["first-contentful-paint"], "LCP": paints["largest-contentful-paint"]}


fetch_all = {
    "none": "async () => { await new Promise((done) => setTimeout(done, 1500)); }",
    "loader": """async () => {
      const { models } = await import("./cdn/loader.js");
      const { weightData } = await models.big.ioHandler().load();
      window.bytes = weightData.reduce((sum, { byteLength }) => sum + byteLength, 0);
    }""",
}


def blocking(browser: Browser, url: str, name: str) -> dict[str, float]:
    context, page, _ = open_page(browser, no_limit, 4)
    page.goto(f"{url}none.html")
    page.evaluate("loaded")
    page.wait_for_timeout(500)
    start = page.evaluate("performance.now()")
    page.evaluate(fetch_all[name])
    page.wait_for_timeout(200)
    tasks = page.evaluate("long")
    if name == "loader" and page.evaluate("bytes") != 4 * width * width * layers:
        raise SystemExit("the loader gave other bytes")
    context.close()
    return {"TBT": sum(max(0.0, duration - 50) for at, duration in tasks if at >= start)}


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


def answer(browser: Browser, url: str, name: str) -> dict[str, float]:
    context, page, session = open_page(browser, slow_4g, 1)
    page.goto(f"{url}bare.html")
    page.evaluate("loaded")
    page.evaluate("tf.setBackend('cpu')")
    if name != "stock":
        page.evaluate("import('./cdn/loader.js').then(() => {})")  # the page's own script, there before the load event
    result: dict[str, float] = page.evaluate(ask[name])
    if name != "stock":
        received: list[float] = []
        page.close()
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", lambda event: note(event, received))
        page.goto(f"{url}bare.html")
        page.evaluate("tf.setBackend('cpu')")
        page.evaluate(ask[name])
        result["repeat"] = float(len(received))
    context.close()
    return result


def note(event: Any, received: list[float]) -> None:
    if "/assets/" in event["response"]["url"]:
        received.append(1.0)


def describe(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:9.0f} ms ({low:.0f} … {high:.0f})"


def compare(title: str, measure: Any, names: list[str], browser: Browser, url: str, repetitions: int) -> dict[str, Any]:
    """Measure the variants in turn; print medians, spread, and ratios to the first variant."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(repetitions):
        for name in names:
            found[name].append(measure(browser, url, name))
    print(f"\n{title}, {repetitions} repetitions: median (quartiles), ratio to {names[0]}")
    for key in found[names[0]][0]:
        if key in ("error", "value", "repeat"):
            continue
        base = statistics.median(run[key] for run in found[names[0]])
        for name in names:
            values = [run[key] for run in found[name]]
            ratio = f"  x {statistics.median(values) / base:.3f}" if base and name != names[0] else ""
            print(f"  {key:6} {name:8} {describe(values)}{ratio}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=9)
    parser.add_argument("--part", choices=("all", "screen", "blocking", "answer"), default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_site(folder)
        server = Server(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        wire = sum(p.stat().st_size for p in (folder / "stock").glob("*.br"))
        print(f"stock {wire / 1e6:.2f} MB as sent, {4 * width * width * layers / 1e6:.2f} MB of weights")
        try:
            with chromium() as browser:
                run_parts(options.part, browser, url, options.repetitions)
        finally:
            server.shutdown()


def run_parts(part: str, browser: Browser, url: str, repetitions: int) -> None:
    if part in ("all", "screen"):
        compare("Slow 4G, CPU / 4", screen, ["none", "loader", "stock"], browser, url, repetitions)
    if part in ("all", "blocking"):
        compare("14 MB fetched and decoded, CPU / 4", blocking, ["none", "loader"], browser, url, repetitions)
    if part in ("all", "answer"):
        found = compare("Slow 4G, to an answer", answer, ["stock", "loader", "small"], browser, url, repetitions)
        for name, runs in found.items():
            print(f"  {name}: value {runs[-1]['value']:.6f}, base precision off by {runs[-1]['error']:.2e}")
        print(f"  model files asked for at the second visit: {max(run['repeat'] for run in found['loader']):.0f}")


if __name__ == "__main__":
    main()
