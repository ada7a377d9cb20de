"""Staged outputs and precisions through a whole build, and what TensorFlow.js makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.head import read_head, shard_urls
from builder.cli.main import main
from builder.errors import ConfigError
from builder.sources.tfjs import read_model
from builder.transforms.reach import first_stages
from tests.helpers.tiny import dimensions, layers_model, node, write

width = 24


def two_outputs(folder: Path) -> Path:
    """Write ``scores = x @ first``, ``points = (relu(scores) @ second) + offset``."""
    generator = np.random.Generator(np.random.PCG64(4))
    tensors = {name: generator.normal(size=(width, width)).astype(np.float32) for name in ("second", "first")}
    tensors["offset"] = generator.normal(size=width).astype(np.float32)
    constant = {"dtype": {"type": "DT_FLOAT"}}
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": dimensions(-1, width)}),
        *(node(name, "Const", **constant, value={"tensor": {"dtype": "DT_FLOAT"}}) for name in tensors),
        node("Identity", "MatMul", "x", "first"),
        node("relu", "Relu", "Identity"),
        node("product", "MatMul", "relu", "second"),
        node("Identity_1", "BiasAdd", "product", "offset"),
    ]

    def tensor(name: str) -> dict[str, Any]:
        return {"name": name, "dtype": "DT_FLOAT", "tensorShape": dimensions(-1, width)}

    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": tensor("x:0")},
            "outputs": {"scores": tensor("Identity:0"), "points": tensor("Identity_1:0")},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return write(folder, content, tensors)


stages = 'stages = [{ name = "detect", outputs = ["scores"] }, { name = "mesh", outputs = ["points"] }]'


def build(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    (folder / "build.toml").write_text(f'[models.face]\nsource = "model/model.json"\n{body}\n', encoding="utf-8")
    monkeypatch.chdir(folder)
    assert main(["-q", "--strict"]) == 0
    return json.loads((folder / "dist" / "report.json").read_bytes())["models"]["face"]


def head_of(folder: Path) -> Any:
    (path,) = (folder / "dist" / "cdn" / "assets").glob("face.*.json")
    return json.loads(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "bound", "last"), [("exact", 1e-6, 1e-6), ("balanced", 0.02, 1e-3), ("float16", 1e-3, 1e-3)]
)
def test_each_stage_answers_before_the_next_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, bound: float, last: float
) -> None:
    two_outputs(tmp_path / "model")
    report = build(tmp_path, f'{stages}\nprecision = "{precision}"', monkeypatch)
    compared = {stage["name"]: stage["max_error"] for stage in report["verification"]["stages"]}
    refines = precision != "float16"
    assert list(compared) == (["detect", "base", "full"] if refines else ["detect", "full"])
    assert compared["detect"] <= bound or precision == "exact"
    assert compared["full"] <= last
    head = head_of(tmp_path)
    assert head["stages"] == (["detect", "mesh", "refine"] if refines else ["detect", "mesh"])
    names = [weight["name"] for weight in head["weights"]]
    first = {names[segment[0]] for shard in head["shards"] if shard["stage"] == 0 for segment in shard["segments"]}
    assert first == {"first"}
    assert len(shard_urls("face", read_head(json.dumps(head).encode()))) == len(head["shards"])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ['"balanced"', '{ "*" = "uint16" }', '"float16"'])
def test_layers_models_take_every_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    layers_model(tmp_path / "model")
    report = build(tmp_path, f"precision = {precision}", monkeypatch)
    assert report["verification"]["passed"]


@pytest.mark.slow
def test_a_lossy_precision_has_to_meet_the_stated_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_outputs(tmp_path / "model")
    (tmp_path / "build.toml").write_text(
        '[models.face]\nsource = "model/model.json"\nprecision = "uint8"\n[models.face.verify]\nmax_error = 1e-6\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["-q"]) == 1
    assert "differs from the source model's" in capsys.readouterr().err


def test_weights_come_with_the_first_stage_that_needs_them(tmp_path: Path) -> None:
    model = read_model(two_outputs(tmp_path))
    wanted = (("detect", ("scores",)), ("mesh", ("points",)))
    found = dict(zip((weight.name for weight in model.weights), first_stages(model, wanted, ""), strict=True))
    assert found == {"first": 0, "second": 1, "offset": 1}
    both = first_stages(model, (("all", ("points",)), ("none", ("scores",))), "")
    assert set(both) == {0}


def test_unknown_outputs_are_named(tmp_path: Path) -> None:
    model = read_model(two_outputs(tmp_path))
    with pytest.raises(ConfigError, match=r"'boxes'.*'points', 'scores'"):
        first_stages(model, (("detect", ("boxes",)),), "models.face.stages")


def test_layers_models_have_no_stages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only graph models"):
        first_stages(read_model(layers_model(tmp_path)), (("a", ("scores",)),), "")
