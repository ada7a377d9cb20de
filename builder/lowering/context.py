"""What a function that lowers an operator sees of its node, whatever the source's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from ..errors import UnsupportedOpsError
from .graph import Graph
from .values import Array, Value


@dataclass(frozen=True, slots=True)
class NodeContext:
    """One node; the formats add what they know of it.

    Attributes:
        graph: that is built.
        op: the operator.
        name: for messages and the names of nodes.
        inputs: None where an optional one is left out.
        code: of the error where an operator cannot be lowered.
        named: what the format calls the thing with the name.
        way_out: what to do about an operator that cannot be lowered.
    """

    code: ClassVar[str]
    named: ClassVar[str]
    way_out: ClassVar[str]
    graph: Graph
    op: str
    name: str
    inputs: Sequence[Value | None]

    def arranged(self, index: int) -> Value:
        """Return an input that the operator must have, in whichever order its axes are stored."""
        value = self.optional(index)
        if value is None:
            self.refuse(f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """Return an input, or None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def known(self, index: int, what: str = "") -> Array:
        """Return the content of an input that has to be known at build time.

        Raises:
            UnsupportedOpsError: it is computed when the model runs.
        """
        value = self.arranged(index)
        if value.array is None:
            self.refuse(f"{what or f'input {index}'} is computed while the model runs")
        return value.array

    def refuse(self, what: str, hint: str = "") -> NoReturn:
        """End the build of the model.

        Raises:
            UnsupportedOpsError: always.
        """
        raise UnsupportedOpsError(
            f"{self.op} ({self.named} {self.name!r}): {what}", code=self.code, hint=hint or self.way_out
        )
