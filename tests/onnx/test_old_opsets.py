"""Files of opset 6, from before NumPy's broadcasting, and what is older."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from builder.errors import SourceError
from builder.onnx.lower import lower_model
from builder.onnx.read import opset_of, read_onnx

from .lowered import model
from .numpy_runner import run


def lowered(tmp_path: Path, nodes: list[Any], weights: dict[str, Any], opset: int) -> Any:
    """Write, read and lower a model of one picture."""
    made = model(nodes, {"x": (np.float32, [2, 3, 4, 3])}, ["y"], weights, opset)
    path = tmp_path / "old.onnx"
    onnx.save(made, path)
    found = read_onnx(path)
    return lower_model(found, opset_of(found, "old.onnx"), "old.onnx")


def test_broadcasting_of_opset_6(tmp_path: Path) -> None:
    """An operator names the axis from which on the shorter operand lies, here the channels."""
    b = np.arange(3, dtype=np.float32)
    graph, outputs = lowered(tmp_path, [make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=1)], {"b": b}, 6)
    got = run(graph, outputs, {"x": np.zeros((2, 3, 4, 3), np.float32)})["y"]
    np.testing.assert_array_equal(got, np.broadcast_to(b[:, None, None], got.shape))


def test_slopes_of_opset_6_are_refused(tmp_path: Path) -> None:
    """Slopes were one a channel then, and would be taken for one a column, of which there may be as many."""
    weights = {"slope": np.arange(3, dtype=np.float32)}
    with pytest.raises(SourceError, match="has opset 6, older than 7"):
        lowered(tmp_path, [make_node("PRelu", ["x", "slope"], ["y"])], weights, 6)


def test_older_opsets_are_refused(tmp_path: Path) -> None:
    """What nobody writes any more is not guessed at."""
    with pytest.raises(SourceError, match="has opset 5, older than 7"):
        lowered(tmp_path, [make_node("Abs", ["x"], ["y"])], {}, 5)
