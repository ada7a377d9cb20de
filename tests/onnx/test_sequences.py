"""Sequences of tensors, which are known at build time."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_node, make_tensor_value_info

from builder.errors import UnsupportedOpsError
from tests.helpers.onnx_cases import check, lower, model, ops_of

x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
places = {"first": np.array(0), "last": np.array(-1), "sizes": np.array([1, 2]), "step": np.array(2)}


def test_parts_of_a_tensor() -> None:
    """A tensor is split and put together again, by sizes, by a step, or one by one."""
    for given in (["x"], ["x", "sizes"], ["x", "step"]):
        nodes = [
            make_node("SplitToSequence", given, ["parts"], axis=1),
            make_node("SequenceAt", ["parts", "last"], ["end"]),
            make_node("SequenceErase", ["parts", "last"], ["rest"]),
            make_node("SequenceInsert", ["rest", "end", "first"], ["turned"]),
            make_node("ConcatFromSequence", ["turned"], ["y"], axis=1),
        ]
        graph = check(nodes, {"x": x}, {name: places[name] for name in ("first", "last", *given[1:])})
        assert set(ops_of(graph)) == {"Slice", "ConcatV2"}


def test_stacks() -> None:
    """Tensors are put together along a new axis, and counted."""
    nodes = [
        make_node("SequenceEmpty", [], ["none"]),
        make_node("SequenceInsert", ["none", "x"], ["one"]),
        make_node("SequenceInsert", ["one", "x"], ["two"]),
        make_node("ConcatFromSequence", ["two"], ["y"], axis=-1, new_axis=1),
        make_node("SequenceLength", ["two"], ["count"]),
    ]
    check(nodes, {"x": x}, outputs=["y", "count"])


def test_refusals() -> None:
    """Sequences that the model takes or gives, or that depend on what it computes, have no form in TensorFlow.js."""
    parts = make_node("SequenceConstruct", ["x", "x"], ["y"])
    with pytest.raises(UnsupportedOpsError, match="output 'y' is a sequence"):
        lower(model([parts], {"x": (np.float32, [2])}, ["y"]))
    branches = {
        f"{side}_branch": make_graph(
            [make_node("SequenceConstruct", ["x", "x"], [side])],
            side,
            [],
            [make_tensor_value_info(side, TensorProto.FLOAT, None)],
        )
        for side in ("then", "else")
    }
    choice = make_node("If", ["c"], ["s"], **branches)
    with pytest.raises(UnsupportedOpsError, match="sequence"):
        lower(
            model([choice, make_node("SequenceLength", ["s"], ["y"])], {"c": (bool, []), "x": (np.float32, [2])}, ["y"])
        )
