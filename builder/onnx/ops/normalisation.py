"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.pieces import cut
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .padding import padded
from .reductions import reduce


@lowers("BatchNormalization")
def batch_normalization(c: Context) -> Value | Sequence[Value | None]:
    """Lower what is one factor and one summand for each channel, computed at build time where that can be."""
    x = c.input(0)
    if c.attribute("training_mode", 0):
        return _training(c, x)
    if len([name for name in c.names if name]) > 1:
        c.refuse("outputs for training", "Export the model for inference (model.eval())")
    ends = (1,) * (x.rank - 2)
    if all(c.input(index).array is not None for index in (1, 2, 3, 4)):
        scale, bias, mean, variance = (c.known(index).astype(np.float64) for index in (1, 2, 3, 4))
        factor = scale / np.sqrt(variance + c.attribute("epsilon", 1e-5))
        factors = c.graph.constant(factor.astype(np.float32).reshape(-1, *ends), name=f"{c.name}_factor")
        summand = (bias - mean * factor).astype(np.float32)
        summands = c.graph.constant(summand.reshape(-1, *ends), name=f"{c.name}_bias")
        return c.graph.elementwise("AddV2", [c.graph.elementwise("Mul", [x, factors]), summands])
    computed = [_per_channel(c, index, x) for index in (3, 4, 1, 2)]
    return _scaled(c, x, *computed)


def _per_channel(c: Context, index: int, x: Value) -> Value:
    """Return a vector with an axis for each axis of [n, c, spatial…] from the channels on."""
    value = c.input(index)
    return c.graph.reshape(value, (value.shape[0] if value.shape[0] is not None else x.shape[1], *[1] * (x.rank - 2)))


def _scaled(
    c: Context, x: Value, mean: Value | None, variance: Value, scale: Value | None, bias: Value | None
) -> Value:
    """Return (x - mean) / sqrt(variance + epsilon) scale + bias."""
    graph = c.graph
    epsilon = c.scalar(float(c.attribute("epsilon", 1e-5)), variance)
    factor = graph.elementwise("Rsqrt", [graph.elementwise("AddV2", [variance, epsilon])])
    if scale is not None:
        factor = graph.elementwise("Mul", [factor, scale])
    centred = x if mean is None else graph.elementwise("Sub", [x, mean])
    found = graph.elementwise("Mul", [centred, factor])
    return found if bias is None else graph.elementwise("AddV2", [found, bias])


def moments(c: Context, x: Value, axes: list[int]) -> tuple[Value, Value]:
    """Return mean and variance along logical axes, which are kept with length 1."""
    mean = reduce(c, "Mean", x, axes, keep=True)
    return mean, reduce(c, "Mean", c.graph.elementwise("SquaredDifference", [x, mean]), axes, keep=True)


def _training(c: Context, x: Value) -> Sequence[Value | None]:
    """Normalise by the batch, and move the running numbers towards it."""
    graph = c.graph
    mean, variance = moments(c, x, [axis for axis in range(x.rank) if axis != 1])
    found = _scaled(c, x, mean, variance, _per_channel(c, 1, x), _per_channel(c, 2, x))
    kept = float(c.attribute("momentum", 0.9))
    outputs: list[Value | None] = [found]
    for index, now in ((3, mean), (4, variance)):
        old = c.input(index)
        flat = graph.reshape(now, (x.shape[1],))
        parts = [
            graph.elementwise("Mul", [value, c.scalar(share, value)])
            for value, share in ((old, kept), (flat, 1 - kept))
        ]
        outputs.append(graph.elementwise("AddV2", parts))
    return outputs[: len(c.names)]


@lowers("InstanceNormalization")
def instance_normalization(c: Context) -> Value:
    """Lower a normalisation of each channel of each picture."""
    x = c.input(0)
    mean, variance = moments(c, x, list(range(2, x.rank)))
    return _scaled(c, x, mean, variance, _per_channel(c, 1, x), _per_channel(c, 2, x))


@lowers("LayerNormalization")
def layer_normalization(c: Context) -> Sequence[Value | None]:
    """Lower a normalisation over all axes from one on, with its mean and inverse deviation."""
    x, graph = c.input(0), c.graph
    axes = list(range(c.attribute("axis", -1) % x.rank, x.rank))
    mean, variance = moments(c, x, axes)
    found = _scaled(c, x, mean, variance, c.input(1), c.optional(2))
    if len([name for name in c.names if name]) == 1:
        return [found]
    epsilon = c.scalar(float(c.attribute("epsilon", 1e-5)), variance)
    return [found, mean, graph.elementwise("Rsqrt", [graph.elementwise("AddV2", [variance, epsilon])])]


@lowers("RMSNormalization")
def rms_normalization(c: Context) -> Value:
    """Lower a division by the root of the mean square over all axes from one on."""
    x = c.input(0)
    axes = list(range(c.attribute("axis", -1) % x.rank, x.rank))
    square = reduce(c, "Mean", c.graph.elementwise("Square", [x]), axes, keep=True)
    return _scaled(c, x, None, square, c.input(1), None)


@lowers("GroupNormalization")
def group_normalization(c: Context) -> Value:
    """Lower a normalisation of each group of channels; scale and bias are for groups before opset 21."""
    x, graph, count = c.input(0), c.graph, int(c.attributes["num_groups"])
    channels = x.shape[1]
    if channels is None or x.shape.count(None) > 1:
        c.refuse("open lengths besides the batch", fix_lengths)
    ends = [1] * (x.rank - 2)
    parted = graph.reshape(x, (x.shape[0], count, channels // count, *x.shape[2:]))
    mean, variance = moments(c, parted, list(range(2, parted.rank)))
    if c.opset < 21:
        scale, bias = (graph.reshape(c.input(index), (count, 1, *ends)) for index in (1, 2))
    else:
        scale, bias = (graph.reshape(c.input(index), (count, channels // count, *ends)) for index in (1, 2))
    return graph.reshape(_scaled(c, parted, mean, variance, scale, bias), x.shape)


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(c: Context) -> Value:
    """Lower (x - mean) / (deviation + 1e-9), as the specification's own function has it."""
    x, graph = c.input(0), c.graph
    axes = [axis % x.rank for axis in c.attribute("axes", [0, 2, 3])]
    mean, variance = moments(c, x, axes)
    deviation = graph.elementwise("AddV2", [graph.elementwise("Sqrt", [variance]), c.scalar(1e-9, x)])
    return graph.elementwise("RealDiv", [graph.elementwise("Sub", [x, mean]), deviation])


@lowers("LpNormalization")
def lp_normalization(c: Context) -> Value:
    """Lower a division by the sum of sizes, or the root of the sum of squares; 0 where that is 0."""
    x, graph, p = c.input(0), c.graph, c.attribute("p", 2)
    axes = [c.attribute("axis", -1) % x.rank]
    if p not in (1, 2):
        c.refuse(f"p of {p}; only 1 and 2 are possible")
    sizes = graph.elementwise("Abs" if p == 1 else "Square", [x])
    norm = reduce(c, "Sum", sizes, axes, keep=True)
    norm = norm if p == 1 else graph.elementwise("Sqrt", [norm])
    return graph.elementwise("DivNoNan", [x, norm])


@lowers("LRN")
def lrn(c: Context) -> Value:
    """Lower LRN; TensorFlow's own has windows of odd size only."""
    x, graph, size = c.input(0), c.graph, int(c.attributes["size"])
    defaults = (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    alpha, beta, bias = (float(c.attribute(name, value)) for name, value in defaults)
    if size % 2 and x.rank == 4:
        x = graph.ordered(x, channels_last(4))
        attributes: dict[str, Any] = {"depth_radius": size // 2, "bias": bias, "alpha": alpha / size, "beta": beta}
        return graph.op("LRN", [x], shape=x.shape, order=x.order, **attributes)
    channels = x.shape[1]
    if channels is None:
        c.refuse("an open number of channels", fix_lengths)
    before, after = [0] * x.rank, [0] * x.rank
    before[1], after[1] = (size - 1) // 2, size // 2
    squares = padded(graph, graph.elementwise("Square", [x]), before, after, c.scalar(0, x))
    total = cut(graph, squares, {1: (0, channels)})
    for step in range(1, size):
        total = graph.elementwise("AddV2", [total, cut(graph, squares, {1: (step, channels)})])
    scaled = graph.elementwise("Mul", [total, c.scalar(alpha / size, x)])
    powers = graph.elementwise("Pow", [graph.elementwise("AddV2", [scaled, c.scalar(bias, x)]), c.scalar(beta, x)])
    return graph.elementwise("RealDiv", [x, powers])
