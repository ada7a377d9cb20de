"""Which function lowers which operator, and what such a function sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..lowering.context import NodeContext
from ..lowering.layout import Shape
from ..lowering.registering import registering
from ..lowering.values import Value
from .types import Tensor

fix_size = "Convert the model with a fixed size"
fused_names = {0: "", 1: "Relu", 2: "relu_n1_to_1", 3: "Relu6", 4: "tanh", 5: "sign_bit"}


@dataclass(frozen=True, slots=True)
class Context(NodeContext):
    """One node, named after its first output; inputs that are quantised are real numbers here.

    Attributes:
        sources: what the file says of the inputs.
        options: of the operator, in snake case.
        outputs: what the file says of the outputs.
        shapes: what is known of the shapes of the outputs; None where that is nothing.
        scope: lowers subgraphs.
    """

    code = "SP-387"
    named = "tensor"
    way_out = "Convert the model without it"
    sources: Sequence[Tensor | None]
    options: Mapping[str, Any]
    outputs: Sequence[Tensor]
    shapes: Sequence[Shape | None]
    scope: Any = None

    def input(self, index: int) -> Value:
        """Return an input that the operator must have, with its axes stored as they are numbered."""
        value = self.arranged(index)
        return value if value.array is not None else self.graph.plain(value)

    def numbers(self, index: int, what: str = "") -> list[int]:
        """Return whole numbers of an input that has to be known at build time."""
        return [int(number) for number in self.known(index, what).ravel()]

    def option(self, name: str, default: Any) -> Any:
        """Return an option; files leave defaults out."""
        found = self.options.get(name)
        return default if found is None else found

    def shape(self, index: int = 0) -> Shape | None:
        """Return what is known of the shape of an output."""
        return self.shapes[index] if index < len(self.shapes) else None

    def type(self, index: int = 0) -> str:
        """Return the type of an output: real numbers where it is quantised."""
        tensor = self.outputs[index]
        return "float32" if tensor.quantized else tensor.type

    @property
    def fused(self) -> str:
        """TensorFlow's name of the activation that the operator has built in, or "".

        Quantised models often leave out a ReLU where zero is the least code anyway.
        """
        name = fused_names.get(int(self.option("fused_activation_function", 0)), "an unknown one")
        if name not in {"", "Relu", "Relu6", "relu_n1_to_1"}:  # the interpreter itself ignores Tanh
            self.refuse(f"the fused activation {name}")
        return name or self._clamp()

    def _clamp(self) -> str:
        tensor = self.outputs[0]
        if tensor.scales is None or not tensor.scales.one or tensor.type not in {"int8", "uint8"}:
            return ""
        limits = np.iinfo(tensor.type)
        if int(tensor.scales.zero[0]) != limits.min:
            return ""
        return "Relu6" if abs(float(tensor.scales.scale[0]) * 255 - 6) < 0.03 else "Relu"

    def activated(self, value: Value) -> Value:
        """Return a value after the activation that the operator has built in."""
        return self.activation(value, self.fused)

    def activation(self, value: Value, name: str) -> Value:
        """Return a value after an activation."""
        if not name:
            return value
        if name == "relu_n1_to_1":
            low = self.graph.elementwise("Maximum", [value, self.scalar(-1, value)])
            return self.graph.elementwise("Minimum", [low, self.scalar(1, value)])
        if value.dtype == "int32" and name in {"Relu", "Relu6"}:
            value = self.graph.elementwise("Maximum", [value, self.scalar(0, value)])
            return self.graph.elementwise("Minimum", [value, self.scalar(6, value)]) if name == "Relu6" else value
        return self.graph.elementwise(name, [value])

    def scalar(self, number: float | bool, like: Value) -> Value:
        """Return a constant of another value's type."""
        return self.graph.constant(np.array(number, like.type))

    def whole(self, number: int | Sequence[int] | Sequence[Sequence[int]]) -> Value:
        """Return whole numbers as an int32 constant."""
        return self.graph.constant(np.array(number, np.int32))


Lowering = Callable[[Context], Value | Sequence[Value | None]]
table: dict[str, Lowering] = {}

# Registers a function for operators by the schema's names; MediaPipe's as ``custom NAME``.
lowers = registering(table)
