"""Puts weights into execution order, so that the first shards hold what runs first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..model import GraphNode, GraphTopology, Model
from .canonical import called_functions
from .layers import name_of, walk_layers


def order_weights(model: Model) -> Model:
    """Sort the weights by first use; those whose use is unknown keep their order and come last."""
    topology = model.artifacts["modelTopology"]
    if model.kind == "graph-model":
        initializer = model.artifacts.get("modelInitializer", {})
        nodes = [*initializer.get("node", []), *topology["node"]]
        ranks = _first(_graph_order({"node": nodes, "library": topology.get("library", {})}))
        weights = sorted(model.weights, key=lambda weight: ranks.get(weight.name, len(ranks)))
    else:
        ranks = _first(map(name_of, walk_layers(topology)))
        weights = sorted(model.weights, key=lambda weight: _layer_rank(weight.name, ranks))
    return replace(model, weights=tuple(weights))


def _first(names: Iterator[str]) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(dict.fromkeys(names))}


def _graph_order(topology: GraphTopology) -> Iterator[str]:
    """Return node names in the order of a depth-first walk from the ends, inputs before their node.

    Loops (``NextIteration``) are cut where the walk meets itself; bodies of functions come where they are called.
    """
    functions = {
        function["signature"]["name"]: function for function in topology.get("library", {}).get("function", [])
    }
    entered: set[str] = set()

    def walk(nodes: list[GraphNode]) -> Iterator[str]:
        by_name = {node["name"]: node for node in nodes}
        inputs = {node["name"]: [_producer(reference) for reference in node.get("input", [])] for node in nodes}
        used = {name for producers in inputs.values() for name in producers}
        ends = [node["name"] for node in nodes if node["name"] not in used]
        seen: set[str] = set()
        stack = [(name, False) for name in reversed([*ends, *by_name])]
        while stack:
            name, inputs_done = stack.pop()
            if inputs_done:
                yield name
                for function in called_functions(by_name[name]):
                    if function in functions and function not in entered:
                        entered.add(function)
                        yield from walk(functions[function].get("nodeDef", []))
            elif name in by_name and name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((producer, False) for producer in reversed(inputs[name]))

    yield from walk(topology["node"])


def _producer(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]


def _layer_rank(weight: str, ranks: dict[str, int]) -> int:
    """Rank a weight by the innermost part of its path that names a layer."""
    return next((ranks[part] for part in reversed(weight.split("/")[:-1]) if part in ranks), len(ranks))
