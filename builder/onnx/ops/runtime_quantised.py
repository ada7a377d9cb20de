"""ONNX Runtime's own operators between codes, which its quantisation to whole operators (QOperator) writes.

Each is the plain operator between a dequantisation and a quantisation (ContribOperators.md of ONNX Runtime).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...lowering.values import Value
from ..registry import Context, lowers, table

domain = "com.microsoft"
unary = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
binary = {"QLinearAdd": "Add", "QLinearMul": "Mul"}


def _apply(c: Context, op: str, inputs: list[Value | None], **attributes: Any) -> Value:
    """Lower another operator in place of the node."""
    found = table[op](replace(c, op=op, inputs=inputs, attributes=attributes))
    first = found if isinstance(found, Value) else found[0]
    assert first is not None  # noqa: S101
    return first


def _floats(c: Context, first: int, axis: int = 1) -> Value:
    """Dequantise the input that scale and zero point follow."""
    inputs = [c.input(first), c.input(first + 1), c.optional(first + 2)]
    return _apply(c, "DequantizeLinear", inputs, axis=axis)


def _codes(c: Context, floats: Value, scale: int) -> Value:
    """Quantise by the scale and zero point at a place among the inputs."""
    return _apply(c, "QuantizeLinear", [floats, c.input(scale), c.optional(scale + 1)])


@lowers(*(f"{domain}.{op}" for op in unary))
def of_one(c: Context) -> Value:
    """Lower an operator of one tensor."""
    if c.attribute("channels_last", 0):
        c.refuse("channels_last of 1", "Export the model with the channels first")
    attributes = {name: value for name, value in c.attributes.items() if name not in ("channels_last", "opset")}
    inner = replace(c, opset=int(c.attribute("opset", c.opset)))
    return _codes(c, _apply(inner, unary[c.op], [_floats(c, 0)], **attributes), 3)


@lowers(*(f"{domain}.{op}" for op in binary))
def of_two(c: Context) -> Value:
    """Lower an operator of two tensors."""
    return _codes(c, _apply(c, binary[c.op], [_floats(c, 0), _floats(c, 3)]), 6)


@lowers(f"{domain}.QLinearConcat")
def concat(c: Context) -> Value:
    """Lower a concatenation, whose parts follow the scale and zero point of the result."""
    parts: list[Value | None] = [_floats(c, first) for first in range(2, len(c.inputs), 3)]
    return _codes(c, _apply(c, "Concat", parts, axis=c.attribute("axis", 0)), 0)


@lowers(f"{domain}.QGemm")
def gemm(c: Context) -> Value:
    """Lower A B + C, where the codes of C have the scale of the product; without a scale, to floats."""
    if c.attribute("alpha", 1.0) != 1:
        c.refuse(f"alpha of {c.attribute('alpha', 1.0)}; only 1 is possible")
    graph, turned = c.graph, int(c.attribute("transB", 0))
    a, b = _floats(c, 0), _floats(c, 3, axis=0 if turned else 1)
    bias = c.optional(6)
    if bias is not None:
        scales = [c.input(index).array for index in (1, 4)]
        if bias.array is not None and scales[0] is not None and scales[1] is not None:
            bias = graph.constant((bias.array * (scales[0] * scales[1]).astype(np.float32)).astype(np.float32))
        else:
            scale = graph.elementwise("Mul", [c.input(1), c.input(4)])
            bias = graph.elementwise("Mul", [graph.cast(bias, "float32"), scale])
    found = _apply(c, "Gemm", [a, b, bias], transA=c.attribute("transA", 0), transB=turned)
    return found if c.optional(7) is None else _codes(c, found, 7)


@lowers(f"{domain}.DequantizeLinear", f"{domain}.QuantizeLinear")
def same_as_own(c: Context) -> Value:
    """Lower what differs from ONNX' own operator in the types that older opsets allow."""
    return _apply(c, c.op, list(c.inputs), **c.attributes)
