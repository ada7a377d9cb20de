"""Cuts what lies before and behind the model off a frozen graph, and names the new ends after the signature's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import UnsupportedOpsError
from .analysis import Cut
from .messages import GraphDef, NodeDef, TensorShapeProto
from .outline import Outline, ancestors, data_inputs, descendants, source_of

sizes = frozenset(("Shape", "ShapeN", "Size", "Rank", "TensorListLength"))
TensorInfo = Callable[[str], tuple[int, TensorShapeProto]]


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of a cut graph.

    Attributes:
        inputs, outputs: tensor names by name for the page; those of the signature that were not cut included.
        replaced_inputs, replaced_outputs: names of the ends that stand for each cut one of the signature.
        entries: the tensor of the whole graph for which each new input stands.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    replaced_inputs: Mapping[str, tuple[str, ...]]
    replaced_outputs: Mapping[str, tuple[str, ...]]
    entries: Mapping[str, str]


def find_tensors(outline: Outline, names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the tensors that the user means; a name may leave out, or have on top, the functions around it.

    Raises:
        UnsupportedOpsError: there is no such node, or several.
    """
    found = []
    for name in names:
        head, colon, number = name.partition(":")
        near = [node for node in outline.nodes if f"/{node}".endswith(f"/{head}") or f"/{head}".endswith(f"/{node}")]
        if head not in outline.nodes and len(near) != 1:
            last = head.rsplit("/", 1)[-1]
            similar = near or [node for node in outline.nodes if node.endswith(last)]
            hint = f"Name one of {similar[:8]}" if similar else "The command check names the nodes"
            raise UnsupportedOpsError(
                f"has no single node {name!r} to cut at", code="SP-371", where=f"{where}, cut", hint=hint
            )
        found.append(f"{head if head in outline.nodes else near[0]}{colon}{number}")
    return tuple(found)


def fixed_cut(outline: Outline, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Cut:
    """Return the cut that the user asks for by naming the tensors at its ends, as ``find_tensors`` gives them."""
    moving = descendants(outline, map(source_of, outline.inputs.values()))
    head = ancestors(outline, map(source_of, inputs)) & moving
    tail: set[str] = set()
    if outputs:
        wanted = set(map(source_of, outputs))
        tail = (descendants(outline, wanted) - wanted) & moving
    return Cut(frozenset(head), frozenset(tail))


def cut_graph(
    graph: GraphDef, outline: Outline, cut: Cut, info: TensorInfo, asked: tuple[str, ...] = (), where: str = ""
) -> Ends:
    """Cut a GraphDef in place.

    Args:
        graph: the graph.
        outline: of the same graph.
        cut: where.
        info: gives number of type and TensorShapeProto of a tensor.
        asked: tensors that the user wants as outputs, if he named any.
        where: the file, for messages.
    """
    exits, replaced_outputs = _exits(outline, cut, asked)
    entries = _entries(outline, cut, exits)
    names, replaced_inputs = _input_names(outline, cut, entries)
    if not exits or not (names or any(source_of(text) not in cut.head for text in outline.inputs.values())):
        raise UnsupportedOpsError(
            "nothing is left between its decoding and encoding",
            code="SP-372",
            where=where,
            hint="This model needs no TensorFlow.js",
        )
    taken = {node.name for node in graph.node}
    placeholders = {tensor: _unique(_node_name(names[tensor]), taken) for tensor in entries}
    facts = {tensor: info(tensor) for tensor in entries}
    gone = cut.head | cut.tail
    for number in reversed(range(len(graph.node))):
        if graph.node[number].name in gone:
            del graph.node[number]
    for tensor, name in placeholders.items():
        node = graph.node.add(name=name, op="Placeholder")
        node.attr["dtype"].type, shape = facts[tensor]
        node.attr["shape"].shape.CopyFrom(shape)
    for node in graph.node:
        node.input[:] = [
            placeholders.get(_full(text), text)
            for text in node.input
            if not (text.startswith("^") and source_of(text) in gone)
        ]
    kept = {name: text for name, text in outline.inputs.items() if source_of(text) not in cut.head}
    inputs = kept | {names[tensor]: f"{placeholders[tensor]}:0" for tensor in entries}
    outputs = {
        name: f"{placeholders[_full(text)]}:0" if _full(text) in placeholders else _full(text)
        for name, text in exits.items()
    }
    return Ends(inputs, outputs, replaced_inputs, replaced_outputs, {names[tensor]: tensor for tensor in entries})


def _full(text: str) -> str:
    return text if text.startswith("^") or ":" in text else f"{text}:0"


def _entries(outline: Outline, cut: Cut, exits: Mapping[str, str]) -> list[str]:
    """Return the tensors that go from the head into what the outputs need, in graph order."""
    found: dict[str, None] = {}
    needed = ancestors(outline, map(source_of, exits.values())) - cut.head
    for name, node in outline.nodes.items():
        if name in needed:
            for text in data_inputs(node):
                if source_of(text) in cut.head:
                    found[_full(text)] = None
    for text in exits.values():
        if source_of(text) in cut.head:
            found[_full(text)] = None
    return list(found)


def _valued(outline: Outline) -> set[str]:
    """Return the nodes that depend on what the inputs hold, not only on how large they are."""
    found: set[str] = set()
    queue = list(map(source_of, outline.inputs.values()))
    while queue:
        name = queue.pop()
        if name not in found and outline.nodes[name].op not in sizes:
            found.add(name)
            queue.extend(outline.consumers.get(name, ()))
    return found


def _exits(outline: Outline, cut: Cut, asked: tuple[str, ...]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the model's outputs, by name, and which of them stand for each cut output of the signature."""
    moving = _valued(outline)
    exits = {name: text for name, text in outline.outputs.items() if source_of(text) not in cut.tail}
    replaced: dict[str, tuple[str, ...]] = {}
    for name, text in outline.outputs.items():
        if source_of(text) not in cut.tail:
            continue
        behind = ancestors(outline, [source_of(text)]) & cut.tail
        tensors: dict[str, None] = {}
        for inner in outline.nodes:
            if inner in behind:
                for taken in data_inputs(outline.nodes[inner]):
                    if (source := source_of(taken)) in moving and source not in cut.head and source not in cut.tail:
                        tensors[_full(taken)] = None
        if asked and (chosen := [tensor for tensor in tensors if source_of(tensor) in set(map(source_of, asked))]):
            tensors = dict.fromkeys(chosen)
        names = [name] if len(tensors) == 1 else [f"{name}_{_last(tensor)}" for tensor in tensors]
        taken_names = set(exits)
        names = [_unique(item, taken_names) for item in names]
        exits |= dict(zip(names, tensors, strict=True))
        replaced[name] = tuple(names)
    for text in asked:
        if _full(text) not in exits.values():
            exits[_unique(_last(text), set(exits))] = _full(text)
    return exits, replaced


def _input_names(outline: Outline, cut: Cut, entries: list[str]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Name each entry after the input it comes from; several from one get the names of their nodes or keys."""
    inputs = {source_of(text): name for name, text in outline.inputs.items()}
    owners = {}
    for tensor in entries:
        above = ancestors(outline, [source_of(tensor)])
        owners[tensor] = tuple(name for node, name in inputs.items() if node in above)
    taken = {name for name, text in outline.inputs.items() if source_of(text) not in cut.head}
    names: dict[str, str] = {}
    for tensor in entries:
        owner = owners[tensor]
        alone = sum(bool(set(owner) & set(other)) for other in owners.values()) == 1
        wanted = owner[0] if alone and owner else _key_of(outline, tensor)
        names[tensor] = _unique(wanted, taken)
    replaced = {
        name: tuple(names[tensor] for tensor in entries if name in owners[tensor])
        for name, text in outline.inputs.items()
        if source_of(text) in cut.head
    }
    return names, replaced


def _key_of(outline: Outline, tensor: str) -> str:
    """Return the key of an example's feature, or the last part of the node's name."""
    node = outline.nodes[source_of(tensor)]
    number = int(tensor.partition(":")[2] or 0)
    keys = _dense_keys(outline, node)
    sparse = node.attr["num_sparse"].i if node.op == "ParseExampleV2" else len(node.attr["sparse_keys"].list.s)
    index = number - 3 * sparse
    if keys and 0 <= index < len(keys):
        return keys[index]
    return _last(tensor)


def _dense_keys(outline: Outline, node: NodeDef) -> list[str]:
    if node.op == "ParseSingleExample":
        return [key.decode(errors="replace") for key in node.attr["dense_keys"].list.s]
    if node.op == "ParseExampleV2" and len(node.input) > 3:
        keys = outline.nodes.get(source_of(node.input[3]))
        if keys is not None and keys.op == "Const":
            return [key.decode(errors="replace") for key in keys.attr["value"].tensor.string_val]
    return []


def _last(tensor: str) -> str:
    name, _, number = tensor.partition(":")
    last = name.rsplit("/", 1)[-1]
    return last if number in {"", "0"} else f"{last}_{number}"


def _node_name(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.\\/-]", "_", name)
    return plain if plain[:1].isalnum() else f"input{plain}"


def _unique(name: str, taken: set[str]) -> str:
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate)
    return candidate
