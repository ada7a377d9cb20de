"""Arithmetic, number by number."""

from __future__ import annotations

from ...lowering.values import Value
from ...lowering.whole_numbers import absolute, divided, negative, wrapped
from ..registry import Context, lowers

largest_product = 64  # exponents up to which a power of whole numbers is a chain of products


@lowers("Add", "Sub", "Mul", "Div")
def binary(c: Context) -> Value:
    """Lower arithmetic with NumPy's broadcasting; whole numbers are divided towards zero and wrap around."""
    values = [c.input(0), c.input(1)]
    if (same := _unchanged(c, *values)) is not None:
        return same
    names = {"Add": "AddV2", "Sub": "Sub", "Mul": "Mul", "Div": "RealDiv"}
    if values[0].dtype != "int32":
        return c.graph.elementwise(names[c.op], values)
    if c.op == "Div":
        return wrapped(c.graph, divided(c.graph, *values), values[0].type)
    return wrapped(c.graph, c.graph.elementwise(names[c.op], values, "int32"), values[0].type)


def _unchanged(c: Context, a: Value, b: Value) -> Value | None:
    """Return the operand that adding 0 or multiplying with 1 leaves as it is, as masks that mask nothing do."""
    neutral = 0 if c.op in ("Add", "Sub") else 1
    pairs = ((a, b), (b, a)) if c.op in ("Add", "Mul") else ((a, b),)
    for kept, other in pairs:
        if kept.array is not None or other.array is None or other.rank > kept.rank:
            continue
        ends = kept.shape[kept.rank - other.rank :]
        if all(n in (1, m) for n, m in zip(other.shape, ends, strict=True)) and bool((other.array == neutral).all()):
            return kept
    return None


@lowers("Neg", "Abs", "Sign")
def sign(c: Context) -> Value:
    """Lower what concerns the sign; of the least narrow number there is no negative one, so it wraps around."""
    x = c.input(0)
    if x.dtype != "int32" or c.op == "Sign":
        return c.graph.elementwise(c.op, [x])
    return wrapped(c.graph, (negative if c.op == "Neg" else absolute)(c.graph, x), x.type)


@lowers("Mod")
def modulo(c: Context) -> Value:
    """Lower the rest of a division, with the sign of the divisor, or of the dividend where ``fmod`` is set."""
    a, b = c.input(0), c.input(1)
    if not c.attribute("fmod", 0):
        return c.graph.elementwise("FloorMod", [a, b])
    sizes = [absolute(c.graph, x) if x.dtype == "int32" else c.graph.elementwise("Abs", [x]) for x in (a, b)]
    rest = c.graph.elementwise("FloorMod", sizes)
    return c.graph.elementwise("Mul", [c.graph.elementwise("Sign", [a]), rest])


@lowers("Pow")
def power(c: Context) -> Value:
    """Lower powers; small constant exponents are what TensorFlow.js does exactly."""
    base, exponent = c.input(0), c.input(1)
    number = None
    if exponent.array is not None and exponent.size == 1 and exponent.rank <= base.rank:
        number = float(exponent.array.ravel()[0])
    if base.dtype == "int32":
        return _whole_power(c, base, exponent, number)
    if number in (1, 2, 0.5):
        return base if number == 1 else c.graph.elementwise("Square" if number == 2 else "Sqrt", [base])
    return c.graph.elementwise("Pow", [base, c.graph.cast(exponent, base.type)])


def _whole_power(c: Context, base: Value, exponent: Value, number: float | None) -> Value:
    """Multiply where the exponent is known, else compute with floats, exactly up to 2^24."""
    if number is not None and number.is_integer() and 1 <= number <= largest_product:
        found = base
        for _ in range(int(number) - 1):
            found = c.graph.elementwise("Mul", [found, base], "int32")
        return wrapped(c.graph, found, base.type)
    floats = [c.graph.cast(value, "float32") for value in (base, exponent)]
    found = c.graph.elementwise("Pow", floats)
    # Kernels may give 8.999999 for 9: a cast cuts towards zero.
    found = c.graph.elementwise("Mul", [found, c.scalar(1 + 2**-21, found)])
    return wrapped(c.graph, c.graph.cast(found, "int32"), base.type)


@lowers("Max", "Min", "Sum", "Mean")
def many(c: Context) -> Value:
    """Lower what takes any number of inputs, two by two."""
    values = [value for value in c.inputs if value is not None]
    op = {"Max": "Maximum", "Min": "Minimum"}.get(c.op, "AddV2")
    found = values[0]
    for value in values[1:]:
        found = c.graph.elementwise(op, [found, value])
    if c.op == "Mean" and len(values) > 1:
        found = c.graph.elementwise("RealDiv", [found, c.scalar(len(values), found)])
    return found


same_ops = {
    **{op: op for op in ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan")},
    **{op: op for op in ("Erf", "Exp", "Log", "Reciprocal", "Sqrt")},
    **{op: op for op in ("Ceil", "Floor", "Round")},
}


@lowers(*same_ops)
def unary(c: Context) -> Value:
    """Lower functions of floats that TensorFlow.js has by the same name; Round goes half to even in both."""
    return c.graph.elementwise(same_ops[c.op], [c.input(0)])
