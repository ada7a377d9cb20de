"""Finds inputs that are row numbers of a table, so that random ones stay in range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..model import GraphNode, GraphTopology, Model, Weight
from ..transforms.layers import Layer, config_of, inner_layers, name_of

lookups = frozenset({"Gather", "GatherV2", "ResourceGather"})
# ONNX counts negative ids from the end: what is lowered from it looks up their remainder.
passing = frozenset({"Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "FloorMod"})
choosing = frozenset({"Select", "SelectV2"})


def ids_below(model: Model) -> dict[str, int]:
    """Return for each input that looks up rows the number of rows of the smallest table it is used with.

    Only what reaches its lookup directly, through casts, reshapes and remainders, or as one side of a choice (Keras 3
    counts negative ids from the end) is known, and what has a vocabulary.
    """
    found = {name: len(entry["words"]) for name, entry in (model.vocabulary or {}).items()}
    pairs = _graph_lookups(model) if model.kind == "graph-model" else _layer_lookups(model.artifacts["modelTopology"])
    known = {spec.name for spec in model.inputs}
    for name, rows in pairs:
        if name in known:
            found[name] = min(rows, found.get(name, rows))
    return found


def _graph_lookups(model: Model) -> Iterator[tuple[str, int]]:
    topology: GraphTopology = model.artifacts["modelTopology"]
    nodes = {node["name"]: node for node in topology.get("node", [])}
    signature = (model.artifacts.get("signature") or {}).get("inputs", {})
    input_names = {_node_name(str(info.get("name", name))): name for name, info in signature.items()}
    weights = {weight.name: weight for weight in model.weights}
    for node in nodes.values():
        references = node.get("input", [])
        if node.get("op") not in lookups or len(references) < 2:
            continue
        tables, ids, *axis = (_origins(nodes, reference) for reference in references)
        if any(_is_not_zero(weights.get(name)) for one in axis for name in one):
            continue
        for rows in (weights[table].shape[0] for table in tables if table in weights and weights[table].shape):
            yield from ((input_names.get(name, name), rows) for name in ids)


def _is_not_zero(weight: Weight | None) -> bool:
    return weight is not None and any(weight.data.read(0, weight.data.nbytes))


def _origins(nodes: Mapping[str, GraphNode], reference: str) -> set[str]:
    """Follow a reference back through nodes that change no value, to the nodes that it can come from."""
    found: set[str] = set()
    pending, seen = [_node_name(reference)], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        node = nodes.get(name)
        op, inputs = ("", []) if node is None else (node.get("op"), _data_inputs(node))
        if op in choosing and len(inputs) == 3:
            pending += map(_node_name, inputs[1:])
        elif op in passing and inputs:
            pending.append(_node_name(inputs[0]))
        else:
            found.add(name)
    return found


def _data_inputs(node: GraphNode) -> list[str]:
    return [text for text in node.get("input", []) if not text.startswith("^")]


def _node_name(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]


def _layer_lookups(topology: Layer) -> Iterator[tuple[str, int]]:
    model = topology.get("model_config", topology)
    if not isinstance(model, Mapping):
        return
    is_functional = "input_layers" in config_of(model)
    previous = ""
    for layer in inner_layers(model):
        rows, name = config_of(layer).get("input_dim"), name_of(layer)
        if layer.get("class_name") == "Embedding" and isinstance(rows, int):
            # A Sequential model feeds its first layer; a functional one says who feeds whom.
            for feeder in _feeders(layer) if is_functional else {previous or f"{name}_input"}:
                yield feeder, rows
        previous = name


def _feeders(layer: Layer) -> set[str]:
    """Return the names of the layers that feed one: the first items of the innermost lists of ``inbound_nodes``."""
    names: set[str] = set()
    pending: list[object] = [layer.get("inbound_nodes", [])]
    while pending:
        item = pending.pop()
        if isinstance(item, list) and item and isinstance(item[0], str):
            names.add(item[0])
        elif isinstance(item, list):
            pending.extend(item)
    return names
