"""Steps between real numbers and codes, which do nothing where all is computed in real numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...lowering.values import Value
from ..quantized import real_numbers
from ..registry import Context, lowers
from ..types import Tensor


@lowers("DEQUANTIZE", "QUANTIZE", "DENSIFY", "FAKE_QUANT")
def same_numbers(c: Context) -> Value:
    """Lower what only changes how numbers are held."""
    x = c.arranged(0)
    source = c.sources[0]
    if c.op == "DEQUANTIZE" and x.dtype != "float32" and source is not None:
        c.refuse(f"codes of the type {source.type} without scales")
    if x.dtype != "float32":
        return x
    result = c.outputs[0]
    if c.op == "QUANTIZE" and x.array is None and source is not None and not source.quantized:
        x = _saturated(c, x, result)  # where numbers come in, those beyond the codes become the outermost
    return replace(x, type="float32")


def _saturated(c: Context, x: Value, result: Tensor) -> Value:
    if result.scales is None or not result.scales.one or result.type not in {"int8", "uint8", "int16"}:
        return x
    limits = np.iinfo(result.type)
    low, high = real_numbers(np.array([limits.min, limits.max], result.type), result.scales)
    least = c.graph.elementwise("Maximum", [x, c.scalar(low, x)])
    return c.graph.elementwise("Minimum", [least, c.scalar(high, x)])
