"""The operators of ONNX, a module a family; importing this fills the table of ``registry``."""

from . import (
    activations,
    arithmetic,
    bits,
    casts,
    convolution,
    logic,
    matrices,
    normalisation,
    pooling,
    reductions,
    shapes,
)

__all__ = [
    "activations",
    "arithmetic",
    "bits",
    "casts",
    "convolution",
    "logic",
    "matrices",
    "normalisation",
    "pooling",
    "reductions",
    "shapes",
]
