"""Builds the same models with the packages of several Pythons, and says whether the bundles are the same files.

    python bench/environments.py PYTHON ... [--config build.toml --only NAME ...]

Each PYTHON is an interpreter with the packages of this project; the first one's bundle is what the others' are compared
with, by the names of the files, which hold hashes of their content. Without ``--config`` each also makes small models
with its own TensorFlow and Keras (a Keras 3 file, one of Keras 2, a SavedModel, and an ONNX network where ``onnx`` is
installed) and builds those, as new versions write files that older ones cannot read. All are verified in Node, and
what is not verified fails. ``--only`` chooses models; packages that are missing leave those out that need them.

Prints for each PYTHON: versions, megabytes of its environment, how many models have the same files as the first one's,
and each model's head. Ends with 1 if a build failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

root = Path(__file__).resolve().parents[1]
seen = ("tensorflow", "tensorflow-cpu", "keras", "tf-keras", "tensorflowjs", "onnx", "numpy", "protobuf")
versions = """
import importlib.metadata as m, json, platform, sys
found = {"python": platform.python_version(), "prefix": sys.prefix}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""
# Run by each PYTHON: kernels are spread evenly, so that all versions make the same numbers.
maker = """
import os, sys
from pathlib import Path
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
folder, root, wanted = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
import numpy as np

def fill(model):
    names = [v.name for v in model.weights]
    model.set_weights([np.linspace(0.1 if "variance" in n else -0.5, 0.5, w.size, dtype=np.float32).reshape(w.shape)
                       for n, w in zip(names, model.get_weights())])
    return model

def network(keras):
    layers = keras.layers
    x = layers.Input((8, 8, 3), name="x")
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(center=False, scale=False)(y))
    y = layers.DepthwiseConv2D(3, activation="relu")(y)
    y = layers.Dense(5, activation="softmax", name="y")(layers.GlobalAveragePooling2D()(y))
    return fill(keras.Model(x, y))

if "onnx" in wanted:
    import onnx
    sys.path.insert(0, root)
    from tests.helpers.onnx_networks import classifier
    onnx.save(classifier(), folder / "onnx.onnx")
if set(wanted) - {"onnx"}:
    import keras, tf_keras
    import tensorflow as tf
    network(keras).save(folder / "keras-3.keras")
    network(tf_keras).save(folder / "keras-2.h5")
    recurrent = keras.Sequential([keras.layers.Input((6, 4)), keras.layers.GRU(8), keras.layers.Dense(3)])
    fill(recurrent).save(folder / "recurrent.keras")
    class Table(tf.Module):
        def __init__(self):
            self.kernel = tf.Variable(np.linspace(-1, 1, 48, dtype=np.float32).reshape(8, 6))
        @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32, name="x")])
        def __call__(self, x):
            return {"scores": tf.nn.softmax(tf.einsum("nc,cd->nd", x, self.kernel))}
    table = Table()
    tf.saved_model.save(table, str(folder / "saved-model"), signatures=table.__call__)
"""
files = {
    "keras-3": "keras-3.keras",
    "keras-2": "keras-2.h5",
    "recurrent": "recurrent.keras",
    "saved-model": "saved-model",
    "onnx": "onnx.onnx",
}


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    failed = 0
    expected: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number, python in enumerate(options.pythons):
            folder = Path(name) / str(number)
            found = json.loads(run([python, "-c", versions, *seen]))
            names = options.only or [one for one in files if (one == "onnx") <= ("onnx" in found)]
            if "tf-keras" not in found and not options.config:
                names = [one for one in names if one == "onnx"]
            project = options.config or write_project(folder, python, names)
            states = {one: build(folder / "out" / one, python, project, one) for one in names}
            expected = expected or {one: set(made) for one, made in states.items() if isinstance(made, list)}
            failed += sum(isinstance(made, str) for made in states.values())
            same = sum(isinstance(made, list) and set(made) == expected.get(one) for one, made in states.items())
            weights = sum(
                isinstance(made, list) and bins(made) == bins(expected.get(one, ())) for one, made in states.items()
            )
            prefix = found.pop("prefix")
            size = run(["du", "-sm", prefix]).split()[0] if prefix != sys.base_prefix else "?"
            told = ", ".join(f"{package} {version}" for package, version in found.items())
            print(
                f"{told}: {size} MB; {len(states)} models, all files the first's {same}, shards {weights}", flush=True
            )
            for one, made in states.items():
                heads = made if isinstance(made, str) else " ".join(sorted(x for x in made if x.endswith(".json")))
                print(f"    {heads if heads.startswith(one) else f'{one}: {heads}'}", flush=True)
    return int(failed > 0)


def bins(made: Iterable[str]) -> set[str]:
    """Give the names of shards, without the head, which also has the versions of TensorFlow's graph."""
    return {name for name in made if ".bin" in name}


def run(command: list[str], **options: Any) -> str:
    """Give what a command prints; a failure is told and ends this program."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{command[0]}:\n{done.stdout}{done.stderr}")
    return done.stdout


def write_project(folder: Path, python: str, names: list[str]) -> Path:
    """Make the models with ``python``, and the build.toml that has them."""
    folder.mkdir()
    (folder / "node_modules").symlink_to((root / "node_modules").resolve())
    run([python, "-c", maker, str(folder), str(root), *names])
    tables = [f'[models.{name}]\nsource = "{files[name]}"\n' for name in names]
    (folder / "build.toml").write_text("\n".join(tables), encoding="utf-8")
    return folder / "build.toml"


def build(out: Path, python: str, config: Path, name: str) -> list[str] | str:
    """Build one model and give the names of its files in the bundle, or the first line of what went wrong."""
    program = [python, str(root / "build.py"), "--config", str(config.resolve()), "--only", name, "--out", str(out)]
    done = subprocess.run([*program, "--no-cache", "--json"], capture_output=True, text=True, check=False, cwd=root)
    document = json.loads(done.stdout) if done.stdout.strip() else {}
    if not done.returncode and not (document["models"][name].get("verification") or {}).get("passed"):
        return "NOT VERIFIED"
    if done.returncode:
        return "FAILED: " + json.dumps(document.get("errors") or done.stderr[-500:])
    return [path.name for path in (out / "cdn" / "assets").iterdir() if path.name.startswith(f"{name}")]


if __name__ == "__main__":
    sys.exit(main())
