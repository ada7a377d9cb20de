"""The central nouns of the source side: a model, its weights, and where their bytes lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

from .errors import SourceError

type_sizes = {"float32": 4, "int32": 4, "bool": 1, "complex64": 8}
code_sizes = {"uint8": 1, "uint16": 2, "float16": 2}
row_sizes = {"int8": 1, "bfloat16": 2}  # of word vectors, which TensorFlow.js does not read


class FunctionName(TypedDict, total=False):
    """A reference to a function of a graph's library."""

    name: str


class FunctionNames(TypedDict, total=False):
    """Several of them."""

    func: list[FunctionName]


class Attribute(TypedDict, total=False):
    """An attribute of a node, as far as it is read: a truth value, or functions."""

    b: bool
    func: FunctionName
    list: FunctionNames


class GraphNode(TypedDict):
    """A node of a graph, as ``model.json`` has it."""

    name: str
    op: str
    input: NotRequired[list[str]]
    attr: NotRequired[dict[str, Attribute]]


class FunctionArgument(TypedDict):
    """An argument of a function, as far as it is read."""

    name: str


class FunctionSignature(TypedDict):
    """A function's head."""

    name: str
    inputArg: NotRequired[list[FunctionArgument]]


class GraphFunction(TypedDict):
    """A function of a graph's library."""

    signature: FunctionSignature
    nodeDef: NotRequired[list[GraphNode]]
    ret: NotRequired[dict[str, str]]


class GraphLibrary(TypedDict, total=False):
    """The functions that nodes refer to."""

    function: list[GraphFunction]


class GraphTopology(TypedDict, total=False):
    """The ``modelTopology`` of a graph model."""

    node: list[GraphNode]
    library: GraphLibrary


class Quantization(TypedDict):
    """How codes stand for values, as in TensorFlow.js' weights manifest; whole numbers alone have scale and minimum."""

    dtype: str
    scale: NotRequired[float]
    min: NotRequired[float]
    original_dtype: NotRequired[str]


class Data(Protocol):
    """Bytes that need not be in memory."""

    @property
    def nbytes(self) -> int:
        """Length in bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes ``start <= i < stop``."""


@dataclass(frozen=True, slots=True)
class BytesData:
    """Bytes in memory."""

    content: bytes

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return len(self.content)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes ``start <= i < stop``."""
        return self.content[start:stop]


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes in a file."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FileData:
    """Bytes that lie in one or several runs of files, in order."""

    extents: tuple[Extent, ...]

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return sum(extent.length for extent in self.extents)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes ``start <= i < stop``.

        Raises:
            SourceError: a file is shorter than when it was first read.
        """
        pieces: list[bytes] = []
        begin = 0
        for extent in self.extents:
            low, high = max(start, begin), min(stop, begin + extent.length)
            if low < high:
                with extent.path.open("rb") as file:
                    file.seek(extent.offset + low - begin)
                    piece = file.read(high - low)
                if len(piece) != high - low:
                    raise SourceError(
                        "the file became shorter while it was read",
                        code="SP-337",
                        where=str(extent.path),
                        hint="Build again",
                    )
                pieces.append(piece)
            begin += extent.length
        return b"".join(pieces)


def chunks(data: Data, size: int = 1 << 22) -> Iterator[bytes]:
    """Return all of ``data`` in pieces of at most ``size`` bytes."""
    for start in range(0, data.nbytes, size):
        yield data.read(start, min(start + size, data.nbytes))


@dataclass(frozen=True, slots=True)
class Grid:
    """Says that a weight's values are whole multiples, of a signed byte, of one step for each channel.

    A source that holds codes says so; whoever relies on it checks it.

    Attributes:
        steps: of each channel.
        inner: element ``i`` is of channel ``i // inner % len(steps)``.
    """

    steps: tuple[float, ...]
    inner: int


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight as TensorFlow.js' manifest describes it.

    Attributes:
        name: unique in its model.
        shape: lengths of the dimensions; () for a scalar.
        dtype: ``float32``, ``int32``, ``bool``, ``string`` or ``complex64``.
        data: the stored bytes: values, or codes where ``quantization`` is given.
        quantization: TensorFlow.js' ``{dtype, scale, min, original_dtype}``, or None.
        grid: what plain float32 values are multiples of, or None.

    Raises:
        SourceError: the data's length contradicts shape and dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Data = field(repr=False)
    quantization: Quantization | None = None
    grid: Grid | None = None

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        if self.dtype != "string" and self.dtype not in type_sizes:
            raise SourceError(
                f"weight {self.name!r} has the unknown dtype {self.dtype!r}", code="SP-335", hint="Convert it again"
            )
        expected = self.expected_bytes()
        if expected is not None and self.data.nbytes != expected:
            raise SourceError(
                f"weight {self.name!r} needs {expected} bytes for {self.dtype}{list(self.shape)}, "
                f"but has {self.data.nbytes}",
                code="SP-332",
                hint="The weights file is damaged or belongs to another model",
            )

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def stored_type(self) -> str:
        """What the bytes are: the dtype, or that of the codes."""
        return str(self.quantization["dtype"]) if self.quantization else self.dtype

    def expected_bytes(self) -> int | None:
        """Length that shape and dtype ask for; None for strings, whose length is in their bytes."""
        if self.dtype == "string":
            return None
        sizes = code_sizes | row_sizes if self.quantization else type_sizes
        return self.size * sizes[self.stored_type]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model; None in ``shape`` is an unknown length, shape None an unknown rank."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Model:
    """A model in TensorFlow.js' terms, from whatever source.

    Attributes:
        kind: ``graph-model``, ``layers-model`` or ``word-vectors``.
        artifacts: TensorFlow.js ``ModelArtifacts`` without weights, see ``docs/format.md``.
        weights: in manifest order until ``transforms.order`` has seen them.
        inputs, outputs: what a page feeds and gets, by signature name.
        notes: sentences the user should read.
        glue: what was cut off and the loader does instead, see ``docs/format.md``.
        vocabulary: the words of inputs that take ids, by input, see ``docs/format.md``.
        texts: how texts become these ids, by input, where a page can do it, see ``tokens.vectorization``.
    """

    kind: str
    artifacts: dict[str, Any]
    weights: tuple[Weight, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...] = field(default=())
    glue: dict[str, Any] | None = None
    vocabulary: dict[str, Any] | None = None
    texts: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check that names are unique."""
        seen: set[str] = set()
        for weight in self.weights:
            if weight.name in seen:
                raise SourceError(
                    f"two weights are named {weight.name!r}", code="SP-330", hint="Give the layers distinct names"
                )
            seen.add(weight.name)
