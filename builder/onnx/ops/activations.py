"""Activations."""

from __future__ import annotations

from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("Relu", "Sigmoid", "Tanh", "Elu", "Softplus", "Softsign")
def plain_activation(c: Context) -> Value:
    """Lower what TensorFlow.js has."""
    x = c.input(0)
    if c.op == "Elu" and c.attribute("alpha", 1.0) != 1.0:
        negative = c.graph.elementwise("Expm1", [c.graph.elementwise("Minimum", [x, c.scalar(0, x)])])
        scaled = c.graph.elementwise("Mul", [negative, c.scalar(c.attribute("alpha", 1.0), x)])
        return c.graph.elementwise("AddV2", [c.graph.elementwise("Relu", [x]), scaled])
    return c.graph.elementwise(c.op, [x])


@lowers("LeakyRelu")
def leaky_relu(c: Context) -> Value:
    """Lower max(x, alpha x)."""
    return c.graph.elementwise("LeakyRelu", [c.input(0)], alpha=float(c.attribute("alpha", 0.01)))


@lowers("Clip")
def clip(c: Context) -> Value:
    """Lower a clip between numbers, either of which may be left out; 0 to 6 is TensorFlow.js' own Relu6."""
    x = c.input(0)
    low, high = (
        c.optional(index)
        if c.optional(index) is not None or name not in c.attributes
        else c.scalar(c.attributes[name], x)
        for index, name in ((1, "min"), (2, "max"))
    )
    bounds = [float(bound.array) for bound in (low, high) if bound is not None and bound.array is not None]
    if bounds == [0.0, 6.0] and x.dtype == "float32":
        return c.graph.elementwise("Relu6", [x])
    for bound, op in ((low, "Maximum"), (high, "Minimum")):
        if bound is not None:
            x = c.graph.elementwise(op, [x, bound])
    return x


@lowers("Softmax", "LogSoftmax")
def softmax(c: Context) -> Value:
    """Lower a softmax along one axis, which is brought to the end; before opset 13 over all axes from one on."""
    x = c.input(0)
    axis = c.attribute("axis", -1 if c.opset >= 13 else 1) % max(x.rank, 1)
    if c.opset < 13 and axis != x.rank - 1:
        rest = _product(x.shape[axis:])
        flat = c.graph.reshape(x, (_product(x.shape[:axis]), rest), None)
        done = c.graph.op(c.op, [c.graph.plain(flat)], shape=flat.shape)
        return c.graph.reshape(done, x.shape, c.graph.shape_of(x))
    if x.order[-1] == axis:
        return c.graph.op(c.op, [x], shape=x.shape, order=x.order)
    order = (*(other for other in x.order if other != axis), axis)
    return c.graph.op(c.op, [c.graph.ordered(x, order)], shape=x.shape, order=order)


def _product(lengths: tuple[int | None, ...]) -> int | None:
    result = 1
    for length in lengths:
        if length is None:
            return None
        result *= length
    return result
