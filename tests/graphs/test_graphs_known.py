"""What is known of a graph's tensors before anything is fed, and branches that go because their condition is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.graphs.analysis import analyse
from builder.graphs.branches import drop_dead_branches
from builder.graphs.flatten import outline_saved_model
from builder.graphs.graphdef import messages
from builder.graphs.known import known_value
from builder.graphs.nodes import int32, write_constant
from tests.helpers.graphs import add_function, add_node, saved_model


def new_graph() -> Any:
    return messages().GraphDef()


def constants(graph: Any, **values: Any) -> None:
    for name, value in values.items():
        node = add_node(graph.node, name, "Const")
        if isinstance(value, bool):
            node.attr["value"].tensor.dtype = 10
            node.attr["value"].tensor.tensor_content = bytes([value])
        else:
            write_constant(node, value, int32 if np.asarray(value).dtype.kind == "i" else 1)


def value_of(graph: Any, tensor: str, shapes: dict[str, list[int | None]] | None = None) -> Any:
    return known_value({node.name: node for node in graph.node}, tensor, (shapes or {}).get)


def no_shapes(_: str) -> None:
    return None


def test_sizes_are_computed_from_known_lengths_beside_unknown_ones() -> None:
    graph = new_graph()
    constants(graph, start=[1], stop=[3], step=[1], two=[2, 3])
    add_node(graph.node, "shape", "Shape", "x")
    add_node(graph.node, "slice", "StridedSlice", "shape", "start", "stop", "step")
    add_node(graph.node, "size", "Mul", "slice", "two")
    add_node(graph.node, "whole", "Mul", "shape", "shape")
    assert value_of(graph, "size", {"x": [None, 5, 7, 3]}).tolist() == [10, 21]
    assert value_of(graph, "whole", {"x": [2, 5]}).tolist() == [4, 25]
    assert value_of(graph, "whole", {"x": [None, 5]}) is None
    assert value_of(graph, "size", {"x": [1, None, 7, 3]}) is None
    assert value_of(graph, "size") is None


@pytest.mark.parametrize(
    ("op", "x", "y", "expected"),
    [("FloorDiv", -7, 2, -4), ("FloorMod", -7, 2, 1), ("Sub", 3, 5, -2), ("Maximum", 3, 5, 5), ("FloorDiv", 1, 0, None),
     ("RealDiv", 7, 2, None)],
)  # fmt: skip
def test_numbers_are_those_of_tensorflow(op: str, x: int, y: int, expected: int | None) -> None:
    graph = new_graph()
    constants(graph, x=x, y=y)
    add_node(graph.node, "found", op, "x", "y")
    found = value_of(graph, "found")
    assert (None if found is None else found.item()) == expected


@pytest.mark.parametrize(
    ("op", "fixed", "expected"), [("LogicalAnd", False, False), ("LogicalAnd", True, None), ("LogicalOr", True, True)]
)
def test_one_side_may_decide(op: str, fixed: bool, expected: bool | None) -> None:
    graph = new_graph()
    constants(graph, fixed=fixed)
    add_node(graph.node, "fed", "Placeholder")
    add_node(graph.node, "found", op, "fed", "fixed")
    found = value_of(graph, "found")
    assert (None if found is None else found.item()) == expected


def test_what_may_be_fed_is_not_known_and_circles_end() -> None:
    graph = new_graph()
    constants(graph, one=1)
    add_node(graph.node, "default", "PlaceholderWithDefault", "one")
    add_node(graph.node, "sum", "AddV2", "default", "one")
    add_node(graph.node, "a", "AddV2", "b", "one")
    add_node(graph.node, "b", "AddV2", "a", "one")
    assert value_of(graph, "sum") is None
    assert value_of(graph, "a") is None


def branched(condition: str) -> Any:
    """Give a graph with two branches, of which the one for true draws; its result and the branch's number are used."""
    graph = new_graph()
    constants(graph, no=False, yes=True)
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "switch", "Switch", "x", condition)
    add_node(graph.node, "pivot", "Identity", "switch:1")
    add_node(graph.node, "drawn", "RandomUniform", "^pivot")
    add_node(graph.node, "then", "Mul", "switch:1", "drawn")
    add_node(graph.node, "else", "Relu", "switch")
    add_node(graph.node, "merge", "Merge", "else", "then").attr["N"].i = 2
    add_node(graph.node, "y", "Use", "merge", "merge:1")
    return graph


def test_the_branch_that_is_never_taken_goes() -> None:
    graph = branched("no")
    drop_dead_branches(graph, no_shapes, ["x", "y"])
    nodes = {node.name: node for node in graph.node}
    assert set(nodes) == {"no", "yes", "x", "switch", "else", "merge", "merge/index", "y"}
    assert (nodes["switch"].op, list(nodes["switch"].input)) == ("Identity", ["x"])
    assert (nodes["merge"].op, list(nodes["merge"].input)) == ("Identity", ["else"])
    assert list(nodes["y"].input) == ["merge", "merge/index"]
    assert value_of(graph, "merge/index") == 0


def test_the_other_branch_is_the_second() -> None:
    graph = branched("yes")
    drop_dead_branches(graph, no_shapes, ["y"])
    nodes = {node.name: node for node in graph.node}
    assert {"drawn", "then", "pivot"} < set(nodes)
    assert "else" not in nodes
    assert list(nodes["then"].input) == ["switch", "drawn"]
    assert value_of(graph, "merge/index") == 1


@pytest.mark.parametrize(("condition", "kept"), [("x", "y"), ("no", "then")])
def test_branches_stay_where_nothing_is_known_or_one_is_asked_for(condition: str, kept: str) -> None:
    graph = branched(condition)
    before = graph.SerializeToString(deterministic=True)
    drop_dead_branches(graph, no_shapes, [kept])
    assert graph.SerializeToString(deterministic=True) == before


def test_a_loop_in_a_branch_that_is_never_taken_goes_too() -> None:
    graph = new_graph()
    constants(graph, no=False)
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "switch", "Switch", "x", "no")
    add_node(graph.node, "enter", "Enter", "switch:1")
    add_node(graph.node, "again", "Merge", "enter", "next").attr["N"].i = 2
    add_node(graph.node, "next", "NextIteration", "again")
    add_node(graph.node, "merge", "Merge", "switch", "again").attr["N"].i = 2
    drop_dead_branches(graph, no_shapes, ["merge"])
    assert {node.name for node in graph.node} == {"no", "x", "switch", "merge", "merge/index"}


def test_calls_of_a_branch_become_calls_of_a_function() -> None:
    graph = new_graph()
    constants(graph, no=False)
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "if", "StatelessIf", "no", "x", then_branch="train", else_branch="infer")
    add_node(graph.node, "unknown", "If", "x", "x", then_branch="train", else_branch="infer")
    inside = graph.library.function.add()
    inside.signature.name = "outer"
    constants(type("Body", (), {"node": inside.node_def}), yes=True)
    add_node(inside.node_def, "if", "If", "yes:output:0", "x", then_branch="train", else_branch="infer")
    drop_dead_branches(graph, no_shapes, ["if"])
    nodes = {node.name: node for node in graph.node}
    assert (nodes["if"].op, nodes["if"].attr["f"].func.name, list(nodes["if"].input)) == (
        "PartitionedCall", "infer", ["x"],
    )  # fmt: skip
    assert nodes["unknown"].op == "If"
    assert (inside.node_def[1].op, inside.node_def[1].attr["f"].func.name) == ("StatefulPartitionedCall", "train")


@pytest.mark.parametrize("is_training", [False, True])
def test_check_looks_at_the_branch_that_is_taken(is_training: bool) -> None:
    model, meta_graph = saved_model()
    add_function(meta_graph.graph_def, "train", "RandomShuffle")
    called, *_, trained = meta_graph.graph_def.library.function
    trained.ret["y"] = "randomshuffle_0:output:0"
    called.ret["y"] = "cond:output:0"
    body = called.node_def
    node = add_node(body, "training", "Const")
    node.attr["value"].tensor.dtype = 10
    node.attr["value"].tensor.bool_val.append(is_training)
    add_node(body, "cond", "If", "training:output:0", then_branch="train", else_branch="inner")
    before = model.SerializeToString(deterministic=True)
    found = analyse(outline_saved_model(model, "serving_default", ("serve",)), ())
    assert [finding.op for finding in found.refused] == (["RandomShuffle"] if is_training else [])
    assert model.SerializeToString(deterministic=True) == before
