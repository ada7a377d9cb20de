"""The types that nodes state, which passes over graphs believe."""

from __future__ import annotations

import numpy as np
import pytest

from builder.lowering.attributes import Type
from builder.lowering.graph import Graph


@pytest.mark.parametrize(
    ("op", "types", "stated"),
    [
        ("SelectV2", ("bool", "float32", "float32"), "float32"),
        ("ScatterNd", ("int32", "float32", "int32"), "float32"),
        ("AddV2", ("int32", "int32"), "int32"),
    ],
)
def test_nodes_state_the_type_of_what_they_hand_on(op: str, types: tuple[str, ...], stated: str) -> None:
    graph = Graph()
    inputs = [graph.input(f"x{number}", kind, (2,), None) for number, kind in enumerate(types)]
    graph.op(op, inputs, shape=(2,), type_name=str(np.dtype(stated)))
    assert graph.nodes[-1].attributes["T"] == Type(stated)
