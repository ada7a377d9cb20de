"""What is refused says which operator, which attribute, and what to do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.onnx.tasks import convert_onnx
from tests.helpers.onnx_cases import model_of

picture = np.zeros((1, 4, 6, 6), np.float32)
scales = {"scales": np.array([1, 1, 1.3, 1.3], np.float32)}
cases: dict[str, tuple[Any, dict[str, Any], Collection[int], str]] = {
    "corners": (
        helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear",
                         coordinate_transformation_mode="align_corners"),
        scales, (), "align_corners with scales that give no whole lengths",
    ),
    "antialias": (
        helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="cubic", antialias=1),
        scales, (2, 3), "antialias of an open length",
    ),
    "upsampled transposed convolution": (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[3, 3]),
        {"w": np.zeros((4, 1, 2, 2), np.float32)}, (), "auto_pad SAME_UPPER with a kernel that is smaller",
    ),
    "pool with gaps": (
        helper.make_node("MaxPool", ["x"], ["y"], auto_pad="SAME_UPPER", kernel_shape=[2, 2], dilations=[2, 2]),
        {}, (), "auto_pad with dilations",
    ),
    "places in open pictures": (
        helper.make_node("MaxPool", ["x"], ["y", "places"], kernel_shape=[2, 2]),
        {}, (2, 3), "the places of the largest numbers with open lengths",
    ),
    "adaptive regions": (
        helper.make_node("RoiAlign", ["x", "rois", "batch"], ["y"]),
        {"rois": np.zeros((1, 4), np.float32), "batch": np.zeros(1, np.int64)}, (), "a sampling_ratio of 0",
    ),
    "backwards to the end": (
        helper.make_node("Slice", ["x", "start", "end", "axes", "steps"], ["y"]),
        {"start": np.array([-1]), "end": np.array([2**63 - 1]), "axes": np.array([2]), "steps": np.array([-1])},
        (), "a slice backwards that ends with INT_MAX",
    ),
    "parts of an open length": (
        helper.make_node("Split", ["x"], ["y", "places"], axis=2, num_outputs=2),
        {}, (2,), "parts of an open length",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", cases)
def test_a_refusal_names_the_operator_and_the_reason(name: str, tmp_path: Path) -> None:
    node, constants, opened, reason = cases[name]
    outputs = list(node.output)
    path = tmp_path / "model.onnx"
    onnx.save(model_of([node], {"x": picture}, constants, outputs, opened=opened), path)
    with pytest.raises(UnsupportedOpsError, match=reason) as caught:
        convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), tmp_path / "out"))
    assert caught.value.what.startswith(f"{node.op_type} (node")
    assert caught.value.hint
