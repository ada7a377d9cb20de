"""What is done to graphs between freezing and writing."""

from __future__ import annotations

from typing import Any

import pytest

from builder.convert.graph_cleanup import (
    check_supported,
    drop_control_edges,
    drop_process_details,
    frozen_outputs,
    merge_constants,
    node_name,
    prepare_function,
    prune_functions,
    replace_defaults,
    restore_constants,
    take_large_constants,
    trim,
    unique,
)
from builder.errors import SourceError, UnsupportedOpsError
from builder.graphs.graphdef import messages
from tests.helpers.graphs import add_function, add_node


def new_graph() -> Any:
    return messages().GraphDef()


def constant(graph: Any, name: str, content: bytes, *inputs: str) -> None:
    node = add_node(graph.node, name, "Const", *inputs)
    node.attr["value"].tensor.dtype = 1
    node.attr["value"].tensor.tensor_content = content


def names(graph: Any) -> list[str]:
    return [node.name for node in graph.node]


def test_equal_constants_are_merged_and_small_ones_left() -> None:
    graph = new_graph()
    for name, content in (("a", bytes(400)), ("b", bytes(400)), ("c", b"\1" * 400), ("d", b"x"), ("e", b"x")):
        constant(graph, name, content)
    add_node(graph.node, "use", "AddN", "a", "b:0", "c", "d", "e")
    graph.node[-1].attr["_class"].list.s.append(b"loc:@b")
    merge_constants(graph)
    assert names(graph) == ["a", "c", "d", "e", "use"]
    assert list(graph.node[-1].input) == ["a", "a", "c", "d", "e"]
    assert "_class" not in graph.node[-1].attr


def test_constants_of_two_branches_stay_apart_where_these_meet() -> None:
    graph = new_graph()
    constant(graph, "a", bytes(400), "^then")
    constant(graph, "b", bytes(400), "^else")
    add_node(graph.node, "meet", "Merge", "a", "b")
    add_node(graph.node, "use", "AddN", "a", "b", "x")
    merge_constants(graph)
    assert names(graph) == ["a", "b", "meet", "use"]
    drop_control_edges(graph)
    assert {node.name: list(node.input) for node in graph.node} == {
        "a": [], "b": [], "meet": ["a/tied", "b/tied"], "use": ["a", "b", "x"], "a/tied": ["a", "^then"],
        "b/tied": ["b", "^else"],
    }  # fmt: skip


def test_what_begins_a_loop_within_a_loop_waits_for_the_outer_one() -> None:
    graph = new_graph()
    constant(graph, "zero", b"x", "^outer")
    constant(graph, "start", b"x")
    add_node(graph.node, "inner", "Enter", "zero")
    add_node(graph.node, "first", "Enter", "start")
    add_node(graph.node, "sum", "AddV2", "zero", "x")
    drop_control_edges(graph)
    found = {node.name: list(node.input) for node in graph.node}
    assert (found["inner"], found["first"], found["sum"]) == (["zero", "^outer"], ["start"], ["zero", "x"])


def test_constants_of_other_types_are_not_merged() -> None:
    graph = new_graph()
    constant(graph, "a", bytes(400))
    constant(graph, "b", bytes(400))
    graph.node[1].attr["value"].tensor.dtype = 3
    merge_constants(graph)
    assert names(graph) == ["a", "b"]


def test_large_constants_that_only_products_use_are_taken_and_put_back() -> None:
    graph = new_graph()
    for name in ("weights", "kernel", "both"):
        constant(graph, name, bytes(5 << 20))
    constant(graph, "small", bytes(100))
    add_node(graph.node, "read", "Identity", "weights")
    add_node(graph.node, "order", "NoOp", "^weights")
    add_node(graph.node, "product", "MatMul", "x", "read")
    add_node(graph.node, "picture", "Conv2D", "x", "kernel")
    add_node(graph.node, "one", "MatMul", "both", "small")
    add_node(graph.node, "two", "Relu", "both")
    before = messages().GraphDef.FromString(graph.SerializeToString())
    taken = take_large_constants(graph)
    assert set(taken) == {"weights"}
    assert [node.name for node in graph.node if node.op == "Placeholder"] == ["weights"]
    restore_constants(graph, taken)
    assert graph == before


def test_what_no_output_needs_is_dropped_but_not_inputs() -> None:
    graph = new_graph()
    for name, inputs in (("x", ()), ("unused", ()), ("y", ("x", "^z")), ("z", ()), ("lost", ("x",))):
        add_node(graph.node, name, "Placeholder", *inputs)
    trim(graph, {"y"}, {"x", "unused"})
    assert names(graph) == ["x", "unused", "y", "z"]


def test_ordering_edges_go_where_data_tell_the_frame() -> None:
    graph = new_graph()
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "barrier", "NoOp", "^x")
    constant(graph, "c", b"1", "^x")
    add_node(graph.node, "y", "Relu", "x", "^barrier")
    add_node(graph.node, "fresh", "TensorListReserve", "c", "c", "^y")
    drop_control_edges(graph)
    assert {node.name: list(node.input) for node in graph.node} == {
        "x": [],
        "c": [],
        "y": ["x"],
        "fresh": ["c", "c", "^y"],
    }


def test_only_called_functions_stay_in_order_of_call() -> None:
    graph = new_graph()
    for name, calls in (("unused", ""), ("inner", ""), ("outer", "inner"), ("zero", "")):
        add_function(graph, name, "Relu", calls=calls)
    add_node(graph.node, "a", "StatefulPartitionedCall", f="outer")
    add_node(graph.node, "b", "zero")
    prune_functions(graph)
    assert [function.signature.name for function in graph.library.function] == ["outer", "zero", "inner"]


def test_constants_of_functions_get_names_that_begin_no_others() -> None:
    function = messages().FunctionDef()
    function.signature.name = "body"
    function.signature.input_arg.add(name="add_0")
    function.signature.input_arg.add(name="loop_cond_123___redundant_placeholder0")
    add_node(function.node_def, "add", "Const")
    add_node(function.node_def, "add_1", "AddV2", "add:output:0", "add_0")
    add_node(function.node_def, "step", "Const")
    add_node(function.node_def, "y", "AddV2", "add_1:z:0", "step:output:0", "^add")
    add_node(function.node_def, "z", "Relu", "loop_cond_123___redundant_placeholder0")
    function.ret["constant"] = "step:output:0"
    function.ret["sum"] = "y:z:0"
    prepare_function(function)
    inputs = {node.name: list(node.input) for node in function.node_def}
    constants = {node.name for node in function.node_def if node.op == "Const"}
    others = {node.name for node in function.node_def} - constants | {"add_0"}
    assert not [(a, b) for a in constants for b in others if b.startswith(a)]
    (renamed,) = constants - {"step"}
    assert inputs["add_1"] == [f"{renamed}:output:0", "add_0"]
    assert inputs["y"] == ["add_1:z:0", "step:output:0", f"^{renamed}"]
    assert inputs["z"] == ["redundant_placeholder0"]
    assert function.signature.input_arg[1].name == "redundant_placeholder0"
    assert dict(function.ret) == {"constant": "body/step:output:0", "sum": "y:z:0"}


def test_what_counts_the_process_is_forgotten() -> None:
    graph, initializer = new_graph(), new_graph()
    node = add_node(graph.node, "find", "LookupTableFindV2", "table", _seen=b"x", kept=b"y")
    node.device = "/device:CPU:0"
    node.experimental_debug_info.original_func_names.append("__inference_serve_27301")
    for target in (graph, initializer):
        add_node(target.node, "table", "HashTableV2", shared_name=b"17_load_5_6")
    add_node(initializer.node, "113", "Const")
    add_node(initializer.node, "import", "LookupTableImportV2", "table", "113", "^113")
    drop_process_details([graph, initializer])
    assert set(node.attr) == {"kept"}
    assert node.device == ""
    assert not node.HasField("experimental_debug_info")
    assert graph.node[1].attr["shared_name"].s == initializer.node[0].attr["shared_name"].s == b"table_0"
    assert list(initializer.node[2].input) == ["table", "constant_0", "^constant_0"]


def test_placeholders_with_defaults_become_their_defaults_unless_fed() -> None:
    graph = new_graph()
    for name in ("fed", "rate"):
        node = add_node(graph.node, name, "PlaceholderWithDefault", "default")
        node.attr["dtype"].type = 1
        node.attr["shape"].shape.unknown_rank = True
    replace_defaults(graph, {"fed"})
    assert [node.op for node in graph.node] == ["PlaceholderWithDefault", "Identity"]
    assert set(graph.node[1].attr) == {"T"}
    assert graph.node[1].attr["T"].type == 1


def test_missing_ops_are_named_with_some_of_their_nodes() -> None:
    graph = new_graph()
    add_node(graph.node, "fine", "Relu")
    add_node(graph.node, "call", "own")
    for number in range(5):
        add_node(graph.node, f"odd_{number}", "Odd")
    add_function(graph, "own", "Even")
    with pytest.raises(UnsupportedOpsError) as caught:
        check_supported([graph], {"Relu"}, "m.pb")
    assert "Even at 'even_0'; Odd at 'odd_0', 'odd_1', 'odd_2' and 2 more" in str(caught.value)
    check_supported([graph], {"Relu", "Odd", "Even"}, "m.pb")


def test_outputs_of_frozen_graphs() -> None:
    graph = new_graph()
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "y", "Relu", "x")
    add_node(graph.node, "z", "Split", "y")
    assert frozen_outputs(graph, (), "m.pb") == {"z": "z:0"}
    assert frozen_outputs(graph, ("y", "z:1"), "m.pb") == {"y": "y:0", "z:1": "z:1"}
    add_node(graph.node, "w", "Tanh", "y")
    with pytest.raises(SourceError, match=r"2 nodes.*\['w', 'z'\]"):
        frozen_outputs(graph, (), "m.pb")
    with pytest.raises(SourceError, match="no node 'q'"):
        frozen_outputs(graph, ("q",), "m.pb")


def test_names() -> None:
    assert unique(["a", "b", "a", "a_1", "a"]) == ["a", "b", "a_1", "a_1_1", "a_2"]
    assert [node_name(name) for name in ("image", "a b/ü", "_x", "")] == ["image", "a_b__", "input_x", "input"]
