"""Adds nodes to a graph as TensorFlow.js has it: JSON, with constants as weights beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..model import BytesData, Weight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Node = dict[str, Any]
plain_types = {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}
stored_types = {"float32": "<f4", "int32": "<i4", "bool": "?"}
passing = frozenset({"Identity", "Enter"})
# Inside functions a tensor is named by node, output and number; elsewhere by node alone.
output_names = {
    "MatMul": "product", "ConcatV2": "output", "Transpose": "y", "Reshape": "output", "Shape": "output",
    "GatherV2": "output", "Prod": "output", "BatchMatMulV2": "output", "Rank": "output", "Cast": "y",
    "ReverseV2": "output", "Reverse": "output", "StridedSlice": "output", "DepthToSpace": "output",
    "OneHot": "output", "Select": "output", "SelectV2": "output", "Const": "output", "Conv2D": "output",
    "DepthwiseConv2dNative": "output", "Relu": "activations", "Relu6": "activations", "Elu": "activations",
    "LeakyRelu": "activations", "ZerosLike": "y", "Sigmoid": "y", "Tanh": "y", "Range": "output",
    "ResizeNearestNeighbor": "resized_images", "Neg": "y", "DenseBincount": "output", "Bincount": "bins",
    "Cumsum": "out", "Cumprod": "out",
}  # fmt: skip


def type_of(node: Node, key: str = "T", default: str = "DT_FLOAT") -> str:
    """Return a type among a node's attributes, as ``DT_FLOAT``."""
    return str(node.get("attr", {}).get(key, {}).get("type", default))


def flag_of(node: Node, key: str, *, default: bool = False) -> bool:
    """Return a truth value among a node's attributes."""
    return bool(node.get("attr", {}).get(key, {}).get("b", default))


def text_of(node: Node, key: str) -> str:
    """Return a text among a node's attributes, which are in base64."""
    return base64.b64decode(node.get("attr", {}).get(key, {}).get("s", "")).decode()


def texts_of(node: Node, key: str) -> list[str]:
    """Return a list of texts."""
    listed = node.get("attr", {}).get(key, {}).get("list", {}).get("s", [])
    return [base64.b64decode(text).decode() for text in listed]


def data_inputs(node: Node) -> list[str]:
    """Return the inputs without the edges that only order."""
    return [text for text in node.get("input", []) if not text.startswith("^")]


def source_name(reference: str) -> str:
    """Return the node that a reference is to."""
    return reference.lstrip("^").partition(":")[0]


@dataclass(frozen=True, slots=True)
class Body:
    """The nodes of a graph, or of a function in its library, while they are changed.

    Attributes:
        nodes: by name, in order; changed in place.
        weights: those of the model, by name; new constants are added.
        function: name of the function, or "".
    """

    nodes: dict[str, Node]
    weights: dict[str, Weight]
    function: str = ""

    def value_of(self, reference: str) -> Array | None:
        """Return a constant's value, or None if it is none."""
        weight = self.weight_of(reference)
        if weight is None or weight.quantization or weight.dtype not in stored_types:
            return None
        import numpy as np

        content = weight.data.read(0, weight.data.nbytes)
        return np.frombuffer(content, stored_types[weight.dtype]).reshape(weight.shape)

    def weight_of(self, reference: str) -> Weight | None:
        """Return the weight that a tensor is, through nodes that change nothing; None if it is computed."""
        name = source_name(reference)
        for _ in range(len(self.nodes)):
            node = self.nodes.get(name)
            if node is None or node["op"] not in passing:
                break
            name = source_name(node["input"][0])
        return self.weights.get(name)


@dataclass(frozen=True, slots=True)
class Patch:
    """Adds nodes beside the one that is rewritten."""

    body: Body
    node: Node

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node and give a reference to its tensor; types are texts as ``DT_FLOAT``."""
        name = self._name(op)
        self.body.nodes[name] = {"name": name, "op": op, "input": list(inputs), "attr": _attributes(attributes)}
        return f"{name}:{output_names.get(op, 'z')}:0" if self.body.function else name

    def const(self, value: Any, kind: str = "DT_INT32") -> str:
        """Add a constant; whole numbers of any type are stored as int32."""
        import numpy as np

        dtype = {"DT_FLOAT": "float32", "DT_BOOL": "bool"}.get(kind, "int32")
        array = np.asarray(value, dtype=stored_types[dtype])
        return self._weight(Weight("", array.shape, dtype, BytesData(array.tobytes())), kind)

    def flat(self, weight: Weight, kind: str) -> str:
        """Add a vector with the bytes of a weight: a Reshape would share its memory, where wasm looks for the shape."""
        return self._weight(replace(weight, shape=(weight.size,)), kind)

    def _weight(self, weight: Weight, kind: str) -> str:
        # The converter puts the function's name before those of its constants.
        start = f"{self.body.function}/" if self.body.function else ""
        name = f"{start}{self._name('Const')}"
        shape = {"dim": [{"size": str(length)} for length in weight.shape]} if weight.shape else {}
        tensor = {"dtype": kind, "tensorShape": shape}
        attributes = {"dtype": {"type": kind}, "value": {"tensor": tensor}}
        self.body.nodes[name] = {"name": name, "op": "Const", "attr": attributes}
        self.body.weights[name] = replace(weight, name=name)
        return f"{name}:output:0" if self.body.function else name

    def cast(self, tensor: str, source: str, target: str) -> str:
        """Return a tensor in another type."""
        return tensor if source == target else self.add("Cast", [tensor], SrcT=source, DstT=target, Truncate=False)

    def replace(self, result: str) -> None:
        """Make the node an identity of what stands for it, so that nobody who refers to it has to change."""
        kind = type_of(self.node, {"Cast": "DstT"}.get(self.node["op"], "T"))
        if self.node["op"] in {"DenseBincount", "Bincount"}:
            kind = type_of(self.node)
        self.node.update(op="Identity", input=[result], attr={"T": {"type": kind}})

    def _name(self, op: str) -> str:
        return f"{self.node['name']}/{op}_{len(self.body.nodes)}"


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, bool):
            found[key] = {"b": value}
        elif isinstance(value, int):
            found[key] = {"i": str(value)}
        elif isinstance(value, str):
            found[key] = {"type": value}
        else:
            found[key] = value
    return found
