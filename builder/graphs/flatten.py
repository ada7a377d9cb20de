"""Gives the graph that a SavedModel's signature runs, with all function calls written out; needs no TensorFlow.

It is for looking at: outputs of nodes are not told apart by number, as the edges alone are of interest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import SourceError
from .branches import drop_dead_branches
from .graphdef import choose_meta_graph, choose_signature, messages
from .messages import FunctionDef, GraphDef, NodeDef, SavedModel
from .outline import Outline, outline_of, source_of

call_ops = ("PartitionedCall", "StatefulPartitionedCall")
deepest = 64
most_nodes = 1_000_000


def outline_saved_model(model: SavedModel, signature: str, tags: tuple[str, ...], where: str = "") -> Outline:
    """Outline what a signature runs.

    Args:
        model: what ``graphdef.read_saved_model`` gave.
        signature: its name.
        tags: of the meta graph.
        where: the folder, for messages.

    Raises:
        SourceError: there is no such signature, or its functions call each other without end.
    """
    meta_graph = choose_meta_graph(model, tags, where)
    chosen = choose_signature(meta_graph, signature, where)
    source = messages().GraphDef()
    source.CopyFrom(meta_graph.graph_def)
    drop_dead_branches(source, lambda _: None, [source_of(info.name) for info in chosen.outputs.values()])
    graph = messages().GraphDef()
    graph.library.CopyFrom(source.library)
    functions = {definition.signature.name: definition for definition in source.library.function}
    _copy(graph, source.node, {}, "", functions, 0, where)
    inputs = {name: info.name for name, info in chosen.inputs.items()}
    outputs = {name: info.name for name, info in chosen.outputs.items()}
    return outline_of(graph, inputs, outputs)


def _copy(
    graph: GraphDef,
    nodes: Iterable[NodeDef],
    outside: Mapping[str, str],
    prefix: str,
    functions: Mapping[str, FunctionDef],
    depth: int,
    where: str,
) -> None:
    """Copy nodes under a prefix; ``outside`` says which node stands for each argument of a function."""
    if depth > deepest or len(graph.node) > most_nodes:
        raise SourceError(
            "calls functions recursively without end", code="SP-321", where=where, hint="Export the model again"
        )
    for node in nodes:
        copy = graph.node.add()
        copy.CopyFrom(node)
        copy.name = f"{prefix}{node.name}"
        copy.input[:] = [_moved(text, outside, prefix) for text in node.input]
        name = node.attr["f"].func.name if node.op in call_ops else node.op
        if name in functions:
            _inline(graph, copy, functions[name], functions, depth, where)


def _moved(text: str, outside: Mapping[str, str], prefix: str) -> str:
    mark = "^" if text.startswith("^") else ""
    head = source_of(text)
    return f"{mark}{outside.get(head) or prefix + head}"


def _inline(
    graph: GraphDef,
    call: NodeDef,
    definition: FunctionDef,
    functions: Mapping[str, FunctionDef],
    depth: int,
    where: str,
) -> None:
    """Put a function's body before the node that calls it, which becomes an identity of the results."""
    prefix = f"{call.name}/"
    given = [text for text in call.input if not text.startswith("^")]
    arguments = {}
    for number, argument in enumerate(definition.signature.input_arg):
        if number < len(given):
            arguments[argument.name] = given[number]
    call.op = "IdentityN"
    call.attr.clear()
    call.input[:] = [_moved(definition.ret[key], arguments, prefix) for key in sorted(definition.ret)]
    _copy(graph, definition.node_def, arguments, prefix, functions, depth + 1, where)
