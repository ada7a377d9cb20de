"""A graph as nodes and edges: who feeds whom, and ways through it. Works on any GraphDef message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .messages import FunctionDef, GraphDef, NodeDef
from .ops import heavy, matches


@dataclass(frozen=True, slots=True)
class Outline:
    """A flat graph with named ends.

    Attributes:
        nodes: by name, in graph order.
        consumers: names of the nodes that take a node's tensors.
        inputs, outputs: tensor names, by signature name.
        functions: the library, by name.
    """

    nodes: Mapping[str, NodeDef]
    consumers: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    functions: Mapping[str, FunctionDef]


def outline_of(graph: GraphDef, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Outline:
    """Index a graph."""
    nodes = {node.name: node for node in graph.node}
    consumers: dict[str, dict[str, None]] = {}
    for node in graph.node:
        for name in data_sources(node):
            consumers.setdefault(name, {})[node.name] = None
    functions = {definition.signature.name: definition for definition in graph.library.function}
    present = {name: text for name, text in inputs.items() if source_of(text) in nodes}
    users = {name: tuple(found) for name, found in consumers.items()}
    return Outline(nodes, users, present, dict(outputs), functions)


def source_of(reference: str) -> str:
    """Return the node's name of a tensor's or control edge's name."""
    return reference.lstrip("^").partition(":")[0]


def data_inputs(node: NodeDef) -> list[str]:
    """Return the tensors that a node takes, edges that only order left out."""
    return [text for text in node.input if not text.startswith("^")]


def data_sources(node: NodeDef) -> list[str]:
    """Return the names of the nodes whose tensors a node takes."""
    return [source_of(text) for text in data_inputs(node)]


def ancestors(outline: Outline, names: Iterable[str]) -> set[str]:
    """Return the nodes that feed these, themselves included."""
    return _reach(names, lambda name: data_sources(outline.nodes[name]) if name in outline.nodes else ())


def descendants(outline: Outline, names: Iterable[str]) -> set[str]:
    """Return the nodes that these feed, themselves included."""
    return _reach(names, lambda name: outline.consumers.get(name, ()))


def _reach(names: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(step(name))
    return found


def shortest_path(outline: Outline, starts: Iterable[str], ends: set[str]) -> list[str]:
    """Return the nodes of a shortest way along the edges from one of ``starts`` to one of ``ends``; [] if none."""
    before: dict[str, str | None] = dict.fromkeys(starts)
    queue = list(before)
    for name in queue:
        if name in ends:
            return list(reversed(list(_back(before, name))))
        for user in outline.consumers.get(name, ()):
            if user not in before:
                before[user] = name
                queue.append(user)
    return []


def _back(before: Mapping[str, str | None], name: str | None) -> Iterator[str]:
    while name is not None:
        yield name
        name = before[name]


def called_ops(node: NodeDef, functions: Mapping[str, FunctionDef]) -> Iterator[tuple[str, str]]:
    """Return op and node name of all that a node runs through functions of the library."""
    queue = _called(node, functions)
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for inner in functions[name].node_def:
            yield inner.op, inner.name
            queue.extend(_called(inner, functions))


def _called(node: NodeDef, functions: Mapping[str, FunctionDef]) -> list[str]:
    names = [item.name for value in node.attr.values() for item in (value.func, *value.list.func)]
    return [name for name in (node.op, *names) if name in functions]


def is_heavy(outline: Outline, name: str) -> bool:
    """Return whether a node computes with weights, itself or through functions."""
    node = outline.nodes.get(name)
    if node is None:
        return False
    return matches(node.op, heavy) or any(matches(op, heavy) for op, _ in called_ops(node, outline.functions))
