"""What files declare of their shapes, and leave open, decides no rank by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.onnx.tasks import convert_onnx
from tests.helpers.onnx_cases import check

from .networks import network, types


def signature(model: Any, folder: Path) -> Any:
    onnx.save(model, folder / "model.onnx")
    made = convert_onnx(ConvertRequest(SourceOptions(folder / "model.onnx", "onnx"), folder / "out"))
    return json.loads(made.model_json.read_bytes())["signature"]


def test_an_output_that_is_declared_with_another_rank_keeps_its_own(tmp_path: Path) -> None:
    # As ddddocr's captcha models: [1, seqlen] is declared, and what runtimes give has three axes.
    nodes = [
        helper.make_node("Shape", ["x"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "second"], ["count"]),
        helper.make_node("Concat", ["count", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    weights = {"second": np.array([1]), "rest": np.array([1, -1])}
    model = network(nodes, {"x": [2, "n", "m"]}, [], weights)
    model.graph.output.append(helper.make_tensor_value_info("y", types["float32"], [1, "length"]))
    found = signature(model, tmp_path)["outputs"]["y"]["tensorShape"]
    assert len(found["dim"]) == 3


def test_squeeze_without_axes_is_refused_where_open_lengths_decide(tmp_path: Path) -> None:
    nodes = [helper.make_node("Squeeze", ["x"], ["y"])]
    with pytest.raises(UnsupportedOpsError, match=r"Squeeze.* no axes"):
        signature(network(nodes, {"x": ["n", 1, 4]}, ["y"]), tmp_path)
    found = signature(network(nodes, {"x": [2, 1, 4]}, ["y"]), tmp_path)["outputs"]["y"]["tensorShape"]
    assert [dim["size"] for dim in found["dim"]] == ["2", "4"]


@pytest.mark.parametrize("place", [0, 2])
def test_a_computed_shape_may_hold_a_zero_that_copies_a_length(place: int) -> None:
    # As paddle2onnx writes shapes: constants and computed lengths, each cast, one behind the other.
    names = ["copied", "counted", "rest"] if place == 0 else ["rest", "counted", "copied"]
    nodes = [
        helper.make_node("Shape", ["x"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "last"], ["count"]),
        helper.make_node("Cast", ["count"], ["counted"], to=onnx.TensorProto.INT64),
        helper.make_node("Cast", ["zero"], ["copied"], to=onnx.TensorProto.INT64),
        helper.make_node("Concat", names, ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    weights = {"last": np.array([2]), "zero": np.array([0], np.int32), "rest": np.array([-1])}
    check(nodes, {"x": np.arange(36, dtype=np.float32).reshape(2, 3, 6)}, weights, opened=True)
