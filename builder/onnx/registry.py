"""Which function lowers which operator, and what such a function sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..lowering.context import NodeContext
from ..lowering.layout import Shape
from ..lowering.registering import registering
from ..lowering.values import Value

most_made = 1 << 24  # elements of a constant that an operator makes of nothing but its size


fix_lengths = "Fix open lengths with [models.NAME.inputs], or export the model with a fixed size"


@dataclass(frozen=True, slots=True)
class Inferred:
    """What ONNX' inference says of a value: the type is NumPy's name of it, "" or None what it does not know.

    Open lengths of the same symbol are the same.
    """

    type: str = ""
    shape: Shape | None = None
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Context(NodeContext):
    """One node, named as in the file, or after its first output.

    Attributes:
        opset: the version of ONNX' operators.
        attributes: as NumPy and Python values; texts are ``str``, graphs protobufs.
        outputs: what is known of each output; ``name`` "" in ``names`` is one that nobody uses.
        names: of the outputs.
        scope: what subgraphs see: lowers one, see ``lower``.
        given: what is known of each input.
    """

    code = "SP-384"
    named = "node"
    way_out = "Export the model without it"
    opset: int
    attributes: Mapping[str, Any]
    outputs: Sequence[Inferred]
    names: Sequence[str]
    scope: Any = None
    given: Sequence[Inferred] = ()

    def input(self, index: int) -> Value:
        """Return an input that the operator must have."""
        return self.arranged(index)

    def numbers(self, index: int, attribute: str = "", default: Sequence[int] | None = None) -> list[int] | None:
        """Return whole numbers that newer opsets take as an input and older ones as an attribute."""
        if index < len(self.inputs) and self.inputs[index] is not None:
            return [int(number) for number in self.known(index, attribute).ravel()]
        found = self.attributes.get(attribute, default)
        return None if found is None else [int(number) for number in found]

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def shape(self, index: int = 0) -> Shape | None:
        """Return what is known of the shape of an output."""
        return self.outputs[index].shape if index < len(self.outputs) else None

    def type(self, index: int = 0) -> str:
        """Return the type of an output, that of the first input if inference does not tell."""
        return self.outputs[index].type or self.input(0).type

    def scalar(self, number: float | bool, like: Value) -> Value:
        """Return a constant of another value's type; for all floats one of 32 bits, as which they are held."""
        return self.graph.constant(np.array(number, like.dtype if like.dtype == "float32" else like.type))

    def made(self, shape: Shape, fill: float | bool, kind: str) -> Value:
        """Return a constant of one number.

        Raises:
            UnsupportedOpsError: a length is open, or there would be too many elements.
        """
        return self.graph.constant(np.full(self.lengths(shape), fill, kind))

    def lengths(self, shape: Shape) -> list[int]:
        """Return the lengths of a constant that is to be made.

        Raises:
            UnsupportedOpsError: a length is open, or there would be too many elements.
        """
        known = [length for length in shape if length is not None]
        if len(known) != len(shape):
            self.refuse("of an open length", fix_lengths)
        if math.prod(known) > most_made:
            self.refuse(f"would make a constant of {math.prod(known):,} elements")
        return known


Lowering = Callable[[Context], Value | Sequence[Value | None]]
table: dict[str, Lowering] = {}

# Registers a function for ONNX operators.
lowers = registering(table)
