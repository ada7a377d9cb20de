"""The types that nodes state, which passes over graphs and rewrites for wasm rely on."""

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


def test_the_type_of_a_choice_is_that_of_what_is_chosen() -> None:
    graph = Graph()
    where, x = graph.input("where", "bool", (2,)), graph.input("x", "int64", (2,))
    graph.elementwise("SelectV2", [where, x, graph.constant(np.int32(0))], "int64")
    assert graph.nodes[-1].attributes["T"] == Type("int32")


def test_the_type_of_a_transposed_convolution_is_that_of_its_picture() -> None:
    graph = Graph()
    x = graph.input("x", "float32", (1, 4, 4, 3), (0, 1, 2, 3))
    sizes, kernel = graph.constant(np.array([1, 8, 8, 2], np.int32)), graph.constant(np.zeros((2, 2, 2, 3), np.float32))
    graph.op("Conv2DBackpropInput", [sizes, kernel, x], shape=(1, 8, 8, 2), type_name="float32")
    assert graph.nodes[-1].attributes["T"] == Type("float32")


def test_the_type_of_most_ops_is_that_of_the_first_input() -> None:
    graph = Graph()
    x = graph.input("x", "float32", (2,))
    graph.elementwise("Less", [x, graph.constant(np.float32(0))], "bool")
    assert graph.nodes[-1].attributes["T"] == Type("float32")
