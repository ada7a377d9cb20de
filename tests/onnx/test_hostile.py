"""ONNX files that are damaged, or made to harm: refused in words, before anything of their size is allocated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from builder.errors import ShardpressError, SourceError, UnsupportedOpsError
from builder.onnx.lower import lower_model
from builder.onnx.read import most_nodes, opset_of, read_onnx
from tests.onnx.networks import classifier, network, write


def lower(path: Path) -> Any:
    model = read_onnx(path)
    return lower_model(model, opset_of(model, str(path)), str(path))


def saved(folder: Path, model: Any) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(classifier(), tmp_path_factory.mktemp("whole") / "model.onnx").read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_that_were_changed_end_in_words_or_a_model(tmp_path: Path, content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    tail = len(content) - 700  # where nodes, names and shapes are; the rest is weights
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, 400), st.integers(tail, len(content) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.onnx"
    path.write_bytes(damaged[: data.draw(st.one_of(st.just(len(content)), st.integers(1, len(content))))])
    try:
        lower(path)
    except ShardpressError as error:
        assert error.hint  # noqa: PT017  (what else it raises fails the test)
        assert error.code  # noqa: PT017


@pytest.mark.parametrize("name", [b"picture", b"classes", b"kernel"])
def test_names_that_are_no_text_are_refused(tmp_path: Path, content: bytes, name: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content.replace(name, b"\xff" + name[1:]))
    with pytest.raises(SourceError, match="is not UTF-8"):
        lower(path)


def test_a_weight_whose_length_lies_is_named(tmp_path: Path) -> None:
    model = classifier()
    model.graph.initializer[0].dims[0] = 1 << 40
    with pytest.raises(SourceError, match="kernel"):
        lower(saved(tmp_path, model))


@pytest.mark.parametrize(
    ("op", "numbers"),
    [("ConstantOfShape", [1 << 20, 1 << 20]), ("Expand", [1 << 20, 1 << 20]), ("Tile", [1 << 30])],
)
def test_a_constant_that_would_fill_the_memory_is_not_computed(tmp_path: Path, op: str, numbers: list[int]) -> None:
    inputs = ["many"] if op == "ConstantOfShape" else ["one", "many"]
    nodes = [helper.make_node(op, inputs, ["large"]), helper.make_node("ReduceMax", ["large"], ["y"], keepdims=0)]
    weights = {"many": np.array(numbers, np.int64), "one": np.ones(1, np.float32)}
    graph, _ = lower(
        saved(tmp_path, network([*nodes, helper.make_node("Abs", ["x"], ["z"])], {"x": [1]}, ["y", "z"], weights))
    )
    assert max(array.size for array in graph.weights.values()) < 100


def test_a_cycle_has_no_beginning(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Abs", ["a"], ["b"])]
    with pytest.raises(SourceError):
        lower(saved(tmp_path, network(nodes, {"x": [1]}, ["b"])))


def test_more_nodes_than_any_network_has_are_refused(tmp_path: Path) -> None:
    model = network([helper.make_node("Abs", ["x"], ["y"])], {"x": [1]}, ["y"])
    node = model.graph.node[0]
    model.graph.node.extend([node] * most_nodes)
    with pytest.raises(SourceError, match="more than"):
        lower(saved(tmp_path, model))


@pytest.mark.parametrize("domain", ["com.microsoft", "evil", "ai.onnx.ml"])
def test_operators_of_other_domains_are_named(tmp_path: Path, domain: str) -> None:
    model = network([helper.make_node("Gelu", ["x"], ["y"], domain=domain)], {"x": [1]}, ["y"])
    model.opset_import.append(helper.make_opsetid(domain, 1))
    with pytest.raises(UnsupportedOpsError, match=domain):
        lower(saved(tmp_path, model))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "ünïcode", "", "^control", "x:1", "\x00", "a" * 10_000])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    nodes = [helper.make_node("Abs", ["x"], ["between" + name], name=name)]
    nodes.append(helper.make_node("Neg", ["between" + name], ["y"], name=name))
    graph, outputs = lower(saved(tmp_path, network(nodes, {"x": [1]}, ["y"])))
    assert [node.op for node in graph.nodes] == ["Placeholder", "Abs", "Neg"]
    assert all(
        onnx.checker is not None and ":" not in node.name and not node.name.startswith("^") for node in graph.nodes
    )
    assert set(outputs) == {"y"}


def test_graphs_within_graphs_without_end_are_refused(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["t"])], "g", [], [helper.make_tensor_value_info("t", 1, None)]
    )
    leaf = inner
    for depth in range(20):
        branch = helper.make_node("If", ["c"], ["t"], name=f"n{depth}", then_branch=inner, else_branch=leaf)
        inner = helper.make_graph([branch], f"g{depth}", [], [helper.make_tensor_value_info("t", 1, None)])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    model = network(nodes, {"x": [1]}, ["y"])
    model.graph.input.append(helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, []))
    with pytest.raises(SourceError, match="too deep"):
        lower(saved(tmp_path, model))
