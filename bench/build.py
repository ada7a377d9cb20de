"""A cold build of eight models, against running the stock converter and ``brotli -q 11`` for each.

    python bench/build.py [--jobs 2]

Three of the models are examples of ``build.toml`` (``make build`` fetches them), five are made here. Both sides convert
and compress; ours also runs every model in TensorFlow and in TensorFlow.js, and writes its report. Prints seconds and
ratios of one run. Needs the packages of [convert] and Node.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import brotli
from stock_converter import command as stock_converter

root = Path(__file__).resolve().parents[1]
examples = {"emotion": "emotion/emotion_model.hdf5", "denoise": "denoise", "classify": "classify"}
make_models = """
import sys
import tf_keras as keras
layers = keras.layers
keras.utils.set_random_seed(7)

def save(name, model):
    model.save(f"{sys.argv[1]}/{name}", save_format="tf")

save("small-mobilenet", keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None))
save("old-mobilenet", keras.applications.MobileNet((128, 128, 3), alpha=0.25, weights=None))
wide = [layers.Dense(256, "relu"), layers.Dense(256, "relu"), layers.Dense(3)]
save("table", keras.Sequential([keras.Input((40,)), *wide]))
words = keras.Input((32,), dtype="int32", name="ids")
pooled = layers.GlobalAveragePooling1D()(layers.Embedding(20000, 32)(words))
save("text", keras.Model(words, layers.Dense(4, "softmax")(pooled)))
picture = keras.Input((64, 64, 3), name="picture")
x = picture
for filters in (16, 32, 64):
    x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
for filters in (32, 16, 3):
    x = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(x)
save("repaint", keras.Model(picture, x))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", make_models, str(folder)], check=True, capture_output=True)
        sources = {path.name: path for path in sorted(folder.iterdir())}
        sources |= {name: root / "assets/models" / place for name, place in examples.items()}
        missing = [str(path) for path in sources.values() if not path.exists()]
        if missing:
            sys.exit(f"missing: {', '.join(missing)}; python assets/fetch.py fetches them")
        stock = by_the_stock_converter(sources, folder / "stock")
        for options in (["--fast"], []):
            seconds = by_us(sources, folder, arguments.jobs, *options)
            print(f"python build.py {' '.join(options)}: {seconds:.1f} s, ratio {seconds / stock:.2f}", flush=True)


def by_the_stock_converter(sources: dict[str, Path], out: Path) -> float:
    begun = time.monotonic()
    for name, source in sources.items():
        kind = "tf_saved_model" if source.is_dir() else "keras"
        options = [f"--input_format={kind}", "--output_format=tfjs_graph_model"]
        subprocess.run([*stock_converter, *options, str(source), str(out / name)], check=True, capture_output=True)
    converted = time.monotonic() - begun
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        file.with_name(file.name + ".br").write_bytes(brotli.compress(file.read_bytes(), quality=11))
    seconds = time.monotonic() - begun
    print(f"{len(sources)} models, stock converter: {converted:.1f} s, with brotli 11: {seconds:.1f} s", flush=True)
    return seconds


def by_us(sources: dict[str, Path], folder: Path, jobs: int, *options: str) -> float:
    shutil.rmtree(folder / ".shardpress", ignore_errors=True)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    config = folder / "build.toml"
    config.write_text("".join(f'[models.{name}]\nsource = "{path}"\n' for name, path in sources.items()))
    command = [sys.executable, str(root / "build.py"), "--config", str(config), "--jobs", str(jobs), *options]
    begun = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
