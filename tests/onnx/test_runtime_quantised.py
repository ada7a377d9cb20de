"""ONNX Runtime's operators between codes, beside ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from builder.errors import UnsupportedOpsError
from builder.onnx.lower import lower_model
from builder.onnx.read import _check_domains
from tests.helpers.numpy_graphs import run_graph

rng = np.random.default_rng(11)
x = rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
matrix = rng.integers(0, 256, (4, 6)).astype(np.uint8)
weights: dict[str, Any] = {
    "s": np.float32(0.02),
    "z": np.uint8(120),
    "t": np.float32(0.03),
    "u": np.uint8(7),
    "other": rng.integers(0, 256, (3, 1, 1)).astype(np.uint8),
    "b": rng.integers(-128, 128, (6, 5)).astype(np.int8),
    "bs": rng.uniform(0.01, 0.02, 5).astype(np.float32),
    "bz": np.zeros(5, np.int8),
    "bias": rng.integers(-500, 500, 5).astype(np.int32),
}


def own(op: str, inputs: list[str], **attributes: Any) -> Any:
    """Give a node of ONNX Runtime's domain."""
    return make_node(op, inputs, ["y"], domain="com.microsoft", **attributes)


def made(node: Any, given: Any, kind: int = TensorProto.UINT8) -> Any:
    """Give a model of one node."""
    used = [
        numpy_helper.from_array(np.asarray(weights[name]), name)
        for name in dict.fromkeys(node.input)
        if name in weights
    ]
    info = make_tensor_value_info("x", TensorProto.UINT8, given.shape)
    graph = make_graph([node], "one", [info], [make_tensor_value_info("y", kind, None)], used)
    return make_model(graph, opset_imports=[make_opsetid("", 17), make_opsetid("com.microsoft", 1)], ir_version=8)


@pytest.mark.parametrize(
    ("node", "given", "kind"),
    [
        (own("QLinearSigmoid", ["x", "s", "z", "t", "u"]), x, TensorProto.UINT8),
        (own("QLinearLeakyRelu", ["x", "s", "z", "t", "z"], alpha=0.3), x, TensorProto.UINT8),
        (own("QLinearGlobalAveragePool", ["x", "s", "z", "t", "z"]), x, TensorProto.UINT8),
        (own("QLinearAdd", ["x", "s", "z", "other", "t", "u", "t", "z"]), x, TensorProto.UINT8),
        (own("QLinearMul", ["x", "s", "z", "other", "t", "u", "t", "z"]), x, TensorProto.UINT8),
        (own("QLinearConcat", ["t", "z", "x", "s", "z", "x", "t", "u"], axis=1), x, TensorProto.UINT8),
        (own("QGemm", ["x", "s", "z", "b", "bs", "bz", "bias", "t", "z"]), matrix, TensorProto.UINT8),
        (own("QGemm", ["x", "s", "z", "b", "bs", "bz", "bias"]), matrix, TensorProto.FLOAT),
    ],
    ids=lambda one: one.op_type if hasattr(one, "op_type") else "",
)
def test_operators(node: Any, given: Any, kind: int) -> None:
    """Codes come out as ONNX Runtime gives them, but for a step where the sum of floats lies between two."""
    model = made(node, given, kind)
    graph, outputs = lower_model(model, 17, "one.onnx")
    got = run_graph(graph, outputs, {"x": given.transpose(graph.inputs["x"].order)})["y"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    right = np.asarray(session.run(None, {"x": given})[0])
    step = 1 if kind == TensorProto.UINT8 else 1e-4
    assert got.shape == right.shape
    assert np.abs(got.astype(np.float64) - right).max() <= step
    assert (got != right).mean() < 0.05 or kind == TensorProto.FLOAT


def test_refusals() -> None:
    """What else ONNX Runtime has of its own is refused, in words that name it."""
    _check_domains(made(own("QLinearAdd", ["x"] * 8), x), "one.onnx")
    with pytest.raises(UnsupportedOpsError, match=r"com\.microsoft\.NGramRepeatBlock"):
        _check_domains(made(own("NGramRepeatBlock", ["x"]), x), "one.onnx")
    trees = make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml")
    with pytest.raises(UnsupportedOpsError, match="TreeEnsembleClassifier") as caught:
        _check_domains(made(trees, x), "trees.onnx")
    assert "Hummingbird" in caught.value.hint
    node = own("QLinearGlobalAveragePool", ["x", "s", "z", "t", "z"], channels_last=1)
    with pytest.raises(UnsupportedOpsError, match="channels_last"):
        lower_model(made(node, x), 17, "one.onnx")
