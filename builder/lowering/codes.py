"""Constants whose values a source holds as whole numbers, with one scale or one a channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Values as codes: (code - zero) * scale.

    Attributes:
        array: the codes, with the logical axes of the values; whole numbers that span less than 2^16.
        scale: float32; as many axes, each as long as those of the codes, or 1.
        zero: whole numbers, likewise.
    """

    array: Array
    scale: Array
    zero: Array

    @classmethod
    def of(cls, array: Array, scale: Array, zero: Array | None = None) -> Codes:
        """Return codes with scales and zeros that are broadcast over them, each as small as it can be."""
        zeros = np.zeros((1,) * array.ndim, np.int32) if zero is None else _narrowed(zero.astype(np.int32))
        return cls(array, _narrowed(scale.astype(np.float32)), zeros)

    @property
    def is_shared(self) -> bool:
        """One scale and one zero stand for all values."""
        return self.scale.size == self.zero.size == 1

    def values(self) -> Array:
        """Return what the codes stand for, float32."""
        whole = self.array.astype(np.float32) - self.zero.astype(np.float32)
        return np.asarray(whole * self.scale, dtype=np.float32)

    @property
    def are_bytes(self) -> bool:
        """They fit a signed byte each after their zeros are taken off."""
        less = self.array.astype(np.int64) - self.zero
        return less.size > 0 and int(less.min()) >= -128 and int(less.max()) <= 127

    def changed(self, change: Callable[[Array], Array]) -> Codes | None:
        """Return the codes after their axes were moved or joined; None where a scale would then be as large as they."""
        scale, zero = (_narrowed(change(np.broadcast_to(part, self.array.shape))) for part in (self.scale, self.zero))
        if max(scale.size, zero.size) > max(self.scale.size, self.zero.size):
            return None
        return Codes(change(self.array), scale, zero)


def channels_of(scale: Array, shape: tuple[int, ...]) -> int | None:
    """Return how many numbers lie together that have the same scale; None where scales are not along neighbouring axes.

    Args:
        scale: with the axes of the numbers, as they are stored, or 1.
        shape: of the numbers.
    """
    wide = [axis for axis, length in enumerate(scale.shape) if length > 1]
    if not wide or scale.shape[wide[0] : wide[-1] + 1] != shape[wide[0] : wide[-1] + 1]:
        return None
    return math.prod(shape[wide[-1] + 1 :])


def unsigned(array: Array) -> tuple[Array, int]:
    """Return whole numbers that span less than 2^16 as uint8 or uint16, and what has to be added to these."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    least = next((start for start in (0, -128, -32768) if start <= low), low)
    if high - least >= 256 > high - low:
        least = low
    kind = np.uint8 if high - least < 256 else np.uint16
    return (array.astype(np.int64) - least).astype(kind), least


def fits_codes(array: Array) -> bool:
    """Whether whole numbers span little enough to be stored as codes."""
    kind = array.dtype.name
    return kind in ("int8", "uint8", "int16", "uint16") or kind.startswith(("int4", "uint4", "int2", "uint2"))


def _narrowed(array: Array) -> Array:
    """Return an array with axes of length 1 where it says the same along an axis."""
    for axis in range(array.ndim):
        first = array.take([0], axis=axis) if array.shape[axis] else array
        if array.shape[axis] > 1 and bool((array == first).all()):
            array = first
    return array
