"""Activations."""

from __future__ import annotations

from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, lowers

same_names = {"RELU": "Relu", "RELU6": "Relu6", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "ELU": "Elu"}


@lowers(*same_names)
def plain_activation(c: Context) -> Value:
    """Lower what TensorFlow.js has."""
    return c.activation(c.arranged(0), same_names[c.op])


@lowers("RELU_N1_TO_1", "RELU_0_TO_1")
def clipped(c: Context) -> Value:
    """Lower clips to 1."""
    x = c.arranged(0)
    if c.op == "RELU_N1_TO_1":
        return c.activation(x, "relu_n1_to_1")
    return c.graph.elementwise("Minimum", [c.graph.elementwise("Relu", [x]), c.scalar(1, x)])


@lowers("LEAKY_RELU")
def leaky_relu(c: Context) -> Value:
    """Lower max(x, alpha x)."""
    return c.graph.elementwise("LeakyRelu", [c.arranged(0)], alpha=float(c.option("alpha", 0.0)))


@lowers("PRELU")
def prelu(c: Context) -> Value:
    """Lower max(x, 0) + slope min(x, 0), with a slope for each channel or for each number."""
    return c.graph.elementwise("Prelu", [c.arranged(0), c.arranged(1)])


@lowers("HARD_SWISH")
def hard_swish(c: Context) -> Value:
    """Lower x relu6(x + 3) / 6."""
    graph, x = c.graph, c.arranged(0)
    gate = graph.elementwise("Relu6", [graph.elementwise("AddV2", [x, c.scalar(3, x)])])
    return graph.elementwise("Mul", [x, graph.elementwise("Mul", [gate, c.scalar(1 / 6, x)])])


@lowers("GELU")
def gelu(c: Context) -> Value:
    """Lower x Φ(x), with erf or with its approximation by tanh (Hendrycks and Gimpel, 2016)."""
    return Reckoning(c.graph).gelu(c.arranged(0), by_tanh=bool(c.option("approximate", False)))


@lowers("SOFTMAX", "LOG_SOFTMAX")
def softmax(c: Context) -> Value:
    """Lower a softmax along the last axis."""
    x, beta = c.input(0), float(c.option("beta", 1.0) or 1.0)
    if c.op == "SOFTMAX" and beta != 1:
        x = c.graph.elementwise("Mul", [x, c.scalar(beta, x)])
    return c.graph.op("Softmax" if c.op == "SOFTMAX" else "LogSoftmax", [x], shape=x.shape, name=c.name)


@lowers("L2_NORMALIZATION")
def l2_normalization(c: Context) -> Value:
    """Lower x / max(|x|, 1e-6) along the last axis, as the interpreter computes it."""
    graph, x = c.graph, c.input(0)
    kept = (*x.shape[:-1], 1)
    squares = graph.op("Sum", [graph.elementwise("Square", [x]), c.whole([x.rank - 1])], shape=kept, keep_dims=True)
    length = graph.elementwise("Maximum", [graph.elementwise("Sqrt", [squares]), c.scalar(1e-6, x)])
    return c.activated(graph.elementwise("RealDiv", [x, length]))


@lowers("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(c: Context) -> Value:
    """Lower LRN, whose options are TensorFlow's."""
    x = c.input(0)
    return c.graph.op(
        "LRN",
        [x],
        shape=x.shape,
        name=c.name,
        depth_radius=int(c.option("radius", 0)),
        bias=float(c.option("bias", 0.0)),
        alpha=float(c.option("alpha", 0.0)),
        beta=float(c.option("beta", 0.0)),
    )
