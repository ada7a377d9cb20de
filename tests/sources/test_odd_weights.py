"""Weights of every type, of no elements, under every name: built, run by TensorFlow.js, bit for bit the same."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from tests.helpers.models import tensor_shape

names = ("a weight", "quote\"s'", "</script>", "重み/核", "semi;colon&amp")
types = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "bool": "DT_BOOL",
    "string": "DT_STRING",
    "complex64": "DT_COMPLEX64",
}


def node(name: str, op: str, *inputs: str, **attr: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def kind(dtype: str) -> dict[str, str]:
    return {"type": types[dtype]}


def odd_model(folder: Path) -> Path:
    """Sums and passes on weights of all types; ``first`` is the input behind an empty tensor."""
    words = [text.encode() for text in ("", "</script>", "语义化")]
    weights: list[tuple[str, list[int], str, bytes]] = [
        ("empty", [0, 3], "float32", b""),
        *((name, [100], "float32", struct.pack("<100f", *(i * 0.37 - 7 for i in range(100)))) for name in names),
        ("whole", [3], "int32", struct.pack("<3i", -(2**31), 0, 2**31 - 1)),
        ("flags", [5], "bool", bytes((1, 0, 1, 1, 0))),
        ("words", [3], "string", b"".join(struct.pack("<I", len(word)) + word for word in words)),
        ("plane", [2], "complex64", struct.pack("<4f", 1.5, -2.5, 3.5, 4.5)),
        ("axis", [], "int32", bytes(4)),
        ("codes", [4], "float32", bytes((0, 100, 200, 255))),
    ]
    constants = [node(name, "Const", dtype=kind(dtype)) for name, _, dtype, _ in weights]
    nodes = [
        *constants,
        node("x", "Placeholder", dtype=kind("float32"), shape={"shape": tensor_shape(2, 3)}),
        node("first", "ConcatV2", "empty", "x", "axis", T=kind("float32"), N={"i": "2"}, Tidx=kind("int32")),
        node("sum", "AddN", *names, T=kind("float32"), N={"i": str(len(names))}),
        node("numbers", "Identity", "whole", T=kind("int32")),
        node("truths", "LogicalNot", "flags"),
        node("texts", "Identity", "words", T=kind("string")),
        node("real", "Real", "plane", T=kind("complex64"), Tout=kind("float32")),
        node("decoded", "Neg", "codes", T=kind("float32")),
    ]
    specs: list[dict[str, Any]] = [{"name": name, "shape": shape, "dtype": dtype} for name, shape, dtype, _ in weights]
    specs[-1]["quantization"] = {"dtype": "uint8", "scale": 0.25, "min": -1.5, "original_dtype": "float32"}
    folder.mkdir(parents=True)
    (folder / "all weights.bin").write_bytes(b"".join(content for *_, content in weights))
    path = folder / "model.json"
    group = {"paths": ["all weights.bin"], "weights": specs}
    topology = {"node": nodes, "library": {}, "versions": {"producer": 1}}
    path.write_text(json.dumps({"format": "graph-model", "modelTopology": topology, "weightsManifest": [group]}))
    return path


@pytest.mark.slow
def test_weights_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "odd & 奇"
    odd_model(folder / "the model")
    (folder / "build.toml").write_text('[models.odd]\nsource = "the model/model.json"\n')
    monkeypatch.chdir(folder)
    assert main(["--json"]) == 0
    model = json.loads(capsys.readouterr().out)["models"]["odd"]
    stages = model["verification"]["stages"]
    assert [stage["name"] for stage in stages] == ["base", "full"]
    assert stages[-1]["max_error"] == 0
    assert 0 < stages[0]["max_error"] < 0.01
    (head,) = (folder / "dist" / "cdn" / "assets").glob("odd.*.json")
    weights = {weight["name"]: weight for weight in json.loads(head.read_bytes())["weights"]}
    assert set(names) <= set(weights)
    assert [weights[name].get("same") is not None for name in names].count(True) == len(names) - 1
