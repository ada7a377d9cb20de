"""Refuses graphs that compute in bfloat16: TensorFlow.js has no such type, and in float32 answers would differ."""

from __future__ import annotations

from typing import NoReturn

from ..errors import SourceError
from .messages import GraphDef

bfloat16 = 14  # DataType's number


def check_types(graph_def: GraphDef, where: str) -> None:
    """Refuse a graph that casts to bfloat16.

    Raises:
        SourceError: it does; the first node is named.
    """
    for node in graph_def.node:
        if node.op == "Cast" and node.attr["DstT"].type == bfloat16:
            refuse_bfloat16(node.name, where)


def refuse_bfloat16(place: str, where: str) -> NoReturn:
    """Say of a model that it computes in bfloat16 at a node or layer."""
    raise SourceError(
        f"computes in bfloat16 (first at {place!r}), which TensorFlow.js lacks",
        code="SP-317",
        where=where,
        hint='Make it under keras.mixed_precision.set_global_policy("float32"), load its weights into that, '
        "and save it in float32",
    )
