"""Steps between real numbers and codes, which do nothing where all is computed in real numbers."""

from __future__ import annotations

from dataclasses import replace

from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("DEQUANTIZE", "QUANTIZE", "DENSIFY", "FAKE_QUANT")
def same_numbers(c: Context) -> Value:
    """Lower what only changes how numbers are held."""
    x = c.arranged(0)
    source = c.sources[0]
    if c.op == "DEQUANTIZE" and x.dtype != "float32" and source is not None:
        c.refuse(f"codes of the type {source.type} without scales")
    return replace(x, type="float32") if x.dtype == "float32" else x
