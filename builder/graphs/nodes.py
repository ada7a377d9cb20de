"""Adds nodes to a graph that is being changed, and reads its constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedOpsError
from .known import ShapeOf, known_value
from .messages import GraphDef, NodeDef

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# Numbers of DataType in tensorflow/core/framework/types.proto.
float32, int32, uint8, string, int64, boolean = 1, 3, 4, 7, 9, 10
numpy_names = {float32: "<f4", int32: "<i4"}
type_attributes = frozenset(("SrcT", "DstT", "Index", "dtype", "index_type", "out_type"))


@dataclass(frozen=True, slots=True)
class NodeBuilder:
    """Adds nodes beside the one that is rewritten."""

    graph: GraphDef
    node: NodeDef
    shape_of: ShapeOf
    where: str

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; types are given as numbers of DataType, truth values and lists of integers as themselves."""
        node = self.graph.node.add(name=f"{self.node.name}/{op}_{len(self.graph.node)}", op=op, input=inputs)
        for key, value in attributes.items():
            if isinstance(value, bool):
                node.attr[key].b = value
            elif key.startswith("T") or key in type_attributes:
                node.attr[key].type = value
            else:
                node.attr[key].i = value
        return str(node.name)

    def const(self, value: Any, kind: int = int32) -> str:
        """Add a constant."""
        name = self.add("Const", ())
        write_constant(self.graph.node[-1], value, kind)
        return name

    def cast(self, tensor: str, source: int, target: int) -> str:
        """Return a tensor in another type."""
        return tensor if source == target else self.add("Cast", [tensor], SrcT=source, DstT=target, Truncate=False)

    def value_of(self, tensor: str) -> Array | None:
        """Return the value of what is constant or computed from constants and known lengths, else None."""
        return known_value({node.name: node for node in self.graph.node}, tensor, self.shape_of)

    def refuse(self, why: str) -> UnsupportedOpsError:
        """Say that this very node cannot be rewritten."""
        return UnsupportedOpsError(
            f"TensorFlow.js lacks {self.node.op}, and node {self.node.name!r} cannot be rewritten: {why}",
            code="SP-370",
            where=self.where,
            hint="Export the model without it, or set cut to leave that part to the page",
        )


def write_constant(node: NodeDef, value: Any, kind: int) -> None:
    """Set the value of a Const node, float32 or int32."""
    import numpy as np

    array = np.asarray(value, dtype=numpy_names[kind])
    node.attr["dtype"].type = kind
    tensor = node.attr["value"].tensor
    tensor.Clear()
    tensor.dtype = kind
    for length in array.shape:
        tensor.tensor_shape.dim.add(size=length)
    tensor.tensor_content = array.tobytes()
