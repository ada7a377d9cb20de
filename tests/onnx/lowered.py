"""Lowers small ONNX graphs, and compares what they compute with ONNX' own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from builder.lowering.graph import Graph
from builder.lowering.values import Value
from builder.onnx.lower import lower_model
from tests.helpers.numpy_graphs import run_graph


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[int | str]]],
    outputs: Sequence[str],
    weights: Mapping[str, Any] | None = None,
    opset: int = 20,
) -> Any:
    """Give a model; inputs are types of NumPy or ONNX, and shapes; weights arrays or ONNX' tensors."""
    infos = [
        helper.make_tensor_value_info(
            name, kind if isinstance(kind, int) else helper.np_dtype_to_tensor_dtype(np.dtype(kind)), list(shape)
        )
        for name, (kind, shape) in inputs.items()
    ]
    tensors = [
        weight if isinstance(weight, onnx.TensorProto) else numpy_helper.from_array(np.asarray(weight), name)
        for name, weight in (weights or {}).items()
    ]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(list(nodes), "small", infos, results, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made, data_prop=True)


def lower(made: Any, *, last: bool = False) -> tuple[Graph, dict[str, Value]]:
    """Lower a model; ``last``: pictures come and go with the channels last."""
    return lower_model(made, made.opset_import[0].version, "small.onnx", inputs_last=last)


def ops_of(graph: Graph) -> list[str]:
    """List the ops of a graph's nodes, without its leaves."""
    return [node.op for node in graph.nodes if node.op not in {"Const", "Placeholder"}]


def check(
    nodes: Sequence[Any],
    feeds: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
    opened: bool = False,
    last: bool = False,
) -> Graph:
    """Lower nodes and compare what they compute with the reference.

    Args:
        nodes: ONNX'.
        feeds: of the inputs.
        weights: constants.
        outputs: names.
        opset: of the nodes.
        opened: all lengths of inputs are open, but the second.
        last: pictures come and go with the channels last.

    Returns:
        The graph.
    """
    inputs = {
        name: (array.dtype, [f"{name}_{at}" if opened and at != 1 else n for at, n in enumerate(array.shape)])
        for name, array in feeds.items()
    }
    made = model(nodes, inputs, outputs, weights, opset)
    graph, found = lower(made, last=last)
    got = run_graph(graph, found, {name: array.transpose(graph.inputs[name].order) for name, array in feeds.items()})
    with np.errstate(all="ignore"):
        wanted = ReferenceEvaluator(made).run(None, dict(feeds))
    for name, result in zip(outputs, wanted, strict=True):
        right = np.asarray(result).transpose(found[name].order)
        assert got[name].shape == right.shape, name
        np.testing.assert_allclose(
            got[name].astype(np.float64), right.astype(np.float64), rtol=1e-4, atol=1e-5, err_msg=name
        )
    return graph
