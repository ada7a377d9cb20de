"""Reads a TensorFlow Lite file with limits.

Flatbuffers are read in place, by offsets that nothing has checked. So every length is held against a limit before it
is walked along, everything that is read outside of the file ends as a damaged one, and what comes from here is plain
values, with constants as views into the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShardpressError, SourceError, UnsupportedOpsError
from ..lowering.values import Array
from .packed import unpack_nibbles
from .schema import load_schema, names_of, union_names
from .sparse import Level, densify
from .types import File, Operator, Scales, Signature, Subgraph, Tensor

identifier = b"TFL3"
largest_file = 2_000_000_000  # offsets have 32 bits
most_subgraphs = 1_000
most_operators = 200_000
most_tensors = 400_000
most_links = 2_000_000  # inputs and outputs of operators, lengths of shapes, scales
longest_name = 4_096
# A hostile file names one buffer as the content of many tensors.
most_expansion, least_expansion = 16, 1 << 28
numpy_types = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "BOOL": "bool",
    "COMPLEX64": "complex64",
    "INT4": "int8",
    "BFLOAT16": "float32",
}
damage = (struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, AssertionError)


def read_tflite(path: Path, where: str = "") -> File:
    """Read a file.

    Args:
        path: the ``.tflite`` file.
        where: the file, for messages.

    Raises:
        SourceError: damaged, too large, or with weights outside of it.
        UnsupportedOpsError: it holds types that cannot be read.
        ConversionError: the package with the schema is not installed.
    """
    where = where or str(path)
    if path.stat().st_size > largest_file:
        raise SourceError("is larger than 2 GB", code="SP-312", where=where, hint="Make the model smaller")
    return parse_tflite(path.read_bytes(), where)


def parse_tflite(content: bytes, where: str) -> File:
    """Read a file's content; see ``read_tflite``."""
    if len(content) < 8 or content[4:8] != identifier:
        raise _damaged(where)
    try:
        return _Reader(content).file()
    except ShardpressError as error:
        raise type(error)(error.what, code=error.code, where=where, hint=error.hint) from error
    except damage as error:
        raise _damaged(where) from error


def _damaged(where: str) -> SourceError:
    return SourceError(
        "is damaged or truncated, or no TensorFlow Lite file",
        code="SP-308",
        where=where,
        hint="Download or convert it again",
    )


@dataclass(slots=True)
class _Reader:
    """Walks along one file.

    Attributes:
        content: the file's bytes.
        left: what may still be walked along, by kind.
    """

    content: bytes
    schema: Any = None
    model: Any = None
    left: dict[str, int] = field(default_factory=dict)

    def file(self) -> File:
        """Read all."""
        self.schema = load_schema()
        self.model = self.schema.Model.GetRootAs(self.content, 0)
        self.left = {
            "subgraphs": most_subgraphs,
            "operators": most_operators,
            "tensors": most_tensors,
            "links": most_links,
            "bytes": max(most_expansion * len(self.content), least_expansion),
        }
        if self.model.ExternalBuffersLength() or self.model.ExternalBufferGroupsLength():
            raise SourceError(
                "keeps its weights in other files",
                code="SP-338",
                hint="Export it as one file",
            )
        if not self.model.SubgraphsLength():
            raise SourceError("has no nodes", code="SP-386", hint="Convert the model again")
        codes = self._codes()
        subgraphs = self._each("subgraphs", self.model.SubgraphsLength(), self.model.Subgraphs)
        return File(
            [self._subgraph(subgraph, codes) for subgraph in subgraphs],
            [
                self._signature(item)
                for item in self._each("links", self.model.SignatureDefsLength(), self.model.SignatureDefs)
            ],
            _text(self.model.Description()),
        )

    def _take(self, kind: str, count: int) -> None:
        """Count what is about to be walked along."""
        self.left[kind] -= count
        if count < 0 or self.left[kind] < 0:
            words = {"links": "inputs, outputs and lengths", "bytes": "bytes of constants"}
            raise SourceError(
                f"has absurdly many {words.get(kind, kind)}", code="SP-386", hint="Do not trust this file"
            )

    def _each(self, kind: str, count: int, item: Callable[[int], Any]) -> list[Any]:
        self._take(kind, count)
        if 4 * count > len(self.content):
            raise IndexError
        return [item(index) for index in range(count)]

    def _numbers(self, array: Any) -> tuple[int, ...]:
        """Return a vector of whole numbers, which flatbuffers gives as 0 where it is left out."""
        if isinstance(array, int):
            return ()
        self._take("links", len(array))
        return tuple(int(number) for number in array)

    def _codes(self) -> list[str]:
        names = names_of(self.schema.BuiltinOperator)
        found = []
        for code in self._each("operators", self.model.OperatorCodesLength(), self.model.OperatorCodes):
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # older files have the second only
            name = names.get(number, f"number {number}")
            found.append(f"custom {_text(code.CustomCode())}" if name == "CUSTOM" else name)
        return found

    def _subgraph(self, subgraph: Any, codes: list[str]) -> Subgraph:
        tensors = [self._tensor(item) for item in self._each("tensors", subgraph.TensorsLength(), subgraph.Tensors)]
        inputs, outputs = self._numbers(subgraph.InputsAsNumpy()), self._numbers(subgraph.OutputsAsNumpy())
        operators = [
            self._operator(item, codes)
            for item in self._each("operators", subgraph.OperatorsLength(), subgraph.Operators)
        ]
        used = [number for operator in operators for number in (*operator.inputs, *operator.outputs)]
        if any(number >= len(tensors) or number < -1 for number in (*used, *inputs, *outputs)):
            raise IndexError
        return Subgraph(_text(subgraph.Name()), tensors, inputs, outputs, operators)

    def _operator(self, item: Any, codes: list[str]) -> Operator:
        op = codes[item.OpcodeIndex()]
        options = self._options(item)
        if item.LargeCustomOptionsOffset():
            raise UnsupportedOpsError(
                f"{op} has options beyond the flatbuffer", code="SP-387", hint="Convert the model again"
            )
        if item.CustomOptionsLength():
            options["custom"] = item.CustomOptionsAsNumpy().tobytes()
        return Operator(op, self._numbers(item.InputsAsNumpy()), self._numbers(item.OutputsAsNumpy()), options)

    def _options(self, item: Any) -> dict[str, Any]:
        """Return the options of an operator by name, in snake case."""
        name = union_names(self.schema.BuiltinOptions).get(item.BuiltinOptionsType())
        table = item.BuiltinOptions()
        if name is None or table is None:
            return {}
        options = getattr(self.schema, name)()
        options.Init(table.Bytes, table.Pos)
        found = vars(getattr(self.schema, f"{name}T").InitFromObj(options))
        for value in found.values():
            if isinstance(value, np.ndarray):
                self._take("links", value.size)
        return {_snake(key): value for key, value in found.items()}

    def _tensor(self, item: Any) -> Tensor:
        name = _text(item.Name())
        kind = names_of(self.schema.TensorType).get(item.Type(), f"number {item.Type()}")
        shape = self._numbers(item.ShapeAsNumpy())
        signature = self._numbers(item.ShapeSignatureAsNumpy())
        known = tuple(None if n < 0 else n for n in signature) if signature else None
        if known is not None and len(known) != len(shape):
            known = None
        scales = self._scales(item, name, len(shape))
        if item.ExternalBuffer():
            raise SourceError(f"keeps the weight {name!r} in another file", code="SP-338", hint="Export it as one file")
        array = self._array(item, kind, shape, name)
        return Tensor(name, numpy_types.get(kind, kind), shape, known, array, scales, item.IsVariable())

    def _scales(self, item: Any, name: str, rank: int) -> Scales | None:
        found = item.Quantization()
        if found is None or not found.ScaleLength():
            return None
        self._take("links", found.ScaleLength() + found.ZeroPointLength())
        scale = np.array(found.ScaleAsNumpy(), np.float32)
        zero = np.array(found.ZeroPointAsNumpy() if found.ZeroPointLength() else [0], np.int64)
        axis = found.QuantizedDimension()
        if (
            (scale.size > 1 and not 0 <= axis < rank)
            or zero.size not in {1, scale.size}
            or not np.isfinite(scale).all()
        ):
            raise SourceError(f"the scales of {name!r} are malformed", code="SP-386", hint="Convert the model again")
        return Scales(scale, zero, axis)

    def _array(self, item: Any, kind: str, shape: tuple[int, ...], name: str) -> Array | None:
        """Return a constant, as a view into the file unless it is packed."""
        content = self._buffer(item.Buffer(), name)
        if content is None:
            return None
        if any(n < 0 for n in shape):
            raise ValueError
        size = int(np.prod(shape, dtype=np.float64))
        if kind not in numpy_types:
            if kind == "STRING":
                raise UnsupportedOpsError(
                    f"has the text {name!r}", code="SP-387", hint="Export the model without texts"
                )
            raise UnsupportedOpsError(
                f"has the constant {name!r} of the type {kind}", code="SP-387", hint="Convert it without that type"
            )
        self._take("bytes", size * 4)
        sparsity = item.Sparsity()
        if sparsity is not None:
            values = _values(content, kind, None)
            return densify(values, shape, *self._sparsity(sparsity))
        return _values(content, kind, size).reshape(shape)

    def _buffer(self, number: int, name: str) -> Array | None:
        if number >= self.model.BuffersLength():
            raise IndexError
        buffer = self.model.Buffers(number)
        if buffer.Offset() > 1:  # 1 stands for what is appended later
            first, last = buffer.Offset(), buffer.Offset() + buffer.Size()
            if last > len(self.content):
                raise SourceError(
                    f"the weight {name!r} lies beyond the end of the file",
                    code="SP-308",
                    hint="Download or convert it again",
                )
            return np.frombuffer(self.content, np.uint8, last - first, first) if last > first else None
        if not buffer.DataLength():
            return None
        found: Array = buffer.DataAsNumpy()
        return found

    def _sparsity(self, item: Any) -> tuple[tuple[int, ...], tuple[int, ...], list[Level]]:
        levels = []
        for level in self._each("links", item.DimMetadataLength(), item.DimMetadata):
            if level.Format() == self.schema.DimensionType.DENSE:
                levels.append(Level(level.DenseSize()))
            else:
                segments = self._vector(level.ArraySegmentsType(), level.ArraySegments())
                levels.append(Level(-1, segments, self._vector(level.ArrayIndicesType(), level.ArrayIndices())))
        order = self._numbers(item.TraversalOrderAsNumpy())
        return order, self._numbers(item.BlockMapAsNumpy()), levels

    def _vector(self, kind: int, table: Any) -> Array:
        name = union_names(self.schema.SparseIndexVector)[kind]
        vector = getattr(self.schema, name)()
        vector.Init(table.Bytes, table.Pos)
        found = vector.ValuesAsNumpy()
        return np.array([] if isinstance(found, int) else found, np.int64)

    def _signature(self, item: Any) -> Signature:
        if not item.SubgraphIndex() < self.model.SubgraphsLength():
            raise IndexError

        def named(count: int, at: Callable[[int], Any]) -> dict[str, int]:
            return {_text(entry.Name()): entry.TensorIndex() for entry in self._each("links", count, at)}

        return Signature(
            _text(item.SignatureKey()),
            item.SubgraphIndex(),
            named(item.InputsLength(), item.Inputs),
            named(item.OutputsLength(), item.Outputs),
        )


def _values(content: Array, kind: str, size: int | None) -> Array:
    """Return a buffer's content as numbers."""
    raw = content.tobytes() if content.dtype != np.uint8 else content
    if kind == "INT4":
        return unpack_nibbles(np.frombuffer(raw, np.uint8), size)
    if kind == "BFLOAT16":
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view(np.float32)
    found = np.frombuffer(raw, np.dtype(numpy_types[kind]).newbyteorder("<"))
    if size is not None and found.size != size:
        raise ValueError
    return found


def _text(content: bytes | None) -> str:
    return (content or b"")[:longest_name].decode(errors="replace")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
