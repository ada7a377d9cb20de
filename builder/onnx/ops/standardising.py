"""Normalisations by mean, variance or length along axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.values import Value
from ..registry import Context, lowers
from .logic import select
from .reductions import reduce


@lowers("LayerNormalization")
def layer_normalization(c: Context) -> Sequence[Value | None]:
    """Lower (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes."""
    graph, x = c.graph, c.input(0)
    axes = _last_axes(c, x)
    mean = reduce(c, "Mean", x, axes, keep=True)
    centred = graph.elementwise("Sub", [x, mean])
    variance = reduce(c, "Mean", graph.elementwise("Square", [centred]), axes, keep=True)
    inverse = _inverse_root(c, variance)
    found = graph.elementwise("Mul", [graph.elementwise("Mul", [centred, inverse]), c.input(1)])
    bias = c.optional(2)
    found = found if bias is None else graph.elementwise("AddV2", [found, bias])
    return [graph.cast(found, x.type), mean, inverse]


@lowers("RMSNormalization")
def rms_normalization(c: Context) -> Value:
    """Lower x / sqrt(mean of squares + epsilon) * scale over the last axes."""
    graph, x = c.graph, c.input(0)
    squares = reduce(c, "Mean", graph.elementwise("Square", [x]), _last_axes(c, x), keep=True)
    found = graph.elementwise("Mul", [x, _inverse_root(c, squares)])
    return graph.elementwise("Mul", [found, c.input(1)])


def _last_axes(c: Context, x: Value) -> list[int]:
    return list(range(c.attribute("axis", -1) % x.rank, x.rank))


def _inverse_root(c: Context, squares: Value) -> Value:
    epsilon = c.scalar(c.attribute("epsilon", 1e-5), squares)
    return c.graph.elementwise("Rsqrt", [c.graph.elementwise("AddV2", [squares, epsilon])])


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(c: Context) -> Value:
    """Lower (x - mean) / (deviation + 1e-9) over any axes."""
    graph, x = c.graph, c.input(0)
    axes = [axis % x.rank for axis in c.attribute("axes", [0, 2, 3])]
    centred = graph.elementwise("Sub", [x, reduce(c, "Mean", x, axes, keep=True)])
    variance = reduce(c, "Mean", graph.elementwise("Square", [centred]), axes, keep=True)
    deviation = graph.elementwise("AddV2", [graph.elementwise("Sqrt", [variance]), c.scalar(1e-9, x)])
    return graph.elementwise("RealDiv", [centred, deviation])


@lowers("LpNormalization")
def lp_normalization(c: Context) -> Value:
    """Lower x / length, the sum of absolute values or the root of the sum of squares; nothing but zeros stay so."""
    graph, x, p = c.graph, c.input(0), c.attribute("p", 2)
    if p not in (1, 2):
        c.refuse(f"p = {p}")
    axes = [c.attribute("axis", -1) % x.rank]
    sizes = graph.elementwise("Abs" if p == 1 else "Square", [x])
    length = reduce(c, "Sum", sizes, axes, keep=True)
    length = length if p == 1 else graph.elementwise("Sqrt", [length])
    nothing = graph.elementwise("Equal", [length, c.scalar(0, x)], "bool")
    return graph.elementwise("RealDiv", [x, select(c, nothing, graph.constant(np.float32(1)), length)])
