"""The codec ``exact``: float32 as four byte planes, usable from two and bit-exact with all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from builder.codecs import Plane
from builder.errors import FormatError
from builder.model import Data, Weight

Bits = npt.NDArray[np.uint32]
smallest = 65  # elements; below, two more segments cost more than the waiting saves


def suits(weight: Weight) -> bool:
    """Tell whether the codec is for this weight: plain float32 and not tiny."""
    return weight.dtype == "float32" and weight.quantization is None and weight.size >= smallest


def _exponent(bits: Bits) -> Bits:
    return bits >> np.uint32(23)


def _sign_and_top(bits: Bits) -> Bits:
    return (bits >> np.uint32(24)) & np.uint32(0x80) | (bits >> np.uint32(16)) & np.uint32(0x7F)


def _middle(bits: Bits) -> Bits:
    return bits >> np.uint32(8)


def _low(bits: Bits) -> Bits:
    return bits


splitters: tuple[Callable[[Bits], Bits], ...] = (_exponent, _sign_and_top, _middle, _low)


class Exact:
    """Exponent, sign and top mantissa as base; the two low mantissa bytes as refinement."""

    name = "exact"

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Give the four planes, one byte an element each."""
        return tuple(
            Plane(index, index >= 2, weight.size, partial(_read, weight.data, splitter))
            for index, splitter in enumerate(splitters)
        )

    def decode(self, planes: dict[int, bytes]) -> bytes:
        """Give float32 bytes from planes 0 and 1, or from all four.

        Raises:
            FormatError: the planes differ in length.
        """
        if len({len(plane) for plane in planes.values()}) > 1:
            raise FormatError("planes of one weight differ in length")
        exponent, top = (np.frombuffer(planes[index], np.uint8).astype(np.uint32) for index in (0, 1))
        bits = (top & 0x80) << 24 | exponent << 23 | (top & 0x7F) << 16
        if 2 in planes and 3 in planes:
            middle, low = (np.frombuffer(planes[index], np.uint8).astype(np.uint32) for index in (2, 3))
            bits |= middle << 8 | low
        else:
            special = (exponent == 255) | ((exponent == 0) & (top & 0x7F == 0))
            bits |= np.where(special, 0, 0x8000).astype(np.uint32)
        return bits.astype("<u4").tobytes()


def _read(data: Data, splitter: Callable[[Bits], Bits], start: int, stop: int) -> bytes:
    bits = np.frombuffer(data.read(4 * start, 4 * stop), "<u4")
    return splitter(bits).astype(np.uint8).tobytes()
