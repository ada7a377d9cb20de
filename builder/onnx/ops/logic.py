"""Comparisons, logic and choices."""

from __future__ import annotations

import numpy as np

from ...lowering.attributes import Type
from ...lowering.values import Value
from ..registry import Context, lowers

binary_ops = {
    "And": "LogicalAnd",
    "Or": "LogicalOr",
    "Xor": "NotEqual",
    "Equal": "Equal",
    "Less": "Less",
    "LessOrEqual": "LessEqual",
    "Greater": "Greater",
    "GreaterOrEqual": "GreaterEqual",
}


@lowers(*binary_ops)
def binary(c: Context) -> Value:
    """Lower what gives truth values."""
    values = [c.input(0), c.input(1)]
    refuse_strings(c, *values)
    return c.graph.elementwise(binary_ops[c.op], values, "bool")


@lowers("Not")
def logical_not(c: Context) -> Value:
    """Lower the opposite."""
    return c.graph.elementwise("LogicalNot", [c.input(0)])


@lowers("IsNaN")
def is_nan(c: Context) -> Value:
    """Lower the question whether a number is none."""
    return c.graph.elementwise("IsNan", [c.input(0)], "bool")


@lowers("IsInf")
def is_inf(c: Context) -> Value:
    """Lower the question whether a number is infinite, on both sides or on one."""
    x = c.input(0)
    below, above = c.attribute("detect_negative", 1), c.attribute("detect_positive", 1)
    if below and above:
        return c.graph.elementwise("IsInf", [x], "bool")
    if not below and not above:  # never, as nothing has a size below 0
        return c.graph.elementwise("Less", [c.graph.elementwise("Abs", [x]), c.scalar(0, x)], "bool")
    return c.graph.elementwise("Equal", [x, c.scalar(np.inf if above else -np.inf, x)], "bool")


@lowers("Where")
def where(c: Context) -> Value:
    """Lower the choice between two values."""
    values = [c.input(1), c.input(2)]
    refuse_strings(c, *values)
    return select(c, c.input(0), *values)


def select(c: Context, condition: Value, yes: Value, no: Value) -> Value:
    """Choose number by number; truth values go as whole numbers, as wasm's kernel moves four bytes for each."""
    graph, kind = c.graph, yes.type
    if kind == "bool":
        yes, no = (graph.cast(value, "int32") for value in (yes, no))
    found = graph.elementwise("SelectV2", [condition, yes, no], yes.type, T=Type(yes.dtype))
    return graph.cast(found, kind)


def refuse_strings(c: Context, *values: Value) -> None:
    """Refuse what only cpu's kernels can do."""
    if any(value.dtype == "string" for value in values):
        c.refuse("strings, which TensorFlow.js compares on none of its fast backends")
