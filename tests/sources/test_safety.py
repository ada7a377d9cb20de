"""Models that ask for files, scripts or the network are refused; all others, with their own savers, are not."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError, UnsafeModelError
from builder.graphs.graphdef import messages
from builder.sources.allowed_ops import danger_of
from builder.sources.keras_applications import application_layers_in
from builder.sources.keras_safety import check_keras_config, without_training
from builder.sources.keras_zip import read_keras_zip
from builder.sources.safety import check_graph, check_saved_model
from tests.helpers.graphs import add_function, add_node, saved_model

tags = ("serve",)


def check(model: Any, signature: str = "serving_default") -> None:
    check_saved_model(model, signature, tags, "model")


def function(meta_graph: Any, name: str) -> Any:
    return next(item for item in meta_graph.graph_def.library.function if item.signature.name == name)


def test_a_model_with_its_own_saver_is_fine() -> None:
    check(saved_model()[0])


@pytest.mark.parametrize(
    "op",
    [
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
        "SaveV2",
        "RestoreV2",
        "WholeFileReaderV2",
        "TFRecordReaderV2",
        "TFRecordDatasetV2",
        "TextLineDataset",
        "ExperimentalSqlDataset",
        "RpcCall",
        "DataServiceDatasetV4",
        "InitializeTableFromTextFileV2",
        "LoadDataset",
        "SaveDatasetV2",
        "DebugIdentityV3",
        "XlaCustomCallV2",
        "TfLiteSubgraphExecute",
        "CreateSummaryFileWriter",
    ],
)
@pytest.mark.parametrize("place", ["top", "function", "inner"])
def test_dangerous_ops_that_the_signature_reaches_are_refused(op: str, place: str) -> None:
    model, meta_graph = saved_model()
    if place == "top":
        add_node(meta_graph.graph_def.node, "evil", op)
        meta_graph.graph_def.node[1].input.append("^evil")
    else:
        add_node(function(meta_graph, {"function": "serve", "inner": "inner"}[place]).node_def, "evil", op)
    with pytest.raises(UnsafeModelError, match=f"node 'evil'.* has the op {op}, which") as caught:
        check(model)
    assert caught.value.where == "model"


def test_what_only_another_signature_reaches_is_left_alone() -> None:
    model, meta_graph = saved_model()
    add_node(meta_graph.graph_def.node, "other", "StatefulPartitionedCall", "x", f="reads")
    add_function(meta_graph.graph_def, "reads", "ReadFile")
    meta_graph.signature_def["other"].outputs["y"].name = "other:0"
    check(model)
    with pytest.raises(UnsafeModelError, match="of function 'reads' has the op ReadFile"):
        check(model, "other")


def test_functions_in_branches_and_lists_are_reached() -> None:
    model, meta_graph = saved_model()
    add_function(meta_graph.graph_def, "reads", "ReadFile")
    node = add_node(function(meta_graph, "inner").node_def, "case", "Case")
    node.attr["branches"].list.func.add(name="serve")
    node.attr["branches"].list.func.add(name="reads")
    with pytest.raises(UnsafeModelError, match="ReadFile"):
        check(model)


def test_functions_called_by_the_name_of_their_op_are_reached() -> None:
    model, meta_graph = saved_model()
    add_function(meta_graph.graph_def, "reads", "ReadFile")
    add_node(function(meta_graph, "inner").node_def, "call", "reads")
    with pytest.raises(UnsafeModelError, match="ReadFile"):
        check(model)


def test_what_loading_runs_is_refused() -> None:
    for place in ("signature", "saved_model_main_op", "legacy_init_op", "restore"):
        model, meta_graph = saved_model()
        add_node(meta_graph.graph_def.node, "init", "NoOp", "^evil")
        add_node(meta_graph.graph_def.node, "evil", "WriteFile")
        if place == "signature":
            meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
        elif place == "restore":
            meta_graph.saver_def.restore_op_name = "init"
        else:
            meta_graph.collection_def[place].node_list.value.append("init")
        with pytest.raises(UnsafeModelError, match="WriteFile"):
            check(model)


@pytest.mark.parametrize("name", ["_create_resource", "_initialize", "_destroy_resource"])
def test_functions_of_resources_are_refused(name: str) -> None:
    model, meta_graph = saved_model()
    add_function(meta_graph.graph_def, "evil", "WriteFile")
    objects = meta_graph.object_graph_def
    objects.nodes.add().children.add(node_id=1, local_name=name)
    objects.nodes.add().function.concrete_functions.append("evil")
    with pytest.raises(UnsafeModelError, match="WriteFile"):
        check(model)


def test_restore_functions_may_restore_but_not_write() -> None:
    model, meta_graph = saved_model()
    objects = meta_graph.object_graph_def
    objects.nodes.add().saveable_objects["x"].restore_function = 1
    objects.nodes.add().function.concrete_functions.append("traced_restore")
    check(model)
    add_node(function(meta_graph, "traced_restore").node_def, "evil", "SaveV2")
    with pytest.raises(UnsafeModelError, match="SaveV2"):
        check(model)


def test_the_function_that_tensorflow_calls_counts_not_only_the_one_that_is_shown() -> None:
    model, meta_graph = saved_model()
    add_function(meta_graph.graph_def, "evil", "WriteFile")
    objects = meta_graph.object_graph_def
    objects.nodes.add().children.add(node_id=1, local_name="signatures")
    objects.nodes.add().children.add(node_id=2, local_name="serving_default")
    objects.nodes.add().bare_concrete_function.concrete_function_name = "evil"
    with pytest.raises(UnsafeModelError, match="WriteFile"):
        check(model)


def test_object_graphs_with_wrong_numbers_do_no_harm() -> None:
    model, meta_graph = saved_model()
    node = meta_graph.object_graph_def.nodes.add()
    node.children.add(node_id=99, local_name="_initialize")
    node.children.add(node_id=-1, local_name="signatures")
    check(model)


def test_recursive_functions_end() -> None:
    model, meta_graph = saved_model()
    add_node(function(meta_graph, "inner").node_def, "again", "PartitionedCall", f="serve")
    check(model)


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../b", "..\\b"])
def test_assets_outside_the_folder_are_refused(name: str) -> None:
    model, meta_graph = saved_model()
    meta_graph.asset_file_def.add(filename="words.txt")
    check(model)
    meta_graph.asset_file_def.add(filename=name)
    with pytest.raises(UnsafeModelError, match="outside its folder"):
        check(model)


@pytest.mark.parametrize(("stream", "safe"), [(b"stderr", True), (b"log(info)", True), (b"file:///tmp/x", False)])
def test_printing_to_files_is_refused(stream: bytes, safe: bool) -> None:
    graph = messages().GraphDef()
    add_node(graph.node, "print", "PrintV2", output_stream=stream)
    if safe:
        check_graph(graph)
    else:
        with pytest.raises(UnsafeModelError, match="PrintV2, which writes files"):
            check_graph(graph)


@pytest.mark.parametrize(
    "op", ["ReadVariableOp", "TensorArrayReadV3", "Conv2D", "LookupTableImportV2", "While", "Assert"]
)
def test_plain_ops_are_not_dangerous(op: str) -> None:
    assert danger_of(op) == ""


def wrapped(layer: dict[str, Any]) -> dict[str, Any]:
    inner = {
        "class_name": "Sequential",
        "config": {"name": "inside", "layers": [{"class_name": "Dense", "config": {}}, layer]},
    }
    outer = {"class_name": "TimeDistributed", "config": {"name": "wrapper", "layer": inner}}
    return {"class_name": "Functional", "config": {"name": "model", "layers": [outer]}}


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"class_name": "Lambda", "config": {"name": "twice"}}, r"'twice' \(Lambda\) holds Python code"),
        ({"class_name": "Evil", "module": "os", "config": {"name": "x"}}, r"outside Keras \(os\)"),
        ({"class_name": "Evil", "module": "keras_evil.layers", "config": {}}, "outside Keras"),
        ({"class_name": "TFSMLayer", "config": {"name": "x", "filepath": "/"}}, "loads another SavedModel"),
        ({"class_name": "TorchModuleWrapper", "config": {"name": "x"}}, "pickled"),
        ({"class_name": "TFOpLambda", "config": {"name": "x", "function": "io.read_file"}}, r"calls tf\.io\.read_file"),
        ({"class_name": "TFOpLambda", "config": {"name": "x", "function": "numpy_function"}}, "numpy_function"),
        (
            {"class_name": "TensorFlowOpLayer", "config": {"name": "x", "node_def": {"op": "ReadFile"}}},
            "ReadFile, which",
        ),
        ({"class_name": "TensorFlowOpLayer", "config": {"name": "x", "node_def": 'name: "a" op: "PyFunc"'}}, "PyFunc"),
        ({"class_name": "StringLookup", "config": {"name": "x", "vocabulary": "/etc/passwd"}}, "'/etc/passwd'"),
    ],
)
def test_code_and_files_in_keras_configs_are_refused_unless_trusted(layer: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsafeModelError, match=words) as caught:
        check_keras_config(wrapped(layer), where="model.h5")
    assert caught.value.where == "model.h5"
    assert "trust = true" in caught.value.hint
    check_keras_config(wrapped(layer), trust=True)


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Dense", "module": "keras.layers", "config": {"name": "x", "activation": "relu"}},
        {"class_name": "Dense", "module": "keras.src.layers.core.dense", "config": {"name": "lambda"}},
        {"class_name": "TFOpLambda", "config": {"name": "x", "function": "math.add"}},
        {"class_name": "StringLookup", "config": {"name": "x", "vocabulary": ["a", "b"]}},
        {"class_name": "Constant", "module": "tensorflow.python.ops.init_ops_v2", "config": {"value": 0}},
        {"class_name": "relu", "module": "builtins", "config": "relu", "registered_name": "function"},
    ],
)
def test_plain_keras_configs_are_fine(layer: dict[str, Any]) -> None:
    check_keras_config(wrapped(layer))


scaled = {"class_name": "LayerScale", "config": {"name": "x", "trainable": True, "dtype": "float32",
                                                 "init_values": 1e-6, "projection_dim": 4}}  # fmt: skip
added = {
    "class_name": "Custom>CustomScaleLayer",
    "config": {"name": "x", "trainable": True, "dtype": "float32", "scale": 0.2},
    "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]],
}


@pytest.mark.parametrize(
    "layer",
    [
        scaled,
        {**scaled, "module": "keras.src.applications.convnext", "registered_name": "LayerScale"},
        added,
        {**added, "class_name": "CustomScaleLayer", "inbound_nodes": [{"args": [[{}, {}]], "kwargs": {}}]},
        {**added, "module": "tf_keras.src.applications.inception_resnet_v2"},
    ],
)
def test_layers_of_keras_applications_are_keras_own(layer: dict[str, Any]) -> None:
    check_keras_config(wrapped(layer))
    assert len(application_layers_in([wrapped(layer)])) == 1


@pytest.mark.parametrize(
    "layer",
    [
        {**scaled, "module": "keras.src.applications.imagenet_utils"},
        {**scaled, "module": "convnext"},
        {**scaled, "registered_name": "mine>LayerScale"},
        {**scaled, "config": {**scaled["config"], "axis": -1}},
        {**scaled, "config": {**scaled["config"], "projection_dim": {"class_name": "Lambda"}}},
        {**added, "inbound_nodes": [[["a", 0, 0, {}]]]},
        {**added, "class_name": "Mine>CustomScaleLayer"},
    ],
)
def test_what_others_called_like_them_is_refused(layer: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"custom class|outside Keras"):
        check_keras_config(wrapped(layer))
    assert application_layers_in([layer, scaled, added]) < {"LayerScale", "CustomScaleLayer"}


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "TFOpLambda",
            "function",
            "TypeSpec",
            "InstanceMethod",
            "ClassMethod",
            "TensorFlowOpLayer",
            "LayerScale",
            "Dense",
            "keras",
            "relu",
        ]
    )
)
keys = st.sampled_from(
    [
        "class_name",
        "config",
        "module",
        "registered_name",
        "function",
        "type_spec",
        "attr_name",
        "node_def",
        "activation",
        "name",
        "vocabulary",
        "compile_config",
        "trainable",
        "dtype",
        "init_values",
        "projection_dim",
    ]
)
configs = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6))


@given(configs)
def test_any_config_is_accepted_or_refused_but_never_fails(config: Any) -> None:
    with contextlib.suppress(SourceError):
        check_keras_config(config)
    assert "compile_config" not in json.dumps(without_training(config))


def test_what_only_training_needs_is_left_out_at_any_depth() -> None:
    plain = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": 1}}]}}
    compiled = json.loads(json.dumps(plain))
    compiled["compile_config"] = compiled["config"]["layers"][0]["compile_config"] = {"optimizer": "evil"}
    before = json.dumps(compiled)
    assert without_training(compiled) == plain
    assert json.dumps(compiled) == before
    assert without_training(plain) is plain


def test_deep_configs_end() -> None:
    config: Any = {"class_name": "Lambda", "config": {"name": "deep"}}
    for _ in range(5000):
        config = [config]
    with pytest.raises(UnsafeModelError, match="'deep'"):
        check_keras_config(config)


def keras_file(path: Path, extra: dict[str, bytes] | None = None, **changes: bytes) -> Path:
    entries = {
        "config.json": b'{"class_name": "Sequential", "config": {}}',
        "metadata.json": b'{"keras_version": "3.5.0"}',
        "model.weights.h5": b"weights",
    }
    entries |= {name.replace("__", "."): content for name, content in changes.items()} | (extra or {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def test_keras_files_are_read_without_unpacking(tmp_path: Path) -> None:
    archive = read_keras_zip(keras_file(tmp_path / "a.keras"))
    assert archive.config["class_name"] == "Sequential"
    assert not archive.is_keras2
    old = json.dumps({"keras_version": "2.15.0"}).encode()
    assert read_keras_zip(keras_file(tmp_path / "b.keras", metadata__json=old)).is_keras2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "C:evil"])
def test_entries_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeModelError, match="outside its folder"):
        read_keras_zip(keras_file(tmp_path / "a.keras", {name: b"x"}))


def test_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeModelError, match="unpacks to 33554432 bytes"):
        read_keras_zip(keras_file(tmp_path / "a.keras", {"assets/x": bytes(32 << 20)}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 and no more", "damaged or truncated"),
        (b"", "damaged or truncated"),
    ],
)
def test_damaged_archives_are_errors(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        read_keras_zip(tmp_path / "a.keras")


@pytest.mark.parametrize("config", [b"{", b"[]", b"\xff\xfe"])
def test_damaged_configs_are_errors(tmp_path: Path, config: bytes) -> None:
    with pytest.raises(SourceError, match=r"config\.json in it"):
        read_keras_zip(keras_file(tmp_path / "a.keras", config__json=config))


def test_other_archives_are_errors(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(SourceError, match="not of a Keras model"):
        read_keras_zip(tmp_path / "a.keras")
