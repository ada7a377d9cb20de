"""Inputs that build.toml fixes: open lengths, and what an input always is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, FixedInput, ReferenceRequest, SourceOptions
from builder.errors import ConfigError, SourceError
from builder.files.npz import write_npz
from builder.pipeline.plan_model import check_keys
from builder.tflite.tasks import convert_tflite, reference_tflite
from tests.helpers.lite import Lite
from tests.helpers.numpy_graphs import run_model


def source(folder: Path, *fixed: FixedInput) -> SourceOptions:
    """Write a model that adds a number to rows of any length, of codes and of real numbers, and multiplies them."""
    lite = Lite()
    x = lite.input((1, 1, 3), name="x", signature=(-1, -1, 3))
    codes = lite.input((1, 3), "int8", name="codes", signature=(1, 3), scales=(0.5, 3, 0))
    factor = lite.input((1,), name="factor")
    real = lite.op("DEQUANTIZE", [codes])
    lite.gives(lite.op("MUL", [lite.op("ADD", [x, real], options="AddOptions"), factor], options="MulOptions"))
    path = folder / "m.tflite"
    path.write_bytes(lite.file())
    return SourceOptions(path, "tflite", inputs=fixed)


def test_lengths_and_values_are_fixed_for_both_sides(tmp_path: Path) -> None:
    fixed = (FixedInput("x", (2, 5, 3)), FixedInput("codes", value=(9, 5, 3)), FixedInput("factor", value=2))
    asked = source(tmp_path, *fixed)
    made = convert_tflite(ConvertRequest(asked, tmp_path / "out")).model_json
    inputs = json.loads(made.read_text())["signature"]["inputs"]
    shape = [int(dim["size"]) for dim in inputs["x"]["tensorShape"]["dim"]]
    assert (list(inputs), shape) == (["x"], [2, 5, 3])
    x = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
    write_npz(tmp_path / "in.npz", {"x": x})
    result = reference_tflite(ReferenceRequest(asked, tmp_path / "in.npz", tmp_path / "out.npz"))
    with np.load(result.outputs) as arrays:
        (wanted,) = dict(arrays).values()
    np.testing.assert_array_equal(wanted, (x + np.float32([3, 1, 0])) * 2)
    (got,) = run_model(made, {"x": x}).values()
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (FixedInput("y", (1, 2, 3)), "has no input 'y'"),
        (FixedInput("x", (1, 2, 4)), r"takes \[open, open, 3\], not \[1, 2, 4\]"),
        (FixedInput("factor", (2,)), r"takes \[1\], not \[2\]"),
        (FixedInput("factor", value=(1.0, 2.0)), "takes \\[1\\] numbers"),
    ],
)
def test_what_a_model_does_not_take_is_said(tmp_path: Path, fixed: FixedInput, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        convert_tflite(ConvertRequest(source(tmp_path, fixed), tmp_path / "out"))
    assert caught.value.code == "SP-389"
    assert caught.value.where.endswith("m.tflite")


@pytest.mark.parametrize(("kind", "right"), [("onnx", True), ("tflite", True), ("saved-model", False), ("tfjs", False)])
def test_only_sources_that_can_be_fixed_take_the_key(kind: str, *, right: bool) -> None:
    from builder.config.models import ModelConfig
    from builder.config.source_inputs import InputConfig

    model: Any = ModelConfig(source="m", inputs={"x": InputConfig(shape=(1, 2))})
    if right:
        check_keys("m", model, kind)
        return
    with pytest.raises(ConfigError, match="ONNX and TensorFlow Lite"):
        check_keys("m", model, kind)
