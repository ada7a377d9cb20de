"""Puts operators that the interpreter has in the place of MediaPipe's own, so that such models can run in it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from .schema import load_schema
from .types import File

transpose_conv_bias = "custom Convolution2DTransposeBias"


def needs_substitutes(file: File) -> bool:
    """Whether a file has operators that are replaced."""
    return any(operator.op == transpose_conv_bias for graph in file.subgraphs for operator in graph.operators)


def with_substitutes(path: Path) -> bytes:
    """Return a file with TRANSPOSE_CONV in the place of Convolution2DTransposeBias, which is the same.

    Args:
        path: of a file that ``read_tflite`` accepted.
    """
    import flatbuffers

    schema = load_schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    customs = {
        index for index, code in enumerate(model.operatorCodes) if code.customCode == b"Convolution2DTransposeBias"
    }
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
    code.version = 3  # with a bias
    model.operatorCodes.append(code)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.opcodeIndex in customs:
                _substitute(schema, model, graph, operator)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _substitute(schema: Any, model: Any, graph: Any, operator: Any) -> None:
    """Make TRANSPOSE_CONV of an operator; the lengths of its result become a constant."""
    pad, across, down = struct.unpack_from("<3i", bytes(operator.customOptions))
    options = schema.TransposeConvOptionsT()
    options.padding = schema.Padding.SAME if pad == 1 else schema.Padding.VALID
    options.strideW, options.strideH = across, down
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.customOptions = None
    operator.builtinOptionsType = schema.BuiltinOptions.TransposeConvOptions
    operator.builtinOptions = options
    buffer, tensor = schema.BufferT(), schema.TensorT()
    lengths = np.array(graph.tensors[operator.outputs[0]].shape, "<i4")
    buffer.data = np.frombuffer(lengths.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.shape, tensor.type, tensor.buffer = np.array([4], np.int32), schema.TensorType.INT32, len(model.buffers) - 1
    tensor.name = b"shardpress/lengths"
    graph.tensors.append(tensor)
    picture, kernel, bias = operator.inputs
    operator.inputs = np.array([len(graph.tensors) - 1, kernel, picture, bias], np.int32)
