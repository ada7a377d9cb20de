"""Constants whose source stores integer codes: they go over the wire as these codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import Quantization

Array = npt.NDArray[Any]
kinds = {"int8": "uint8", "uint8": "uint8", "int16": "uint16", "uint16": "uint16"}


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Whole numbers that stand for ``(code - zero) * scale``.

    Attributes:
        array: int8, uint8, int16 or uint16, with logical axes.
        scale: float32, broadcasts with it: () for a whole tensor, or one for each index of an axis.
        zero: int64, likewise.
    """

    array: Array
    scale: Array
    zero: Array

    @property
    def is_writable(self) -> bool:
        """Whether TensorFlow.js can decode them: one scale or several, but one zero."""
        zeros = np.unique(self.zero)
        return self.array.dtype.name in kinds and zeros.size == 1 and bool(np.isfinite(self.scale).all())

    @property
    def one_scale(self) -> bool:
        """Whether the whole tensor has one scale."""
        return self.scale.size == 1

    def values(self) -> Array:
        """Return the real numbers."""
        numbers = self.array.astype(np.float32) - self.zero.astype(np.float32)
        return (numbers * self.scale).astype(np.float32)

    def arranged(self, function: Callable[[Array], Array]) -> Codes:
        """Return the codes after a function has moved or parted their axes, without changing a number."""
        array = function(self.array)
        if self.scale.size == 1 and self.zero.size == 1:
            return Codes(array, self.scale, self.zero)
        scale, zero = (_narrow(function(np.broadcast_to(part, self.array.shape))) for part in (self.scale, self.zero))
        return Codes(array, scale, zero)

    def written(self) -> tuple[Array, Quantization]:
        """Return unsigned codes and how TensorFlow.js decodes them; with several scales to whole numbers."""
        kind = kinds[self.array.dtype.name]
        offset = 0 if self.array.dtype.name == kind else -int(np.iinfo(self.array.dtype).min)
        codes = (self.array.astype(np.int32) + offset).astype(kind)
        zero = int(self.zero.ravel()[0]) + offset
        scale = float(self.scale.ravel()[0]) if self.one_scale else 1.0
        return codes, {"dtype": kind, "scale": scale, "min": -zero * scale, "original_dtype": "float32"}


def _narrow(array: Array) -> Array:
    """Take one index of each axis along which nothing changes."""
    for axis, length in enumerate(array.shape):
        if length > 1 and bool((array == array.take([0], axis)).all()):
            array = array.take([0], axis)
    return array
