"""Operators that work number by number."""

from __future__ import annotations

from ...lowering.attributes import Type
from ...lowering.values import Value
from ...lowering.whole_numbers import absolute, divided, floor_divided, negative
from ..registry import Context, lowers

unary_names = {
    "ABS": "Abs",
    "CEIL": "Ceil",
    "COS": "Cos",
    "EXP": "Exp",
    "FLOOR": "Floor",
    "LOG": "Log",
    "NEG": "Neg",
    "ROUND": "Round",
    "RSQRT": "Rsqrt",
    "SIGN": "Sign",
    "SIN": "Sin",
    "SQRT": "Sqrt",
    "SQUARE": "Square",
    "LOGICAL_NOT": "LogicalNot",
}
binary_names = {
    "ADD": "AddV2",
    "SUB": "Sub",
    "MUL": "Mul",
    "MAXIMUM": "Maximum",
    "MINIMUM": "Minimum",
    "SQUARED_DIFFERENCE": "SquaredDifference",
    "FLOOR_MOD": "FloorMod",
    "ATAN2": "Atan2",
}
comparison_names = {
    "EQUAL": "Equal",
    "NOT_EQUAL": "NotEqual",
    "GREATER": "Greater",
    "GREATER_EQUAL": "GreaterEqual",
    "LESS": "Less",
    "LESS_EQUAL": "LessEqual",
    "LOGICAL_AND": "LogicalAnd",
    "LOGICAL_OR": "LogicalOr",
}


@lowers(*unary_names)
def unary(c: Context) -> Value:
    """Lower what TensorFlow.js has; of whole numbers Abs and Neg by others, as its kernels go through floats."""
    x = c.arranged(0)
    if x.dtype == "int32" and c.op in {"ABS", "NEG"}:
        return (absolute if c.op == "ABS" else negative)(c.graph, x)
    return c.graph.elementwise(unary_names[c.op], [x])


@lowers(*binary_names)
def binary(c: Context) -> Value:
    """Lower arithmetic with NumPy's broadcasting, and the activation built in."""
    return c.activated(c.graph.elementwise(binary_names[c.op], [c.arranged(0), c.arranged(1)], name=c.name))


@lowers(*comparison_names)
def comparison(c: Context) -> Value:
    """Lower comparisons."""
    return c.graph.elementwise(comparison_names[c.op], [c.arranged(0), c.arranged(1)], "bool")


@lowers("ADD_N")
def add_n(c: Context) -> Value:
    """Lower sums of many."""
    found = c.arranged(0)
    for index in range(1, len(c.inputs)):
        found = c.graph.elementwise("AddV2", [found, c.arranged(index)])
    return found


@lowers("DIV", "FLOOR_DIV")
def division(c: Context) -> Value:
    """Lower divisions; whole numbers are divided towards zero, or downwards."""
    values = [c.arranged(0), c.arranged(1)]
    if values[0].dtype == "int32":
        if c.op == "FLOOR_DIV":
            return floor_divided(c.graph, *values)[0]
        return c.activated(divided(c.graph, *values))
    quotient = c.graph.elementwise("RealDiv", values)
    return c.graph.elementwise("Floor", [quotient]) if c.op == "FLOOR_DIV" else c.activated(quotient)


@lowers("POW")
def power(c: Context) -> Value:
    """Lower powers; a constant exponent of 2 or 0.5 is what TensorFlow.js does exactly."""
    base, exponent = c.arranged(0), c.arranged(1)
    if exponent.array is not None and exponent.size == 1 and base.dtype == "float32":
        number = float(exponent.array.ravel()[0])
        if number in {2, 0.5}:
            return c.graph.elementwise("Square" if number == 2 else "Sqrt", [base])
    return c.graph.elementwise("Pow", [base, exponent])


@lowers("SELECT", "SELECT_V2", "WHERE")
def select(c: Context) -> Value:
    """Lower a choice between two tensors; SELECT takes a vector of conditions for whole rows too."""
    if c.op == "WHERE":
        x = c.input(0)
        return c.graph.op("Where", [x], shape=(None, x.rank), type_name="int64", name=c.name)
    condition, one, other = c.arranged(0), c.arranged(1), c.arranged(2)
    if c.op == "SELECT" and condition.rank == 1 and one.rank > 1:
        condition = c.graph.unsqueeze(condition, list(range(1, one.rank)))
    values, shape, order = c.graph.aligned([condition, one, other])
    return c.graph.op("SelectV2", values, shape=shape, order=order, type_name=one.type, name=c.name, T=Type(one.dtype))


@lowers("CAST")
def cast(c: Context) -> Value:
    """Lower a cast; what becomes narrower than 32 bits is not wrapped."""
    x, kind = c.arranged(0), c.type()
    if x.dtype == "float32" and kind == "bool":
        return c.graph.elementwise("NotEqual", [x, c.scalar(0, x)], "bool")
    if kind in {"int8", "uint8", "int16", "uint16"} and x.type != kind and x.dtype != "bool":
        c.refuse(f"a cast from {x.type} to {kind}, which may wrap around")
    return c.graph.cast(x, kind)
