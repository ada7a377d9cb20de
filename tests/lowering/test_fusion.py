"""Nodes that become others: the same numbers of fewer and faster ones, run with NumPy before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.lowering.fusion import fuse
from builder.lowering.graph import Graph
from builder.lowering.values import Value
from tests.helpers.numpy_graphs import run_graph

numbers = np.linspace(-9, 9, 24, dtype=np.float32).reshape(1, 2, 3, 4)


def bounded(graph: Graph, x: Value, *steps: tuple[str, Any]) -> Value:
    """Add bounds one after another."""
    for op, bound in steps:
        x = graph.elementwise(op, [x, graph.constant(bound)])
    return x


def ops(graph: Graph) -> list[str]:
    """List the ops of a graph's nodes, without its leaves."""
    return [node.op for node in graph.nodes if node.op not in {"Const", "Placeholder"}]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("Maximum", np.float32(-0.4))], ["ClipByValue"]),
        ([("Maximum", np.full((1, 1, 1, 1), -0.4, np.float32))], ["ClipByValue"]),
        ([("Minimum", np.float32(2))], ["ClipByValue"]),
        ([("Maximum", np.float32(-1)), ("Minimum", np.float32(1))], ["ClipByValue"]),
        ([("Minimum", np.float32(1)), ("Maximum", np.float32(-1))], ["ClipByValue"]),
        ([("Maximum", np.float32(0))], ["Relu"]),
        ([("Maximum", np.float32(0)), ("Minimum", np.float32(6))], ["Relu6"]),
        # No number lies between them: the last one holds.
        ([("Maximum", np.float32(3)), ("Minimum", np.float32(1))], ["ClipByValue", "ClipByValue"]),
        ([("Maximum", np.arange(4, dtype=np.float32))], ["Maximum"]),
        ([("Maximum", np.float32(np.nan))], ["Maximum"]),
    ],
)
def test_bounds_become_clips(steps: list[tuple[str, Any]], expected: list[str]) -> None:
    graph = Graph()
    result = bounded(graph, graph.input("x", "float32", numbers.shape), *steps)
    before = run_graph(graph, {"y": result}, {"x": numbers})["y"]
    fuse(graph, [result.name])
    assert ops(graph) == expected
    np.testing.assert_array_equal(run_graph(graph, {"y": result}, {"x": numbers})["y"], before)


def test_a_bound_that_others_read_stays() -> None:
    graph = Graph()
    first = bounded(graph, graph.input("x", "float32", numbers.shape), ("Maximum", np.float32(-1)))
    results = {"first": first, "second": bounded(graph, first, ("Minimum", np.float32(1)))}
    fuse(graph, [value.name for value in results.values()])
    assert ops(graph) == ["ClipByValue", "ClipByValue"]
    found = run_graph(graph, results, {"x": numbers})
    np.testing.assert_array_equal(found["first"], np.maximum(numbers, -1))
    np.testing.assert_array_equal(found["second"], np.clip(numbers, -1, 1))


def test_whole_numbers_are_not_clipped() -> None:
    graph = Graph()
    result = bounded(graph, graph.input("x", "int32", numbers.shape), ("Maximum", np.int32(1)))
    fuse(graph, [result.name])
    assert ops(graph) == ["Maximum"]


def test_constants_lose_leading_axes_where_another_value_has_them() -> None:
    graph = Graph()
    x = graph.input("x", "float32", numbers.shape)
    shared = graph.constant(np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4))
    results = {
        "own": graph.elementwise("Greater", [x, shared], "bool"),
        "again": graph.elementwise("Pow", [x, shared]),
        # Its shape is that of the constant.
        "few": graph.elementwise("Pow", [graph.input("y", "float32", (4,)), shared]),
    }
    found = run_graph(graph, results, {"x": numbers, "y": numbers[0, 0, 0]})
    assert [found[name].shape for name in results] == [(1, 2, 3, 4), (1, 2, 3, 4), (1, 1, 1, 4)]
    assert sorted(array.shape for array in graph.weights.values()) == [(1, 1, 1, 4), (4,)]
