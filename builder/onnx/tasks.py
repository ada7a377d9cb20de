"""The tasks of a process that converts ONNX models; ``convert.serve`` finds them here by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..convert.answers import first_that_runs, runs
from ..convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, ReferenceResult, SourceOptions
from ..errors import ConversionError
from ..lowering.artefact import write_graph
from .lower import lower_model
from .read import install_hint, opset_of, read_onnx


def convert_onnx(request: ConvertRequest) -> ConvertResult:
    """Lower an ONNX model to a TensorFlow.js graph.

    Raises:
        SourceError: it is damaged, malformed or unsafe.
        UnsupportedOpsError: TensorFlow.js cannot do what an operator asks for.
        ConversionError: onnx is not installed.
    """
    where = str(request.source.path)
    model = read_onnx(request.source.path, where)
    graph, outputs = lower_model(model, opset_of(model, where), where)
    producer = f"{model.producer_name} {model.producer_version}".strip() or "ONNX"
    wanted = request.source.outputs
    chosen = {name: value for name, value in outputs.items() if not wanted or name in wanted}
    return ConvertResult(write_graph(graph, chosen, request.out, producer))


def reference_onnx(request: ReferenceRequest) -> ReferenceResult:
    """Run the source in ONNX Runtime, without its optimisations, and write its outputs; see ``ReferenceRequest``."""
    run = _runner(request.source)
    chosen, empty = first_that_runs(run, request)
    besides = next((pair for pair in request.besides if runs(run, *pair)), None)
    return ReferenceResult(*chosen, empty, besides)


def _runner(source: SourceOptions) -> Any:
    session = _session(source.path)
    types = {item.name: item.type for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs() if not source.outputs or item.name in source.outputs]

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        given = {name: array.astype(_numpy_type(types[name])) for name, array in arrays.items()}
        return dict(zip(names, map(_held, session.run(names, given)), strict=True))

    return run


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ConversionError(
            "onnxruntime cannot be imported: not installed", code="SP-405", hint=install_hint
        ) from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused int8 may saturate
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _numpy_type(name: str) -> Any:
    names = {"float": "float32", "double": "float64"}
    inner = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(inner, inner))


def _held(array: Any) -> Any:
    array = np.asarray(array)
    return array.astype({"f": np.float32, "i": np.int32, "u": np.int32}.get(array.dtype.kind, array.dtype))
