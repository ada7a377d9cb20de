"""Matrices whose rows are turned instead of the tensors before them, run with NumPy before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from builder.lowering.graph import Graph
from builder.lowering.turning import turn_rows
from builder.lowering.values import Value

steps: dict[str, Callable[..., Any]] = {
    "Transpose": lambda x, moves: x.transpose(moves),
    "Reshape": lambda x, lengths: x.reshape(lengths),
    "Relu": lambda x: np.maximum(x, 0),
    "AddV2": np.add,
    "Mul": np.multiply,
    "BiasAdd": np.add,
    "MatMul": lambda x, y, transpose_b: x @ (y.T if transpose_b else y),
    "Softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
}


def run(graph: Graph, picture: Any, output: str) -> Any:
    """Compute an output of a graph."""
    found: dict[str, Any] = {"x": picture, **graph.weights}
    for node in graph.nodes:
        if node.op not in ("Placeholder", "Const"):
            named = {"transpose_b": node.attributes["transpose_b"]} if node.op == "MatMul" else {}
            found[node.name] = steps[node.op](*(found[name] for name in node.inputs), **named)
    return found[output]


def flattened(graph: Graph) -> Value:
    """Return a picture [2, 3, 4, 5] that is stored with its channels last, flattened to [2, 60]."""
    x = graph.input("x", "float32", (None, 3, 4, 5), (0, 2, 3, 1))
    return graph.reshape(x, (None, 60))


def product(graph: Graph, x: Value, matrix: Any, *, transpose_b: bool = False) -> Value:
    """Add a product with a constant matrix."""
    constant = graph.constant(matrix)
    return graph.op("MatMul", [x, constant], shape=(None, 7), transpose_a=False, transpose_b=transpose_b)


def build(kind: str) -> tuple[Graph, Value]:
    """Return a graph that flattens a picture, and its output."""
    random = np.random.default_rng(0)
    graph = Graph()
    flat = flattened(graph)
    matrix = random.normal(size=(60, 7)).astype(np.float32)
    numbers = random.normal(size=60).astype(np.float32)
    if kind == "product":
        return graph, product(graph, flat, matrix)
    if kind == "transposed":
        return graph, product(graph, flat, np.ascontiguousarray(matrix.T), transpose_b=True)
    if kind == "arithmetic":
        shifted = graph.op("BiasAdd", [graph.elementwise("Relu", [flat]), graph.constant(numbers)], shape=flat.shape)
        gate = graph.elementwise("Mul", [shifted, graph.constant(numbers[None])])
        return graph, product(graph, graph.elementwise("Mul", [gate, shifted]), matrix)
    if kind == "twice":
        shared = graph.constant(matrix)
        parts = [
            graph.op("MatMul", [each, shared], shape=(None, 7), transpose_a=False, transpose_b=False)
            for each in (flat, graph.elementwise("Mul", [flat, graph.constant(np.float32(3))]))
        ]
        return graph, graph.elementwise("AddV2", parts)
    if kind == "softmax":  # along the columns, which it does not mind, but is not known not to
        soft = graph.op("Softmax", [flat], shape=flat.shape)
        return graph, product(graph, soft, matrix)
    return graph, graph.elementwise("AddV2", [flat, graph.constant(numbers)])


@pytest.mark.parametrize(
    ("kind", "moves"),
    [("product", 0), ("transposed", 0), ("arithmetic", 0), ("twice", 0), ("softmax", 1), ("an output", 1)],
)
def test_rows_are_turned_where_nothing_else_depends_on_the_order(kind: str, moves: int) -> None:
    graph, result = build(kind)
    picture = np.random.default_rng(1).normal(size=(2, 4, 5, 3)).astype(np.float32)
    expected = run(graph, picture, result.name)
    turn_rows(graph, [result.name])
    np.testing.assert_allclose(run(graph, picture, result.name), expected, rtol=1e-5)
    assert _moved(graph, result.name) == moves


def _moved(graph: Graph, output: str) -> int:
    """Count the moves that an output needs."""
    by_name = {node.name: node for node in graph.nodes}
    waiting, seen = [output], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += by_name[name].inputs
    return sum(by_name[name].op == "Transpose" for name in seen)


def test_a_matrix_that_others_read_too_is_copied() -> None:
    graph = Graph()
    flat = flattened(graph)
    matrix = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    first = product(graph, flat, matrix)
    other = graph.input("y", "float32", (None, 60))
    shared = next(node.inputs[1] for node in graph.nodes if node.name == first.name)
    graph.op("MatMul", [other, Value("float32", (60, 7), (0, 1), shared)], shape=(None, 7), transpose_b=False)
    turn_rows(graph, [first.name])
    np.testing.assert_array_equal(graph.weights[shared], matrix)
    assert _moved(graph, first.name) == 0
