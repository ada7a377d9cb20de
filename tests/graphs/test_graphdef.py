"""Graph files read without TensorFlow: what is not understood survives, what is damaged is an error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.graphs.graphdef import (
    choose_meta_graph,
    choose_signature,
    messages,
    parse_graph,
    parse_saved_model,
    read_graph,
    read_saved_model,
)
from tests.helpers.graphs import add_function, add_node, saved_model, write_saved_model


def test_a_saved_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    model, _ = saved_model()
    read = read_saved_model(write_saved_model(tmp_path, model))
    assert read == model
    graph = read.meta_graphs[0].graph_def
    assert [node.op for node in graph.node][:2] == ["Placeholder", "StatefulPartitionedCall"]
    assert graph.node[1].attr["f"].func.name == "serve"
    assert [function.signature.name for function in graph.library.function][:2] == ["serve", "inner"]


def test_unknown_fields_survive() -> None:
    graph = messages().GraphDef()
    add_node(graph.node, "a", "Relu")
    graph.node[0].attr["T"].type = 1
    unknown_in_node = b"\x3a\x02\x08\x01"  # field 7, experimental_type
    unknown_in_graph = b"\x2a\x03abc"  # field 5, debug_info
    node = graph.node[0].SerializeToString() + unknown_in_node
    content = b"\x0a" + bytes([len(node)]) + node + unknown_in_graph
    again = parse_graph(content)
    again.node[0].name = "b"
    written = again.SerializeToString()
    assert unknown_in_node in written
    assert unknown_in_graph in written
    assert len(written) == len(content)


@pytest.mark.parametrize("content", [b"\x0a", b"\x0a\x05ab", b"\xff" * 20, b"\x0a\x03\x0a\x01\xff", b"{}"])
def test_damaged_graphs_are_errors(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"x\.pb: is not a TensorFlow graph"):
        parse_graph(content, "x.pb")
    with pytest.raises(SourceError):
        parse_saved_model(content, "x.pb")


def test_empty_graphs_are_errors() -> None:
    with pytest.raises(SourceError, match="no node"):
        parse_graph(b"", "x.pb")
    with pytest.raises(SourceError, match="no graph"):
        parse_saved_model(b"\x08\x01", "x.pb")


def problem_of(parse: Callable[[bytes, str], Any], content: bytes) -> SourceError | None:
    try:
        parse(content, "x.pb")
    except SourceError as error:
        return error
    return None


@given(st.binary(max_size=200))
def test_any_bytes_give_a_graph_or_one_clear_error(content: bytes) -> None:
    for parse in (parse_graph, parse_saved_model):
        error = problem_of(parse, content)
        assert error is None or (error.where == "x.pb" and error.hint)


@given(st.data())
def test_a_cut_or_changed_file_gives_a_graph_or_one_clear_error(data: st.DataObject) -> None:
    content = bytearray(saved_model()[0].SerializeToString())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    error = problem_of(parse_saved_model, bytes(content[:cut]))
    assert error is None or (error.where == "x.pb" and error.hint)


def test_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_graph(tmp_path / "none.pb")
    with pytest.raises(SourceError, match=r"saved_model\.pb: cannot be read"):
        read_saved_model(tmp_path)


def test_wrong_tags_list_the_right_ones() -> None:
    model, meta_graph = saved_model()
    meta_graph.meta_info_def.tags.append("gpu")
    assert choose_meta_graph(model, ("gpu", "serve")) == meta_graph
    with pytest.raises(SourceError, match=r"\['serve'\].*Set tags = \['gpu', 'serve'\]"):
        choose_meta_graph(model, ("serve",))


def test_wrong_signatures_list_the_right_ones() -> None:
    _, meta_graph = saved_model()
    assert choose_signature(meta_graph, "serving_default").outputs["y"].name == "call:0"
    meta_graph.signature_def["__saved_model_init_op"].outputs["x"].name = "call"
    with pytest.raises(SourceError, match=r"'predict'.*\['serving_default'\]\.$"):
        choose_signature(meta_graph, "predict")


def test_sparse_signatures_are_refused() -> None:
    _, meta_graph = saved_model()
    meta_graph.signature_def["serving_default"].inputs["x"].coo_sparse.values_tensor_name = "x:0"
    with pytest.raises(SourceError, match="sparse or ragged tensor 'x'"):
        choose_signature(meta_graph, "serving_default")


def test_frozen_graphs_are_read(tmp_path: Path) -> None:
    graph = messages().GraphDef()
    add_node(graph.node, "x", "Placeholder")
    add_function(graph, "f", "Relu")
    (tmp_path / "x.pb").write_bytes(graph.SerializeToString())
    assert read_graph(tmp_path / "x.pb") == graph


@pytest.mark.slow
def test_both_descriptions_agree_with_tensorflows_in_one_process(tmp_path: Path) -> None:
    """Field names, numbers and types are TensorFlow's, and its own classes work beside ours."""
    program = """
import sys
from builder.graphs.graphdef import messages
from builder.graphs.messages import Message
ours = messages()
from tensorflow.core.protobuf import saved_model_pb2
from google.protobuf.descriptor import FieldDescriptor as F
seen = set()
def compare(a, b):
    if a.name in seen: return
    seen.add(a.name)
    for field in a.fields:
        other = b.fields_by_name[field.name]
        assert field.number == other.number, (a.name, field.name)
        assert field.label == other.label, (a.name, field.name)
        assert field.type == (F.TYPE_INT32 if other.type == F.TYPE_ENUM else other.type), (a.name, field.name)
        if field.message_type: compare(field.message_type, other.message_type)
compare(ours.SavedModel.DESCRIPTOR, saved_model_pb2.SavedModel.DESCRIPTOR)
kinds = {kind.__name__ for kind in Message.__subclasses__()} - {'AnyMessage'}
assert kinds <= seen, kinds - seen
content = open(sys.argv[1], "rb").read()
theirs = saved_model_pb2.SavedModel.FromString(content)
assert ours.SavedModel.FromString(theirs.SerializeToString()).meta_graphs[0].graph_def.node[0].op == "Placeholder"
"""
    folder = write_saved_model(tmp_path, saved_model()[0])
    command = [sys.executable, "-c", program, str(folder / "saved_model.pb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
