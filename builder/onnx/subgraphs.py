"""The graphs within a graph: branches, and bodies of loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def graphs_within(node: Any) -> Iterator[Any]:
    """Return the ``GraphProto`` that the attributes of a ``NodeProto`` hold."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
