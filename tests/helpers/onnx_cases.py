"""Checks one ONNX node, or a few: what ONNX Runtime gives, and what the lowered graph gives when NumPy runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx
from tests.helpers.numpy_graphs import run_model

Array = npt.NDArray[Any]


def model_of(
    nodes: Sequence[Any],
    feeds: Mapping[str, Array],
    constants: Mapping[str, Array],
    outputs: Sequence[str] = ("y",),
    *,
    opset: int = 19,
    opened: Collection[int] = (),
) -> Any:
    """Return a model.

    Args:
        nodes: as ``onnx.helper.make_node`` makes them.
        feeds: its inputs, for their types and shapes.
        constants: its weights.
        outputs: the names of what it gives.
        opset: the version of ONNX' operators.
        opened: axes of the inputs of floats whose lengths are not known.
    """
    import onnx
    from onnx import helper, numpy_helper

    def info(name: str, array: Array) -> Any:
        is_open = opened if array.dtype.kind == "f" else ()
        lengths = [f"{name}{axis}" if axis in is_open else n for axis, n in enumerate(array.shape)]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), lengths)

    graph = helper.make_graph(
        list(nodes),
        "case",
        [info(name, array) for name, array in feeds.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def check(folder: Path, model: Any, feeds: Mapping[str, Array]) -> None:
    """Compare a lowered model with ONNX Runtime.

    Raises:
        UnsupportedOpsError: it is refused.
        AssertionError: the numbers, or the shapes, are not the same.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    expected = session.run(None, dict(feeds))
    path = folder / "model.onnx"
    onnx.save(model, path)
    result = convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), folder / "out"))
    found = run_model(result.model_json, feeds)
    for info, array in zip(model.graph.output, expected, strict=True):
        assert found[info.name].shape == array.shape
        np.testing.assert_allclose(found[info.name], array, rtol=1e-3, atol=1e-4)
