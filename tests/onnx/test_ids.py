"""Row numbers of a table, which seeded inputs keep to: ONNX counts negative ones from the end, by a remainder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx
from builder.sources.tfjs import read_model
from builder.verify.ids import ids_below


@pytest.mark.parametrize("through", [[], ["Cast"], ["Unsqueeze"]])
def test_ids_of_a_text_encoder_are_known_by_their_tables(tmp_path: Path, through: list[str]) -> None:
    tables = {"words": 40, "types": 2}
    nodes, weights = [], []
    for name, rows in tables.items():
        weights.append(numpy_helper.from_array(np.eye(rows, 8, dtype=np.float32), f"{name}-table"))
        ids = name
        for op in through:
            more = {"to": TensorProto.INT32} if op == "Cast" else {}
            nodes.append(helper.make_node(op, [ids, *(["axis"] if op == "Unsqueeze" else [])], [f"{ids}-{op}"], **more))
            ids = f"{ids}-{op}"
        nodes.append(helper.make_node("Gather", [f"{name}-table", ids], [f"{name}-rows"]))
    weights.append(numpy_helper.from_array(np.array([0]), "axis"))
    nodes.append(helper.make_node("Add", [f"{name}-rows" for name in tables], ["y"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", 7]) for name in tables]
    shape = [1] * ("Unsqueeze" in through) + ["n", 7, 8]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", 1, shape)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    made = convert_onnx(ConvertRequest(SourceOptions(tmp_path / "m.onnx", "onnx"), tmp_path / "out"))
    assert ids_below(read_model(made.model_json)) == tables
