"""Finds what outputs need, so that weights come with the first stage that uses them."""

from __future__ import annotations

from ..errors import ConfigError
from ..model import GraphNode, GraphTopology, Model
from .canonical import called_functions


def first_stages(model: Model, stages: tuple[tuple[str, tuple[str, ...]], ...], where: str) -> tuple[int, ...]:
    """Return for each weight the number of the first stage whose outputs need it; what none needs is in the last.

    Args:
        model: its outputs are named as in its signature.
        stages: name and outputs of each; outputs that none names come with the last.
        where: the key in build.toml, for messages.

    Raises:
        ConfigError: it is no graph model, or has no such output.
    """
    if model.kind != "graph-model":
        raise ConfigError(
            "only graph models have stages of their own", code="SP-215", where=where, hint="Remove `stages`"
        )
    known = {spec.name for spec in model.outputs}
    for name, outputs in stages:
        for output in outputs:
            if output not in known:
                hint = f"The outputs are {', '.join(map(repr, sorted(known)))}"
                raise ConfigError(
                    f"stage {name!r} names the unknown output {output!r}", code="SP-220", where=where, hint=hint
                )
    signature = model.artifacts.get("signature", {}).get("outputs", {})
    initializer = {node["name"] for node in model.artifacts.get("modelInitializer", {}).get("node", [])}
    firsts: dict[str, int] = dict.fromkeys(initializer, 0)
    for number, (_, outputs) in enumerate(stages):
        ends = [str(signature.get(output, {}).get("name", output)).split(":")[0] for output in outputs]
        for node in _needed(model.artifacts["modelTopology"], ends):
            firsts.setdefault(node, number)
    return tuple(firsts.get(weight.name, len(stages) - 1) for weight in model.weights)


def _needed(topology: GraphTopology, ends: list[str]) -> set[str]:
    """Return the names of all nodes that the ends need, those in the bodies of functions among them."""
    nodes = {node["name"]: node for node in topology.get("node", [])}
    functions = {
        function["signature"]["name"]: function for function in topology.get("library", {}).get("function", [])
    }
    found: set[str] = set()
    entered: set[str] = set()
    pending = list(ends)

    def enter(node: GraphNode) -> None:
        for name in called_functions(node):
            if name in functions and name not in entered:
                entered.add(name)
                for inner in functions[name].get("nodeDef", []):
                    found.add(inner["name"])
                    enter(inner)

    while pending:
        name = pending.pop()
        if name in found or name not in nodes:
            continue
        found.add(name)
        enter(nodes[name])
        pending.extend(reference.lstrip("^").split(":")[0] for reference in nodes[name].get("input", []))
    return found
