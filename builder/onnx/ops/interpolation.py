"""Where ONNX' Resize takes numbers from, along one axis: places for the nearest, weights for all else.

The formulas are those of the specification of Resize (opset 19); coordinates are float32 as in ONNX Runtime.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...lowering.values import Array


@dataclass(frozen=True, slots=True)
class Axis:
    """How one axis is resized.

    Attributes:
        length, target: elements before and after.
        scale: what lengths are multiplied by; ``target`` is rounded down from it.
        coordinates: ``coordinate_transformation_mode``.
        start, end: the part that is cropped, as shares of the length; of ``tf_crop_and_resize`` only.
    """

    length: int
    target: int
    scale: float
    coordinates: str
    start: float = 0.0
    end: float = 1.0

    @property
    def is_exact(self) -> bool:
        """The scale is the quotient of the lengths."""
        return abs(self.scale * self.length - self.target) < 1e-5 * self.target

    @property
    def does_nothing(self) -> bool:
        """The axis stays as it is."""
        return self.length == self.target and self.scale == 1 and (self.start, self.end) == (0, 1)

    def places(self) -> Array:
        """Return where each element comes from, between those before, float32 [target]."""
        at, scale = np.arange(self.target, dtype=np.float32), np.float32(self.scale)
        half, last = np.float32(0.5), np.float32(self.length - 1)
        if self.coordinates == "align_corners":
            return at * np.float32(0) if self.target == 1 else at * last / np.float32(self.target - 1)
        if self.coordinates == "asymmetric":
            return at / scale
        if self.coordinates == "tf_crop_and_resize":
            span = np.float32(self.end - self.start)
            if self.target == 1:
                return np.full(1, half * np.float32(self.start + self.end) * last, np.float32)
            return np.float32(self.start) * last + at * span * last / np.float32(self.target - 1)
        if self.coordinates == "pytorch_half_pixel" and self.target == 1:
            return at * np.float32(0)
        centred = (at + half) / scale - half
        if self.coordinates == "half_pixel_symmetric":
            adjustment = np.float32(self.target / (self.scale * self.length))
            return np.asarray(np.float32(self.length / 2) * (np.float32(1) - adjustment) + centred)
        return np.asarray(centred)

    def outside(self) -> Array:
        """Return which elements lie outside of the tensor, bool [target]."""
        places = self.places()
        return np.asarray((places < 0) | (places > self.length - 1))


coordinate_modes = frozenset(
    {
        "align_corners",
        "asymmetric",
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "tf_crop_and_resize",
    }
)
half_way = 0.5 + 1e-5  # what is that near to the middle is taken for it, as ONNX Runtime does
roundings: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda places: np.ceil(places - half_way),
    "round_prefer_ceil": lambda places: np.floor(places + half_way),
    "floor": np.floor,
    "ceil": np.ceil,
}


def nearest(axis: Axis, rounding: str) -> Array:
    """Return the place of each element, int64 [target]."""
    return np.clip(roundings[rounding](axis.places()), 0, axis.length - 1).astype(np.int64)


def weights(axis: Axis, mode: str, *, is_smooth: bool = False, is_inside: bool = False, factor: float = -0.75) -> Array:
    """Return the weights of the elements before for those after, float32 [target, length].

    Args:
        axis: as above.
        mode: ``linear`` or ``cubic``.
        is_smooth: ``antialias``.
        is_inside: ``exclude_outside``.
        factor: ``cubic_coeff_a``.
    """
    kernel, radius = (_cubic(factor), 2) if mode == "cubic" else (_linear, 1)
    scale = min(axis.scale, 1.0) if is_smooth else 1.0
    half = -math.floor(-radius / scale)
    found = np.zeros((axis.target, axis.length), np.float64)
    for number, at in enumerate(axis.places().astype(np.float64)):
        base = math.ceil(at) - 1
        sources = np.arange(base - half + 1, base + half + 1)
        taps = kernel(np.abs(sources - at) * scale)
        if is_inside:
            taps = taps * ((sources >= 0) & (sources < axis.length))
        if is_inside or is_smooth:
            taps = taps / taps.sum()
        np.add.at(found[number], np.clip(sources, 0, axis.length - 1), taps)
    return found.astype(np.float32)


def _linear(x: Array) -> Array:
    return np.clip(1 - x, 0, 1)


def _cubic(a: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        inner = ((a + 2) * x - (a + 3)) * x * x + 1
        outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, inner, np.where(x < 2, outer, 0))

    return kernel
