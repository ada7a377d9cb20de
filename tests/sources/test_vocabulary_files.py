"""Tables filled from a SavedModel's own vocabulary files are fine; from any other file they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SourceError, UnsafeModelError
from builder.sources.safety import prepare_saved_model
from builder.sources.vocabulary_files import check_vocabulary_files
from tests.helpers.graphs import add_node, saved_model

fills = "InitializeTableFromTextFileV2"
Change = Callable[[Any], None]


def function_of(meta_graph: Any, name: str) -> Any:
    return next(item for item in meta_graph.graph_def.library.function if item.signature.name == name)


def add_function(meta_graph: Any, name: str, *arguments: str) -> Any:
    made = meta_graph.graph_def.library.function.add()
    made.signature.name = name
    for argument in arguments:
        made.signature.input_arg.add(name=argument)
    return made


def with_table() -> tuple[Any, Any]:
    """Give a SavedModel of TensorFlow 2 whose initialiser fills a table from an asset, through another function."""
    model, meta_graph = saved_model()
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "asset_path:0"
    add_node(meta_graph.graph_def.node, "asset_path", "Const")
    fill = add_function(meta_graph, "fill", "table", "path")
    add_node(fill.node_def, "same", "Identity", "path")
    add_node(fill.node_def, "read", fills, "table", "same:output:0")
    start = add_function(meta_graph, "start", "table", "path")
    add_node(start.node_def, "call", "StatefulPartitionedCall", "table", "path", "^x", f="fill")
    objects = meta_graph.object_graph_def
    objects.nodes.add().user_object.identifier = "_generic_user_object"
    objects.nodes.add().resource.device = ""
    objects.nodes.add().asset.asset_file_def_index = 0
    objects.nodes.add().bare_concrete_function.concrete_function_name = "start"
    objects.nodes[0].children.add(node_id=1, local_name="table")
    objects.nodes[1].children.add(node_id=3, local_name="_initialize")
    objects.concrete_functions["start"].bound_inputs.extend([1, 2])
    return model, meta_graph


def old_table() -> tuple[Any, Any]:
    """Give one of TensorFlow 1, whose initialiser names the asset's tensor."""
    model, meta_graph = saved_model()
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "asset_path:0"
    path = add_node(meta_graph.graph_def.node, "asset_path", "Const")
    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
    add_node(meta_graph.graph_def.node, "table", "HashTableV2")
    add_node(meta_graph.graph_def.node, "read", fills, "table", "asset_path")
    meta_graph.collection_def["legacy_init_op"].node_list.value.append("read")
    return model, meta_graph


def prepared(model: Any) -> Any:
    return prepare_saved_model(model, "serving_default", ("serve",), "model").meta_graphs[0]


def test_tables_of_own_vocabularies_are_fine() -> None:
    assert function_of(prepared(with_table()[0]), "fill")
    part = prepared(old_table()[0])
    # Where the loader gives no name, nothing may be read.
    (path,) = (node for node in part.graph_def.node if node.name == "asset_path")
    assert list(path.attr["value"].tensor.string_val) == [b""]


def in_collection(name: str) -> tuple[Any, Any]:
    """Give a SavedModel whose assets are listed as TensorFlow 1 does."""
    model, meta_graph = old_table()
    meta_graph.asset_file_def[0].filename = name
    item = meta_graph.collection_def["saved_model_assets"].any_list.value.add()
    item.value = meta_graph.asset_file_def[0].SerializeToString()
    del meta_graph.asset_file_def[:]
    return model, meta_graph


def test_assets_that_are_listed_in_a_collection_are_looked_at_too() -> None:
    part = prepared(in_collection("words.txt")[0])
    assert [asset.filename for asset in part.asset_file_def] == ["words.txt"]
    assert "saved_model_assets" not in part.collection_def
    with pytest.raises(UnsafeModelError, match="outside its folder"):
        prepared(in_collection("../words.txt")[0])
    model, meta_graph = in_collection("words.txt")
    meta_graph.collection_def["saved_model_assets"].any_list.value[0].value = b"\xff"
    with pytest.raises(SourceError, match="damaged list of assets"):
        prepared(model)


def _constant_path(meta_graph: Any) -> None:
    body = function_of(meta_graph, "fill")
    add_node(body.node_def, "name", "Const")
    body.node_def[1].input[1] = "name:output:0"


def _constant_given(meta_graph: Any) -> None:
    body = function_of(meta_graph, "start")
    add_node(body.node_def, "name", "Const")
    body.node_def[0].input[1] = "name:output:0"


def _hidden_argument(meta_graph: Any) -> None:
    """A node of the name of the argument."""
    add_node(function_of(meta_graph, "fill").node_def, "path", "Const")


def _joined(meta_graph: Any) -> None:
    function_of(meta_graph, "fill").node_def[0].op = "StringJoin"


def _other_object(meta_graph: Any) -> None:
    meta_graph.object_graph_def.concrete_functions["start"].bound_inputs[1] = 0


def _no_object(meta_graph: Any) -> None:
    meta_graph.object_graph_def.concrete_functions["start"].bound_inputs[1] = 99


def _unbound(meta_graph: Any) -> None:
    """Callers from outside give the path."""
    del meta_graph.object_graph_def.concrete_functions["start"].bound_inputs[:]


def _second_caller(meta_graph: Any) -> None:
    body = add_function(meta_graph, "more")
    add_node(body.node_def, "name", "Const")
    add_node(body.node_def, "call", "fill", "name:output:0", "name:output:0")
    add_node(function_of(meta_graph, "start").node_def, "also", "PartitionedCall", f="more")


def _second_exit(meta_graph: Any) -> None:
    """The inner function is also one that Python calls."""
    meta_graph.object_graph_def.concrete_functions["fill"].bound_inputs.extend([1])


def _loop(meta_graph: Any) -> None:
    add_node(function_of(meta_graph, "start").node_def, "loop", "While", body="fill")


def _named_in_text(meta_graph: Any) -> None:
    """As gradients are."""
    add_node(function_of(meta_graph, "start").node_def, "named", "Identity", _gradient_op_type=b"fill")


def _turned(meta_graph: Any) -> None:
    call = function_of(meta_graph, "start").node_def[0]
    call.input[0], call.input[1] = call.input[1], call.input[0]


def _cycle(meta_graph: Any) -> None:
    function_of(meta_graph, "start").node_def[0].input[1] = "name:output:0"
    add_node(function_of(meta_graph, "start").node_def, "name", "Identity", "name:output:0")


@pytest.mark.parametrize(
    "change",
    [
        _constant_path, _constant_given, _hidden_argument, _joined, _other_object, _no_object, _unbound, _second_caller,
        _second_exit, _loop, _named_in_text, _turned, _cycle,
    ],
)  # fmt: skip
def test_any_other_way_to_a_file_is_refused(change: Change) -> None:
    model, meta_graph = with_table()
    change(meta_graph)
    with pytest.raises(UnsafeModelError, match=f"has the op {fills}, which reads files"):
        prepared(model)


def _old_constant(meta_graph: Any) -> None:
    add_node(meta_graph.graph_def.node, "evil", "Const")
    meta_graph.graph_def.node[-2].input[1] = "evil"


def _old_default(meta_graph: Any) -> None:
    next(node for node in meta_graph.graph_def.node if node.name == "asset_path").op = "PlaceholderWithDefault"


def _old_fed(meta_graph: Any) -> None:
    """What a page feeds."""
    meta_graph.signature_def["serving_default"].inputs["path"].name = "asset_path:0"


def _old_undeclared(meta_graph: Any) -> None:
    del meta_graph.asset_file_def[:]


def _old_call(meta_graph: Any) -> None:
    """A function that is called with the asset, and with something else."""
    fill = add_function(meta_graph, "fill", "table", "path")
    add_node(fill.node_def, "read", fills, "table", "path")
    nodes = meta_graph.graph_def.node
    add_node(nodes, "evil", "Const")
    add_node(nodes, "good", "PartitionedCall", "table", "asset_path", "^bad", f="fill")
    add_node(nodes, "bad", "PartitionedCall", "table", "evil", f="fill")
    next(node for node in nodes if node.name == "read").input.append("^good")


@pytest.mark.parametrize("change", [_old_call, _old_constant, _old_default, _old_fed, _old_undeclared])
def test_so_it_is_in_graphs_of_tensorflow_1(change: Change) -> None:
    model, meta_graph = old_table()
    change(meta_graph)
    with pytest.raises(UnsafeModelError, match=f"has the op {fills}, which reads files"):
        prepared(model)


def test_vocabularies_are_plain_texts(tmp_path: Path) -> None:
    part = prepared(with_table()[0])
    with pytest.raises(SourceError, match=r"has no assets/words\.txt"):
        check_vocabulary_files(part, tmp_path, "model")
    (tmp_path / "assets").mkdir()
    words = tmp_path / "assets" / "words.txt"
    words.write_bytes(b"a\nb\n")
    check_vocabulary_files(part, tmp_path, "model")
    words.write_bytes(b"a\0b")
    with pytest.raises(UnsafeModelError, match="not text"):
        check_vocabulary_files(part, tmp_path, "model")
    with words.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(UnsafeModelError, match="larger than 64 MiB"):
        check_vocabulary_files(part, tmp_path, "model")
