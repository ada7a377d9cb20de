"""Where a picture lies in the picture that a model sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """From pixels of the source picture to pixels of the model's: ``x * scale_x + left``, and likewise for y.

    Attributes:
        width, height: of the source picture.
        scale_x, scale_y: pixels of the model's picture for one of the source's.
        left, top: where the source's corner lies in the model's picture; below 0 if it was cut off.
        input_width, input_height: of the model's picture.
    """

    width: int
    height: int
    scale_x: float
    scale_y: float
    left: float
    top: float
    input_width: int
    input_height: int

    @property
    def scale(self) -> Floats:
        """Both scales, x first."""
        return np.array([self.scale_x, self.scale_y])

    @property
    def corner(self) -> Floats:
        """Both offsets, x first."""
        return np.array([self.left, self.top])

    @property
    def input_size(self) -> Floats:
        """Width and height of the model's picture."""
        return np.array([self.input_width, self.input_height], np.float64)

    def to_source(self, points: Floats) -> Floats:
        """Take points [..., 2] of the model's picture to the source's."""
        found: Floats = (points - self.corner) / self.scale
        return found
