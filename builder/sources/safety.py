"""Refuses source models that ask for files, scripts or the network, before anything of them runs.

Of a graph only what the chosen outputs and loading need is kept (``slimming``), all of it is looked at, and nothing
else is given to TensorFlow. ``allowed_ops`` says what ops it may hold; ``keras_safety`` looks at Keras' configurations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import UnsafeModelError
from ..graphs.graphdef import choose_meta_graph, choose_signature, messages
from ..graphs.messages import FunctionDef, GraphDef, MetaGraphDef, NodeDef, Repeated, SavedModel, SavedObject
from .allowed_ops import danger_of, is_allowed_op
from .slimming import (
    closure,
    concrete_functions,
    function_kinds,
    keep_reached,
    loaded,
    node_name,
    saving,
    session_roots,
    signed,
    slim_graph,
    slim_objects,
)
from .vocabulary_files import declare_assets, own_tables

# Ops that write where an attribute says, and what that may say.
printing_ops = ("Print", "PrintV2")
stdout_streams = {"", "stdout", "stderr", "log(info)", "log(warning)", "log(error)"}
# Ops that read the description of a message from a file, if an attribute says so.
describing_ops = ("DecodeProtoV2", "EncodeProto")
# What loading runs to fill variables from the SavedModel's own folder.
restore_ops = ("Restore", "RestoreV2", "RestoreSlice")
string_type = 7
_untrusted = "Do not use this model unless you know its author; trust = true builds it all the same"
# A vocabulary in a file is the usual way of TensorFlow 1 and TFX, and no attack.
_hints = {
    "InitializeTableFromTextFile": "Make its table of the words themselves (tf.lookup.KeyValueTensorInitializer, "
    "StringLookup(vocabulary=[…])) and save it again, or export it from the ids on; trust = true, if you know its "
    "author, reads the file"
}
_forests = (
    "Decision forests run in pages with JavaScript of their own: npm ydf-inference, and ydf to export them for it"
)

Functions = dict[str, FunctionDef]


def prepare_saved_model(
    model: SavedModel,
    signature: str,
    tags: tuple[str, ...],
    where: str = "",
    *,
    custom: Iterable[str] = (),
    trust: bool = False,
    generous: bool = False,
) -> SavedModel:
    """Return the part of a SavedModel that loading it and running a signature need, checked.

    Args:
        model: what ``graphdef.read_saved_model`` gave.
        signature: name of the signature that will be converted.
        tags: tags of the meta graph.
        where: the file, for messages.
        custom: ops that the page registers itself.
        trust: the user trusts its ops.
        generous: keep all functions that are harmless, needed or not.

    Returns:
        A SavedModel with one meta graph; all that is left in it was looked at.

    Raises:
        UnsafeModelError: it reaches files, scripts or the network, or an op that is not known to be harmless.
        SourceError: there is no such signature or graph.
    """
    meta_graph = choose_meta_graph(model, tags, where)
    choose_signature(meta_graph, signature, where)
    part = messages().SavedModel()
    part.saved_model_schema_version = model.saved_model_schema_version
    slimmed = part.meta_graphs.add()
    slimmed.CopyFrom(meta_graph)
    declare_assets(slimmed, where)
    check_assets(slimmed, where)
    objects = slimmed.object_graph_def.nodes
    if objects:
        more = _harmless_functions(slimmed, custom) if generous else ()
        slim_objects(slimmed, signature, more)
    else:
        slim_graph(slimmed, signature)
    if not trust:
        _check_part(slimmed, signature, where, frozenset(custom))
    return part


def check_saved_model(
    model: SavedModel,
    signature: str,
    tags: tuple[str, ...],
    where: str = "",
    *,
    custom: Iterable[str] = (),
    trust: bool = False,
) -> None:
    """Check what loading the SavedModel and running the signature would run, see ``prepare_saved_model``.

    Raises:
        UnsafeModelError, SourceError: as ``prepare_saved_model``.
    """
    prepare_saved_model(model, signature, tags, where, custom=custom, trust=trust)


def check_assets(meta_graph: MetaGraphDef, where: str = "") -> None:
    """Check the names of a SavedModel's assets.

    Raises:
        UnsafeModelError: one leads outside the folder.
    """
    for asset in meta_graph.asset_file_def:
        name = asset.filename
        if not name or "\\" in name or "\0" in name or ":" in name or name.startswith("/") or ".." in name.split("/"):
            raise UnsafeModelError(
                f"names the asset {name!r}, outside its folder", code="SP-360", where=where, hint="Save the model again"
            )


def prepare_graph(
    graph: GraphDef, outputs: Iterable[str], where: str = "", *, custom: Iterable[str] = (), trust: bool = False
) -> None:
    """Take out of a frozen graph what its outputs do not need, and check the rest.

    Args:
        graph: a GraphDef; changed.
        outputs: names of tensors.
        where: the file, for messages.
        custom: ops that the page registers itself.
        trust: the user trusts its ops.

    Raises:
        UnsafeModelError: see ``check_graph``.
    """
    keep_reached(graph, outputs)
    if not trust:
        check_graph(graph, where, custom)


def check_graph(graph: GraphDef, where: str = "", custom: Iterable[str] = ()) -> None:
    """Check all of a graph: its nodes and its functions.

    Args:
        graph: a GraphDef, from ``graphdef`` or from TensorFlow.
        where: the file, for messages.
        custom: ops that the page registers itself.

    Raises:
        UnsafeModelError: it holds an op that reaches files, scripts or the network, or is not known to be harmless.
    """
    functions = _library(graph)
    known = frozenset(custom)
    _check_nodes(graph.node, functions, where, known)
    for name, function in functions.items():
        _check_nodes(function.node_def, functions, where, known, inside=name)


def check_topology(topology: object, where: str = "", custom: Iterable[str] = ()) -> None:
    """Check the graph of a TensorFlow.js model that TensorFlow will measure; its JSON may be anything.

    Raises:
        UnsafeModelError: as ``check_graph``.
    """
    graph = messages().GraphDef()
    _copy_json_nodes(_items(topology, "node"), graph.node)
    library = topology.get("library") if isinstance(topology, dict) else None
    for function in _items(library, "function"):
        copy = graph.library.function.add()
        signature = function.get("signature")
        copy.signature.name = str(signature.get("name", "")) if isinstance(signature, dict) else ""
        for key in ("nodeDef", "node_def"):
            _copy_json_nodes(_items(function, key), copy.node_def)
    check_graph(graph, where, custom)


def _items(holder: object, key: str) -> list[dict[str, object]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _copy_json_nodes(nodes: list[dict[str, object]], target: Repeated[NodeDef]) -> None:
    """Copy of nodes what a check looks at."""
    import base64
    import binascii

    for node in nodes:
        copy = target.add(name=str(node.get("name", "")), op=str(node.get("op", "")))
        attributes = node.get("attr")
        for key in ("output_stream", "descriptor_source"):
            value = attributes.get(key) if isinstance(attributes, dict) else None
            if isinstance(value, dict):
                try:
                    copy.attr[key].s = base64.b64decode(str(value.get("s", "")))
                except (ValueError, binascii.Error):
                    copy.attr[key].s = b"unreadable"


def _check_part(meta_graph: MetaGraphDef, signature: str, where: str, custom: frozenset[str]) -> None:
    graph = meta_graph.graph_def
    functions = _library(graph)
    objects = meta_graph.object_graph_def.nodes
    own = own_tables(meta_graph, functions)
    feeds: set[str] = set()
    running: list[NodeDef] = []
    restoring: list[NodeDef] = []
    if objects:
        running = list(graph.node)
        roots = {*loaded(objects), *signed(objects, signature)}
        savers = _reached(functions, _concrete(objects, set(saving(objects)) - roots))
        rest = [name for name in functions if name not in savers]
    else:
        running = closure(graph, session_roots(meta_graph, signature))
        restoring = closure(graph, [meta_graph.saver_def.restore_op_name])
        feeds = {node_name(meta_graph.saver_def.filename_tensor_name)} - {""}
        savers = _reached(functions, _calls_of(restoring, functions))
        rest = list(_reached(functions, _calls_of(running, functions)))
        roots = set()
    _check_nodes(running, functions, where, custom, own=own)
    used = _reached(functions, [*rest, *_concrete(objects, roots)])
    for name in used:
        _check_nodes(functions[name].node_def, functions, where, custom, inside=name, own=own)
    _check_restoring(restoring, functions, where, custom, feeds)
    for name in savers - used:
        arguments = {argument.name for argument in functions[name].signature.input_arg}
        _check_restoring(functions[name].node_def, functions, where, custom, arguments, inside=name)


def _check_restoring(
    nodes: Iterable[NodeDef],
    functions: Functions,
    where: str,
    custom: frozenset[str],
    given: set[str],
    inside: str = "",
) -> None:
    """Check nodes that may restore variables, but only from the checkpoint that TensorFlow names."""
    nodes = list(nodes)
    _check_nodes([node for node in nodes if node.op not in restore_ops], functions, where, custom, inside)
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        if node.op in restore_ops:
            sources = list(node.input[:1])
        elif any(_calls(node, functions)):
            sources = list(node.input)
        else:
            continue
        for source in sources:
            if (first := _origin(source, by_name, given)) is not None:
                raise UnsafeModelError(
                    f"{_place(node, inside)} has the op {node.op}, which reads a checkpoint that {first.name!r} names, "
                    "not the model's own",
                    code="SP-363",
                    where=where,
                    hint=_untrusted,
                )


def _origin(reference: str, nodes: dict[str, NodeDef], given: set[str]) -> NodeDef | None:
    """Return the node that makes the name of a checkpoint up; None if it is given from outside."""
    name = node_name(reference)
    seen: set[str] = set()
    while name in nodes and name not in given and name not in seen:
        seen.add(name)
        node = nodes[name]
        if node.op in {"Placeholder", "VarHandleOp", "VariableV2", "Variable"} or reference.startswith("^"):
            return None
        if node.op not in {"Identity", "PlaceholderWithDefault"} or not node.input:
            is_text = node.op != "Const" or node.attr["dtype"].type == string_type
            return node if is_text and not node.op.startswith(("HashTable", "MutableHashTable")) else None
        name = node_name(node.input[0])
    return None


def _harmless_functions(meta_graph: MetaGraphDef, custom: Iterable[str]) -> Iterator[int]:
    """Number the functions that hold nothing that would be refused."""
    functions = _library(meta_graph.graph_def)
    for number, item in enumerate(meta_graph.object_graph_def.nodes):
        if item.WhichOneof("kind") in function_kinds:
            reached = _reached(functions, concrete_functions(item))
            nodes = (node for name in reached for node in functions[name].node_def)
            if not any(_danger(node, functions, frozenset(custom)) for node in nodes):
                yield number


def _library(graph: GraphDef) -> Functions:
    return {function.signature.name: function for function in graph.library.function}


def _concrete(objects: Repeated[SavedObject], numbers: Iterable[int]) -> list[str]:
    return [name for number in numbers for name in concrete_functions(objects[number])]


def _reached(functions: Functions, names: Iterable[str]) -> set[str]:
    queue, found = list(names), set[str]()
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue.extend(_calls_of(functions[name].node_def, functions))
    return found


def _calls_of(nodes: Iterable[NodeDef], functions: Functions) -> Iterator[str]:
    for node in nodes:
        yield from _calls(node, functions)


def _calls(node: NodeDef, functions: Functions) -> Iterator[str]:
    """Return the library functions that a node runs: by its op's name, or by its attributes."""
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        for reference in (value.func, *value.list.func):
            if reference.name in functions:
                yield reference.name


def _check_nodes(
    nodes: Iterable[NodeDef],
    functions: Functions,
    where: str,
    custom: frozenset[str],
    inside: str = "",
    own: frozenset[tuple[str, str]] = frozenset(),
) -> None:
    for node in nodes:
        if (inside, node.name) not in own and (danger := _danger(node, functions, custom)):
            hint = _forests if node.op.startswith("SimpleML") else _hints.get(node.op.removesuffix("V2"), _untrusted)
            raise UnsafeModelError(
                f"{_place(node, inside)} has the op {node.op}, which {danger}", code="SP-362", where=where, hint=hint
            )


def _place(node: NodeDef, inside: str) -> str:
    return f"node {node.name!r}" + (f" of function {inside!r}" if inside else "")


def _danger(node: NodeDef, functions: Functions, custom: frozenset[str]) -> str:
    """Tell why a node is refused, or give ``""``."""
    if danger := danger_of(node.op):
        return danger
    if node.op in printing_ops and "output_stream" in node.attr:
        stream = node.attr["output_stream"].s.decode(errors="replace")
        return "" if stream in stdout_streams else "writes files"
    if node.op in describing_ops and "descriptor_source" in node.attr:
        source = node.attr["descriptor_source"].s
        return "" if source in {b"", b"local://"} or source.startswith(b"bytes://") else "reads files"
    if node.op in functions or is_allowed_op(node.op, custom):
        return ""
    return "is not on the list of harmless ones"
