"""Operators that work number by number."""

from __future__ import annotations

from ...lowering.values import Value
from ..registry import Context, lowers

unchanged = (
    *("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Log"),
    *("Neg", "Reciprocal", "Round", "Sign", "Sin", "Sqrt", "Tan"),
)
same_ops = {**{op: op for op in unchanged}, "Not": "LogicalNot"}


@lowers(*same_ops)
def unary(c: Context) -> Value:
    """Lower what TensorFlow.js has by another name or the same."""
    return c.graph.elementwise(same_ops[c.op], [c.input(0)])


@lowers("Add", "Sub", "Mul", "Div")
def binary(c: Context) -> Value:
    """Lower arithmetic with NumPy's broadcasting; whole numbers are divided towards zero."""
    values = [c.input(0), c.input(1)]
    if c.op == "Div" and values[0].dtype == "int32":
        floats = [c.graph.cast(value, "float32") for value in values]
        quotient = c.graph.elementwise("RealDiv", floats)
        return c.graph.cast(quotient, values[0].type)  # a cast cuts towards zero
    names = {"Add": "AddV2", "Sub": "Sub", "Mul": "Mul", "Div": "RealDiv"}
    return c.graph.elementwise(names[c.op], values)


@lowers("Pow")
def power(c: Context) -> Value:
    """Lower powers; a constant exponent of 2 or 0.5 is what TensorFlow.js does exactly."""
    base, exponent = c.input(0), c.input(1)
    if exponent.array is not None and exponent.size == 1 and base.dtype == "float32":
        number = float(exponent.array.ravel()[0])
        if number == 2:
            return c.graph.elementwise("Square", [base])
        if number == 0.5:
            return c.graph.elementwise("Sqrt", [base])
    return c.graph.elementwise("Pow", [base, c.graph.cast(exponent, base.type)])
