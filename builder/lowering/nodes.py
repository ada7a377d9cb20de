"""The parts of a TensorFlow.js graph under construction: nodes, and the graphs and functions that they are in."""

from __future__ import annotations

from dataclasses import dataclass, field

from .attributes import Attribute
from .constants import CodesKey
from .layout import Order
from .values import Value


@dataclass(slots=True)
class Node:
    """A node under construction; ``inputs`` are outputs of others, as ``relu`` or ``split:1``."""

    name: str
    op: str
    inputs: list[str]
    attributes: dict[str, Attribute]


@dataclass(slots=True)
class Frame:
    """The nodes of one graph: the model's own, or the body of a function.

    Attributes:
        prefix: which names of its nodes begin with, as ``body/``; "" for the model's own.
        nodes: in an order in which they can run.
        captured: names inside, by the outputs outside that they stand for.
        names: of its nodes and arguments.
        results: outputs that a function gives.
        constants, coded, ordered: nodes that hold a constant, the codes of one, or a value in another order.
    """

    prefix: str = ""
    nodes: list[Node] = field(default_factory=list)
    captured: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    constants: dict[tuple[int, Order], str] = field(default_factory=dict)
    coded: dict[CodesKey, str] = field(default_factory=dict)
    ordered: dict[tuple[str, Order], Value] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Add a node at the end."""
        self.names.add(node.name)
        self.nodes.append(node)


@dataclass(slots=True)
class Function:
    """A function of the graph's library, which ``If`` and ``While`` call; see ``functions``."""

    name: str
    inputs: list[Value]
    outputs: list[Value]
    frame: Frame
