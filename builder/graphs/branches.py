"""Takes out of a graph the branches that are never taken: those whose condition is known before anything is fed.

Keras 2 leaves such in its models: what a layer does in training stands beside what it does otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .known import ShapeOf, known_value
from .messages import GraphDef, NodeDef, Repeated
from .nodes import int32, write_constant
from .outline import data_inputs, source_of

conditionals = frozenset(("If", "StatelessIf"))


def drop_dead_branches(graph: GraphDef, shape_of: ShapeOf, kept: Iterable[str]) -> None:
    """Make of each condition that is known the branch that is taken.

    Args:
        graph: a GraphDef, changed in place.
        shape_of: gives what is known of a tensor's shape.
        kept: names of nodes that must stay, whatever they are.
    """
    for nodes, shapes in (
        (graph.node, shape_of),
        *((definition.node_def, lambda _: None) for definition in graph.library.function),
    ):
        _take_calls(nodes, shapes)
    _take_switches(graph, shape_of, set(kept))


def _take_calls(nodes: Repeated[NodeDef], shape_of: ShapeOf) -> None:
    """Make calls of conditionals whose branches are functions."""
    named = {node.name: node for node in nodes}
    for node in nodes:
        taken = _known_condition(named, node.input[0], shape_of) if node.op in conditionals else None
        if taken is None:
            continue
        node.op = "PartitionedCall" if node.op == "StatelessIf" else "StatefulPartitionedCall"
        node.attr["f"].func.CopyFrom(node.attr["then_branch" if taken else "else_branch"].func)
        # With those of a conditional, TensorFlow would take it for one still, and not put it in place.
        for key in [key for key in node.attr if key not in {"f", "Tin", "Tout"}]:
            del node.attr[key]
        del node.input[0]


def _take_switches(graph: GraphDef, shape_of: ShapeOf, kept: set[str]) -> None:
    """Do the same with branches that lie in the graph, between Switch and Merge."""
    nodes = {node.name: node for node in graph.node}
    taken = {
        node.name: live
        for node in graph.node
        if node.op == "Switch" and (live := _known_condition(nodes, node.input[1], shape_of)) is not None
    }
    dead = _dead(graph, taken) if taken else set()
    merges = {}
    for node in graph.node:
        if node.op == "Merge" and node.name not in dead:
            living = [place for place, text in enumerate(data_inputs(node)) if not _is_dead(text, dead, taken)]
            if len(living) < len(data_inputs(node)):
                merges[node.name] = living
    if not taken or dead & kept or any(len(living) > 1 for living in merges.values()):
        return
    for place in reversed(range(len(graph.node))):
        if graph.node[place].name in dead:
            del graph.node[place]
    for node in graph.node:
        node.input[:] = [
            f"{source_of(text)}/index" if source_of(text) in merges and text.endswith(":1")
            else source_of(text) if source_of(text) in taken and not text.startswith("^") else text
            for text in node.input if not _is_dead(text, dead, taken)
        ]  # fmt: skip
    for name, living in merges.items():
        del nodes[name].attr["N"]
        nodes[name].op = "Identity"
        write_constant(graph.node.add(name=f"{name}/index", op="Const"), living[0], int32)
    for name in taken:
        if name not in dead:
            del nodes[name].input[1:]  # the condition
            nodes[name].op = "Identity"


def _known_condition(nodes: Mapping[str, NodeDef], tensor: str, shape_of: ShapeOf) -> bool | None:
    value = known_value(nodes, tensor, shape_of)
    return bool(value) if value is not None and value.size == 1 else None


def _dead(graph: GraphDef, taken: Mapping[str, bool]) -> set[str]:
    """Return the names of nodes that never run."""
    consumers: dict[str, list[NodeDef]] = {}
    for node in graph.node:
        for text in node.input:
            consumers.setdefault(source_of(text), []).append(node)
    nodes = {node.name: node for node in graph.node}
    dead: set[str] = set()
    queue = [user for name in taken for user in consumers.get(name, ())]
    while queue:
        node = queue.pop()
        if node.name not in dead and _never_runs(node, nodes, dead, taken):
            dead.add(node.name)
            queue += consumers.get(node.name, ())
    return dead


def _never_runs(node: NodeDef, nodes: Mapping[str, NodeDef], dead: set[str], taken: Mapping[str, bool]) -> bool:
    if node.op != "Merge":
        return any(_is_dead(text, dead, taken) for text in node.input)
    # A loop that is not entered does not come back either.
    entries = [text for text in data_inputs(node) if nodes[source_of(text)].op != "NextIteration"]
    return all(_is_dead(text, dead, taken) for text in entries)


def _is_dead(text: str, dead: set[str], taken: Mapping[str, bool]) -> bool:
    """Return whether an edge never carries anything: the first output of a Switch is for false, the second for true."""
    name = source_of(text)
    if name in dead:
        return True
    return name in taken and not text.startswith("^") and text.endswith(":1") is not taken[name]
