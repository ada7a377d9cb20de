"""ONNX models by the real command: built, verified against ONNX Runtime, and refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from builder.cli.main import main
from tests.onnx.networks import classifier, network, write

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]


def build(folder: Path, settings: str, *options: str) -> int:
    (folder / "node_modules").symlink_to(root / "node_modules")
    (folder / "build.toml").write_text(f"[models.net]\nsource = 'net.onnx'\n{settings}")
    return main(["--config", str(folder / "build.toml"), "--fast", "-q", *options])


def artifacts(folder: Path) -> Any:
    manifest = json.loads((folder / "dist/manifest.json").read_bytes())
    return json.loads((folder / "dist/cdn" / manifest["models"]["net"]["head"]["url"]).read_bytes())["artifacts"]


def inputs(folder: Path) -> dict[str, list[int]]:
    """Give the shapes of a built model's inputs; -1 is an open length."""
    told = artifacts(folder)["signature"]["inputs"]
    return {name: [int(dim["size"]) for dim in info["tensorShape"]["dim"]] for name, info in told.items()}


def test_a_model_with_weights_beside_it_is_built_and_equal(tmp_path: Path) -> None:
    write(classifier(), tmp_path / "net.onnx", external=True)
    assert build(tmp_path, "", "--strict") == 0
    assert inputs(tmp_path) == {"picture": [-1, 3, 8, 8]}


def test_pictures_go_in_as_a_canvas_has_them(tmp_path: Path) -> None:
    write(classifier(), tmp_path / "net.onnx")
    assert build(tmp_path, "channels = 'last'\n", "--strict") == 0
    assert inputs(tmp_path) == {"picture": [-1, 8, 8, 3]}
    assert "Transpose" not in {node["op"] for node in artifacts(tmp_path)["modelTopology"]["node"]}


def test_inputs_are_fixed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "rate"], ["y"]),
        helper.make_node("Shape", ["y"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "first"], ["count"]),
        helper.make_node("Equal", ["count", "four"], ["is_four"]),
        helper.make_node(
            "If",
            ["is_four"],
            ["z"],
            then_branch=helper.make_graph(
                [helper.make_node("ReduceSum", ["y"], ["t"], keepdims=0)],
                "then",
                [],
                [helper.make_tensor_value_info("t", 1, None)],
            ),
            else_branch=helper.make_graph(
                [helper.make_node("Identity", ["y"], ["e"])], "else", [], [helper.make_tensor_value_info("e", 1, None)]
            ),
        ),
    ]
    weights = {"first": np.array(0, np.int64), "four": np.array(4, np.int64)}
    write(network(nodes, {"x": ["n", 3], "rate": [1]}, ["z"], weights), tmp_path / "net.onnx")
    fixed = "[models.net.inputs]\nx = { shape = [4, 3] }\nrate = { value = 2.5 }\n"
    assert build(tmp_path, fixed, "--strict") == 0
    assert inputs(tmp_path) == {"x": [4, 3]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "fix them with"),
        ("[models.net.inputs]\ny = { value = 1 }\n", "Name one of x"),
        ("[models.net.inputs]\nx = { shape = [4, 5] }\n", r"takes \[open, 3\]"),
        ("[models.net.inputs]\nx = { value = [1, 2] }\n", "numbers, not"),
    ],
)
def test_what_cannot_be_fixed_is_said(
    tmp_path: Path, settings: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["x"], ["t"], **attributes)], op, [], [helper.make_tensor_value_info("t", 1, None)]
        )
        for op, attributes in (("ReduceMax", {"keepdims": 0}), ("Identity", {}))
    ]
    nodes = [
        helper.make_node("Shape", ["x"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "first"], ["count"]),
        helper.make_node("Equal", ["count", "first"], ["is_empty"]),
        helper.make_node("If", ["is_empty"], ["z"], then_branch=branches[0], else_branch=branches[1]),
    ]
    model = network(nodes, {"x": ["n", 3]}, ["z"], {"first": np.array(0, np.int64)})
    write(model, tmp_path / "net.onnx")
    assert build(tmp_path, settings) == 1
    import re

    assert re.search(words, " ".join(capsys.readouterr().err.split()))
