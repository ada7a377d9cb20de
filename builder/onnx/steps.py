"""How coarsely a quantised model rounds what it computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .package import load_onnx

# Which input of an operator is the scale that it rounds its result to.
scales = {
    **dict.fromkeys(("QLinearAdd", "QLinearConv", "QLinearMatMul", "QLinearMul"), 6),
    **dict.fromkeys(("QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearSigmoid"), 3),
    "QGemm": 7,
    "QLinearConcat": 0,
    "QLinearSoftmax": 3,
    "QuantizeLinear": 1,
}


def largest_step(model: Any) -> float:
    """Return the longest step that a ``ModelProto`` rounds what it computes to, or 0; weights are rounded for good."""
    onnx = load_onnx()
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    known |= {
        node.output[0]: attribute.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    found = 0.0
    for node in model.graph.node:
        place = scales.get(node.op_type)
        data = 2 if node.op_type == "QLinearConcat" else 0
        if place is None or len(node.input) <= place or node.input[data] in known:
            continue
        tensor = known.get(node.input[place])
        if tensor is not None:
            found = max(found, float(np.max(onnx.numpy_helper.to_array(tensor), initial=0)))
    return found
