"""What live video loses to models: ``python bench/ar.py [-n 3] [--backend webgl|wasm] [--network slow-4g]``.

Builds the four models of ``assets/pages/ar.html`` (``make examples`` first), each also as a stock copy, and opens that
page in headless Chromium with a fake camera that shows a real face. In every repetition once for each side:

- stock: a module in the loader's place that loads the stock files by ``tf.loadGraphModel`` and runs them on the page's
  thread, as pages do that have TensorFlow.js alone,
- page: this loader, on the page's thread, as it was before there was a worker,
- ours: this loader, with ``load({ thread: "worker" })``, which is what the page asks for.

The rest of the page is the same, as is what takes frames and makes inputs and answers, and so are the order of the
models and the moment of the first byte: a page that loads the stock way at its start pays with its first screen, see
``bench/first_screen.py``. ``--backend`` is that of all sides. From the click: how soon the first face was found, all
four models had looked at one frame, and all had full precision. Until all four have looked (all shaders are compiled
then, on all sides) and for ``--seconds`` after that: p50 and p95 between the screen's frames and of looking at one,
long tasks on the page's thread, and the share of the camera's frames that nobody looked at. Medians of all
repetitions. WebGL is drawn by the processor here, in the process that also draws the page, so read ratios, not frames
a second.
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
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import brotli
from PIL import Image

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "bench")]

from playwright.sync_api import Browser, Page  # noqa: E402
from slow_line import serve  # noqa: E402

from builder.config.tables import load_config  # noqa: E402
from builder.pipeline.report.networks import networks  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402

names = ("face", "mesh", "emotion", "pose")
patience = 600_000
drawing = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")

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
  Tracker.prototype.look = async function (found) {
    // The faces of a frame are found before the rest of it is looked at.
    const begun = performance.now() - found.ms;
    const seen = await look.call(this, found);
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
import { prepared } from "./backend.js";
let bring;
export const configure = ({ tf = bring }) => { bring = tf; };
const open = () => (stock.tf ??= bring().then(prepared));
const stock = {};
const lazy = (name) => import(`/templates/modules/${name}.js`);
const entry = ({ url, head, wireBytes }) => ({
  wireBytes,
  load({ onProgress } = {}) {
    const fetched = async () => {
      const tf = await open();
      const model = await tf.loadGraphModel(new URL(url, import.meta.url).href);
      onProgress?.({ loaded: 1, total: 1, phase: "full" });
      return model;
    };
    const ready = fetched();
    const answers = lazy("answers");
    lazy(head.answer.kind);
    const run = async (given, options = {}) =>
      (await answers).run({ tf: await open(), model: await ready, head }, given, options, lazy, Error);
    const handle = { ready, full: ready, run, progress: { phase: "full" } };
    const life = { state: "waiting", promise: new Promise(() => {}) };
    handle.frames = async function* (video, options) {
      yield* (await lazy("frames")).run(handle, video, options, life);
    };
    return handle;
  },
});
export const models = Object.fromEntries(Object.entries(STOCK).map(([name, facts]) => [name, entry(facts)]));
"""
# This project's loader, with a backend and a thread of the bench's.
our_loader = """
import { prepared } from "./backend.js";
import { configure as set, models as built } from "./own.js";
export * from "./own.js";
export const configure = ({ tf, ...options }) =>
  set({ ...options, ...(tf && { tf: () => tf().then(prepared), workerTf: new URL("backend.js", import.meta.url) }) });
const own = (entry) => {
  const load = (options) => entry.load({ ...options, thread: THREAD });
  return new Proxy(entry, { get: (_, key) => (key === "load" ? load : Reflect.get(entry, key, entry)) });
};
export const models = Object.fromEntries(Object.entries(built).map(([name, entry]) => [name, own(entry)]));
"""
# What makes TensorFlow.js ready, on every side; in a worker it also brings it.
backend_module = """
const bring = (name) => import(new URL(`../../node_modules/@tensorflow/${name}`, import.meta.url).href);
export async function prepared(tf) {
  if (BACKEND === "wasm") {
    await bring("tfjs-backend-wasm/dist/tf-backend-wasm.min.js");
    tf.wasm.setWasmPaths(new URL("../../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url).href);
  }
  if (!(await tf.setBackend(BACKEND))) throw new Error(`There is no backend ${BACKEND}`);
  await tf.ready();
  return tf;
}
const isWorker = !globalThis.document;
if (isWorker) await bring("tfjs/dist/tf.min.js");
export default isWorker ? await prepared(globalThis.tf) : undefined;
"""
wasm = "tfjs-backend-wasm/dist/"
runtime_files = (
    "tfjs/dist/tf.min.js",
    *(f"{wasm}{name}" for name in ("tf-backend-wasm.min.js", "tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm")),
)


def make_site(folder: Path, backend: str) -> None:
    """Build bundle and stock copies; ``stock``, ``page`` and ``ours`` have the same pages and another loader.js."""
    build_bundle(folder, names, 'compat = "float32"')
    manifest = json.loads((folder / "dist" / "manifest.json").read_text())["models"]
    facts = {}
    for name in names:
        files = manifest[name]["compat"]
        (url,) = (file["url"] for file in files if file["url"].endswith(".json"))
        whole = json.loads((folder / "dist" / "cdn" / manifest[name]["head"]["url"]).read_text())
        head = {key: whole[key] for key in ("answer", "picture", "labels") if key in whole}
        facts[name] = {"url": url, "head": head, "wireBytes": sum(f["bytes"] for f in files)}
    for side in ("page", "ours"):
        make_own_side(folder, side, backend)
    cdn = make_side(folder, "stock", backend)
    (cdn / "loader.js").write_text(stock_loader.replace("STOCK", json.dumps(facts)))
    for file in (file for name in names for file in manifest[name]["compat"]):
        write_compressed(cdn / file["url"], (folder / "dist" / "cdn" / file["url"]).read_bytes())


def build_bundle(folder: Path, names: Iterable[str], *more: str) -> None:
    """Build some of the example models, with more lines in each one's table, into ``folder/dist``."""
    # What was asked for goes on while a model's first run blocks the page; of small files that is little.
    config = [f'[build]\nout = "dist"\nshard_bytes = "1 MiB"\ncache = {json.dumps(str(root / ".shardpress"))}']
    models = load_config(root / "build.toml").models
    written = (root / "build.toml").read_text(encoding="utf-8")
    for name in names:
        table = written.split(f"[models.{name}]")[1].split("\n[")[0]
        kept = [line for line in table.splitlines() if line.startswith(("answer", "picture"))]
        paths = {"source": models[name].source, "labels": models[name].labels}
        lines = [f"{key} = {json.dumps(str(root / path))}" for key, path in paths.items() if path]
        config.append("\n".join([f"[models.{name}]", 'load = "visible"', *more, *lines, *kept]))
    (folder / "build.toml").write_text("\n".join(config))
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--fast", "-q"]
    subprocess.run(command, cwd=folder, check=True)


def make_side(folder: Path, side: str, backend: str) -> Path:
    """Put the pages and TensorFlow.js into a folder of a side's own; give the one that its loader belongs into."""
    place = folder / side
    cdn = place / "dist" / "cdn"
    cdn.mkdir(parents=True)
    for name in ("assets", "templates"):
        (place / name).symlink_to(root / name)
    for file in runtime_files:
        path = Path("node_modules", "@tensorflow", file)
        write_compressed(place / path, (root / path).read_bytes())
    (place / "dist" / "manifest.json").symlink_to(folder / "dist" / "manifest.json")
    (cdn / "backend.js").write_text(backend_module.replace("BACKEND", json.dumps(backend)))
    return cdn


def make_own_side(folder: Path, side: str, backend: str) -> None:
    """Make a side with this project's loader, in its worker (``ours``) or on the page's thread (``page``)."""
    cdn = make_side(folder, side, backend)
    for path in (folder / "dist" / "cdn").iterdir():
        (cdn / ("own.js" if path.name == "loader.js" else path.name)).symlink_to(path)
    thread = json.dumps("worker" if side == "ours" else "page")
    (cdn / "loader.js").write_text(our_loader.replace("THREAD", thread))


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


def open_page(browser: Browser) -> Page:
    """Open an empty page that will note what happens."""
    context = browser.new_context(permissions=["camera"], viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.set_default_timeout(patience)
    page.add_init_script(record)
    return page


def measure(browser: Browser, url: str, options: argparse.Namespace) -> dict[str, float]:
    """Open the page once and give its figures."""
    page = open_page(browser)
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
    page.context.close()
    looks = log["looks"]
    figures = {
        "first face, ms": next(looked for _, looked, count, _ in looks if count) - begun,
        "all four seen, ms": next(looked for _, looked, _, every in looks if every) - begun,
        "full precision, ms": full - begun,
    }
    for phase, start, stop in (("during", begun, settled), ("after", settled, end), ("in all", begun, end)):
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


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians side by side, and of each side but the first its share of the first."""
    first, *others = found
    heads = [f"{name} / {first}" for name in others]
    print(f"{'':26}" + "".join(f"{name:>10}" for name in found) + "".join(f"{head:>14}" for head in heads))
    for key in found[first][0]:
        medians = {name: statistics.median(run[key] for run in runs) for name, runs in found.items()}
        shares = [f"{medians[name] / medians[first]:.2f}" if medians[first] else "" for name in others]
        print(
            f"{key:26}" + "".join(f"{value:10.0f}" for value in medians.values()) + "".join(f"{x:>14}" for x in shares)
        )


def arguments(description: str | None, sides: tuple[str, ...], backend: str) -> argparse.ArgumentParser:
    """Give the options that benches of pages share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--repetitions", type=int, default=3)
    parser.add_argument("--sides", nargs="+", default=list(sides), choices=sides)
    parser.add_argument("--backend", default=backend, choices=["webgl", "wasm"])
    parser.add_argument("--network", default="", choices=["", *(network.name for network in networks())])
    return parser


def main() -> None:
    """Measure all sides in turn."""
    parser = arguments(__doc__, ("stock", "page", "ours"), "webgl")
    parser.add_argument("--seconds", type=float, default=10, help="how long to watch after the load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_site(folder, options.backend)
        write_clip(folder / "face.mjpeg")
        servers = {name: serve(folder / name, options.network) for name in options.sides}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={folder / 'face.mjpeg'}")
        try:
            for _ in range(options.repetitions):
                for name, server in servers.items():
                    # A browser of its own each time: shaders that one has compiled must not serve the other.
                    with chromium(*drawing, *camera) as browser:
                        url = f"http://127.0.0.1:{server.server_address[1]}/"
                        found[name].append(measure(browser, url, options))
        finally:
            for server in servers.values():
                server.shutdown()
    report(found)


if __name__ == "__main__":
    main()
