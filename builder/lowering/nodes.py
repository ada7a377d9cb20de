"""The parts of a TensorFlow.js graph under construction: nodes, their attributes, and functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .layout import Order, Shape
from .values import Value, enums


@dataclass(frozen=True, slots=True)
class Type:
    """A type as an attribute of a node."""

    name: str


Attribute = bool | int | float | str | Type | Sequence[int] | Sequence[str] | Mapping[str, Any]


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
        constants, coded, ordered: nodes that hold a constant, its bare codes, or a value in another order.
    """

    prefix: str = ""
    nodes: list[Node] = field(default_factory=list)
    captured: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    constants: dict[tuple[int, Order], str] = field(default_factory=dict)
    coded: dict[tuple[int, Order, float, int], str] = field(default_factory=dict)
    ordered: dict[tuple[str, Order], Value] = field(default_factory=dict)


@dataclass(slots=True)
class Function:
    """A function of the graph's library, which ``If`` and ``While`` call; see ``functions``."""

    name: str
    inputs: list[Value]
    outputs: list[Value]
    frame: Frame


def shape_attribute(shape: Shape) -> dict[str, Any]:
    """Return a shape as an attribute."""
    return {"shape": {"dim": [{"size": str(-1 if n is None else n)} for n in shape]}}


def encode(attribute: Attribute) -> dict[str, Any]:
    """Return an attribute as ``model.json`` has it (protobuf's JSON form of TensorFlow's AttrValue)."""
    if isinstance(attribute, Mapping):
        return dict(attribute)
    if isinstance(attribute, Type):
        return {"type": enums[attribute.name]}
    if isinstance(attribute, bool):
        return {"b": attribute}
    if isinstance(attribute, int):
        return {"i": str(attribute)}
    if isinstance(attribute, float):
        return {"f": attribute}
    if isinstance(attribute, str):
        return {"s": _text(attribute)}
    items: list[Any] = list(attribute)
    if items and isinstance(items[0], str):
        return {"list": {"s": [_text(str(item)) for item in items]}}
    if items and isinstance(items[0], float):
        return {"list": {"f": items}}
    return {"list": {"i": [str(int(item)) for item in items]}}


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
