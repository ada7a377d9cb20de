"""Resizes axes whose lengths or scales are known only when the model runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...lowering.attributes import Type
from ...lowering.graph import Graph
from ...lowering.pieces import gather, ints, scalar
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context
from .interpolation import half_way
from .sampling import cubic_shares


@dataclass(frozen=True, slots=True)
class OpenAxis:
    """How one axis is resized.

    Attributes:
        length: elements before, int32 [1].
        target: elements after, int32 [1]; None: as the scale says.
        scale: float32 [1]; None: the quotient of the lengths.
        roi: start and end of the part that is cropped, float32 [1] each.
        known: the length after, where inference knows it.
    """

    length: Value
    target: Value | None
    scale: Value | None
    roi: tuple[Value, Value] | None = None
    known: int | None = None

    @property
    def whole_scale(self) -> int:
        """The scale, where that is a known whole number; else 0."""
        if self.scale is None or self.scale.array is None:
            return 0
        number = float(self.scale.array[0])
        return int(number) if number == int(number) else 0

    @property
    def is_simple(self) -> bool:
        """Its scale is the quotient of its lengths, or a known number."""
        return self.roi is None and (self.scale is None or self.scale.array is not None)

    def wanted(self, graph: Graph) -> Value:
        """Return the length after, int32 [1]: a length times a scale is rounded down."""
        if self.target is not None:
            return self.target
        if self.whole_scale:
            return graph.elementwise("Mul", [self.length, ints(graph, [self.whole_scale])])
        assert self.scale is not None  # noqa: S101
        product = graph.elementwise("Mul", [graph.cast(self.length, "float32"), self.scale])
        return graph.cast(graph.elementwise("Floor", [product]), "int32")


def resize_computed(
    c: Context, x: Value, axis: int, opened: OpenAxis, mode: str, coordinates: str, rounding: str
) -> Value:
    """Resize one axis.

    Args:
        c: the node.
        x: any.
        axis: logical.
        opened: how.
        mode: ``nearest``, ``linear`` or ``cubic``.
        coordinates: ``coordinate_transformation_mode``.
        rounding: ``nearest_mode``.
    """
    if c.attribute("antialias", 0):
        c.refuse("antialias of an open length or with computed scales", "Export the model with a fixed size")
    graph, reckon = c.graph, Reckoning(c.graph)
    length, target = graph.cast(opened.length, "float32"), opened.wanted(graph)
    last = reckon("Sub", length, 1.0)
    at = _places(graph, opened, target, length, coordinates)
    if mode == "nearest":
        shifted = {"round_prefer_floor": -half_way, "round_prefer_ceil": half_way}.get(rounding, 0.0)
        at_whole = reckon("AddV2", at, shifted) if shifted else at
        whole = reckon("Ceil" if rounding in ("round_prefer_floor", "ceil") else "Floor", at_whole)
        found = _taken(graph, x, axis, whole, last)
    else:
        found = _weighed(c, x, axis, at, last, mode)
    if opened.roi is None:
        return found
    outside = graph.elementwise(
        "LogicalOr",
        [
            graph.elementwise("Less", [at, graph.constant(np.float32(0))], "bool"),
            graph.elementwise("Greater", [at, last], "bool"),
        ],
        "bool",
    )
    column = graph.reshape(outside, (opened.known, *[1] * (x.rank - 1 - axis)))
    other = c.scalar(float(c.attribute("extrapolation_value", 0.0)), x)
    return graph.elementwise("SelectV2", [column, other, found], x.type)


def _places(graph: Graph, opened: OpenAxis, target: Value, length: Value, coordinates: str) -> Value:
    """Return where each element comes from, between those before, float32 [after]."""
    reckon = Reckoning(graph)
    count = graph.squeeze(target, [0])
    numbers = graph.op(
        "Range", [scalar(graph, 0), count, scalar(graph, 1)], shape=(opened.known,), type_name="int32",
        Tidx=Type("int32"),
    )  # fmt: skip
    at, after = graph.cast(numbers, "float32"), graph.cast(target, "float32")
    last = reckon("Sub", length, 1.0)
    steps = reckon("Maximum", reckon("Sub", after, 1.0), 1.0)
    if coordinates == "align_corners":
        return reckon("RealDiv", reckon("Mul", at, last), steps)
    if coordinates == "tf_crop_and_resize":
        assert opened.roi is not None  # noqa: S101
        start, end = opened.roi
        span = reckon("Mul", reckon("Sub", end, start), last)
        if opened.known == 1:
            return reckon("Mul", reckon("Mul", reckon("AddV2", start, end), last), 0.5)
        return reckon("AddV2", reckon("Mul", start, last), reckon("RealDiv", reckon("Mul", at, span), steps))
    scale = opened.scale if opened.scale is not None else reckon("RealDiv", after, length)
    if coordinates == "asymmetric":
        return reckon("RealDiv", at, scale)
    centred = reckon("Sub", reckon("RealDiv", reckon("AddV2", at, 0.5), scale), 0.5)
    if coordinates == "pytorch_half_pixel":
        many = graph.elementwise("Greater", [target, ints(graph, [1])], "bool")
        return reckon("Mul", centred, graph.cast(many, "float32"))
    if coordinates == "half_pixel_symmetric":
        adjustment = reckon("RealDiv", after, reckon("Mul", scale, length))
        return reckon("AddV2", reckon("Mul", reckon("Mul", length, 0.5), reckon("Sub", 1.0, adjustment)), centred)
    return centred


def _taken(graph: Graph, x: Value, axis: int, places: Value, last: Value) -> Value:
    """Return the elements at places, which are brought into the tensor."""
    reckon = Reckoning(graph)
    inside = reckon("Minimum", reckon("Maximum", places, 0.0), last)
    return gather(graph, x, axis, graph.cast(inside, "int32"))


def _weighed(c: Context, x: Value, axis: int, at: Value, last: Value, mode: str) -> Value:
    """Weigh the neighbours of places: two, or four of which the weights are cubic."""
    graph, reckon = c.graph, Reckoning(c.graph)
    below = reckon("Floor", at)
    share = reckon("Sub", at, below)
    shares = cubic_shares(reckon, share, float(c.attribute("cubic_coeff_a", -0.75))) if mode == "cubic" else {
        0: reckon("Sub", 1.0, share), 1: share}  # fmt: skip
    places = {step: reckon("AddV2", below, float(step)) for step in shares}
    if c.attribute("exclude_outside", 0):
        for step, place in places.items():
            above = graph.elementwise("GreaterEqual", [place, graph.constant(np.float32(0))], "bool")
            under = graph.elementwise("LessEqual", [place, last], "bool")
            inside = graph.cast(graph.elementwise("LogicalAnd", [above, under], "bool"), "float32")
            shares[step] = reckon("Mul", shares[step], inside)
        whole = None
        for part in shares.values():
            whole = part if whole is None else reckon("AddV2", whole, part)
        shares = {step: reckon("RealDiv", part, whole or 1.0) for step, part in shares.items()}
    found: Value | None = None
    for step, part in shares.items():
        weight = graph.reshape(part, (part.shape[0], *[1] * (x.rank - 1 - axis)))
        product = reckon("Mul", _taken(graph, x, axis, places[step], last), weight)
        found = product if found is None else reckon("AddV2", found, product)
    assert found is not None  # noqa: S101
    return found
