"""Graphs of TensorFlow that try to get at files, the network or Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builder.graphs.graphdef import messages
from tests.helpers.hostile_configs import dense_weights, measured
from tests.helpers.hostile_nouns import Case, Target

DT_FLOAT, DT_STRING = 1, 7


def string(node: Any, value: str, key: str = "value") -> None:
    """Make a node a constant string."""
    node.attr[key].tensor.dtype = DT_STRING
    node.attr[key].tensor.tensor_shape.SetInParent()
    node.attr[key].tensor.string_val.append(value.encode())
    node.attr["dtype"].type = DT_STRING


def text(graph: Any, name: str, value: str) -> None:
    """Add a constant string to the nodes of a graph or function."""
    string(graph.add(name=name, op="Const"), value)


def plain_graph() -> Any:
    """Give a graph y = relu(x)."""
    graph = messages().GraphDef()
    graph.versions.producer = 1882
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = DT_FLOAT
    x.attr["shape"].shape.dim.add(size=-1)
    x.attr["shape"].shape.dim.add(size=4)
    y = graph.node.add(name="y", op="Relu", input=["x"])
    y.attr["T"].type = DT_FLOAT
    return graph


def write_file(graph: Any, target: Target, name: str = "evil") -> None:
    text(graph, f"{name}_path", target.file())
    text(graph, f"{name}_words", "executed")
    graph.add(name=name, op="WriteFile", input=[f"{name}_path", f"{name}_words"])


Attack = Callable[[Any, Target], None]


def attack_write(graph: Any, target: Target) -> None:
    write_file(graph.node, target)
    graph.node[1].input.append("^evil")


def attack_read(graph: Any, target: Target) -> None:
    text(graph.node, "path", str(target.secret))
    graph.node.add(name="evil", op="ReadFile", input=["path"])
    graph.node[1].input.append("^evil")


def attack_fetch(graph: Any, target: Target) -> None:
    text(graph.node, "path", target.url().replace("http://", "gs://"))
    graph.node.add(name="evil", op="ReadFile", input=["path"])
    graph.node[1].input.append("^evil")


def attack_print(graph: Any, target: Target) -> None:
    text(graph.node, "words", "executed")
    node = graph.node.add(name="evil", op="PrintV2", input=["words"])
    node.attr["output_stream"].s = f"file://{target.file()}".encode()
    graph.node[1].input.append("^evil")


def attack_debug(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="DebugIdentityV3", input=["x"])
    node.attr["T"].type = DT_FLOAT
    node.attr["tensor_name"].s = b"x:0"
    node.attr["debug_urls"].list.s.append(f"file://{target.folder}".encode())
    graph.node[1].input[0] = "evil"


def attack_summary(graph: Any, target: Target) -> None:
    writer = graph.node.add(name="writer", op="SummaryWriter")
    writer.attr["shared_name"].s = b"w"
    text(graph.node, "logs", str(target.folder))
    for name, number in (("queue", 1), ("flush", 1)):
        string_free = graph.node.add(name=name, op="Const")
        string_free.attr["dtype"].type = 3
        string_free.attr["value"].tensor.dtype = 3
        string_free.attr["value"].tensor.int_val.append(number)
    text(graph.node, "suffix", ".evil")
    graph.node.add(name="evil", op="CreateSummaryFileWriter", input=["writer", "logs", "queue", "flush", "suffix"])
    graph.node[1].input.append("^evil")


def attack_remote(graph: Any, target: Target) -> None:
    text(graph.node, "address", f"grpc://127.0.0.1:{target.port}")
    node = graph.node.add(name="evil", op="RpcClient", input=["address"])
    node.attr["shared_name"].s = b"r"
    graph.node[1].input.append("^evil")


def attack_mapped(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="ImmutableConst")
    node.attr["dtype"].type = DT_FLOAT
    node.attr["memory_region_name"].s = str(target.secret).encode()
    node.attr["shape"].shape.dim.add(size=1)
    graph.node[1].op = "AddV2"
    graph.node[1].input.append("evil")


def attack_python(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="PyFunc", input=["x"])
    node.attr["token"].s = b"pyfunc_0"
    node.attr["Tin"].list.type.append(DT_FLOAT)
    node.attr["Tout"].list.type.append(DT_FLOAT)
    graph.node[1].input[0] = "evil"


def attack_unknown(graph: Any, target: Target) -> None:
    graph.node.add(name="evil", op="Fact>Whatever")
    graph.node[1].input.append("^evil")


def attack_branch(graph: Any, target: Target) -> None:
    for name in ("then", "other"):
        function = graph.library.function.add()
        function.signature.name = name
        argument = function.signature.input_arg.add(name="x", type=DT_FLOAT)
        function.signature.output_arg.add(name="y", type=argument.type)
        node = function.node_def.add(name="same", op="Identity", input=["x"])
        node.attr["T"].type = DT_FLOAT
        function.ret["y"] = "same:output:0"
        if name == "then":
            write_file(function.node_def, target)
            # functions name the outputs of their nodes
            function.node_def[-1].input[:] = ["evil_path:output:0", "evil_words:output:0"]
            node.input.append("^evil")
    condition = graph.node.add(name="yes", op="Const")
    condition.attr["dtype"].type = 10
    condition.attr["value"].tensor.dtype = 10
    condition.attr["value"].tensor.tensor_content = b"\x01"
    choice = graph.node.add(name="choice", op="If", input=["yes", "x"])
    choice.attr["Tcond"].type = 10
    choice.attr["Tin"].list.type.append(DT_FLOAT)
    choice.attr["Tout"].list.type.append(DT_FLOAT)
    choice.attr["then_branch"].func.name = "then"
    choice.attr["else_branch"].func.name = "other"
    graph.node[1].input[0] = "choice"


attacks: dict[str, tuple[Attack, str, str]] = {
    "write": (attack_write, "writes a file", "WriteFile"),
    "read": (attack_read, "reads a file", "ReadFile"),
    "fetch": (attack_fetch, "reads from the network", "ReadFile"),
    "print": (attack_print, "prints into a file", "PrintV2"),
    "debug": (attack_debug, "dumps a tensor into a folder", "DebugIdentityV3"),
    "summary": (attack_summary, "opens a log of events", "Summary(File)?Writer"),
    "remote": (attack_remote, "connects to a server", "RpcClient"),
    "mapped": (attack_mapped, "maps a file into memory", "ImmutableConst"),
    "python": (attack_python, "calls Python", "PyFunc"),
    "unknown": (attack_unknown, "has an op that nobody knows", "Fact>Whatever"),
    "branch": (attack_branch, "writes a file from a branch", "WriteFile"),
}


def write_frozen(folder: Path, graph: Any) -> Path:
    """Write a frozen graph."""
    path = folder / "m.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def saved_model_of(graph: Any) -> tuple[Any, Any]:
    """Give a SavedModel of TensorFlow 1 around a graph, and its meta graph."""
    model = messages().SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.meta_info_def.tensorflow_version = "1.15.0"
    meta_graph.graph_def.CopyFrom(graph)
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for side, name in ((signature.inputs, "x"), (signature.outputs, "y")):
        info = side[name]
        info.name, info.dtype = f"{name}:0", DT_FLOAT
        info.tensor_shape.dim.add(size=-1)
        info.tensor_shape.dim.add(size=4)
    return model, meta_graph


def write_saved(folder: Path, model: Any) -> Path:
    """Write a SavedModel without variables."""
    path = folder / "saved"
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    return path


def write_graph_json(folder: Path, graph: Any) -> Path:
    """Write a TensorFlow.js graph model, with a weight that can be measured."""
    from google.protobuf.json_format import MessageToDict

    weight = graph.node.add(name="dense/kernel", op="Const")
    weight.attr["dtype"].type = DT_FLOAT
    last = graph.node.add(name="answer", op="MatMul", input=["y", "dense/kernel"])
    last.attr["T"].type = DT_FLOAT
    topology = MessageToDict(graph)
    for node in topology["node"]:
        for attribute in node.get("attr", {}).values():
            if "type" in attribute:
                attribute["type"] = {1: "DT_FLOAT", 3: "DT_INT32", 7: "DT_STRING", 10: "DT_BOOL"}[attribute["type"]]
            if "tensor" in attribute:
                kind = attribute["tensor"]["dtype"]
                attribute["tensor"]["dtype"] = {1: "DT_FLOAT", 3: "DT_INT32", 7: "DT_STRING", 10: "DT_BOOL"}[kind]
    topology.pop("library", None)
    ends = {"inputs": {"x": _info("x")}, "outputs": {"answer": _info("answer")}}
    content = {
        "format": "graph-model",
        "modelTopology": topology,
        "signature": ends,
        "weightsManifest": [dense_weights(folder)],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(content))
    return path


def _info(name: str) -> dict[str, Any]:
    shape = {"dim": [{"size": "-1"}, {"size": "4"}]}
    return {"name": f"{name}:0", "dtype": "DT_FLOAT", "tensorShape": shape}


def graph_cases() -> list[Case]:
    """Give the attacks by ops, in frozen graphs, SavedModels of TensorFlow 1 and graph models of TensorFlow.js."""
    found = []
    for key, (attack, tries, op) in attacks.items():

        def make(target: Target, attack: Attack = attack) -> Any:
            graph = plain_graph()
            attack(graph, target)
            return graph

        def frozen(folder: Path, target: Target, make: Callable[[Target], Any] = make) -> Path:
            return write_frozen(folder, make(target))

        def saved(folder: Path, target: Target, make: Callable[[Target], Any] = make) -> Path:
            return write_saved(folder, saved_model_of(make(target))[0])

        found.append(Case(f"frozen-{key}", f"{tries} from a frozen graph", frozen, op))
        found.append(Case(f"saved-{key}", f"{tries} from a SavedModel", saved, op))
    for key in ("write", "read", "print"):
        attack, tries, op = attacks[key]

        def stock(folder: Path, target: Target, attack: Attack = attack) -> Path:
            graph = plain_graph()
            attack(graph, target)
            return write_graph_json(folder, graph)

        found.append(Case(f"json-{key}", f"{tries} from a TensorFlow.js graph that is measured", stock, op, measured))
    return found + loading_cases()


def loading_cases() -> list[Case]:
    """Give the SavedModels of TensorFlow 1 that attack when they are loaded."""

    def init(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.collection_def["saved_model_main_op"].node_list.value.append("evil")
        return write_saved(folder, model)

    def init_signature(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "evil"
        return write_saved(folder, model)

    def tables(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.collection_def["table_initializer"].node_list.value.append("evil")
        return write_saved(folder, model)

    def restore(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        text(meta_graph.graph_def.node, "filename", "model")
        meta_graph.saver_def.filename_tensor_name = meta_graph.saver_def.save_tensor_name = "filename:0"
        meta_graph.saver_def.restore_op_name = "evil"
        path = write_saved(folder, model)
        _checkpoint(path)
        return path

    def restore_elsewhere(folder: Path, target: Target) -> Path:
        model, meta_graph = saved_model_of(plain_graph())
        nodes = meta_graph.graph_def.node
        text(nodes, "filename", "model")
        text(nodes, "elsewhere", str(target.secret))
        for name, value in (("names", "v"), ("slices", "")):
            text(nodes, name, value)
            nodes[-1].attr["value"].tensor.tensor_shape.dim.add(size=1)
        nodes.add(name="evil", op="RestoreV2", input=["elsewhere", "names", "slices"])
        nodes[-1].attr["dtypes"].list.type.append(DT_FLOAT)
        meta_graph.saver_def.filename_tensor_name = meta_graph.saver_def.save_tensor_name = "filename:0"
        meta_graph.saver_def.restore_op_name = "evil"
        path = write_saved(folder, model)
        _checkpoint(path)
        return path

    return [
        Case("load-main-op", "writes a file when TensorFlow loads it", init, "WriteFile"),
        Case("load-init-signature", "writes a file when TensorFlow loads it", init_signature, "WriteFile"),
        Case("load-table", "writes a file when tables are filled", tables, "WriteFile"),
        Case("load-restore", "writes a file when variables are restored", restore, "WriteFile"),
        Case(
            "load-restore-elsewhere", "restores variables from a checkpoint elsewhere", restore_elsewhere, "RestoreV2"
        ),
    ]


def _with_write(target: Target) -> tuple[Any, Any]:
    model, meta_graph = saved_model_of(plain_graph())
    write_file(meta_graph.graph_def.node, target)
    return model, meta_graph


def _checkpoint(path: Path) -> None:
    (path / "variables" / "variables.index").write_bytes(b"")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
