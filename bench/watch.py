"""How long from a save to the page, against running the stock converter and brotli again; a storm of edits; rest.

    python bench/watch.py [--edits 1000] [--model 1] [--files 50000] [--only idle]

Prints seconds and ratios of one run, so that both sides share the machine's mood. Needs the packages of [convert] and
[dev], Node and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import brotli
from stock_converter import command as stock_converter

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from tests.develop.test_watch import fuzz, served_weights  # noqa: E402
from tests.helpers import tiny  # noqa: E402
from tests.helpers.browsing import chromium  # noqa: E402
from tests.helpers.developing import watching  # noqa: E402

make_models = """
import sys
import tf_keras as keras
import tensorflow as tf
for seed in (1, 2):
    keras.backend.clear_session()  # the same names again, so that only weights differ
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNetV2(weights=None)
    tf.saved_model.save(model, f"{sys.argv[1]}/saved{seed}")
"""
page = """<!doctype html><html><head><script src="/node_modules/@tensorflow/tfjs/dist/tf.min.js"></script></head>
<body><p id="mark">0</p><script type="module">
import { models, configure } from "../../dist/cdn/loader.js";
configure({ tf });
await tf.setBackend("cpu");
window.swaps = 0;
document.addEventListener("shardpress:swap", () => window.swaps++);
await Promise.all(Object.values(models).map((entry) => entry.load().full));
window.policy = Object.values(models)[0].policy;
window.live = true;
</script></body></html>
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--model", type=int, default=1, help="0 leaves the comparison on a MobileNetV2 out")
    parser.add_argument("--files", type=int, default=50_000, help="below the folder that is watched at rest")
    parser.add_argument("--only", choices=["idle"], help="measure nothing else")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for options in ([], ["--poll"]):
            idle(folder / f"idle{len(options)}", arguments.files, options)
        if arguments.only:
            return
        small_edits(folder / "small")
        if arguments.model:
            mobile_net(folder / "mobile")
        storm(folder / "storm", arguments.edits)


def project(folder: Path, settings: str) -> Path:
    (folder / "assets/pages").mkdir(parents=True)
    (folder / "assets/pages/index.html").write_text(page)
    (folder / "build.toml").write_text(settings)
    return folder / "build.toml"


def small_edits(folder: Path) -> None:
    """Settings, page and weights of a tiny model, each several times."""
    config = project(folder, '[models.a]\nsource = "m/model.json"\n')
    tiny.graph_model(folder / "m")
    with watching(config) as watched, chromium() as browser:
        watched.wait_for("release")
        tab = browser.new_page()
        tab.goto(watched.url)
        tab.wait_for_function("window.live")
        index = folder / "assets/pages/index.html"

        def setting(number: int) -> None:
            policy = ("idle", "visible")[number % 2]
            config.write_text(f'[models.a]\nsource = "m/model.json"\nload = "{policy}"\n')
            tab.wait_for_function(f"window.live && window.policy === '{policy}'")

        def text(number: int) -> None:
            index.write_text(page.replace(">0<", f">{number + 1}<"))
            tab.wait_for_function(f"window.live && document.querySelector('#mark').textContent === '{number + 1}'")

        def weights(number: int) -> None:
            before = tab.evaluate("window.swaps")
            tiny.graph_model(folder / "m", tiny.weights(100 + number))
            tab.wait_for_function(f"window.swaps > {before}")

        def template(_: int) -> None:
            tab.evaluate("() => { window.old = true; }")
            (root / "templates" / "loader.js.j2").touch()
            tab.wait_for_function("window.live && !window.old")

        edits = (("setting", setting), ("page", text), ("weights of a tiny model", weights), ("template", template))
        for what, act in edits:
            times = [timed(act, number) for number in range(5)]
            print(
                f"save to live, {what}: median {statistics.median(times):.2f} s, worst {max(times):.2f} s", flush=True
            )


def idle(folder: Path, files: int, options: list[str], seconds: float = 20) -> None:
    """The processor's time that watch mode takes where nothing happens, with very many files below."""
    tiny.graph_model(folder / "m")
    (folder / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
    (folder / "index.html").write_text(page.replace("../../dist", "./dist"))
    for number in range(files):
        place = folder / ("node_modules", "data", "src")[number % 3] / f"f{number % 997}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.js").write_text("x")
    with watching(folder / "build.toml", *options) as watched:
        watched.wait_for("checked: release")
        urllib.request.urlopen(watched.url, timeout=10).read()
        before = processor_seconds(watched.process.pid)
        time.sleep(seconds)
        spent = processor_seconds(watched.process.pid) - before
        print(
            f"at rest, {files} files{' and --poll' if options else ''}: {100 * spent / seconds:.1f} % of a core",
            flush=True,
        )


def processor_seconds(process: int) -> float:
    """Give the processor's time that a process has taken, as Linux counts it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(act: Callable[[int], None], number: int) -> float:
    begun = time.monotonic()
    act(number)
    return time.monotonic() - begun


def mobile_net(folder: Path) -> None:
    """A changed SavedModel, by the stock converter with brotli and by watch mode."""
    config = project(folder, '[models.a]\nsource = "saved"\n')
    subprocess.run([sys.executable, "-c", make_models, str(folder)], check=True, capture_output=True)
    begun = time.monotonic()
    command = [*stock_converter, "--input_format=tf_saved_model", str(folder / "saved2"), str(folder / "stock")]
    subprocess.run(command, check=True, capture_output=True)
    converted = time.monotonic() - begun
    for file in sorted((folder / "stock").iterdir()):
        file.with_name(file.name + ".br").write_bytes(brotli.compress(file.read_bytes(), quality=11))
    stock = time.monotonic() - begun
    print(f"MobileNetV2, stock converter: {converted:.1f} s, with brotli 11: {stock:.1f} s", flush=True)
    for options in (["--fast"], []):
        shutil.rmtree(folder / "saved", ignore_errors=True)
        shutil.copytree(folder / "saved1", folder / "saved")
        shutil.rmtree(folder / ".shardpress", ignore_errors=True)
        with watching(config, *options) as watched, chromium() as browser:
            watched.wait_for("checked: release")
            tab = browser.new_page()
            tab.set_default_timeout(120_000)
            tab.goto(watched.url)
            tab.wait_for_function("window.live")
            tab.evaluate("() => { window.old = true; }")
            begun = time.monotonic()
            shutil.rmtree(folder / "saved")
            shutil.copytree(folder / "saved2", folder / "saved")
            tab.wait_for_function("window.swaps > 0 || (window.live && !window.old)")
            seconds = time.monotonic() - begun
            how = "swapped" if tab.evaluate("window.old") else "by a reload"
        name = " ".join(["--watch", *options])
        print(
            f"MobileNetV2, {name}, to live in the page ({how}): {seconds:.1f} s, ratio {seconds / stock:.2f}",
            flush=True,
        )


def storm(folder: Path, edits: int) -> None:
    config = project(folder, '[models.a]\nsource = "m/model.json"\n')
    tiny.graph_model(folder / "m")
    done = 0
    with watching(config, "--fast") as watched:
        watched.wait_for("release")
        while done < edits:
            last = fuzz(folder, watched, min(100, edits - done), done)
            done += min(100, edits - done)
            until = time.monotonic() + 60
            while not (served_weights(folder) == tiny.weights(last)["kernel"]).all():
                assert time.monotonic() < until, "the state on disk is not served"
                time.sleep(0.05)
    print(f"{done} random edits: the server lives and serves the state on disk")


if __name__ == "__main__":
    main()
