"""What live video loses while models load: ``python bench/ar.py [-n 3] [--seconds 10] [--network slow-4g] [--cpu 1]``.

Builds the four models of ``assets/pages/ar.html`` (``make examples`` first), each also as a stock copy, and opens that
page in headless Chromium with a fake camera that shows a real face. Twice in every repetition: with this project's
loader, and with a module in its place that loads the stock files by ``tf.loadGraphModel``. The rest of the page is
the same, as is what makes inputs and answers of pictures and outputs, and so are the order of the models and the
moment of the first byte: a page that loads the stock way at its start pays with its first screen, see
``bench/first_screen.py``. From the click: how soon the first face was found, all four models had looked at one frame,
and all had full precision. Until all four have looked (all shaders are compiled then, on both sides) and for
``--seconds`` after that: p50 and p95 between the screen's frames and of looking at one, long tasks, and the share of
the camera's frames that nobody looked at. Medians of all repetitions. WebGL is drawn by the processor here, so read
ratios, not frames a second.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import brotli
from PIL import Image

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

from first_screen import Handler, Server  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402

from builder.config.tables import load_config  # noqa: E402
from builder.pipeline.report.networks import networks  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402

names = ("face", "mesh", "emotion", "pose")
patience = 600_000

record = """
window.log = { screen: [], long: [], camera: [], looks: [] };
new PerformanceObserver((list) => {
  log.long.push(...list.getEntries().map((entry) => [entry.startTime, entry.duration]));
}).observe({ type: "longtask", buffered: true });
const tick = (time) => { log.screen.push(time); requestAnimationFrame(tick); };
requestAnimationFrame(tick);
const { requestVideoFrameCallback } = HTMLVideoElement.prototype;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (tell) {
  return requestVideoFrameCallback.call(this, (now, frame) => {
    log.camera.push([performance.now(), frame.presentedFrames]);
    tell(now, frame);
  });
};
"""
watch = """async () => {
  const { Tracker } = await import("./ar-tracker.js");
  const { look } = Tracker.prototype;
  Tracker.prototype.look = async function (...given) {
    const begun = performance.now();
    const seen = await look.apply(this, given);
    const all = Boolean(seen.mesh && seen.emotion && seen.pose);
    log.looks.push([begun, performance.now(), seen.faces.length, all]);
    return seen;
  };
  window.begun = performance.now();
  document.querySelector("#camera").click();
}"""
loaded = "document.querySelectorAll('#parts [data-state=full]').length === 4 && performance.now()"
all_seen = "log.looks.some(([, , , all]) => all)"

stock_loader = """
let bring;
export const configure = ({ tf = bring }) => { bring = tf; };
const lazy = (name) => import(`/templates/modules/${name}.js`);
const entry = ({ url, head, wireBytes }) => ({
  wireBytes,
  load({ onProgress } = {}) {
    const open = async () => {
      const tf = await bring();
      const model = await tf.loadGraphModel(new URL(url, import.meta.url).href);
      onProgress?.({ loaded: 1, total: 1, phase: "full" });
      return model;
    };
    const ready = open();
    const answers = lazy("answers");
    lazy(head.answer.kind);
    const run = async (given, options = {}) =>
      (await answers).run({ tf: await bring(), model: await ready, head }, given, options, lazy, Error);
    return { ready, full: ready, run, progress: { phase: "full" } };
  },
});
export const models = Object.fromEntries(Object.entries(STOCK).map(([name, facts]) => [name, entry(facts)]));
"""


def make_site(folder: Path) -> None:
    """Build bundle and stock copies; ``ours`` and ``stock`` have the same pages and another loader.js."""
    # What was asked for goes on while a model's first run blocks the page; of small files that is little.
    config = [f'[build]\nout = "dist"\nshard_bytes = "1 MiB"\ncache = {json.dumps(str(root / ".shardpress"))}']
    models = load_config(root / "build.toml").models
    written = (root / "build.toml").read_text(encoding="utf-8")
    for name in names:
        table = written.split(f"[models.{name}]")[1].split("\n[")[0]
        kept = [line for line in table.splitlines() if line.startswith(("answer", "picture"))]
        more = {"source": models[name].source, "labels": models[name].labels}
        paths = [f"{key} = {json.dumps(str(root / path))}" for key, path in more.items() if path]
        config.append("\n".join([f"[models.{name}]", 'load = "visible"', 'compat = "float32"', *paths, *kept]))
    (folder / "build.toml").write_text("\n".join(config))
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--fast", "-q"]
    subprocess.run(command, cwd=folder, check=True)
    manifest = json.loads((folder / "dist" / "manifest.json").read_text())["models"]
    facts = {}
    for name in names:
        files = manifest[name]["compat"]
        (url,) = (file["url"] for file in files if file["url"].endswith(".json"))
        whole = json.loads((folder / "dist" / "cdn" / manifest[name]["head"]["url"]).read_text())
        head = {key: whole[key] for key in ("answer", "picture", "labels") if key in whole}
        facts[name] = {"url": url, "head": head, "wireBytes": sum(f["bytes"] for f in files)}
    for variant in ("ours", "stock"):
        place = folder / variant
        (place / "dist").mkdir(parents=True)
        for name in ("assets", "templates"):
            (place / name).symlink_to(root / name)
        runtime = Path("node_modules", "@tensorflow", "tfjs", "dist", "tf.min.js")
        write_compressed(place / runtime, (root / runtime).read_bytes())
        (place / "dist" / "manifest.json").symlink_to(folder / "dist" / "manifest.json")
    (folder / "ours" / "dist" / "cdn").symlink_to(folder / "dist" / "cdn")
    cdn = folder / "stock" / "dist" / "cdn"
    cdn.mkdir()
    (cdn / "loader.js").write_text(stock_loader.replace("STOCK", json.dumps(facts)))
    for file in (file for name in names for file in manifest[name]["compat"]):
        write_compressed(cdn / file["url"], (folder / "dist" / "cdn" / file["url"]).read_bytes())


def write_compressed(path: Path, content: bytes) -> None:
    """Write a file and its brotli copy, which is what the server sends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_name(path.name + ".br").write_bytes(brotli.compress(content, quality=5))


def write_clip(path: Path) -> None:
    """Write a short film of a real face that sways to and fro: JPEG files in a row."""
    with Image.open(root / "assets" / "samples" / "astronaut.png") as file:
        photo = file.convert("RGB")
    frames = io.BytesIO()
    for number in range(24):
        left = 40 + 2 * abs(number - 12)
        piece = photo.crop((left, 0, left + 400, 300)).resize((640, 480), Image.Resampling.BILINEAR)
        piece.save(frames, "JPEG", quality=92)
    path.write_bytes(frames.getvalue())


def measure(browser: Browser, url: str, options: argparse.Namespace) -> dict[str, float]:
    """Open the page once and give its figures."""
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(patience)
    page.add_init_script(record)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    for network in networks():
        if network.name == options.network:
            limits = {"latency": 1000 * network.latency, "downloadThroughput": network.rate, "uploadThroughput": -1}
            session.send("Network.emulateNetworkConditions", {"offline": False, **limits})
    session.send("Emulation.setCPUThrottlingRate", {"rate": options.cpu})
    page.goto(f"{url}assets/pages/ar.html?lang=en", timeout=patience)
    page.wait_for_selector("#parts [data-state=waiting]")
    page.evaluate(watch)
    begun = page.evaluate("begun")
    full = page.wait_for_function(loaded).json_value()
    # Both have then compiled the same shaders, whenever it was.
    page.wait_for_function(all_seen)
    settled = page.evaluate("performance.now()")
    page.wait_for_timeout(1000 * options.seconds)
    end = page.evaluate("performance.now()")
    log = page.evaluate("log")
    context.close()
    looks = log["looks"]
    figures = {
        "first face, ms": next(looked for _, looked, count, _ in looks if count) - begun,
        "all four seen, ms": next(looked for _, looked, _, every in looks if every) - begun,
        "full precision, ms": full - begun,
    }
    for phase, start, stop in (("during", begun, settled), ("after", settled, end)):
        figures |= {f"{phase}: {key}": value for key, value in describe(log, start, stop).items()}
    return figures


def describe(log: dict[str, Any], start: float, stop: float) -> dict[str, float]:
    """Give the figures of a span of time."""
    screen = [time for time in log["screen"] if start <= time <= stop]
    gaps = [behind - before for before, behind in itertools.pairwise(screen)]
    long = [duration for time, duration in log["long"] if start <= time <= stop]
    camera = [count for time, count in log["camera"] if start <= time <= stop]
    looks = [done - begun for begun, done, *_ in log["looks"] if start <= begun <= stop]
    came = camera[-1] - camera[0] + 1 if camera else 0
    return {
        "screen p50, ms": quantile(gaps, 0.5),
        "screen p95, ms": quantile(gaps, 0.95),
        "look p50, ms": quantile(looks, 0.5),
        "look p95, ms": quantile(looks, 0.95),
        "long tasks": len(long),
        "long tasks, ms": sum(long),
        "frames dropped, %": 100 * (1 - min(1.0, len(looks) / came)) if came else 0.0,
    }


def quantile(values: list[float], share: float) -> float:
    """Give a quantile, zero of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def serve(folder: Path) -> Server:
    """Serve a folder on a free port."""
    server = Server(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians side by side."""
    print(f"{'':26}{'stock':>10}{'ours':>10}{'ours / stock':>14}")
    for key in found["ours"][0]:
        stock, ours = (statistics.median(run[key] for run in found[name]) for name in ("stock", "ours"))
        print(f"{key:26}{stock:10.0f}{ours:10.0f}{f'{ours / stock:.2f}' if stock else '':>14}")


def main() -> None:
    """Measure both variants in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="how long to watch after the load")
    parser.add_argument("--network", default="", choices=["", *(network.name for network in networks())])
    parser.add_argument("--cpu", type=int, default=1, help="how many times slower than this machine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_site(folder)
        write_clip(folder / "face.mjpeg")
        servers = {name: serve(folder / name) for name in ("stock", "ours")}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        switches = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--use-fake-device-for-media-stream")
        try:
            for _ in range(options.repetitions):
                for name, server in servers.items():
                    # A browser of its own each time: shaders that one has compiled must not serve the other.
                    with chromium(*switches, f"--use-file-for-fake-video-capture={folder / 'face.mjpeg'}") as browser:
                        url = f"http://127.0.0.1:{server.server_address[1]}/"
                        found[name].append(measure(browser, url, options))
        finally:
            for server in servers.values():
                server.shutdown()
    report(found)


if __name__ == "__main__":
    main()
