"""The operators of ONNX, a module a family; importing this fills the table of ``registry``."""

from . import (
    activations,
    arithmetic,
    blocks,
    convolution,
    gathering,
    matrices,
    normalisation,
    padding,
    pooling,
    reductions,
    resizing,
    scattering,
    shapes,
    slicing,
)

__all__ = [
    "activations",
    "arithmetic",
    "blocks",
    "convolution",
    "gathering",
    "matrices",
    "normalisation",
    "padding",
    "pooling",
    "reductions",
    "resizing",
    "scattering",
    "shapes",
    "slicing",
]
