"""Normalisations."""

from __future__ import annotations

import numpy as np

from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("BatchNormalization")
def batch_normalization(c: Context) -> Value:
    """Lower what is one factor and one summand for each channel, computed at build time."""
    x = c.input(0)
    if c.attribute("training_mode", 0) or len([name for name in c.names if name]) > 1:
        c.refuse("training_mode", "Export the model for inference (model.eval())")
    scale, bias, mean, variance = (c.known(index).astype(np.float64) for index in (1, 2, 3, 4))
    factor = scale / np.sqrt(variance + c.attribute("epsilon", 1e-5))
    ends = (1,) * (x.rank - 2)
    factors = c.graph.constant(factor.astype(np.float32).reshape(1, -1, *ends), name=f"{c.name}_factor")
    summands = c.graph.constant((bias - mean * factor).astype(np.float32).reshape(1, -1, *ends), name=f"{c.name}_bias")
    return c.graph.elementwise("AddV2", [c.graph.elementwise("Mul", [x, factors]), summands])
