"""Casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...lowering.values import Value
from ...lowering.whole_numbers import narrow, wrapped
from ..package import load_onnx
from ..registry import Context, lowers
from .logic import select

floats = frozenset({"float16", "float32", "float64", "bfloat16"})
same_bits = (frozenset({"int32", "uint32"}), frozenset({"int64", "uint64"}), frozenset({"bool", "uint8"}))
bfloat16_split = 2.0**16 + 1
largest_split = 2.0**110


@lowers("Cast")
def cast(c: Context) -> Value:
    """Lower a cast to the type that an attribute names."""
    return to_type(c, c.input(0), type_name(c.attribute("to", 0)))


@lowers("CastLike")
def cast_like(c: Context) -> Value:
    """Lower a cast to the type of another value."""
    return to_type(c, c.input(0), c.input(1).type)


def to_type(c: Context, x: Value, kind: str) -> Value:
    """Cast as ONNX does: floats are cut towards zero, whole numbers wrap around, truth is what is not zero.

    What does not fit into a whole number, ONNX leaves undefined for floats.
    """
    _refuse_types(c, x.type, kind)
    if x.type == kind:
        return x
    if kind in narrow and x.dtype == "int32" and not _fits(x.type, kind):
        return wrapped(c.graph, x, kind)
    if kind == "bfloat16" and x.type in floats:
        return _as_bfloat16(c, x)
    return c.graph.cast(x, kind)


@lowers("BitCast")
def bit_cast(c: Context) -> Value:
    """Lower another reading of the same bits, between whole numbers of one width."""
    x, kind = c.input(0), type_name(c.attribute("to", 0))
    _refuse_types(c, x.type, kind)
    if x.type == kind or any({x.type, kind} <= pair for pair in same_bits):
        return c.graph.cast(x, kind)
    if {x.type, kind} <= narrow and np.dtype(x.type).itemsize == np.dtype(kind).itemsize:
        return wrapped(c.graph, x, kind)
    return c.refuse(f"from {x.type} to {kind}, whose bits TensorFlow.js does not show")


def _as_bfloat16(c: Context, x: Value) -> Value:
    """Round to the 8 bits that a bfloat16 has (Veltkamp's splitting); what is too large for that stays as it is."""
    graph = c.graph
    large = graph.elementwise("Mul", [x, c.scalar(bfloat16_split, x)])
    rounded = graph.elementwise("Sub", [large, graph.elementwise("Sub", [large, x])])
    small = graph.elementwise("Less", [graph.elementwise("Abs", [x]), c.scalar(largest_split, x)], "bool")
    return graph.cast(select(c, small, rounded, x), "bfloat16")


def _fits(source: str, target: str) -> bool:
    return bool(np.can_cast(np.dtype(source), np.dtype(target), "safe"))


def _refuse_types(c: Context, *kinds: str) -> None:
    for kind in kinds:
        if kind in ("str", "object"):
            c.refuse("between numbers and strings")


def type_name(number: Any) -> str:
    """Return NumPy's name of one of ONNX' types."""
    return str(load_onnx().helper.tensor_dtype_to_np_dtype(int(number)).name)
