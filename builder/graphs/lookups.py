"""Gives lookups in tables the shape of their keys: those of TensorFlow.js answer a flat list."""

from __future__ import annotations

from .messages import GraphDef
from .text import finds


def keep_shapes(graph_def: GraphDef) -> None:
    """Put a Reshape to the keys' shape behind every lookup of a GraphDef, whose rank need not be known."""
    lookups = [node for node in graph_def.node if node.op in finds]
    renamed = {node.name: f"{node.name}/shaped" for node in lookups}
    for node in graph_def.node:
        node.input[:] = [_shaped(text, renamed) for text in node.input]
    for node in lookups:
        key_type, value_type = node.attr["Tin"].type, node.attr["Tout"].type
        shape = graph_def.node.add(name=f"{node.name}/shape", op="Shape", input=[node.input[1]])
        shape.attr["T"].type = key_type
        shape.attr["out_type"].type = 3
        shaped = graph_def.node.add(name=renamed[node.name], op="Reshape", input=[node.name, shape.name])
        shaped.attr["T"].type = value_type
        shaped.attr["Tshape"].type = 3


def _shaped(text: str, renamed: dict[str, str]) -> str:
    name = text.removesuffix(":0")
    return renamed.get(name, text)
