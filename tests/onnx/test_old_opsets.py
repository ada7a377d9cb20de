"""Files of opset 6, from before NumPy's broadcasting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_node, make_tensor_value_info

from builder.errors import SourceError
from builder.onnx.lower import lower_model
from builder.onnx.read import opset_of, read_onnx
from tests.helpers.numpy_graphs import run_graph
from tests.helpers.onnx_cases import model


def lowered(tmp_path: Path, nodes: list[Any], weights: dict[str, Any], opset: int) -> Any:
    """Write, read and lower a model of one picture."""
    old = {name: (array.dtype, array.shape) for name, array in weights.items()}  # weights were inputs too
    made = model(nodes, {"x": (np.float32, [2, 3, 4, 3]), **old}, ["y"], weights, opset)
    made.ir_version = 3
    made.graph.output[0].CopyFrom(make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4, 3]))
    path = tmp_path / "old.onnx"
    onnx.save(made, path)
    found = read_onnx(path)
    return lower_model(found, opset_of(found, "old.onnx"), "old.onnx")


def test_broadcasting_of_opset_6(tmp_path: Path) -> None:
    """An operator names the axis from which on the shorter operand lies: the last ones, or it is refused."""
    b = np.arange(12, dtype=np.float32).reshape(4, 3)
    graph, outputs = lowered(tmp_path, [make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=2)], {"b": b}, 6)
    got = run_graph(graph, outputs, {"x": np.zeros((2, 3, 4, 3), np.float32)})["y"]
    np.testing.assert_array_equal(got, np.broadcast_to(b, got.shape))
    with pytest.raises(SourceError, match="has opset 6, older than 7"):
        lowered(tmp_path, [make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=1)], {"b": b[0]}, 6)


def test_slopes_of_opset_6_are_refused(tmp_path: Path) -> None:
    """Slopes were one a channel then, and would be taken for one a column, of which there may be as many."""
    weights = {"slope": np.arange(3, dtype=np.float32)}
    with pytest.raises(SourceError, match="has opset 6, older than 7"):
        lowered(tmp_path, [make_node("PRelu", ["x", "slope"], ["y"])], weights, 6)
