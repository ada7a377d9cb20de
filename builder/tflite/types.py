"""What is in a TensorFlow Lite file, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..lowering.layout import Shape
from ..lowering.values import Array


@dataclass(frozen=True, slots=True)
class Scales:
    """What integer codes stand for: ``(code - zero) * scale``, for a whole tensor or for each index of an axis.

    Attributes:
        scale: float32, one or one for each index.
        zero: int64, likewise.
        axis: which logical axis has scales of its own.
    """

    scale: Array
    zero: Array
    axis: int

    @property
    def one(self) -> bool:
        """Whether the whole tensor has one scale."""
        return self.scale.size == 1

    def spread(self, rank: int) -> tuple[Array, Array]:
        """Return scales and zeros as they broadcast with the tensor."""
        if self.one:
            ones = (1,) * rank
            return self.scale.reshape(ones), self.zero.reshape(-1)[:1].reshape(ones)
        shape = [1] * rank
        shape[self.axis] = self.scale.size
        zero = self.zero if self.zero.size == self.scale.size else np.broadcast_to(self.zero, self.scale.shape)
        return self.scale.reshape(shape), zero.reshape(shape)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph.

    Attributes:
        name: for messages and names of nodes.
        type: NumPy's name of its type, or the schema's where NumPy has none.
        shape: as the file says, with 1 for what is open; may be () for what only running tells.
        signature: the same with None for open lengths, where the file tells.
        array: its content if it is constant, as stored.
        scales: what its codes stand for, if it is quantised.
        variable: it keeps the state of a recurrent layer, which is zero at first.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    signature: Shape | None = None
    array: Array | None = None
    scales: Scales | None = None
    variable: bool = False

    @property
    def open_shape(self) -> Shape:
        """Its shape, with None for open lengths where the file tells."""
        return self.shape if self.signature is None else self.signature

    @property
    def quantized(self) -> bool:
        """Its numbers are codes that stand for real numbers."""
        return self.scales is not None and self.type in {"int8", "uint8", "int16", "int32"}


@dataclass(frozen=True, slots=True)
class Operator:
    """A node: the operator's name, tensors by number (-1 is one left out), and its options in snake case."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph of the file; the first is the model unless a signature names another."""

    name: str
    tensors: Sequence[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: Sequence[Operator]


@dataclass(frozen=True, slots=True)
class Signature:
    """Names for a subgraph's inputs and outputs: tensors by number."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class File:
    """A whole file."""

    subgraphs: Sequence[Subgraph]
    signatures: Sequence[Signature] = field(default_factory=tuple)
    description: str = ""
