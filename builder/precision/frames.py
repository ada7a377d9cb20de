"""Brings what loops use from outside into their frames.

In TensorFlow a loop is a frame: a value comes in through ``Enter`` and leaves through ``Exit``, and a node takes inputs
of one frame only. Constants inside a loop have a control input that keeps them there, which the converter drops mostly;
TensorFlow.js does not mind, TensorFlow refuses the graph. Where it is left, a constant could not be fed: what is fed
comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Node = dict[str, Any]
Frame = tuple[str, ...]


def enter_frames(nodes: list[Node]) -> list[Node]:
    """Return the nodes with an ``Enter`` where a node of a loop uses something from outside, as all constants are."""
    nodes = _free_constants(nodes)
    if not any(node["op"] == "Enter" for node in nodes):
        return nodes
    by_name = {node["name"]: node for node in nodes}
    given = frames_of(nodes)
    entered: dict[tuple[str, str], Node] = {}

    def brought(reference: str, inside: Frame) -> str:
        attributes = by_name.get(node_of(reference), {}).get("attr", {})
        kind = attributes.get("dtype") or attributes.get("T") or {"type": "DT_FLOAT"}
        for frame in inside[len(given.get(node_of(reference), ())) :]:
            name = f"{node_of(reference)}/entered/{len(entered)}"
            attr = {"T": kind, "frame_name": {"s": frame}, "is_constant": {"b": True}}
            node = {"name": name, "op": "Enter", "input": [reference], "attr": attr}
            reference = entered.setdefault((reference, frame), node)["name"]
        return reference

    found = []
    for node in nodes:
        inside = _inputs_frame(node, given)
        references = node.get("input", [])
        if inside:
            references = [text if text.startswith("^") else brought(text, inside) for text in references]
        found.append({**node, "input": references} if references else node)
    return [*found, *entered.values()]


def _free_constants(nodes: list[Node]) -> list[Node]:
    """Return the nodes with the control inputs of constants at nodes that stand between them and their users."""
    held = {node["name"]: f"{node['name']}/held" for node in nodes if node["op"] == "Const" and node.get("input")}
    if not held:
        return nodes
    moved = {**held, **{f"^{name}": f"^{other}" for name, other in held.items()}}
    found = []
    for node in nodes:
        name, references = node["name"], [moved.get(text.split(":")[0], text) for text in node.get("input", [])]
        if name not in held:
            found.append({**node, "input": references} if references else node)
            continue
        attr = {"T": node["attr"]["dtype"]}
        found.append({key: value for key, value in node.items() if key != "input"})
        found.append({"name": held[name], "op": "Identity", "input": [name, *node["input"]], "attr": attr})
    return found


def frames_of(nodes: Sequence[Node]) -> dict[str, Frame]:
    """Return for each node the frame of its outputs: loops around it, the outermost first."""
    given: dict[str, Frame] = {}
    for _ in nodes:  # each time round sees at least one node further; in a converter's order two are enough
        before = dict(given)
        for node in nodes:
            frame = _inputs_frame(node, given)
            if node["op"] == "Enter":
                frame = (*frame, str(node["attr"]["frame_name"]["s"]))
            elif node["op"] == "Exit":
                frame = frame[:-1]
            if frame:
                given[node["name"]] = frame
        if given == before:
            break
    return given


def _inputs_frame(node: Node, given: dict[str, Frame]) -> Frame:
    """Return the frame that a node is in: the innermost of what it uses."""
    return max((given.get(node_of(reference), ()) for reference in node.get("input", [])), key=len, default=())


def node_of(reference: str) -> str:
    """Return the node of a tensor or of a control input."""
    return reference.lstrip("^").split(":")[0]
