"""Make what is published of this package, and prove it from the folder alone, as a stranger gets it from an index.

    python packages/check_release.py FOLDER

Needs ``build``, ``twine`` and ``uv`` (pip install build twine uv), and for the loader's scripts the packages of
``npm ci``. Writes sdist and wheel into FOLDER, which has to be empty, checks their metadata, and builds an ONNX model
with ``uvx --from 'shardpress[onnx]' shardpress`` in an empty folder, where only FOLDER has ``shardpress``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

root = Path(__file__).resolve().parents[1]
# Relu(x · 1) of a batch of three numbers.
network = """
import sys
from onnx import TensorProto, helper, save
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3])
one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
nodes = [helper.make_node("Mul", ["x", "one"], ["t"]), helper.make_node("Relu", ["t"], ["y"])]
graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], [one])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), sys.argv[1])
"""


def main() -> None:
    """Run the program."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")
    with tempfile.TemporaryDirectory() as name:
        away = Path(name)  # where Python finds no build.py
        run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder, root], away)
        made = sorted(folder.iterdir())
        run([sys.executable, "-m", "twine", "check", "--strict", *made], away)
        versions = {package_version(path) for path in made}
        if len(made) != 2 or versions != {version()}:
            sys.exit(f"{folder} has {', '.join(path.name for path in made)}; needed are sdist and wheel of {version()}")
        uvx = [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable, "--find-links", folder]
        shardpress = [*uvx, "--from", f"shardpress[onnx]=={version()}"]
        run([*shardpress, "python", "-c", network, away / "relu.onnx"], away)
        (away / "build.toml").write_text('[models.relu]\nsource = "relu.onnx"\n', encoding="utf-8")
        document = json.loads(run([*shardpress, "shardpress", "--json"], away))
        if not document["ok"] or not (away / "dist" / "cdn" / "loader.js").is_file():
            sys.exit(f"the build with uvx failed: {document}")
    sys.stdout.write(f"{', '.join(path.name for path in made)}: built a model with uvx\n")


def version() -> str:
    """Give the version of this checkout."""
    text = (root / "builder" / "__init__.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].split('"')[0]


def package_version(path: Path) -> str:
    """Give the version in the name of an sdist or a wheel."""
    return path.name.removesuffix(".tar.gz").split("-")[1]


def run(command: list[str | Path], folder: Path) -> str:
    """Give what a command prints; a failure is told and ends this program."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UV_NO_PROGRESS": "1"},
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
