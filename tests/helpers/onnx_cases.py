"""Checks one ONNX node, or a few, when NumPy runs what they are lowered to: ONNX' reference or its Runtime is right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.lowering.graph import Graph
from builder.lowering.values import Value
from builder.onnx.lower import lower_model
from builder.onnx.tasks import convert_onnx
from tests.helpers.numpy_graphs import run_graph, run_model

Array = npt.NDArray[Any]
Inputs = Mapping[str, tuple[Any, Sequence[int | str]]]


def model(
    nodes: Sequence[Any],
    inputs: Inputs,
    outputs: Sequence[str],
    weights: Mapping[str, Any] | None = None,
    opset: int = 20,
) -> Any:
    """Give a model whose shapes are inferred; inputs are types of NumPy or ONNX, and shapes; weights may be tensors."""
    return onnx.shape_inference.infer_shapes(_made(nodes, inputs, outputs, weights or {}, opset), data_prop=True)


def model_of(
    nodes: Sequence[Any],
    feeds: Mapping[str, Array],
    constants: Mapping[str, Array],
    outputs: Sequence[str] = ("y",),
    *,
    opset: int = 19,
    opened: Collection[int] = (),
) -> Any:
    """Return a model as exporters write it.

    Args:
        nodes: as ``onnx.helper.make_node`` makes them.
        feeds: its inputs, for their types and shapes.
        constants: its weights.
        outputs: the names of what it gives.
        opset: the version of ONNX' operators.
        opened: axes of the inputs of floats whose lengths are not known.
    """
    return _made(
        nodes,
        {name: _input(name, array, opened if array.dtype.kind == "f" else ()) for name, array in feeds.items()},
        outputs,
        constants,
        opset,
    )


def _input(name: str, array: Array, opened: Collection[int]) -> tuple[Any, list[int | str]]:
    return array.dtype, [f"{name}_{axis}" if axis in opened else n for axis, n in enumerate(array.shape)]


def _made(nodes: Sequence[Any], inputs: Inputs, outputs: Sequence[str], weights: Mapping[str, Any], opset: int) -> Any:
    infos = [
        helper.make_tensor_value_info(
            name, kind if isinstance(kind, int) else helper.np_dtype_to_tensor_dtype(np.dtype(kind)), list(shape)
        )
        for name, (kind, shape) in inputs.items()
    ]
    tensors = [
        weight if isinstance(weight, onnx.TensorProto) else numpy_helper.from_array(np.asarray(weight), name)
        for name, weight in weights.items()
    ]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(list(nodes), "small", infos, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


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
    inputs = {name: _input(name, array, {*range(array.ndim)} - {1} if opened else ()) for name, array in feeds.items()}
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


def check_file(folder: Path, model: Any, feeds: Mapping[str, Array]) -> None:
    """Convert a model's file and compare what it computes with ONNX Runtime.

    Raises:
        UnsupportedOpsError: it is refused.
        AssertionError: the numbers, or the shapes, are not the same.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # of more, most of the time goes into starting them
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    expected = session.run(None, dict(feeds))
    path = folder / "model.onnx"
    onnx.save(model, path)
    result = convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), folder / "out"))
    found = run_model(result.model_json, feeds)
    for info, array in zip(model.graph.output, expected, strict=True):
        assert found[info.name].shape == array.shape
        np.testing.assert_allclose(found[info.name], array, rtol=1e-3, atol=1e-4)
