"""Finds the part of a graph that makes ids of text, so that it can be cut off where the ids come out."""

from __future__ import annotations

from collections.abc import Mapping

from .messages import NodeDef
from .ops import matches, text_edges
from .outline import Outline, ancestors, data_inputs, data_sources, descendants, is_heavy, source_of

string, whole = 7, frozenset((3, 9))  # DataType's numbers
finds = frozenset(("LookupTableFind", "LookupTableFindV2"))
hashes = ("StringToHashBucket*",)
# What belongs to the text part wherever it comes: no page has tensors of uneven rows.
text_ops = (*text_edges, "StaticRegexReplace", "RaggedTensor*", "RaggedGather", "RaggedRange")
sizes = frozenset(("Shape", "ShapeN", "Size", "Rank"))


def is_text_lookup(node: NodeDef) -> bool:
    """Return whether a node looks up words in a table."""
    return node.op in finds and node.attr["Tin"].type == string and node.attr["Tout"].type in whole


def text_head(outline: Outline, lacking: Mapping[str, str], moving: set[str]) -> set[str]:
    """Return the nodes that make ids of text; empty where there are none, or no clear end of them.

    The end is the first tensor through which all goes that the text decides, behind the last op of text. Words that a
    table turns into ids are cut off even if TensorFlow.js had all ops: of its backends only two compare strings, and a
    page has the table as a vocabulary.

    Args:
        outline: the graph.
        lacking: ops that TensorFlow.js lacks, by node.
        moving: the nodes between inputs and outputs.
    """
    head: set[str] = set()
    for text in outline.inputs.values():
        name = source_of(text)
        if name in moving and outline.nodes[name].attr["dtype"].type == string:
            head |= _head_of(outline, name, lacking, moving)
    return head


def _head_of(outline: Outline, start: str, lacking: Mapping[str, str], moving: set[str]) -> set[str]:
    below = descendants(outline, [start]) & moving
    early = below - descendants(outline, [name for name in below if is_heavy(outline, name)])
    part = {name for name in early if _is_text(outline.nodes[name])}
    lookups = any(is_text_lookup(outline.nodes[name]) for name in part)
    hashing = any(matches(outline.nodes[name].op, hashes) and name in lacking for name in part)
    if not lookups and not hashing:
        return set()
    end = _first_end(outline, below, part)
    head = ancestors(outline, [end]) & moving if end else set()
    clear = not any(name in lacking and name not in part for name in head) and head <= early | (moving - below)
    return head if clear else set()


def _is_text(node: NodeDef) -> bool:
    return is_text_lookup(node) or matches(node.op, text_ops)


def _first_end(outline: Outline, below: set[str], part: set[str]) -> str:
    """Go through ``below`` in order of execution, to where only one tensor leads on and nothing of ``part`` is left."""
    waiting = {name: sum(source in below for source in set(data_sources(outline.nodes[name]))) for name in below}
    ready = [name for name in outline.nodes if name in below and not waiting[name]]
    open_ends: dict[str, set[str]] = {}
    left = set(part)
    outputs = set(map(source_of, outline.outputs.values()))
    for name in ready:  # grows
        left.discard(name)
        for text in data_inputs(outline.nodes[name]):
            users = open_ends.get(full(text), set())
            users.discard(name)
            if not users:
                open_ends.pop(full(text), None)
        for user in outline.consumers.get(name, ()):
            if user in below:
                for text in data_inputs(outline.nodes[user]):
                    if source_of(text) == name:
                        open_ends.setdefault(full(text), set()).add(user)
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)
        if not left and len(open_ends) == 1 and name not in outputs and source_of(next(iter(open_ends))) == name:
            return name
    return ""


def full(text: str) -> str:
    """Return a tensor's name with the number of the output."""
    return text if ":" in text else f"{text}:0"
