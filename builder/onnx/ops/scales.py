"""Scales of quantised weights, one for each output, that are multiplied in where that is less work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...lowering.codes import Codes
from ...lowering.layout import product_of
from ...lowering.values import Value
from ..registry import Context, Lowering


def scales_apart(function: Lowering) -> Lowering:
    """Let an operator multiply its weight's scales into its output where that has fewer elements than the weight."""

    def lower(c: Context) -> Value | Sequence[Value | None]:
        weight, axis = c.optional(1), _outputs_axis(c)
        codes = weight.codes if weight is not None else None
        if weight is None or codes is None or axis is None or not _is_less(c, weight, codes, axis):
            return function(c)
        found = function(replace(c, inputs=[c.input(0), _bare(c, codes)]))
        assert isinstance(found, Value)  # noqa: S101
        ends = (1,) * (found.rank - 2) if c.op == "Conv" else ()
        scale = c.graph.constant(codes.scale.reshape(-1, *ends), name=f"{c.name}_scale")
        found = c.graph.elementwise("Mul", [found, scale])
        bias = c.optional(2)
        if bias is None:
            return found
        bias = c.graph.unsqueeze(bias, list(range(1, 1 + len(ends)))) if ends else bias
        return c.graph.elementwise("AddV2", [found, bias])

    return lower


def scales_after(function: Lowering) -> Lowering:
    """Let Gather take codes and their scales apart, so that only what is taken is multiplied."""

    def lower(c: Context) -> Value | Sequence[Value | None]:
        table, places = c.input(0), c.input(1)
        codes = table.codes
        if codes is None or codes.is_shared or codes.zero.size != 1:
            return function(c)
        axis = c.attribute("axis", 0) % table.rank
        found = function(replace(c, inputs=[_bare(c, codes), places]))
        assert isinstance(found, Value)  # noqa: S101
        if codes.scale.shape[axis] > 1:
            scale = function(replace(c, inputs=[c.graph.constant(codes.scale, name=f"{c.name}_scale"), places]))
            assert isinstance(scale, Value)  # noqa: S101
        else:
            shape = (*codes.scale.shape[:axis], *((1,) * places.rank), *codes.scale.shape[axis + 1 :])
            scale = c.graph.constant(codes.scale.reshape(shape), name=f"{c.name}_scale")
        return c.graph.elementwise("Mul", [found, scale], table.type)

    return lower


def _bare(c: Context, codes: Codes) -> Value:
    """Return codes without their scales."""
    return c.graph.coded(Codes.of(codes.array, np.ones((1,) * codes.array.ndim), codes.zero))


def _outputs_axis(c: Context) -> int | None:
    """Return the axis of the weight along which outputs lie; None where scales must not be taken apart."""
    if c.op == "Conv":
        return 0
    if c.input(1).rank != 2 or c.attribute("alpha", 1.0) != 1 or c.attribute("beta", 1.0) != 1:
        return None
    return 0 if c.attribute("transB", 0) else 1


def _is_less(c: Context, weight: Value, codes: Codes, axis: int) -> bool:
    """Whether one scale an output is all there is, and the output is smaller than the weight."""
    along = codes.scale.shape[axis % weight.rank]
    if codes.scale.size == 1 or codes.scale.size != along or codes.zero.size != 1:
        return False
    x, shape = c.input(0), c.shape()
    if c.op == "Conv":
        # An open batch counts as one; other open lengths may be any.
        count = None if shape is None else product_of([shape[0] or 1, *shape[1:]])
    else:
        count = product_of([n or 1 for n in x.shape[:-1]] + [along])
    return count is not None and count < weight.size
