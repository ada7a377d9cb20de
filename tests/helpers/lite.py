"""Writes small TensorFlow Lite files, an operator at a time, with the schema's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

kinds = {
    "float32": "FLOAT32",
    "float16": "FLOAT16",
    "int8": "INT8",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "bool": "BOOL",
}


class Lite:
    """A model under construction: tensors are numbers, as in the file."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = b"a test"
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.graphs = [self._graph("main")]
        self.graph = self.graphs[0]

    def _graph(self, name: str) -> Any:
        graph = schema.SubGraphT()
        graph.name = name.encode()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        return graph

    def subgraph(self, name: str) -> int:
        """Begin another subgraph, which gets what is added from now on; give its number."""
        self.graphs.append(self._graph(name))
        self.graph = self.graphs[-1]
        return len(self.graphs) - 1

    def main(self) -> None:
        """Go back to the first subgraph."""
        self.graph = self.graphs[0]

    def tensor(
        self,
        shape: Sequence[int],
        kind: str = "float32",
        *,
        name: str = "",
        signature: Sequence[int] | None = None,
        scales: tuple[Any, Any, int] | None = None,
        buffer: int = 0,
        variable: bool = False,
    ) -> int:
        """Add a tensor; ``scales`` are scale, zero point and axis."""
        tensor = schema.TensorT()
        tensor.shape = np.array(shape, np.int32)
        tensor.type = getattr(schema.TensorType, kinds.get(kind, kind))
        tensor.name = (name or f"t{len(self.graph.tensors)}").encode()
        tensor.buffer, tensor.isVariable = buffer, variable
        if signature is not None:
            tensor.shapeSignature = np.array(signature, np.int32)
        if scales is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.array(scales[0], np.float32))
            quantization.zeroPoint = np.atleast_1d(np.array(scales[1], np.int64))
            quantization.quantizedDimension = scales[2]
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, shape: Sequence[int], kind: str = "float32", **more: Any) -> int:
        """Add an input."""
        number = self.tensor(shape, kind, name=more.pop("name", f"in{len(self.graph.inputs)}"), **more)
        self.graph.inputs.append(number)
        return number

    def constant(self, array: Any, kind: str = "", **more: Any) -> int:
        """Add a constant."""
        array = np.asarray(array, kind or None)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        array = array.astype(np.int32) if array.dtype == np.int64 and kind != "int64" else array
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self.tensor(array.shape, array.dtype.name, buffer=len(self.model.buffers) - 1, **more)

    def code(self, op: str, version: int) -> int:
        """Add an operator code; ``custom NAME`` is a custom one."""
        code = schema.OperatorCodeT()
        name, _, custom = op.partition(" ")
        code.builtinCode = getattr(schema.BuiltinOperator, name.upper())
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom.encode() or None
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def op(
        self,
        op: str,
        inputs: Sequence[int],
        results: Sequence[int | str] = ("float32",),
        options: str = "",
        *,
        version: int = 1,
        custom: bytes = b"",
        **settings: Any,
    ) -> Any:
        """Add an operator; give its output, or all if there are several.

        Args:
            op: its name in the schema.
            inputs: tensors.
            results: types of the outputs, whose shapes only the interpreter finds out; or tensors.
            options: the class of its options.
            version: of the operator.
            custom: options of a custom one.
            settings: the options, named as the schema's classes name them.
        """
        operator = schema.OperatorT()
        operator.opcodeIndex = self.code(op, version)
        operator.inputs = np.array(inputs, np.int32)
        found = [item if isinstance(item, int) else self.tensor((), item) for item in results]
        operator.outputs = np.array(found, np.int32)
        if options:
            table = getattr(schema, f"{options}T")()
            for name, value in settings.items():
                assert hasattr(table, name), name
                setattr(table, name, value)
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = table
        if custom:
            operator.customOptions = np.frombuffer(custom, np.uint8)
        self.graph.operators.append(operator)
        return found[0] if len(found) == 1 else found

    def gives(self, *outputs: int) -> Lite:
        """Say what the subgraph gives."""
        self.graph.outputs = list(outputs)
        return self

    def file(self) -> bytes:
        """Return the file."""
        self.model.subgraphs = self.graphs
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
