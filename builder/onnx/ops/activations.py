"""Activations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...lowering.graph import Graph
from ...lowering.layout import product_of
from ...lowering.pieces import count_of, scalar
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, lowers
from .logic import select
from .shapes import flat_lengths

selu_alpha, selu_gamma = 1.6732632423543772, 1.0507009873554805  # which TensorFlow.js' Selu has built in


@lowers("Relu", "Sigmoid", "Tanh", "Softplus")
def plain_activation(c: Context) -> Value:
    """Lower what TensorFlow.js has."""
    return c.graph.elementwise(c.op, [c.input(0)])


@lowers("LeakyRelu")
def leaky_relu(c: Context) -> Value:
    """Lower max(x, alpha x)."""
    return c.graph.elementwise("LeakyRelu", [c.input(0)], alpha=float(c.attribute("alpha", 0.01)))


@lowers("PRelu")
def prelu(c: Context) -> Value:
    """Lower a slope for what is negative; one a channel, where channels lie last, is TensorFlow.js' own Prelu."""
    x, slope = c.input(0), c.input(1)
    (fitted, slopes), shape, order = c.graph.aligned([x, slope])
    if x.dtype == "float32" and x.rank == slopes.rank and all(n == 1 for n in slopes.stored_shape[:-1]):
        return c.graph.op("Prelu", [fitted, slopes], shape=shape, order=order)
    zero = c.scalar(0, x)
    below = c.graph.elementwise("Mul", [c.graph.elementwise("Minimum", [x, zero]), slope])
    return c.graph.elementwise("AddV2", [c.graph.elementwise("Maximum", [x, zero]), below])


@lowers("Elu", "Celu")
def elu(c: Context) -> Value:
    """Lower max(0, x) + min(0, alpha (e^x - 1)); Celu has e^(x / alpha)."""
    x, alpha = c.input(0), float(c.attribute("alpha", 1.0))
    if alpha == 1:
        return c.graph.elementwise("Elu", [x])
    return _exponential(c.graph, x, alpha, 1.0, 1 / alpha if c.op == "Celu" else 1.0)


@lowers("Selu")
def selu(c: Context) -> Value:
    """Lower gamma (max(0, x) + min(0, alpha (e^x - 1)))."""
    x, alpha, gamma = c.input(0), c.attribute("alpha", selu_alpha), c.attribute("gamma", selu_gamma)
    if math.isclose(alpha, selu_alpha, rel_tol=1e-6) and math.isclose(gamma, selu_gamma, rel_tol=1e-6):
        return c.graph.elementwise("Selu", [x])
    return _exponential(c.graph, x, alpha * gamma, gamma, 1.0)


def _exponential(graph: Graph, x: Value, below: float, above: float, rate: float) -> Value:
    """Return above max(0, x) + below (e^(rate min(0, x)) - 1)."""
    negative = scaled(graph, graph.elementwise("Minimum", [x, graph.constant(np.float32(0))]), rate)
    positive = scaled(graph, graph.elementwise("Relu", [x]), above)
    return graph.elementwise("AddV2", [positive, scaled(graph, graph.elementwise("Expm1", [negative]), below)])


def scaled(graph: Graph, x: Value, factor: float) -> Value:
    """Multiply floats by a number."""
    return x if factor == 1 else graph.elementwise("Mul", [x, graph.constant(np.float32(factor))])


@lowers("HardSigmoid", "HardSwish")
def hard_sigmoid(c: Context) -> Value:
    """Lower max(0, min(1, alpha x + beta)); HardSwish is x times that with 1/6 and 1/2."""
    x, graph = c.input(0), c.graph
    if c.op == "HardSwish":
        six = graph.elementwise("Relu6", [graph.elementwise("AddV2", [x, c.scalar(3, x)])])
        return scaled(graph, graph.elementwise("Mul", [x, six]), 1 / 6)
    line = scaled(graph, x, c.attribute("alpha", 0.2))
    line = graph.elementwise("AddV2", [line, c.scalar(c.attribute("beta", 0.5), x)])
    return graph.elementwise("ClipByValue", [line, c.scalar(0, x), c.scalar(1, x)])


@lowers("Softsign")
def softsign(c: Context) -> Value:
    """Lower x / (1 + |x|)."""
    x = c.input(0)
    size = c.graph.elementwise("AddV2", [c.graph.elementwise("Abs", [x]), c.scalar(1, x)])
    return c.graph.elementwise("RealDiv", [x, size])


@lowers("Mish")
def mish(c: Context) -> Value:
    """Lower x tanh(ln(1 + e^x))."""
    x = c.input(0)
    return c.graph.elementwise("Mul", [x, c.graph.elementwise("Tanh", [c.graph.elementwise("Softplus", [x])])])


@lowers("Swish")
def swish(c: Context) -> Value:
    """Lower x sigmoid(alpha x)."""
    x = c.input(0)
    gate = c.graph.elementwise("Sigmoid", [scaled(c.graph, x, c.attribute("alpha", 1.0))])
    return c.graph.elementwise("Mul", [x, gate])


@lowers("Gelu")
def gelu(c: Context) -> Value:
    """Lower x / 2 (1 + erf(x / sqrt 2)), or its approximation by tanh."""
    return Reckoning(c.graph).gelu(c.input(0), by_tanh=c.attribute("approximate", "none") == "tanh")


@lowers("Shrink")
def shrink(c: Context) -> Value:
    """Lower x + bias below -lambd, x - bias above lambd, and 0 between."""
    x, graph, limit, bias = c.input(0), c.graph, c.attribute("lambd", 0.5), c.attribute("bias", 0.0)
    floats = graph.cast(x, "float32")
    limits = [graph.constant(np.float32(number)) for number in (limit, -limit)]
    above = graph.elementwise("Greater", [floats, limits[0]], "bool")
    below = graph.elementwise("Less", [floats, limits[1]], "bool")
    less, more = (graph.elementwise(op, [floats, graph.constant(np.float32(bias))]) for op in ("Sub", "AddV2"))
    nothing = graph.constant(np.float32(0))
    return graph.cast(select(c, above, less, select(c, below, more, nothing)), x.type)


@lowers("ThresholdedRelu")
def thresholded_relu(c: Context) -> Value:
    """Lower x where it is above alpha, and 0 elsewhere."""
    x = c.input(0)
    above = c.graph.elementwise("Greater", [x, c.scalar(c.attribute("alpha", 1.0), x)], "bool")
    return select(c, above, x, c.scalar(0, x))


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
    low, high = (None if bound is None or _is_beyond(bound) else bound for bound in (low, high))
    bounds = [float(bound.array) for bound in (low, high) if bound is not None and bound.array is not None]
    if bounds == [0.0, 6.0] and x.dtype == "float32":
        return c.graph.elementwise("Relu6", [x])
    for bound, op in ((low, "Maximum"), (high, "Minimum")):
        if bound is not None:
            x = c.graph.elementwise(op, [x, bound])
    return x


def _is_beyond(bound: Value) -> bool:
    """Whether a bound is known and beyond 32 bits, as the limits of int64 are that bound nothing."""
    return bound.dtype == "int32" and bound.array is not None and abs(int(bound.array.item())) >= 1 << 31


@lowers("Softmax", "LogSoftmax")
def softmax(c: Context) -> Value:
    """Lower a softmax along one axis; before opset 13 over all axes from one on."""
    return along_axis(c, lambda x: c.graph.op(c.op, [x], shape=x.shape, order=x.order))


@lowers("Hardmax")
def hardmax(c: Context) -> Value:
    """Lower 1 for the first of the largest numbers, and 0 for all others."""

    def hard(x: Value) -> Value:
        shape, count = x.stored_shape[:-1], count_of(c.graph, x, x.order[-1])
        last, on, off = (scalar(c.graph, n) for n in (x.rank - 1, 1, 0))
        place = c.graph.op("ArgMax", [x, last], shape=shape, type_name="int32")
        ones = c.graph.op("OneHot", [place, count, on, off], shape=x.shape, type_name="int32", order=x.order, axis=-1)
        return c.graph.cast(ones, x.type)

    return along_axis(c, hard)


def along_axis(c: Context, lower: Callable[[Value], Value]) -> Value:
    """Lower along one axis, which is stored last; before opset 13 along all axes from one on, as one."""
    x, graph = c.input(0), c.graph
    axis = c.attribute("axis", -1 if c.opset >= 13 else 1) % max(x.rank, 1)
    if c.opset < 13 and axis != x.rank - 1:
        lengths = (product_of(x.shape[:axis]), product_of(x.shape[axis:]))
        flat = graph.plain(graph.reshape(x, lengths, flat_lengths(c, x, axis)))
        return graph.reshape(lower(flat), x.shape, graph.shape_of(x))
    if x.order[-1] == axis:
        return lower(x)
    order = (*(other for other in x.order if other != axis), axis)
    return lower(graph.ordered(x, order))
