"""The operators of ONNX, a module a family; importing this fills the table of ``registry``."""

from . import (
    activations,
    arithmetic,
    bits,
    casts,
    convolution,
    logic,
    making,
    matrices,
    normalisation,
    nothing,
    pooling,
    quantised,
    ranking,
    reductions,
    selection,
    shapes,
)

__all__ = [
    "activations",
    "arithmetic",
    "bits",
    "casts",
    "convolution",
    "logic",
    "making",
    "matrices",
    "normalisation",
    "nothing",
    "pooling",
    "quantised",
    "ranking",
    "reductions",
    "selection",
    "shapes",
]
