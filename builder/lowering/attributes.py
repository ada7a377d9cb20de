"""Attributes of nodes, and how ``model.json`` has them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .layout import Shape
from .values import enums


@dataclass(frozen=True, slots=True)
class Type:
    """A type as an attribute of a node."""

    name: str


# The input whose type an op's ``T`` is, where that is not the first.
typed_by = {"Conv2DBackpropInput": 2, "Fill": 1, "OneHot": 2, "ScatterNd": 1, "Select": 1, "SelectV2": 1, "Split": 1}
Attribute = bool | int | float | str | Type | Sequence[int] | Sequence[str] | Mapping[str, Any]


def shape_attribute(shape: Shape) -> dict[str, Any]:
    """Return lengths as an attribute; -1 for an open one."""
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
