"""Brings what loops use from outside into their frames.

In TensorFlow a loop is a frame: a value comes in through ``Enter`` and leaves through ``Exit``, and a node takes inputs
of one frame only. Constants inside a loop have a control input that keeps them there, which the converter drops;
TensorFlow.js does not mind, TensorFlow refuses the graph.
"""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
Frame = tuple[str, ...]


def enter_frames(nodes: list[Node]) -> list[Node]:
    """Give the nodes with an ``Enter`` wherever a node of a loop uses something from outside."""
    if not any(node["op"] == "Enter" for node in nodes):
        return nodes
    by_name = {node["name"]: node for node in nodes}
    given = _frames(nodes)
    entered: dict[tuple[str, str], Node] = {}

    def brought(reference: str, inside: Frame) -> str:
        attributes = by_name.get(_name(reference), {}).get("attr", {})
        kind = attributes.get("dtype") or attributes.get("T") or {"type": "DT_FLOAT"}
        for frame in inside[len(given.get(_name(reference), ())) :]:
            name = f"{_name(reference)}/entered/{len(entered)}"
            attr = {"T": kind, "frame_name": {"s": frame}, "is_constant": {"b": True}}
            node = {"name": name, "op": "Enter", "input": [reference], "attr": attr}
            reference = entered.setdefault((reference, frame), node)["name"]
        return reference

    found = []
    for node in nodes:
        inside = _inputs_frame(node, given)
        references = node.get("input", [])
        if inside and node["op"] != "Enter":
            references = [text if text.startswith("^") else brought(text, inside) for text in references]
        found.append({**node, "input": references} if references else node)
    return [*found, *entered.values()]


def _frames(nodes: list[Node]) -> dict[str, Frame]:
    """Give for each node the frame of its outputs: loops around it, the outermost first."""
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
    """Give the frame that a node is in: the innermost of what it uses."""
    return max((given.get(_name(reference), ()) for reference in node.get("input", [])), key=len, default=())


def _name(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]
