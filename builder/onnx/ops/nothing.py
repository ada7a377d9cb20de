"""Operators that do nothing at inference, or whose answer is known at build time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("Dropout")
def dropout(c: Context) -> Sequence[Value | None]:
    """Lower what drops nothing at inference; its mask is true everywhere."""
    x = c.input(0)
    training, ratio = c.optional(2), c.optional(1)
    if training is not None:
        if training.array is None:
            c.refuse("training_mode is computed while the model runs")
        if bool(training.array) and (ratio is None or ratio.array is None or float(ratio.array) != 0):
            c.refuse("training_mode", "Export the model for inference (model.eval())")
    mask = None
    if len(c.names) > 1 and c.names[1]:
        kind = "bool" if c.opset >= 10 else x.type
        if x.is_static:
            mask = c.made(x.shape, True, kind)
        else:
            one = c.scalar(1, Value(kind, (), ()))
            mask = c.graph.op("Fill", [c.graph.shape_of(x), one], shape=x.shape, type_name=kind)
    return [x, mask]


@lowers("OptionalHasElement")
def has_element(c: Context) -> Value:
    """Lower the question whether something is given."""
    return c.graph.constant(np.array(c.optional(0) is not None))


@lowers("Optional", "OptionalGetElement")
def optional(c: Context) -> Value:
    """Lower the wrapping of what is given."""
    if c.optional(0) is None:
        c.refuse("has no input, and TensorFlow.js no empty optional")
    return c.input(0)
