"""Stores constants: values, or the codes that a source gives for them, which are a fraction as large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .codes import Codes, fits_codes, unsigned
from .nodes import Type
from .values import Array, Value, held

if TYPE_CHECKING:
    from .graph import Graph

least_coded = 65  # whole numbers of a narrow type from which on one byte or two each are worth a decoding


def store(graph: Graph, value: Value, hint: str) -> str:
    """Add the nodes of a constant to the graph that is being built, and return the last one's name.

    Args:
        graph: that is built.
        value: a constant.
        hint: its name in the source, or "".
    """
    assert value.array is not None  # noqa: S101
    if value.codes is not None:
        return _codes(graph, value, value.codes, hint)
    node = graph.add("Const", [], hint or "Const", {"dtype": Type(value.dtype)})
    if value.dtype == "int32" and value.size >= least_coded and fits_codes(value.array):
        _keep(graph, node, value.array.transpose(value.order), 1.0, 0, "int32")
    else:
        graph.weights[node] = np.array(held(value.array, hint).transpose(value.order), order="C")
    return node


def _keep(graph: Graph, node: str, array: Array, scale: float, zero: int, kind: str) -> None:
    whole, least = unsigned(array)
    graph.weights[node] = np.array(whole, order="C")
    shift = (least - zero) * scale
    named = {"dtype": whole.dtype.name, "scale": scale, "min": shift, "original_dtype": kind}
    graph.quantizations[node] = named


def _codes(graph: Graph, value: Value, codes: Codes, hint: str) -> str:
    """Store codes: with one scale TensorFlow.js decodes them, else factors of their own are multiplied in."""
    scale = float(codes.scale.item()) if codes.is_shared else 1.0
    zero = int(codes.zero.item()) if codes.zero.size == 1 else 0
    coded, key = graph.frames[-1].coded, (id(codes.array), value.order, scale, zero)
    if key not in coded:
        coded[key] = graph.add("Const", [], hint or "Const", {"dtype": Type(value.dtype)})
        _keep(graph, coded[key], codes.array.transpose(value.order), scale, zero, "float32")
        graph.kept.append(codes.array)
    found = Value(value.type, value.shape, value.order, coded[key])
    for op, factor in (("Sub", codes.zero), ("Mul", codes.scale)):
        if factor.size > 1 or (op == "Mul" and not codes.is_shared):
            constant = graph.constant(factor.astype(np.float32), name=f"{hint}_{op.lower()}" if hint else "")
            found = graph.elementwise(op, [found, constant], value.type)
    return found.name
