"""How well a page foretells its runs: ``python bench/device.py [--slower 1 4 12] [--frame 33] [--backend wasm]``.

Builds MobileNetV2's form (weights of one value) as a ladder, a third of the width on small pictures first, with
``frame_ms``, and opens it in headless Chromium on processors made slower by the DevTools protocol. A page runs the
first rung ten times. Told are what ``plan()`` foretells then, what of the ladder the page fetched, and what a run of
each rung takes when it is loaded whole and timed by itself, the median of seven.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root)]

from builder.cli.main import main as command  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.mobilenets import write_mobilenet  # noqa: E402
from tests.helpers.serving import serve  # noqa: E402

packages = root / "node_modules" / "@tensorflow"
rungs = {"what-rung1": {"width": 0.35, "side": 128}, "what-rung2": {"width": 0.5}, "what": {"width": 1.0}}

climb = """async (backend) => {
  if (backend === "wasm") tf.wasm.setWasmPaths("wasm/");
  await tf.setBackend(backend);
  const { models, configure } = await import("./models/loader.js");
  const told = [];
  configure({ onEvent: ({ type, rung, why }) => type === "plan" && told.push(`rung ${rung}: ${why}`) });
  const handle = models.what.load();
  const canvas = new OffscreenCanvas(224, 224);
  canvas.getContext("2d").fillRect(0, 0, 224, 224);
  await handle.ready;
  for (let i = 0; handle.rung === 1 && i < 10; i++) await handle.run(canvas);
  await handle.full;
  return { rung: handle.rung, told, steps: await models.what.plan() };
}"""

time = """async ([backend, names]) => {
  if (backend === "wasm") tf.wasm.setWasmPaths("wasm/");
  await tf.setBackend(backend);
  const { models } = await import("./models/loader.js");
  const found = {};
  for (const name of names) {
    const model = await tf.loadGraphModel(models[name].ioHandler());
    const input = tf.zeros(model.inputs[0].shape);
    const times = [];
    for (let i = 0; i < 9; i++) {
      const start = performance.now();
      const answer = model.predict(input);
      await answer.data();
      answer.dispose();
      times.push(performance.now() - start);
    }
    found[name] = times.slice(2).sort((one, other) => one - other)[3];
    tf.dispose([model, input]);
  }
  return found;
}"""


def build(folder: Path, frame: float) -> Path:
    """Build the ladder, and return the folder of a site that has it."""
    for name, form in rungs.items():
        write_mobilenet(folder / name, **form)  # type: ignore[arg-type]
    ladder = ", ".join(f'{{ source = "{name}/model.json", precision = "float16" }}' for name in rungs)
    (folder / "build.toml").write_text(
        f'[models.what]\nladder = [{ladder}]\nframe_ms = {frame}\npicture = {{}}\nanswer = "classes"\n'
    )
    (folder / "node_modules").symlink_to(root / "node_modules")
    os.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()):
        if command(["-q", "--fast"]):
            raise SystemExit("the ladder was not built")
    site = folder / "site"
    (site / "wasm").mkdir(parents=True)
    (folder / "dist" / "cdn").rename(site / "models")
    for file in ("tfjs/dist/tf.min.js", "tfjs-backend-wasm/dist/tf-backend-wasm.min.js"):
        (site / Path(file).name).write_bytes((packages / file).read_bytes())
    for file in (packages / "tfjs-backend-wasm" / "dist").glob("*.wasm"):
        (site / "wasm" / file.name).write_bytes(file.read_bytes())
    scripts = '<script src="tf.min.js"></script><script src="tf-backend-wasm.min.js"></script>'
    (site / "index.html").write_text(f"<!doctype html><title>page</title>{scripts}")
    return site


def visit(browser: Any, url: str, slower: float, script: str, argument: Any) -> Any:
    """Evaluate a script in a page whose processor is so much slower, in a browser that remembers nothing."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    found = page.evaluate(script, argument)
    context.close()
    return found


def main() -> None:
    """Print a table for each processor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--slower", type=float, nargs="+", default=[1, 4, 12])
    parser.add_argument("--frame", type=float, default=33)
    parser.add_argument("--backend", default="wasm", choices=["wasm", "webgl", "cpu"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = build(Path(folder), options.frame)
        with serve(site) as server, chromium() as browser:
            url = server.url + "index.html"
            for slower in options.slower:
                found = visit(browser, url, slower, climb, options.backend)
                timed = visit(browser, url, slower, time, [options.backend, list(rungs)])
                print(f"{options.backend}, processor {slower:g} times slower: rung {found['rung']} of {len(rungs)}")
                for step, name in zip(found["steps"], rungs, strict=True):
                    foretold = "unknown" if step["ms"] is None else f"{step['ms']:.1f} ms"
                    print(f"  rung {step['rung']}: foretold {foretold}, timed {timed[name]:.1f} ms; {step['why']}")
        os.chdir(root)


if __name__ == "__main__":
    main()
