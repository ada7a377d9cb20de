"""Gives converted graphs names and an order that do not depend on the process that made them.

A long-lived TensorFlow process numbers library functions onwards, and protobuf maps come out in any order; without
this the same model would give other bytes in every build.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..model import GraphFunction, GraphNode, GraphTopology, Model


def canonicalise(model: Model) -> Model:
    """Rename library functions to ``function_0``, ``function_1``, … in order of first reference; sort all keys."""
    topology = model.artifacts["modelTopology"]
    renamed = {old: f"function_{number}" for number, old in enumerate(_referenced(topology))}
    artifacts = _rewrite(model.artifacts, renamed)
    library = artifacts["modelTopology"].get("library", {})
    if "function" in library:
        functions = [_rename_function(function, renamed) for function in library["function"]]
        library["function"] = sorted(functions, key=lambda function: str(function["signature"]["name"]))
    weights = tuple(replace(weight, name=_rename(weight.name, renamed)) for weight in model.weights)
    return replace(
        model,
        artifacts=artifacts,
        weights=weights,
        inputs=tuple(sorted(model.inputs, key=lambda spec: spec.name)),
        outputs=tuple(sorted(model.outputs, key=lambda spec: spec.name)),
    )


def called_functions(node: GraphNode) -> Iterator[str]:
    """Return the names of the library functions that a node's attributes refer to, in order of the keys."""
    for _, value in sorted(node.get("attr", {}).items()):
        references = [value.get("func"), *value.get("list", {}).get("func", [])]
        yield from (reference["name"] for reference in references if reference and "name" in reference)


def _referenced(topology: GraphTopology) -> list[str]:
    functions = {
        function["signature"]["name"]: function for function in topology.get("library", {}).get("function", [])
    }
    found: dict[str, None] = {}
    queue = list(topology.get("node", []))
    while queue:
        node = queue.pop(0)
        for name in called_functions(node):
            if name in functions and name not in found:
                found[name] = None
                queue.extend(functions[name].get("nodeDef", []))
    unreached = sorted(set(functions) - set(found))
    return [*found, *unreached]


def _rewrite(value: Any, renamed: dict[str, str]) -> Any:
    """Sort keys and rename what refers to a function: ``{"func": {"name": …}}``, at any depth."""
    if isinstance(value, dict):
        return {
            key: {**_rewrite(value[key], renamed), "name": renamed.get(value[key]["name"], value[key]["name"])}
            if key == "func" and isinstance(value[key], dict) and "name" in value[key]
            else _rewrite(value[key], renamed)
            for key in sorted(value)
        }
    return [_rewrite(item, renamed) for item in value] if isinstance(value, list) else value


def _rename_function(function: GraphFunction, renamed: dict[str, str]) -> GraphFunction:
    """Rename a function, and the constants and arguments in it, whose names begin with its name."""
    signature = function["signature"]
    changed: GraphFunction = {**function, "signature": {**signature, "name": renamed[signature["name"]]}}
    if "inputArg" in signature:
        arguments = signature["inputArg"]
        changed["signature"]["inputArg"] = [{**item, "name": _rename(item["name"], renamed)} for item in arguments]
    if "nodeDef" in function:
        changed["nodeDef"] = [_rename_node(node, renamed) for node in function["nodeDef"]]
    if "ret" in function:
        changed["ret"] = {key: _rename(source, renamed) for key, source in function["ret"].items()}
    return changed


def _rename_node(node: GraphNode, renamed: dict[str, str]) -> GraphNode:
    changed: GraphNode = {**node, "name": _rename(node["name"], renamed)}
    if "input" in node:
        changed["input"] = [_rename(source, renamed) for source in node["input"]]
    return changed


def _rename(text: str, renamed: dict[str, str]) -> str:
    """Rename the function at the start of a node's path; control inputs begin with ``^``."""
    mark = "^" if text.startswith("^") else ""
    head, slash, rest = text[len(mark) :].partition("/")
    return f"{mark}{renamed[head]}{slash}{rest}" if slash and head in renamed else text
