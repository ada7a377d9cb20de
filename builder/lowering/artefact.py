"""Writes a graph as a stock TensorFlow.js graph model: ``model.json`` and a file of weights.

The form is the one that ``tensorflowjs_converter`` writes (tfjs-converter, ``src/data/compiled_api.ts``; the manifest
is the one of tfjs-core's ``io`` module), so that everything after this treats it as any other conversion.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .attributes import encode
from .codes import channels_of
from .fusion import fuse
from .graph import Graph
from .nodes import Function, Node
from .turning import turn_rows
from .values import Array, Value, enums

weights_name = "group1-shard1of1.bin"
half = {"dtype": "float16", "original_dtype": "float32"}


def write_graph(graph: Graph, outputs: Mapping[str, Value], out: Path, producer: str) -> Path:
    """Write what the outputs need.

    Args:
        graph: all nodes.
        outputs: by the names under which pages get them; as they are stored.
        out: the folder, which is made.
        producer: what the source says it was made with.

    Returns:
        The path of ``model.json``.
    """
    named = _identities(graph, outputs)
    graph.nodes[:] = _needed(graph, named.values())  # so that nothing is kept for what nobody reads
    results = [value.name for value in named.values()]
    turn_rows(graph, results)
    fuse(graph, results)
    nodes = _needed(graph, named.values())
    weights = {node.name: graph.weights[node.name] for node in nodes if node.op == "Const"}
    functions = _called(graph, nodes)
    for function in functions:
        weights |= {node.name: graph.weights[node.name] for node in function.frame.nodes if node.op == "Const"}
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "format": "graph-model",
        "generatedBy": producer,
        "convertedBy": f"shardpress {__version__}",
        "signature": {
            "inputs": {name: _tensor_info(value) for name, value in graph.inputs.items()},
            "outputs": {name: _tensor_info(value) for name, value in named.items()},
        },
        "modelTopology": {
            "node": [_node(node, graph) for node in nodes],
            "library": {"function": [_function(function, graph) for function in functions]},
            "versions": {},
        },
        "weightsManifest": [{"paths": [weights_name], "weights": _write_weights(weights, graph, out / weights_name)}],
    }
    path = out / "model.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _identities(graph: Graph, outputs: Mapping[str, Value]) -> dict[str, Value]:
    """Give every output a node of its own where it is an input, a constant, or another output too."""
    seen = {value.name for value in graph.inputs.values()}
    found = {}
    for name, value in outputs.items():
        own = value.array is None and value.name not in seen
        found[name] = value if own else graph.identity(value, name)
        seen.add(found[name].name)
    return found


def _needed(graph: Graph, outputs: Iterable[Value]) -> list[Node]:
    """Return inputs, and the nodes that outputs need."""
    by_name = {node.name: node for node in graph.nodes}
    waiting = [value.name for value in (*outputs, *graph.inputs.values())]
    reached = set()
    while waiting:
        name = waiting.pop().partition(":")[0]
        if name not in reached:
            reached.add(name)
            waiting += by_name[name].inputs
    return [node for node in graph.nodes if node.name in reached]


def _called(graph: Graph, nodes: Iterable[Node]) -> list[Function]:
    """Return the functions that nodes call, and those that these call."""
    by_name = {function.name: function for function in graph.functions}
    waiting = list(nodes)
    found: dict[str, Function] = {}
    while waiting:
        for attribute in waiting.pop().attributes.values():
            name = attribute["func"]["name"] if isinstance(attribute, Mapping) and "func" in attribute else ""
            if name in by_name and name not in found:
                found[name] = by_name[name]
                waiting += by_name[name].frame.nodes
    return list(found.values())


def _node(node: Node, graph: Graph) -> dict[str, Any]:
    found: dict[str, Any] = {"name": node.name, "op": node.op}
    attributes = {name: encode(attribute) for name, attribute in node.attributes.items()}
    if node.op == "Const":
        array = graph.weights[node.name]
        shape = {"dim": [{"size": str(n)} for n in array.shape]}
        attributes["value"] = {"tensor": {"dtype": attributes["dtype"]["type"], "tensorShape": shape}}
    if node.inputs:
        found["input"] = list(node.inputs)
    found["attr"] = attributes
    return found


def _function(function: Function, graph: Graph) -> dict[str, Any]:
    """Return a function of the library as a FunctionDef."""

    def argument(value: Value, name: str) -> dict[str, str]:
        return {"name": name, "type": enums[value.dtype]}

    results = {f"result_{index}": value for index, value in enumerate(function.outputs)}
    return {
        "signature": {
            "name": function.name,
            "inputArg": [argument(value, value.name) for value in function.inputs],
            "outputArg": [argument(value, name) for name, value in results.items()],
        },
        "nodeDef": [_node(node, graph) for node in function.frame.nodes],
        "ret": {name: value.name for name, value in results.items()},
    }


def _tensor_info(value: Value) -> dict[str, Any]:
    name = value.name if ":" in value.name else f"{value.name}:0"
    dim = [{"size": str(-1 if n is None else n)} for n in value.stored_shape]
    return {"name": name, "dtype": enums[value.dtype], "tensorShape": {"dim": dim}}


def _write_weights(weights: Mapping[str, Array], graph: Graph, path: Path) -> list[dict[str, Any]]:
    specs = []
    with path.open("wb") as file:
        for name, array in weights.items():
            dtype = "string" if array.dtype.kind in "OU" else array.dtype.name
            spec: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": dtype}
            quantization = graph.quantizations.get(name, half if array.dtype == np.float16 else None)
            if quantization is not None:
                spec |= {"dtype": quantization.get("original_dtype", "float32"), "quantization": quantization}
            steps = graph.steps.get(name)
            if steps is not None and (inner := channels_of(steps, array.shape)) is not None:
                spec["grid"] = {"steps": steps.ravel().tolist(), "inner": inner}  # see ``model.Grid``
            specs.append(spec)
            file.write(_strings(array) if dtype == "string" else np.ascontiguousarray(array).tobytes())
    return specs


def _strings(array: Array) -> bytes:
    """Return strings as TensorFlow.js stores them: each with its length before it, as four bytes."""
    encoded = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
    return b"".join(len(item).to_bytes(4, "little") + item for item in encoded)
