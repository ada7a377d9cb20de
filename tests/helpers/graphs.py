"""Builds TensorFlow graph files without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder.graphs.graphdef import messages


def add_node(target: Any, name: str, op: str, *inputs: str, **attributes: Any) -> Any:
    """Add a node to a repeated NodeDef; byte strings become ``s``, other strings function names."""
    node = target.add(name=name, op=op, input=inputs)
    for key, value in attributes.items():
        if isinstance(value, bytes):
            node.attr[key].s = value
        else:
            node.attr[key].func.name = value
    return node


def add_function(graph: Any, name: str, *ops: str, calls: str = "") -> None:
    """Add a library function of these ops, which calls another one if asked to."""
    function = graph.library.function.add()
    function.signature.name = name
    for number, op in enumerate(ops):
        add_node(function.node_def, f"{op.lower()}_{number}", op)
    if calls:
        add_node(function.node_def, "call", "StatefulPartitionedCall", f=calls)


def saved_model() -> tuple[Any, Any]:
    """Give a SavedModel whose signature x → y calls the function ``serve``, and its one meta graph."""
    model = messages().SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    graph = meta_graph.graph_def
    add_node(graph.node, "x", "Placeholder")
    add_node(graph.node, "call", "StatefulPartitionedCall", "x", f="serve")
    add_function(graph, "serve", "Relu", calls="inner")
    add_function(graph, "inner", "Tanh")
    add_saver(meta_graph)
    signature = meta_graph.signature_def["serving_default"]
    signature.inputs["x"].name = "x:0"
    signature.outputs["y"].name = "call:0"
    return model, meta_graph


def add_saver(meta_graph: Any) -> None:
    """Add what every SavedModel has: its own saver, which reads and writes checkpoints."""
    graph = meta_graph.graph_def
    add_node(graph.node, "filename", "Placeholder")
    add_node(graph.node, "save", "StatefulPartitionedCall", "filename", f="traced_save")
    add_node(graph.node, "restore", "StatefulPartitionedCall", "filename", f="traced_restore")
    add_function(graph, "traced_save", "ShardedFilename", "SaveV2", "MergeV2Checkpoints")
    add_function(graph, "traced_restore", "RestoreV2")
    meta_graph.saver_def.restore_op_name = "restore"


def write_saved_model(folder: Path, model: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder
