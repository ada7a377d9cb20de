"""Which type a node says it is of: rewrites for wasm rely on it."""

from __future__ import annotations

from builder.lowering.attributes import Type
from builder.lowering.graph import Graph


def test_a_select_is_of_the_type_of_what_it_selects() -> None:
    graph = Graph()
    condition, x = graph.input("c", "bool", (3,)), graph.input("x", "float32", (3,))
    graph.elementwise("SelectV2", [condition, x, x], "float32")
    assert graph.frames[-1].nodes[-1].attributes["T"] == Type("float32")
