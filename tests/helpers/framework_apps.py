"""Apps of the frameworks for tests: what npm installs, the files that the docs show, and a model that knows colours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.helpers import tiny

root = Path(__file__).resolve().parents[2]
plugin = root / "packages" / "vite-plugin"
labels = ("red", "green", "blue")


def run(*command: str | Path, cwd: Path, seconds: float = 300, **variables: str) -> str:
    """Run a command that must succeed; give what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=os.environ | {"NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"} | variables,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(map(str, command))} in {cwd}:\n{output}"
    return output


def install(folder: Path) -> Path:
    """Install the frameworks, and the plugin as npm would publish it, for all apps below ``folder``."""
    shutil.copy(root / "tests" / "frameworks" / "package.json", folder)
    shutil.copy(root / ".npmrc", folder)
    quietly = ("--ignore-scripts", "--prefer-offline", "--loglevel", "error")
    run("npm", "install", *quietly, cwd=folder, seconds=500)
    unpack_plugin(folder / "node_modules" / "vite-plugin-shardpress")
    for name in ("@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm", "esbuild"):
        _bring(name, folder / "node_modules")
    return folder


def pack_plugin(folder: Path) -> Path:
    """Write what npm would publish of the plugin into ``folder``; give the archive."""
    return folder / run("npm", "pack", "--silent", plugin, cwd=folder).split()[-1]


def unpack_plugin(place: Path) -> Path:
    """Make the folder ``place`` with the plugin as npm would install it."""
    place.mkdir()
    packed = pack_plugin(place.parent)
    run("tar", "-xzf", packed, "-C", place, "--strip-components", "1", cwd=place.parent)
    packed.unlink()
    return place


def _bring(name: str, modules: Path) -> None:
    """Copy a package of the checkout with all it needs; links would lead out of what verification may read."""
    source = (root / "node_modules" / name).resolve()
    if (modules / name).exists() or not source.exists():  # binaries of other systems
        return
    shutil.copytree(source, modules / name, ignore=shutil.ignore_patterns("*.map"), symlinks=True)
    described = json.loads((source / "package.json").read_text())
    for other in (*described.get("dependencies", ()), *described.get("optionalDependencies", ())):
        _bring(other, modules)


def blocks(page: str) -> dict[str, str]:
    """Give the files that a page of ``docs/frameworks`` shows, by name."""
    text = (root / "docs" / "frameworks" / f"{page}.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def write_model(folder: Path, order: tuple[int, int, int] = (0, 1, 2), **changes: str) -> None:
    """Write a model that says which colour a picture mostly has; with another ``order`` it takes one for another."""
    kernel = np.zeros((3, 3), np.float32)
    kernel[range(3), order] = 20
    shape = tiny.dimensions(-1, 32, 32, 3)
    constant = {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": {"dtype": "DT_FLOAT"}}}
    sides = {"dtype": {"type": "DT_INT32"}, "value": {"tensor": {"dtype": "DT_INT32"}}}
    nodes = [
        tiny.node("picture", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": shape}),
        tiny.node("sides", "Const", **sides),
        tiny.node("kernel", "Const", **constant),
        tiny.node("mean", "Mean", "picture", "sides", keep_dims={"b": False}),
        tiny.node("product", "MatMul", "mean", "kernel"),
        tiny.node("softmax", "Softmax", "product"),
        tiny.node("Identity", "Identity", "softmax"),
    ]
    content = {
        "format": "graph-model",
        "generatedBy": "2.19.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "signature": {
            "inputs": {"picture": {"name": "picture:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"scores": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(-1, 3)}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    tiny.write(folder, content | changes, {"sides": np.array([1, 2], np.int32), "kernel": kernel})
    (folder.parent / "labels.txt").write_text("\n".join(labels) + "\n")


def picture(folder: Path, colour: str = "green") -> None:
    """Write a picture of one colour."""
    from PIL import Image

    Image.new("RGB", (64, 64), colour).save(folder / "picture.png")


def build_models(folder: Path, *options: str) -> str:
    """Build the models of a project, as ``shardpress`` does."""
    return run(sys.executable, root / "build.py", "--config", folder / "build.toml", "--fast", *options, cwd=folder)


def link_package(folder: Path, out: str = "models-dist") -> None:
    """Do what ``npm install ./OUT/package`` does, without the registry."""
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    name = re.search(r'package = "([^"]+)"', (folder / "build.toml").read_text())
    assert name
    (modules / name[1]).symlink_to(Path("..") / out / "package")
