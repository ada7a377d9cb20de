"""The operators of TensorFlow Lite, a module a family; importing this fills the table of ``registry``."""

from . import (
    activations,
    arithmetic,
    control,
    convolution,
    detection,
    gathering,
    matrices,
    mediapipe,
    pooling,
    quantization,
    recurrent,
    reductions,
    shapes,
    slices,
    spectra,
)

__all__ = [
    "activations",
    "arithmetic",
    "control",
    "convolution",
    "detection",
    "gathering",
    "matrices",
    "mediapipe",
    "pooling",
    "quantization",
    "recurrent",
    "reductions",
    "shapes",
    "slices",
    "spectra",
]
