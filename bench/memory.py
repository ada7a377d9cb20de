"""Peak memory of a build: ``python bench/memory.py [MEGABYTES]``.

Makes a TensorFlow.js graph model of the given size (500 MB when left out), builds it in a process of its own and prints
the peak resident memory of that process and of the largest of its children (Node), each against the model's size; and
what TensorFlow.js itself takes when Node loads and runs that model, as the stock way would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

root = Path(__file__).resolve().parents[1]
width = 2000
kilobyte = 1024  # ru_maxrss counts these on Linux


def write_model(folder: Path, megabytes: int) -> int:
    """Write a chain of matrix products over random weights; give the bytes of its weights."""
    generator = np.random.default_rng(1)
    shape = {"dim": [{"size": "1"}, {"size": str(width)}]}
    nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": shape}}}]
    specs = []
    previous = "x"
    with (folder / "w.bin").open("wb") as file:
        for layer in range(max(1, megabytes * 1_000_000 // (4 * width * width))):
            name = f"w{layer}"
            file.write((generator.standard_normal((width, width)) / width**0.5).astype("<f4").tobytes())
            specs.append({"name": name, "shape": [width, width], "dtype": "float32"})
            nodes += [
                {"name": name, "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}},
                {"name": f"y{layer}", "op": "MatMul", "input": [previous, name], "attr": {"T": {"type": "DT_FLOAT"}}},
            ]
            previous = f"y{layer}"
        count = file.tell()
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": specs}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "build.toml").write_text(
        '[models.large]\nsource = "model.json"\n[models.large.verify]\nmax_error = 1e-3\n'
    )
    return count


stock = """
const tf = require("@tensorflow/tfjs");
require("@tensorflow/tfjs-backend-wasm");
const fs = require("fs");
(async () => {
  await tf.setBackend("wasm");
  const { weightsManifest, ...artifacts } = JSON.parse(fs.readFileSync("model.json", "utf8"));
  const { weights: weightSpecs } = weightsManifest[0];
  const load = () => ({ ...artifacts, weightSpecs, weightData: fs.readFileSync("w.bin").buffer });
  const model = await tf.loadGraphModel({ load });
  const answer = await model.execute(tf.ones([1, WIDTH])).data();
  console.log(answer.length, process.resourceUsage().maxRSS);
})();
""".replace("WIDTH", str(width))
measured = """
import resource, sys
sys.argv = ["build.py", "--fast", *sys.argv[1:]]
from builder.cli.main import main
status = main()
print(status, *(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""


def main() -> None:
    """Build with and without Node and print the peaks."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_model(folder, megabytes)
        print(f"model: {count / 1e6:.0f} MB of float32 weights")
        for label, path in (("build alone", ""), ("build and verification", os.environ["PATH"])):
            environment = {**os.environ, "PYTHONPATH": str(root), "PATH": path}
            command = [sys.executable, "-c", measured, "--no-cache"]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            status, own, child = done.stdout.split()[-3:]
            print(
                f"{label}: exit {status}, python {int(own) * kilobyte / 1e6:.0f} MB "
                f"({int(own) * kilobyte / count:.2f} of the model), largest child {int(child) * kilobyte / 1e6:.0f} MB"
            )
            if status != "0":
                print(done.stderr[-2000:])
        environment = {**os.environ, "NODE_PATH": str(root / "node_modules")}
        command = ["node", "-e", stock]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        print(f"TensorFlow.js alone, the stock way: {int(done.stdout.split()[-1]) * kilobyte / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
