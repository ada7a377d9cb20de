"""What ``first_screen.py --part ladder`` measures: the classify example to its first and to its last answer.

The same picture is classified by the stock way (tf.min.js, and ``loadGraphModel`` of what tensorflowjs_converter makes
of the same MobileNetV2), by the last rung alone (``alone``: as the example was before it had a ladder) and by the
ladder as build.toml has it. Ours bring their own TensorFlow.js and the pinned lines of preload.html, load = "now".
All draw with WebGL, which a processor does here, and all come from one server. An answer counts when its numbers are
there: ``first`` is the first one, ``final`` the first one of the last rung at full precision. As the example page
does, the ladder's answers again when the last rung takes over; ``alone`` answers first with the same weights.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brotli

root = Path(__file__).resolve().parents[1]
graphics = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
variants = ("stock", "alone", "ladder")
paths = ("source", "labels")

page = """<!doctype html><html lang="en"><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
HEAD
<h1>What is in this picture?</h1><img id="picture" src="../picture.jpg" width="451" height="300" alt="">
<script type="module">
const picture = document.querySelector("#picture");
const [opened] = performance.getEntriesByType("navigation");
const since = () => performance.now() - opened.responseStart;
const came = () => {
  const now = performance.now();
  const entries = performance.getEntriesByType("resource").filter((one) => one.responseEnd && one.responseEnd <= now);
  return [opened, ...entries].reduce((sum, one) => sum + one.transferSize, 0);
};
BODY
</script></html>
"""
stock_body = """
const model = await tf.loadGraphModel("./model.json");
await picture.decode();
const probs = tf.tidy(() => {
  const pixels = tf.browser.fromPixels(picture);
  const [height, width] = pixels.shape;
  const side = Math.min(height, width);
  const square = pixels.slice([(height - side) >> 1, (width - side) >> 1, 0], [side, side, 3]);
  return model.execute(tf.image.resizeBilinear(square, [224, 224]).div(255).expandDims());
});
const values = await probs.data();
const first = since();
const index = values.indexOf(Math.max(...values));
window.answer = { first, final: first, kB: came() / 1000, index, last: index };
"""
our_body = """
const { models } = await import("./cdn/LOADER");
const handle = models.classify.load();
await picture.decode();
const { index } = await handle.run(picture);
const [first, bytes] = [since(), came()];
if (handle.rung === 1) {
  await handle.until("rung:2");
  await handle.run(picture);
}
await handle.full;
const { index: last } = await handle.run(picture);
window.answer = { first, final: since(), kB: bytes / 1000, index, last };
"""


def toml(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml(item)}' for key, item in value.items())} }}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def absolute(table: Mapping[str, Any]) -> dict[str, Any]:
    """Give a table of build.toml with paths that hold in any folder."""
    table = {key: str(root / value) if key in paths else value for key, value in table.items()}
    if "verify" in table:
        table["verify"] = {**table["verify"], "inputs": str(root / table["verify"]["inputs"])}
    return table


def settings(variant: str) -> str:
    """Give the build.toml of a variant: the example's own table, and for ``alone`` that of its last rung."""
    table = absolute(tomllib.loads((root / "build.toml").read_text())["models"]["classify"])
    rungs = [absolute(rung) for rung in table.pop("ladder")]
    for budget in ("budget", "first_budget"):
        table.pop(budget, None)
    table |= {"ladder": rungs} if variant == "ladder" else rungs[-1]
    lines = ["[build]", f"cache = {toml(str(root / '.shardpress'))}"]  # most is there after `make build`
    lines += ["[runtime]", "build = true", 'backends = ["webgl", "cpu"]', "[models.classify]"]
    lines += [f"{key} = {toml(value)}" for key, value in {**table, "load": "now"}.items()]
    return "\n".join(lines) + "\n"


def pack(path: Path) -> None:
    """Put a brotli copy beside a file."""
    path.with_name(path.name + ".br").write_bytes(brotli.compress(path.read_bytes(), quality=11))


def make_stock(folder: Path) -> None:
    """Convert the last rung with the stock converter."""
    last = tomllib.loads((root / "build.toml").read_text())["models"]["classify"]["ladder"][-1]["source"]
    converter = [sys.executable, str(root / "bench" / "stock_converter.py"), "--input_format=tf_saved_model"]
    command = [*converter, "--output_format=tfjs_graph_model", str(root / last), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copy(root / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js", folder)
    for path in list(folder.iterdir()):
        pack(path)
    text = page.replace("HEAD", '<script src="tf.min.js"></script>').replace("BODY", stock_body)
    (folder / "index.html").write_text(text)


def make_ours(folder: Path, variant: str) -> None:
    """Build a variant with its own TensorFlow.js."""
    folder.mkdir(exist_ok=True)
    (folder / "build.toml").write_text(settings(variant))
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to((root / "node_modules").resolve())
    command = [sys.executable, str(root / "build.py"), "--config", "build.toml", "--out", "dist", "-q"]
    subprocess.run(command, cwd=folder, check=True)
    shutil.rmtree(folder / "cdn", ignore_errors=True)
    shutil.copytree(folder / "dist" / "cdn", folder / "cdn")
    (loader,) = (path.name for path in (folder / "cdn").glob("loader.*.js"))
    pack(folder / "cdn" / loader)
    pinned = (folder / "dist" / "preload.html").read_text().split("<!--")[2].split("-->")[1]
    text = page.replace("HEAD", pinned.replace("BASE", "cdn").strip()).replace("BODY", our_body)
    (folder / "index.html").write_text(text.replace("LOADER", loader))


def make_ladder_site(folder: Path) -> None:
    """Write all three pages and what they fetch below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "assets" / "pages" / "pictures" / "chelsea.jpg", folder / "picture.jpg")
    make_stock(folder / "stock")
    for variant in variants[1:]:
        make_ours(folder / variant, variant)


def tell_ladder(found: Mapping[str, list[dict[str, float]]]) -> None:
    """Print what the goals are about: the first answer against stock, and the last one against the model alone."""
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in ("first", "final", "kB")}
        for name, runs in found.items()
    }
    ladder, alone, stock = (middle[name] for name in ("ladder", "alone", "stock"))
    sizes = ", ".join(f"{name} {one['kB']:.0f} kB" for name, one in middle.items())
    print(f"  bytes to the first answer: {sizes}")
    first = (f"{name} {one['first'] / stock['first']:.3f}" for name, one in (("ladder", ladder), ("alone", alone)))
    print(f"  first answer of stock: {', '.join(first)}")
    print(f"  last answer of alone: ladder {ladder['final'] / alone['final']:.3f}")
    for name, runs in found.items():
        print(f"  {name}: class {runs[-1]['index']} at first, {runs[-1]['last']} at last")
