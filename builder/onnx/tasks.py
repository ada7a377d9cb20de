"""The tasks of a process that converts ONNX models; ``convert.serve`` finds them here by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..convert.answers import reference_result
from ..convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, ReferenceResult, SourceOptions
from ..convert.side_files import write_own_words, write_step
from ..errors import ConversionError
from ..lowering.artefact import write_graph
from ..lowering.values import narrowed
from .fixing import constants, fix_inputs
from .lower import is_picture, lower_model
from .own_words import own_words
from .package import install_hint
from .read import opset_of, read_onnx
from .steps import largest_step


def convert_onnx(request: ConvertRequest) -> ConvertResult:
    """Lower an ONNX model to a TensorFlow.js graph.

    Raises:
        SourceError: it is damaged, malformed or unsafe.
        UnsupportedOpsError: TensorFlow.js cannot do what an operator asks for.
        ConversionError: onnx is not installed.
    """
    source = request.source
    where = str(source.path)
    model = read_onnx(source.path, where, partial(fix_inputs, fixed=source.inputs, where=where))
    graph, outputs = lower_model(model, opset_of(model, where), where, inputs_last=source.channels_last)
    producer = f"{model.producer_name} {model.producer_version}".strip() or "ONNX"
    wanted = source.outputs
    chosen = {name: value for name, value in outputs.items() if not wanted or name in wanted}
    path = write_graph(graph, chosen, request.out, producer)
    write_step(path, largest_step(model))
    write_own_words(path, own_words(model))
    return ConvertResult(path)


def reference_onnx(request: ReferenceRequest) -> ReferenceResult:
    """Run the source in ONNX Runtime, without its optimisations, and write its outputs; see ``ReferenceRequest``."""
    return reference_result(_runner(request.source), request)


def _runner(source: SourceOptions) -> Any:
    session = _session(source.path)
    types = {item.name: item.type for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs() if not source.outputs or item.name in source.outputs]

    fixed = constants(session.get_inputs(), source.inputs)
    last = {item.name for item in (*session.get_inputs(), *session.get_outputs()) if is_picture(item.shape)}

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        if source.channels_last:
            arrays = {name: array.transpose(0, 3, 1, 2) if name in last else array for name, array in arrays.items()}
        given = {name: array.astype(_numpy_type(types[name])) for name, array in {**arrays, **fixed}.items()}
        found = dict(zip(names, map(narrowed, session.run(names, given)), strict=True))
        if source.channels_last:
            found = {name: array.transpose(0, 2, 3, 1) if name in last else array for name, array in found.items()}
        return found

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
