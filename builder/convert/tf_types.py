"""The types of the few TensorFlow objects that conversion touches; TensorFlow ships none itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..graphs.messages import GraphDef, TensorShapeProto

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


class DType(Protocol):
    """A type of elements."""

    name: str
    as_datatype_enum: int
    as_numpy_dtype: type[np.generic]


class TensorShape(Protocol):
    """A shape; a length that is not known is None."""

    rank: int | None

    def __getitem__(self, place: int) -> int | None:
        """Return a length."""

    def as_list(self) -> list[int | None]:
        """Return all lengths."""

    def as_proto(self) -> TensorShapeProto:
        """Return it as a message."""


class Operation(Protocol):
    """A node of a graph."""

    name: str
    type: str
    inputs: Sequence[Tensor]


class Tensor(Protocol):
    """A symbolic tensor."""

    name: str
    op: Operation
    dtype: DType
    shape: TensorShape

    def set_shape(self, shape: TensorShape) -> None:
        """Say more about its shape."""


class Graph(Protocol):
    """A graph that can run."""

    def as_default(self) -> AbstractContextManager[object]:
        """Have what is made meanwhile go into it."""

    def as_graph_def(self) -> GraphDef:
        """Return it as a message."""

    def get_tensor_by_name(self, name: str) -> Tensor:
        """Return a tensor; a KeyError or ValueError where there is none."""


class FunctionGraph(Graph, Protocol):
    """The graph of a function; ``captures`` are pairs of what it takes from outside, and the placeholder for it."""

    captures: Iterable[tuple[object, Tensor]]


class Function(Protocol):
    """A concrete function."""

    graph: FunctionGraph
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Session(Protocol):
    """A session of TensorFlow 1."""

    graph: Graph

    def run(self, wanted: Mapping[str, Tensor | str], feeds: Mapping[Any, Array]) -> Arrays:
        """Return the values of tensors."""
