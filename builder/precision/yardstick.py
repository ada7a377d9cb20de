"""What the distance of a model's answers is taken from.

What a graph picks out jumps when a weight moves a little, or does not move at all: two boxes of like score change
places in a detector's list, and all numbers of their rows differ; the largest class stays the same, or is another. So
what goes into the picking counts instead.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import VerificationError
from ..verify.types import BoxRules, Gate
from .detections import distance_of_boxes
from .distance import Arrays, distance
from .frames import Node, frames_of, node_of

# Ops that pick boxes out of boxes [n, 4] by scores [n], their first two inputs.
suppressing = {"NonMaxSuppression", *(f"NonMaxSuppressionV{version}" for version in (2, 3, 4, 5))}
largest = {"ArgMax", "ArgMin"}
usual_score = 0.3  # of a box that counts, where no gate says it
renaming = {"Identity", "Reshape", "Squeeze", "ExpandDims", "Cast"}


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the distance of a model's answers is taken from.

    Attributes:
        numbers: names of the outputs and tensors that are compared as numbers.
        detections: how others are read as boxes.
        tensors: names of those that are no outputs.
    """

    numbers: tuple[str, ...]
    detections: tuple[BoxRules, ...] = ()
    tensors: tuple[str, ...] = ()

    def distance(self, got: Sequence[Arrays], expected: Sequence[Arrays]) -> float:
        """Return the mean of the distances of the boxes and of all other outputs; infinite if they are not finite."""
        boxes = [distance_of_boxes(got, expected, rules) for rules in self.detections]
        found = [math.fsum(boxes) / len(boxes)] if boxes else []
        floats = [name for name in self.numbers if expected[0][name].dtype.kind == "f"]
        names = [name for name in floats if any(case[name].size for case in expected)]
        found += [distance(*([{name: case[name]} for case in side] for side in (got, expected))) for name in names]
        return math.fsum(found) / max(1, len(found))


def yardstick_of(nodes: Sequence[Node], outputs: Mapping[str, str], gate: Gate) -> Yardstick:
    """Say what to take distances from.

    Args:
        nodes: the model's, as ``plain_nodes`` gives them.
        outputs: the tensor of each output, by name.
        gate: what answers are held to.

    Raises:
        VerificationError: it names an output that is not there.
    """
    missing = [name for name in _read_by(gate.boxes) if name not in outputs] if gate.boxes else []
    if missing and gate.metric == "boxes" and len(outputs) > 1:
        raise VerificationError(
            f"there is no output {missing[0]!r} to read boxes from",
            code="SP-545",
            where="verify.boxes",
            hint=f"Use one of {', '.join(map(repr, outputs))}",
        )
    by_name = {node["name"]: node for node in nodes}
    frames = frames_of(nodes)
    suppressed = {name for name, tensor in outputs.items() if _suppressed([tensor], by_name)}
    detections: tuple[BoxRules, ...] = ()
    read: list[str] = []
    before: list[str] = []
    if gate.metric == "boxes" and gate.boxes and suppressed.isdisjoint(_read_by(gate.boxes)):
        detections = (gate.boxes,)
        # The only output is read whatever the rules call it, see ``read_rows``.
        read = [tensor for name, tensor in outputs.items() if len(outputs) == 1 or name in _read_by(gate.boxes)]
    elif suppressed:
        detections = tuple(_entering(nodes, by_name, frames, gate.boxes.min_score if gate.boxes else usual_score))
        read = before = [name for rules in detections for name in _read_by(rules)]
    behind = _behind(read, by_name)
    numbers = []
    for name, tensor in outputs.items():
        origin = _origin(tensor, by_name)
        if origin in behind or (detections and name in suppressed):
            continue
        node = by_name.get(origin, {"op": ""})
        numbers.append(_tensor(node["input"][0]) if node["op"] in largest and origin not in frames else name)
    beside = tuple(name for name in dict.fromkeys([*before, *numbers]) if name not in outputs)
    return Yardstick(tuple(dict.fromkeys(numbers)), detections, beside)


def _read_by(rules: BoxRules) -> list[str]:
    return [name for name in (rules.boxes, rules.scores) if name]


def _entering(
    nodes: Sequence[Node], by_name: Mapping[str, Node], frames: Container[str], min_score: float
) -> Iterator[BoxRules]:
    """Return how to read boxes before any are suppressed, where no loop hides them."""
    for node in nodes:
        if node["op"] in suppressing and node["name"] not in frames and not _suppressed(node["input"], by_name):
            boxes, scores = map(_tensor, node["input"][:2])
            yield BoxRules(boxes, scores, format="yxyx", min_score=min_score)


def _tensor(reference: str) -> str:
    return reference if ":" in reference else f"{reference}:0"


def _behind(tensors: Iterable[str], by_name: Mapping[str, Node]) -> set[str]:
    """Return the nodes that tensors come from."""
    found: set[str] = set()
    left = [node_of(text) for text in tensors]
    while left:
        name = left.pop()
        if name not in found and name in by_name:
            found.add(name)
            left += [node_of(text) for text in by_name[name].get("input", []) if not text.startswith("^")]
    return found


def _suppressed(tensors: Iterable[str], by_name: Mapping[str, Node]) -> bool:
    return any(by_name[name]["op"] in suppressing for name in _behind(tensors, by_name))


def _origin(tensor: str, by_name: Mapping[str, Node]) -> str:
    """Return the node that has made a tensor's numbers."""
    name = node_of(tensor)
    while name in by_name and by_name[name]["op"] in renaming:
        name = node_of(by_name[name]["input"][0])
    return name
