"""Refuses source models that ask for files, scripts or the network, before anything of them runs.

Graphs are looked at where TensorFlow would run them: what the chosen signature reaches, and what loading a SavedModel
runs by itself (initialisers, resources, restore functions). Keras configurations are looked at as a whole.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from typing import Any

from builder.errors import UnsafeModelError
from builder.sources.graphdef import choose_meta_graph, choose_signature

# Patterns of op names, and what such an op does.
dangerous_ops = {
    "reads files": (
        "ReadFile",
        "MatchingFiles*",
        "WholeFileReader*",
        "TextLineReader*",
        "FixedLengthRecordReader*",
        "TFRecordReader*",
        "LMDBReader",
        "Reader*",
        "RecordInput",
        "*TextLineDataset*",
        "*TFRecordDataset*",
        "*FixedLengthRecordDataset*",
        "*CSVDataset*",
        "*LMDBDataset",
        "*SqlDataset",
        "*MatchingFilesDataset",
        "LoadDataset*",
        "*SnapshotDataset*",
        "SnapshotChunkDataset",
        "SnapshotNestedDatasetReader",
        "ListSnapshotChunksDataset",
        "CacheDataset*",
        "InitializeTableFromTextFile*",
        "LoadAndRemapMatrix",
        "ImmutableConst",
        "GenerateVocabRemapping",
        "SimpleMLLoadModelFromPath*",
    ),
    "writes files": (
        "WriteFile",
        "*DatasetToTFRecord",
        "SaveDataset*",
        "CreateSummary*Writer",
        "SummaryWriter",
        "Write*Summary",
        "WriteSummary",
        "ImportEvent",
        "StatsAggregatorSetSummaryWriter",
        "DumpTensor",
        "Debug*",
        "DeleteFile*",
        "FileSystemSetConfiguration",
    ),
    "reads or writes checkpoints": (
        "Save",
        "SaveV2",
        "SaveSlices",
        "Restore",
        "RestoreV2",
        "RestoreSlice",
        "MergeV2Checkpoints",
        "DistributedSave",
        "DTensorRestoreV2",
        "CheckpointInitialized",
    ),
    "runs Python": ("PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"),
    "uses the network": (
        "Rpc*",
        "TryRpc",
        "DataServiceDataset*",
        "*RegisterDataset*",
        "Bigtable*",
        "BigQuery*",
        "*PubSub*",
        "Kafka*",
        "IO>*",
        "ConfigureDistributedTPU",
        "RemoteCall",
    ),
    "runs foreign code": (
        "TfLiteSubgraphExecute",
        "RemoteFusedGraphExecute",
        "XlaCustomCall*",
        "XlaCallModule",
        "XlaLaunch*",
        "TRTEngineOp",
        "LoadLibrary*",
        "*CompiledCode*",
        "DatasetFromGraph",
    ),
}
printing_ops = ("Print", "PrintV2")
stdout_streams = {"", "stdout", "stderr", "log(info)", "log(warning)", "log(error)"}
# What loading runs to fill variables from the SavedModel's own folder.
restore_ops = ("Restore", "RestoreV2", "RestoreSlice")
init_signature = "__saved_model_init_op"
init_collections = ("saved_model_main_op", "legacy_init_op", "table_initializer")
load_functions = ("_create_resource", "_initialize", "_destroy_resource")

Functions = dict[str, Any]


def danger_of(op: str) -> str:
    """Tell what is dangerous about an op, or give ``""``."""
    for danger, patterns in dangerous_ops.items():
        if any(fnmatch.fnmatchcase(op, pattern) for pattern in patterns):
            return danger
    return ""


def check_saved_model(model: Any, signature: str, tags: tuple[str, ...], where: str = "") -> None:
    """Check what loading the SavedModel and running the signature would run.

    Args:
        model: what ``graphdef.read_saved_model`` gave.
        signature: name of the signature that will be converted.
        tags: tags of the meta graph.
        where: the file, for messages.

    Raises:
        UnsafeModelError: it reaches files, scripts or the network.
        SourceError: there is no such signature or graph.
    """
    meta_graph = choose_meta_graph(model, tags, where)
    chosen = choose_signature(meta_graph, signature, where)
    for asset in meta_graph.asset_file_def:
        if asset.filename.startswith("/") or "\\" in asset.filename or ".." in asset.filename.split("/"):
            raise UnsafeModelError(
                f"names the asset {asset.filename!r}, outside its folder", where=where, hint=_untrusted
            )
    graph = meta_graph.graph_def
    functions = _library(graph)
    objects = meta_graph.object_graph_def
    _check_nodes(_closure(graph, [*_tensors(chosen), *_load_roots(meta_graph)]), functions, where)
    _check_functions([*_loaded_functions(objects), *_signature_functions(objects, signature)], functions, where)
    _check_nodes(_closure(graph, [meta_graph.saver_def.restore_op_name]), functions, where, restore_ops)
    _check_functions(_restore_functions(objects), functions, where, restore_ops)


def check_graph(graph: Any, where: str = "") -> None:
    """Check all of a graph: its nodes, and the functions they reach.

    Args:
        graph: a GraphDef, from ``graphdef`` or from TensorFlow.
        where: the file, for messages.

    Raises:
        UnsafeModelError: it reaches files, scripts or the network.
    """
    _check_nodes(graph.node, _library(graph), where)


def check_keras_config(config: Any, *, trust: bool = False, where: str = "") -> None:
    """Check the configuration of a Keras model, at any depth.

    Args:
        config: decoded JSON.
        trust: the user vouches for code inside the model.
        where: the file, for messages.

    Raises:
        UnsafeModelError: it holds code, names code outside Keras, or names files, and is not trusted.
    """
    if trust:
        return
    queue = [config]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            if problem := _keras_problem(item):
                raise UnsafeModelError(
                    problem,
                    where=where,
                    hint="Rebuild it with plain layers, or set trust = true if you know its author",
                )
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)


_untrusted = "Do not use this model unless you know its author"
_coding_layers = {
    "Lambda": "holds Python code",
    "__lambda__": "holds Python code",
    "TorchModuleWrapper": "holds pickled PyTorch code",
    "TFSMLayer": "loads another SavedModel from a path",
    "JaxLayer": "holds a JAX program",
    "FlaxLayer": "holds a JAX program",
}
_keras_roots = {"keras", "tf_keras", "builtins", "tensorflow.keras", "tensorflow.python.keras"}
_unsafe_symbols = re.compile(
    r"py_func|numpy_func|read_file|write_file|matching_files|gfile|dump|load|save|summary|^data\.|^raw_ops\."
)


def _keras_problem(item: dict[str, Any]) -> str:
    """Tell what one object of a Keras configuration does that it must not, or give ``""``."""
    kind, module, inner = item.get("class_name"), item.get("module"), item.get("config")
    if not isinstance(kind, str):
        return ""
    inner = inner if isinstance(inner, dict) else {}
    name = inner.get("name", item.get("name", ""))
    if kind in _coding_layers:
        return f"layer {name!r} ({kind}) {_coding_layers[kind]}"
    if isinstance(module, str) and not any(module == root or module.startswith(f"{root}.") for root in _keras_roots):
        return f"layer {name!r} ({kind}) names Python code outside Keras ({module})"
    if kind == "TFOpLambda" and _unsafe_symbols.search(str(inner.get("function", ""))):
        return f"layer {name!r} calls tf.{inner['function']}"
    if kind == "TensorFlowOpLayer" and (danger := danger_of(_layer_op(inner))):
        return f"layer {name!r} holds the op {_layer_op(inner)}, which {danger}"
    if isinstance(inner.get("vocabulary"), str):
        return f"layer {name!r} ({kind}) reads its vocabulary from the file {inner['vocabulary']!r}"
    return ""


def _layer_op(config: dict[str, Any]) -> str:
    definition = config.get("node_def")
    if isinstance(definition, dict):
        return str(definition.get("op", ""))
    return str(definition).partition('op: "')[2].partition('"')[0]


def _library(graph: Any) -> Functions:
    return {function.signature.name: function for function in graph.library.function}


def _tensors(signature: Any) -> Iterator[str]:
    for side in (signature.inputs, signature.outputs):
        for info in side.values():
            yield info.name


def _load_roots(meta_graph: Any) -> Iterator[str]:
    """Give the nodes that loaders run before anybody asks for an output."""
    if init_signature in meta_graph.signature_def:
        yield from _tensors(meta_graph.signature_def[init_signature])
    for name in init_collections:
        if name in meta_graph.collection_def:
            yield from meta_graph.collection_def[name].node_list.value


def _loaded_functions(objects: Any) -> Iterator[str]:
    """Give the functions that create, fill and remove resources such as tables."""
    for node in objects.nodes:
        for child in node.children:
            if child.local_name in load_functions:
                yield from _functions_of(objects, child.node_id)


def _restore_functions(objects: Any) -> Iterator[str]:
    for node in objects.nodes:
        for saveable in node.saveable_objects.values():
            yield from _functions_of(objects, saveable.restore_function)


def _signature_functions(objects: Any, signature: str) -> Iterator[str]:
    """Give the functions that TensorFlow 2 calls for a signature; signature_def need not say the same."""
    if not objects.nodes:
        return
    for child in objects.nodes[0].children:
        if child.local_name == "signatures" and 0 <= child.node_id < len(objects.nodes):
            for entry in objects.nodes[child.node_id].children:
                if entry.local_name == signature:
                    yield from _functions_of(objects, entry.node_id)


def _functions_of(objects: Any, number: int) -> Iterator[str]:
    if 0 <= number < len(objects.nodes):
        node = objects.nodes[number]
        yield from node.function.concrete_functions
        if node.bare_concrete_function.concrete_function_name:
            yield node.bare_concrete_function.concrete_function_name


def _closure(graph: Any, roots: Iterable[str]) -> list[Any]:
    """Give the nodes that must run for these tensors or nodes."""
    nodes = {node.name: node for node in graph.node}
    queue = [_node_name(root) for root in roots]
    found: dict[str, Any] = {}
    while queue:
        name = queue.pop()
        if name in nodes and name not in found:
            found[name] = nodes[name]
            queue.extend(_node_name(reference) for reference in nodes[name].input)
    return list(found.values())


def _node_name(reference: str) -> str:
    return reference.lstrip("^").partition(":")[0]


def _check_nodes(nodes: Iterable[Any], functions: Functions, where: str, allowed: tuple[str, ...] = ()) -> None:
    called: dict[str, None] = {}
    for node in nodes:
        _check_node(node, where, allowed)
        called |= dict.fromkeys(_calls(node, functions))
    _check_functions(called, functions, where, allowed)


def _check_functions(names: Iterable[str], functions: Functions, where: str, allowed: tuple[str, ...] = ()) -> None:
    queue = [name for name in names if name in functions]
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            _check_node(node, where, allowed, inside=name)
            queue.extend(_calls(node, functions))


def _calls(node: Any, functions: Functions) -> Iterator[str]:
    """Give the library functions that a node runs: by its op's name, or by its attributes."""
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        for reference in (value.func, *value.list.func):
            if reference.name in functions:
                yield reference.name


def _check_node(node: Any, where: str, allowed: tuple[str, ...], inside: str = "") -> None:
    place = f"node {node.name!r}" + (f" of function {inside!r}" if inside else "")
    danger = "" if node.op in allowed else danger_of(node.op)
    if node.op in printing_ops and "output_stream" in node.attr:
        stream = node.attr["output_stream"].s.decode(errors="replace")
        danger = "" if stream in stdout_streams else "writes files"
    if danger:
        raise UnsafeModelError(f"{place} has the op {node.op}, which {danger}", where=where, hint=_untrusted)
