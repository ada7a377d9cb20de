"""Weights that are cast, shifted and scaled by nodes of an export's own stay codes, where that changes no float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_node

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx
from tests.helpers.onnx_cases import check, model

rng = np.random.default_rng(8)
scale = rng.uniform(0.001, 0.01, (1, 96)).astype(np.float32)
cast = make_node("Cast", ["codes"], ["whole"], to=TensorProto.FLOAT)
# Nodes, and the scale and zero with which DequantizeLinear gives the same; None where it is another rounding.
forms: dict[str, tuple[list[Any], tuple[str, ...] | None]] = {
    "scaled": ([cast, make_node("Mul", ["whole", "scale"], ["w"])], ("scale",)),
    "scale-first": ([cast, make_node("Mul", ["scale", "whole"], ["w"])], ("scale",)),
    "one-scale": ([cast, make_node("Mul", ["whole", "one"], ["w"])], ("one",)),
    "shifted": (
        [cast, make_node("Sub", ["whole", "zero"], ["s"]), make_node("Mul", ["s", "scale"], ["w"])],
        ("scale", "zero"),
    ),
    "twice": ([cast, make_node("Mul", ["whole", "scale"], ["s"]), make_node("Mul", ["s", "one"], ["w"])], None),
    "fraction": ([cast, make_node("Sub", ["whole", "one"], ["s"]), make_node("Mul", ["s", "scale"], ["w"])], None),
    "each": ([cast, make_node("Mul", ["whole", "full"], ["w"])], None),
}


def stored(nodes: list[Any], weights: dict[str, Any], folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    used = {name for node in nodes for name in node.input}
    given = {name: array for name, array in weights.items() if name in used}
    nodes = [*nodes, make_node("MatMul", ["x", "w"], ["y"])]
    check(nodes, {"x": rng.normal(size=(3, 64)).astype(np.float32) * 0.01}, given)
    onnx.save(model(nodes, {"x": (np.float32, ["n", 64])}, ["y"], given, 17), folder / "m.onnx")
    done = convert_onnx(ConvertRequest(SourceOptions(folder / "m.onnx", "onnx"), folder / "out"))
    return {file.name: file.read_bytes() for file in done.model_json.parent.glob("*.bin")}


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("form", forms)
def test_weights_stay_codes_as_those_of_dequantize_linear(form: str, kind: type, tmp_path: Path) -> None:
    nodes, same = forms[form]
    info = np.iinfo(kind)
    weights: dict[str, Any] = {
        "codes": rng.integers(info.min, info.max, (64, 96), endpoint=True).astype(kind),
        "scale": scale,
        "zero": rng.integers(-9, 9, (1, 96)).astype(np.float32),
        "one": np.float32(0.02),
        "full": rng.uniform(0.1, 1, (64, 96)).astype(np.float32),
    }
    found = stored(nodes, weights, tmp_path / "own")
    if same is None:
        assert sum(map(len, found.values())) >= 4 * weights["codes"].size
        return
    if "zero" in same:
        weights["codes"] = weights["codes"].astype(np.int16)  # DequantizeLinear's zero has the codes' type
        found = stored(nodes, weights, tmp_path / "wide")
        weights["zero"] = weights["zero"].astype(np.int16)
    weights |= {name: weights[name].ravel() for name in ("scale", "zero")}
    dequantize = make_node("DequantizeLinear", ["codes", *same], ["w"], axis=1)
    assert stored([dequantize], weights, tmp_path / "theirs") == found


def test_what_is_only_cast_takes_a_byte_each(tmp_path: Path) -> None:
    codes = rng.integers(-128, 127, (64, 96)).astype(np.int8)
    found = stored([make_node("Cast", ["codes"], ["w"], to=TensorProto.FLOAT)], {"codes": codes}, tmp_path / "own")
    assert sum(map(len, found.values())) < codes.size + 100
