"""Weights that an export holds as narrow whole numbers and turns into floats by nodes of its own: Cast, Sub and Mul.

They are codes as those of DequantizeLinear are, and stay so, where that gives the same floats bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..lowering.codes import Codes, fits_codes
from ..lowering.constants import least_coded
from ..lowering.graph import Graph
from ..lowering.values import Array, Value
from .package import load_onnx

widest_zero = 1 << 15  # float32 holds what is left of 16 bits exactly


def coded(graph: Graph, node: Any, inputs: Sequence[Value | None]) -> Value | None:
    """Return what a node makes of constant codes, as codes; None if it makes something else of them.

    Args:
        graph: that gets the constant.
        node: the ``NodeProto``; all its inputs are constants.
        inputs: of the node.
    """
    first, second = (*inputs, None, None)[:2]
    if node.op_type == "Cast" and first is not None:
        return _cast(graph, node, first)
    if first is None or second is None or node.op_type not in {"Mul", "Sub"}:
        return None
    if node.op_type == "Mul" and first.codes is None:
        first, second = second, first
    codes, other = first.codes, second.array
    if codes is None or other is None or other.dtype != np.float32 or (codes.scale != 1).any():
        return None  # a second scale would be another rounding
    part = _beside(other, codes.array.shape)
    if part is None:
        return None
    if node.op_type == "Mul":
        return graph.coded(Codes.of(codes.array, part, codes.zero))
    is_zero = not codes.zero.any() and (part == np.rint(part)).all() and (np.abs(part) <= widest_zero).all()
    return graph.coded(Codes.of(codes.array, codes.scale, part)) if is_zero else None


def _cast(graph: Graph, node: Any, value: Value) -> Value | None:
    kind = next(item.i for item in node.attribute if item.name == "to")
    array = value.array
    if array is None or kind != load_onnx().TensorProto.FLOAT or array.size < least_coded or not fits_codes(array):
        return None
    return graph.coded(Codes.of(array, np.ones((1,) * array.ndim, np.float32)))


def _beside(other: Array, shape: tuple[int, ...]) -> Array | None:
    """Return an array with as many axes as the codes, if it is broadcast over them and smaller; else None."""
    if other.ndim > len(shape) or other.size * 2 > np.prod(shape):
        return None
    part = other.reshape((1,) * (len(shape) - other.ndim) + other.shape)
    fits = all(length in (1, whole) for length, whole in zip(part.shape, shape, strict=True))
    return part if fits else None
