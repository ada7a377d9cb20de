"""Leaves out of models of TensorFlow what the chosen outputs do not need, before anybody checks or loads them.

Training functions, optimisers, other signatures and savers are in most SavedModels. TensorFlow would rebuild them,
which takes most of the time of loading, and would read ops that have no business in a page. Needs no
TensorFlow, only its messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..graphs.messages import FunctionDef, GraphDef, MetaGraphDef, NodeDef, Repeated, SavedObject, SignatureDef

function_kinds = {"function", "bare_concrete_function"}
init_signature = "__saved_model_init_op"
init_collections = ("saved_model_main_op", "legacy_init_op", "table_initializer")
kept_collections = init_collections
# The functions by which loading makes, fills and removes resources such as tables.
load_functions = ("_create_resource", "_initialize", "_destroy_resource")
placement = "loc:@"


def slim_objects(meta_graph: MetaGraphDef, signature: str, more: Iterable[int] = ()) -> None:
    """Take out of a meta graph of TensorFlow 2 all that a signature and loading do not need.

    Objects keep their numbers; functions that go become empty objects. The nodes of the graph go too, save constants:
    they repeat what the objects say, and TensorFlow 2 does not read them.

    Args:
        meta_graph: a MetaGraphDef with an object graph; changed.
        signature: the name of the one that stays.
        more: numbers of functions that stay as well.
    """
    objects = meta_graph.object_graph_def.nodes
    kept = _with_children(objects, {*loaded(objects), *saving(objects), *signed(objects, signature), *more})
    roots = {name for number in kept for name in concrete_functions(objects[number])}
    graph = meta_graph.graph_def
    _keep_nodes(graph, {item.constant.operation for item in objects if item.WhichOneof("kind") == "constant"})
    for name in [name for name in meta_graph.signature_def if name != signature]:
        del meta_graph.signature_def[name]
    meta_graph.collection_def.clear()
    meta_graph.ClearField("saver_def")
    needed = _needed(meta_graph, roots)
    dropped = {number for number, item in enumerate(objects) if _is_useless(item, number in kept, needed)}
    for number, item in enumerate(objects):
        if number in dropped:
            item.Clear()
            item.user_object.identifier = "_generic_user_object"
            item.user_object.version.producer = item.user_object.version.min_consumer = 1
            continue
        children = [child for child in item.children if child.node_id not in dropped]
        if len(children) < len(item.children):
            del item.children[:]
            item.children.extend(children)
    _keep_functions(graph, needed)
    concrete = meta_graph.object_graph_def.concrete_functions
    for name in [name for name in concrete if name not in needed]:
        del concrete[name]


def slim_graph(meta_graph: MetaGraphDef, signature: str) -> None:
    """Take out of a meta graph of TensorFlow 1 all that a signature and loading do not need.

    Args:
        meta_graph: a MetaGraphDef without an object graph; changed.
        signature: the name of the one that stays.
    """
    saver = meta_graph.saver_def
    keep_reached(
        meta_graph.graph_def,
        [*session_roots(meta_graph, signature), saver.restore_op_name, saver.filename_tensor_name],
    )
    for name in [name for name in meta_graph.signature_def if name not in {signature, init_signature}]:
        del meta_graph.signature_def[name]
    for name in [name for name in meta_graph.collection_def if name not in kept_collections]:
        del meta_graph.collection_def[name]


def session_roots(meta_graph: MetaGraphDef, signature: str) -> list[str]:
    """Return the tensors and nodes that a session of TensorFlow 1 runs or feeds, those of the saver left out."""
    found = list(tensor_names(meta_graph.signature_def[signature]))
    if init_signature in meta_graph.signature_def:
        found += tensor_names(meta_graph.signature_def[init_signature])
    for name in init_collections:
        if name in meta_graph.collection_def:
            found += meta_graph.collection_def[name].node_list.value
    found += (asset.tensor_info.name for asset in meta_graph.asset_file_def)
    variables = (node.name for node in closure(meta_graph.graph_def, found) if node.op == "VarHandleOp")
    return [*found, *(f"{name}/Read/ReadVariableOp" for name in variables)]  # by which freezing reads them


def keep_reached(graph: GraphDef, roots: Iterable[str]) -> None:
    """Take out of a graph the nodes that no root needs, and the functions that no node calls.

    Args:
        graph: a GraphDef; changed.
        roots: names of tensors or nodes.
    """
    kept = {node.name for node in closure(graph, roots)}
    _keep_nodes(graph, kept)
    for node in graph.node:
        if "_class" in node.attr:
            places = node.attr["_class"].list.s
            places[:] = [text for text in places if _stays(text.decode(errors="replace"), kept)]
    functions = {function.signature.name: function for function in graph.library.function}
    _keep_functions(graph, _called_functions(functions, called_names(graph.node)))


def closure(graph: GraphDef, roots: Iterable[str]) -> list[NodeDef]:
    """Return the nodes that must run for these tensors or nodes."""
    nodes = {node.name: node for node in graph.node}
    queue = [node_name(root) for root in roots]
    found: dict[str, NodeDef] = {}
    while queue:
        name = queue.pop()
        if name in nodes and name not in found:
            found[name] = nodes[name]
            queue.extend(node_name(reference) for reference in nodes[name].input)
    return list(found.values())


def node_name(reference: str) -> str:
    """Return the node's name of a tensor's or control edge's name."""
    return reference.lstrip("^").partition(":")[0]


def tensor_names(signature: SignatureDef) -> Iterator[str]:
    """Return the names of all tensors of a signature."""
    for side in (signature.inputs, signature.outputs):
        for info in side.values():
            yield info.name


def loaded(objects: Repeated[SavedObject]) -> Iterator[int]:
    """Number the functions that loading runs for resources."""
    for item in objects:
        for child in item.children:
            if child.local_name in load_functions and _is_function(objects, child.node_id):
                yield child.node_id


def saving(objects: Repeated[SavedObject]) -> Iterator[int]:
    """Number the functions that save and restore the state of objects."""
    for item in objects:
        for saveable in item.saveable_objects.values():
            for number in (saveable.save_function, saveable.restore_function):
                if _is_function(objects, number):
                    yield number


def signed(objects: Repeated[SavedObject], signature: str) -> Iterator[int]:
    """Number the functions that TensorFlow 2 calls for a signature; ``signature_def`` need not say the same."""
    for child in objects[0].children if objects else ():
        if child.local_name == "signatures" and 0 <= child.node_id < len(objects):
            for entry in objects[child.node_id].children:
                if entry.local_name == signature and _is_function(objects, entry.node_id):
                    yield entry.node_id


def concrete_functions(item: SavedObject) -> list[str]:
    """Name the functions of the library that a function object stands for."""
    if item.WhichOneof("kind") == "function":
        return list(item.function.concrete_functions)
    return [item.bare_concrete_function.concrete_function_name]


def called_names(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """Return all that nodes may call: ops, functions in attributes, and gradients, whose names are given as text."""
    for node in nodes:
        yield node.op
        for value in node.attr.values():
            yield value.func.name
            yield from (item.name for item in value.list.func)
            yield value.s.decode(errors="replace")


def _keep_nodes(graph: GraphDef, kept: set[str]) -> None:
    nodes = [node for node in graph.node if node.name in kept]
    if len(nodes) < len(graph.node):
        graph.CopyFrom(type(graph)(node=nodes, library=graph.library, versions=graph.versions))


def _is_function(objects: Repeated[SavedObject], number: int) -> bool:
    return 0 <= number < len(objects) and objects[number].WhichOneof("kind") in function_kinds


def _stays(place: str, kept: set[str]) -> bool:
    return not place.startswith(placement) or place.removeprefix(placement) in kept


def _with_children(objects: Repeated[SavedObject], numbers: Iterable[int]) -> set[int]:
    """Add the functions that functions consist of."""
    queue, kept = list(numbers), set[int]()
    while queue:
        number = queue.pop()
        if number not in kept and _is_function(objects, number):
            kept.add(number)
            queue += [child.node_id for child in objects[number].children]
    return kept


def _is_useless(item: SavedObject, is_kept: bool, needed: set[str]) -> bool:
    kind = item.WhichOneof("kind")
    if kind == "captured_tensor":  # a constant inside a function
        return item.captured_tensor.concrete_function not in needed
    return kind in function_kinds and not is_kept


def _keep_functions(graph: GraphDef, needed: set[str]) -> None:
    library = graph.library
    if all(function.signature.name in needed for function in library.function) and not library.gradient:
        return
    functions = [function for function in library.function if function.signature.name in needed]
    gradients = [gradient for gradient in library.gradient if gradient.function_name in needed]
    library.CopyFrom(type(library)(function=functions, gradient=gradients))


def _needed(meta_graph: MetaGraphDef, roots: set[str]) -> set[str]:
    """Name the functions that the roots need: what they call, and what they capture constants of."""
    objects = meta_graph.object_graph_def.nodes
    concrete = meta_graph.object_graph_def.concrete_functions
    library = meta_graph.graph_def.library
    functions = {function.signature.name: function for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}
    found: set[str] = set()
    queue = list(roots)
    while queue:
        more = _called_functions(functions, queue) - found
        found |= more
        queue = [gradients[name] for name in more if name in gradients]
        for name in more:
            if name in concrete:
                bound = (number for number in concrete[name].bound_inputs if 0 <= number < len(objects))
                queue += [objects[number].captured_tensor.concrete_function for number in bound]
    return found


def _called_functions(functions: dict[str, FunctionDef], names: Iterable[str]) -> set[str]:
    queue, found = list(names), set[str]()
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue += called_names(functions[name].node_def)
    return found
