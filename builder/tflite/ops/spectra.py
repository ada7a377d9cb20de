"""Spectra, as products with matrices of cosines and sines that the page computes: none travel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...lowering.layout import product_of
from ...lowering.pieces import cut, joined
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, fix_size, lowers

longest = 4096
reshaping = frozenset(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"))
# What takes a spectrum; a cast to real numbers drops the imaginary part.
parts = {
    "magnitudes": {"COMPLEX_ABS"},
    "real": {"REAL", "CAST"},
    "imaginary": {"IMAG"},
}
plain_product: dict[str, Any] = {"transpose_a": False, "transpose_b": False}


@lowers("RFFT2D")
def spectrum(c: Context) -> Value:
    """Lower the transform of real rows to what is used of it, [..., 1, length / 2 + 1]: magnitudes, or one part."""
    rows, length = c.numbers(1, "fft_length")
    x = c.input(0)
    if rows != 1 or x.rank < 2 or x.shape[-2] != 1:
        c.refuse("a transform over more than one axis")
    lead = x.shape[:-1]
    if x.shape[-1] is None:
        c.refuse("an open length", fix_size)
    if not 1 < length <= longest:
        c.refuse(f"a transform of {length} elements")
    behind = c.scope.kinds_behind(c.name, reshaping)
    made = next((part for part, takers in parts.items() if behind and behind <= takers), "")
    if not made:
        c.refuse("a spectrum of which more than magnitudes, or than one part, is used")
    graph, used, count = c.graph, min(length, x.shape[-1]), length // 2 + 1
    flat = graph.reshape(cut(graph, x, {x.rank - 1: (0, used)}), (product_of(lead), used))
    reckon, angles = Reckoning(graph), _angles(c, used, count, length)

    def product(op: str) -> Value:
        return graph.op("MatMul", [flat, reckon(op, angles)], shape=(flat.shape[0], count), **plain_product)

    if made == "magnitudes":
        found = reckon("Sqrt", reckon("AddV2", reckon("Square", product("Cos")), reckon("Square", product("Sin"))))
    else:
        found = product("Cos") if made == "real" else reckon("Neg", product("Sin"))
    target = None
    if lead.count(None) > 1:
        target = joined(graph, [cut(graph, graph.shape_of(x), {0: (0, len(lead))}), c.whole([count])], 0)
    return graph.reshape(found, (*lead, count), target)


def _angles(c: Context, used: int, count: int, length: int) -> Value:
    """Return 2 pi n k / length for samples n and frequencies k, [used, count], within one turn."""
    graph = c.graph
    samples, waves = c.whole(np.arange(used).reshape(-1, 1).tolist()), c.whole(np.arange(count).reshape(1, -1).tolist())
    # As a node that runs, so that the product is made in the page.
    turns = graph.elementwise("FloorMod", [graph.elementwise("Mul", [samples, waves]), c.whole(length)])
    return Reckoning(graph)("Mul", graph.cast(turns, "float32"), 2 * math.pi / length)


@lowers("COMPLEX_ABS", "REAL", "IMAG")
def part_of_spectrum(c: Context) -> Value:
    """Lower what RFFT2D has made magnitudes, or one part, already."""
    source = c.sources[0]
    value = c.input(0)
    if source is None or source.type != "complex64" or value.dtype != "float32":
        c.refuse("complex numbers that are no spectrum")
    return value
