"""Folding of batch normalisation, against arithmetic done by hand, on graphs of our own messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.convert.folding import fold_batch_norms
from builder.graphs.graphdef import messages

chance = np.random.default_rng(5)


def read(node: Any) -> np.ndarray:
    tensor = node.attr["value"].tensor
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    return np.frombuffer(tensor.tensor_content, np.float32).reshape(shape)


def make(array: np.ndarray) -> Any:
    graph = messages().GraphDef()
    tensor = graph.node.add().attr["value"].tensor
    tensor.dtype = 1
    for length in array.shape:
        tensor.tensor_shape.dim.add(size=length)
    tensor.tensor_content = array.astype(np.float32).tobytes()
    return tensor


def graph_of(
    conv: str, shape: tuple[int, ...], channels: int, *, bias: bool = False
) -> tuple[Any, dict[str, np.ndarray]]:
    graph = messages().GraphDef()
    arrays = {"w": chance.normal(size=shape).astype(np.float32)}
    arrays |= {name: chance.normal(size=channels).astype(np.float32) for name in ("gamma", "beta", "mean", "bias")}
    arrays["variance"] = chance.uniform(0.5, 2, channels).astype(np.float32)
    for name, array in arrays.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(make(array))
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="conv", op=conv, input=["x", "w"])
    if bias:
        graph.node.add(name="add", op="BiasAdd", input=["conv", "bias"])
    source = "add" if bias else "conv"
    norm = graph.node.add(name="norm", op="FusedBatchNormV3", input=[source, "gamma", "beta", "mean", "variance"])
    norm.attr["epsilon"].f = 0.001
    graph.node.add(name="out", op="Relu6", input=["norm"])
    return graph, arrays


def nodes_of(graph: Any) -> dict[str, Any]:
    return {node.name: node for node in graph.node}


@pytest.mark.parametrize(
    ("conv", "shape", "channels", "bias"),
    [
        ("Conv2D", (3, 3, 4, 6), 6, False),
        ("Conv2D", (1, 1, 2, 5), 5, True),
        ("DepthwiseConv2dNative", (3, 3, 4, 2), 8, False),
    ],
)
def test_scale_and_offset_go_into_the_convolution(conv: str, shape: tuple[int, ...], channels: int, bias: bool) -> None:
    graph, arrays = graph_of(conv, shape, channels, bias=bias)
    nodes = nodes_of(fold_batch_norms(graph, read, make))
    scale = arrays["gamma"] / np.sqrt(arrays["variance"] + 0.001)
    spread = scale if conv == "Conv2D" else scale.reshape(shape[2:])
    np.testing.assert_allclose(read(nodes["conv_weights"]), arrays["w"] * spread, rtol=1e-6)
    before = arrays["bias"] if bias else np.zeros(channels, np.float32)
    wanted = (before - arrays["mean"]) * scale + arrays["beta"]
    np.testing.assert_allclose(read(nodes["conv_bn_offset"]), wanted, rtol=1e-5, atol=1e-6)
    assert (nodes["norm"].op, list(nodes["norm"].input)) == ("BiasAdd", ["conv", "conv_bn_offset"])
    assert list(nodes["conv"].input) == ["x", "conv_weights"]
    assert list(nodes["out"].input) == ["norm"]
    assert not {"w", "add"} & set(nodes)


def test_a_convolution_that_something_else_uses_stays() -> None:
    graph, _ = graph_of("Conv2D", (1, 1, 2, 3), 3)
    graph.node.add(name="other", op="Relu", input=["conv"])
    assert nodes_of(fold_batch_norms(graph, read, make))["norm"].op == "FusedBatchNormV3"


def test_weights_that_something_else_uses_stay() -> None:
    graph, arrays = graph_of("Conv2D", (1, 1, 2, 3), 3)
    graph.node.add(name="other", op="Conv2D", input=["x", "w"])
    nodes = nodes_of(fold_batch_norms(graph, read, make))
    assert nodes["norm"].op == "BiasAdd"
    np.testing.assert_array_equal(read(nodes["w"]), arrays["w"])


def test_what_is_not_constant_stays() -> None:
    graph, _ = graph_of("Conv2D", (1, 1, 2, 3), 3)
    nodes_of(graph)["mean"].op = "Placeholder"
    assert nodes_of(fold_batch_norms(graph, read, make))["norm"].op == "FusedBatchNormV3"
