"""The tasks of a process that converts ONNX models; ``convert.serve`` finds them here by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..convert.answers import reference_result
from ..convert.own_runtime import Arrays, chosen, runner_of
from ..convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, ReferenceResult, SourceOptions
from ..convert.side_files import write_own_words, write_step
from ..lowering.artefact import write_graph
from ..lowering.values import narrowed
from .fixing import constants, fix_inputs
from .lower import is_picture, lower_model
from .own_words import own_words
from .package import load_runtime
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
    wanted = {name: outputs[name] for name in chosen(outputs, source.outputs)}
    path = write_graph(graph, wanted, request.out, producer)
    write_step(path, largest_step(model))
    write_own_words(path, own_words(model))
    return ConvertResult(path)


def reference_onnx(request: ReferenceRequest) -> ReferenceResult:
    """Run the source in ONNX Runtime, without its optimisations, and write its outputs; see ``ReferenceRequest``."""
    return reference_result(_runner(request.source), request)


def _runner(source: SourceOptions) -> Callable[[Arrays], Arrays]:
    session = _session(source.path)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    names = chosen((item.name for item in outputs), source.outputs)

    def call(arrays: Arrays) -> Arrays:
        return dict(zip(names, map(narrowed, session.run(names, arrays)), strict=True))

    run = runner_of({item.name: _numpy_type(item.type) for item in inputs}, constants(inputs, source.inputs), call)
    if not source.channels_last:
        return run
    pictures = {item.name for item in (*inputs, *outputs) if is_picture(item.shape)}

    def moved(arrays: Arrays, axes: tuple[int, ...]) -> Arrays:
        return {name: array.transpose(axes) if name in pictures else array for name, array in arrays.items()}

    return lambda arrays: moved(run(moved(arrays, (0, 3, 1, 2))), (0, 2, 3, 1))


def _session(path: Path) -> Any:
    onnxruntime = load_runtime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused int8 may saturate
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _numpy_type(name: str) -> Any:
    names = {"float": "float32", "double": "float64"}
    inner = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(inner, inner))
