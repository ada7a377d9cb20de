"""Finds the ops that TensorFlow.js lacks, and decides what becomes of each: cut, rewritten or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UnsupportedOpsError
from .ops import (
    advice_for,
    calls,
    decoding,
    encoding,
    identities,
    input_edges,
    is_edge,
    matches,
    output_edges,
    picture_edges,
    random_ops,
    supported_ops,
    watchers,
)
from .outline import (
    Outline,
    ancestors,
    called_ops,
    data_sources,
    descendants,
    is_heavy,
    shortest_path,
    source_of,
)
from .rewrites import rewritten_ops
from .text import text_head

# Tensors between these nodes are no data a page could feed: loop states, lists.
inner_ops = ("Switch", "Merge", "Enter", "Exit", "RefSwitch", "LoopCond", "NextIteration", "TensorList*",
             "EmptyTensorList", "TensorArray*", "While", "StatelessWhile", "If", "StatelessIf")  # fmt: skip
shown_path = 9
longest_way = 160  # two lines of a terminal
most_outputs = 3  # more than two tensors between two parts is no place to cut


@dataclass(frozen=True, slots=True)
class Finding:
    """An op that TensorFlow.js lacks, and what becomes of it.

    Attributes:
        op: its name.
        nodes: the nodes that have it.
        outcome: ``cut``, ``rewritten``, ``folded`` (it does not depend on the input) or ``refused``.
        path: nodes from an input to the first of ``nodes``, and on to an output.
        advice: what can be done about it; empty unless refused.
    """

    op: str
    nodes: tuple[str, ...]
    outcome: str
    path: tuple[str, ...]
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a graph is cut: what lies before the model and what behind it. Empty sets leave it whole."""

    head: frozenset[str] = frozenset()
    tail: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What became of a graph's ops.

    Attributes:
        findings: one for each op and outcome, refused ones first.
        cut: where the graph is cut.
    """

    findings: tuple[Finding, ...]
    cut: Cut

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Return what keeps the model from being built."""
        return tuple(finding for finding in self.findings if finding.outcome == "refused")


def analyse(outline: Outline, present: Iterable[str] = (), fixed: Cut | None = None) -> Analysis:
    """Decide what becomes of every op that the outputs need.

    Args:
        outline: the graph.
        present: ops that cause no trouble although they are not on the list.
        fixed: the cut the user has asked for, instead of one found here.
    """
    known = supported_ops() | set(present) | watchers
    needed = ancestors(outline, map(source_of, outline.outputs.values()))
    lacking = {
        name: op
        for name in outline.nodes
        if name in needed and (op := _lacking(outline, name, known)) and not _is_rewritten(op) and op not in identities
    }
    moving = descendants(outline, map(source_of, outline.inputs.values()))
    cut = fixed if fixed is not None else _find_cut(outline, lacking, moving & needed)
    grouped: dict[tuple[str, str], list[str]] = {}
    for name in outline.nodes:
        if name not in needed:
            continue
        if name in lacking:
            grouped.setdefault((lacking[name], _outcome(name, lacking[name], cut, moving)), []).append(name)
        elif (rewritten := _lacking(outline, name, known)) and name not in cut.head | cut.tail:
            grouped.setdefault((rewritten, "rewritten"), []).append(name)
    findings = [
        Finding(op, tuple(names), outcome, _path(outline, names[0]), advice_for(op) if outcome == "refused" else "")
        for (op, outcome), names in grouped.items()
    ]
    order = ("refused", "cut", "rewritten", "folded")
    findings.sort(key=lambda finding: (order.index(finding.outcome), finding.op))
    return Analysis(tuple(findings), cut)


def _lacking(outline: Outline, name: str, known: set[str] | frozenset[str]) -> str:
    """Return the op that a node needs and TensorFlow.js lacks, or ``""``."""
    node = outline.nodes[name]
    if node.op in outline.functions or node.op in calls:
        inner: Iterable[str] = ()
    else:
        inner = (node.op,)
    for op in (*inner, *(op for op, _ in called_ops(node, outline.functions))):
        if op not in known and op not in outline.functions and op not in calls:
            return op
    return node.op if node.op in calls else ""


def _is_rewritten(op: str) -> bool:
    """Return whether an op is rewritten wherever it is: beside a decoder or an encoder the page does better."""
    return op in rewritten_ops and not matches(op, picture_edges)


def _outcome(name: str, op: str, cut: Cut, moving: set[str]) -> str:
    if name in cut.head or name in cut.tail:
        return "cut"
    if op in rewritten_ops:
        return "rewritten"
    if name not in moving and not matches(op, random_ops):
        return "folded"
    return "refused"


def _path(outline: Outline, name: str) -> tuple[str, ...]:
    outputs = set(map(source_of, outline.outputs.values()))
    before = shortest_path(outline, dict.fromkeys(map(source_of, outline.inputs.values())), {name})
    behind = shortest_path(outline, [name], outputs)
    path = [*(before or [name]), *behind[1:]]
    if len(path) <= shown_path:
        return tuple(path)
    at = path.index(name)
    keep = sorted({0, 1, *(i for i in (at - 2, at - 1, at, at + 1, at + 2) if 0 <= i < len(path)), len(path) - 1})
    shown: list[str] = []
    for position, number in enumerate(keep):
        if position and number != keep[position - 1] + 1:
            shown.append("…")
        shown.append(path[number])
    return tuple(shown)


def _find_cut(outline: Outline, lacking: dict[str, str], moving: set[str]) -> Cut:
    """Find the smallest head and tail that hold all that can be cut off."""
    pictures = {name for name, op in lacking.items() if op in decoding or op in encoding}
    head = text_head(outline, lacking, moving)
    tail: set[str] = set()
    for name, op in lacking.items():
        if name not in moving or name in head:
            continue
        before = ancestors(outline, [name]) & moving
        behind = descendants(outline, [name]) & moving
        beside = matches(op, picture_edges)
        if not is_edge(op) and not beside:
            continue
        to_head = _leads(outline, op, before, behind)
        side, there = (before, head) if to_head else (behind, tail)
        if beside and not any(other in side and other != name for other in pictures):
            continue
        if not any(is_heavy(outline, other) for other in side):
            there |= side
    _close(outline, head, moving)
    _close_back(outline, tail, moving)
    if head & tail or not _is_left(outline, head, tail, moving):
        return Cut()
    return Cut(frozenset(head), frozenset(tail))


def _leads(outline: Outline, op: str, before: set[str], behind: set[str]) -> bool:
    """Return whether an op belongs to the head rather than to the tail."""
    if matches(op, input_edges) and not matches(op, output_edges):
        return True
    if matches(op, output_edges) and not matches(op, input_edges):
        return False

    def cost(names: set[str]) -> tuple[int, int]:
        return sum(is_heavy(outline, name) for name in names), len(names)

    return cost(before) <= cost(behind)


def _close(outline: Outline, head: set[str], moving: set[str]) -> None:
    """Take what consumes loop states and lists of the head into it, until only plain tensors leave it."""
    while True:
        more = {
            user
            for name in head
            if matches(outline.nodes[name].op, inner_ops) and not _gives_data(outline.nodes[name].op)
            for user in outline.consumers.get(name, ())
            if user in moving and user not in head
        }
        if not more:
            return
        head |= ancestors(outline, more) & moving


def _close_back(outline: Outline, tail: set[str], moving: set[str]) -> None:
    """Take what feeds loop states and lists of the tail into it."""
    while True:
        more = {
            source
            for name in tail
            for source in data_sources(outline.nodes[name])
            if source in moving
            and source not in tail
            and matches(outline.nodes[source].op, inner_ops)
            and not _gives_data(outline.nodes[source].op)
        }
        more |= {
            source
            for name in tail
            if outline.nodes[name].op in {"Switch", "Merge", "LoopCond", "NextIteration", "TensorListSetItem"}
            for source in data_sources(outline.nodes[name])
            if source in moving and source not in tail and outline.nodes[source].op in {"Enter", "LoopCond", "Switch"}
        }
        if not more:
            return
        tail |= descendants(outline, more) & moving


def _gives_data(op: str) -> bool:
    return op in {"TensorListStack", "TensorListGetItem", "TensorListGather", "TensorListLength"} or op.startswith(
        ("TensorArrayGather", "TensorArrayRead", "TensorArraySize", "TensorArrayConcat", "TensorListConcat")
    )


def _is_left(outline: Outline, head: set[str], tail: set[str], moving: set[str]) -> bool:
    """Return whether anything but ends is between head and tail."""
    idle = {"Identity", "IdentityN", "Placeholder", "NoOp"}
    return any(outline.nodes[name].op not in idle for name in moving if name not in head and name not in tail)


def refusal(outline: Outline, analysis: Analysis, where: str) -> UnsupportedOpsError:
    """Put what is refused into one error, with the tensors at which the graph could be cut."""
    parts = []
    for finding in analysis.refused:
        more = f" and {len(finding.nodes) - 1} more" if len(finding.nodes) > 1 else ""
        at, way = _short(finding.nodes[0]), _way(finding)
        parts.append(f"{finding.op} at {at!r}{more} (on the way {way}): {finding.advice}")
    inputs, outputs = (tuple(map(_short, side)) for side in candidates(outline, analysis))
    before = (
        f", or, for what is before, cut = {{ outputs = {_toml(outputs)} }}" if 0 < len(outputs) < most_outputs else ""
    )
    return UnsupportedOpsError(
        f"TensorFlow.js lacks ops of this model: {'; '.join(parts)}",
        code="SP-370",
        where=where,
        hint=f"To keep only what is behind, set cut = {{ inputs = {_toml(inputs)} }}"
        f"{before}, and do the rest in the page",
    )


def _short(name: str) -> str:
    """Leave out the calls around a node: ``cut`` finds it without them."""
    return re.sub(r"^(?:(?:Stateful)?PartitionedCall/)+", "", name)


def _way(finding: Finding) -> str:
    """Return the way through a node in two lines at most: the nodes beside it go first, then those further off."""
    path = [_short(name) for name in finding.path if not name.startswith("Func/")]
    way = " → ".join(path)
    if len(way) > longest_way:
        way = " → … → ".join(dict.fromkeys((path[0], _short(finding.nodes[0]).rpartition("/")[2], path[-1])))
    return way


def candidates(outline: Outline, analysis: Analysis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tensors that could be a model's inputs, and those that could be its outputs, beside refused nodes."""
    refused = {name for finding in analysis.refused for name in finding.nodes}
    below = descendants(outline, refused)
    above = ancestors(outline, refused)
    moving = descendants(outline, map(source_of, outline.inputs.values()))
    last = [name for name in refused if not (descendants(outline, [name]) & refused) - {name}]
    first = [name for name in refused if not (ancestors(outline, [name]) & refused) - {name}]
    inputs = [name for name in outline.nodes if name in last and name in below]
    sources = {
        _before_calls(outline, source)
        for name in first
        for source in data_sources(outline.nodes[name])
        if source in moving
    }
    ends = set(map(source_of, outline.inputs.values()))
    outputs = [name for name in outline.nodes if name in sources - ends and name in above]
    return tuple(inputs[:8]), tuple(outputs[:8])


def _before_calls(outline: Outline, name: str) -> str:
    """Follow what inlining has put at a function's inputs back to a tensor with a name of the model's."""
    while name.startswith("Func/") and (sources := list(data_sources(outline.nodes[name]))):
        name = sources[0]
    return name


def _toml(names: tuple[str, ...]) -> str:
    return json.dumps(list(names), ensure_ascii=False)
