"""The codec ``exact``: float32 as four byte planes, usable from two and bit-exact with all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..errors import FormatError
from ..model import Data, Weight
from . import CodecFields, Plane

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bits = npt.NDArray[np.uint32]

smallest = 65  # elements; below, two more segments cost more than the waiting saves
least_share = 4096  # a weight of less than one part in this many comes at once
planes_in_all, first_refining = 4, 2


def smallest_of(weights: tuple[Weight, ...]) -> int:
    """Return how many elements a weight of a model must have to be worth more than one stage.

    Small weights are often the ones whose missing bits hurt: one depthwise kernel of 288 elements out of 3.5 million
    moved a classifier's outputs more than all others together.
    """
    return max(smallest, sum(weight.size for weight in weights) // least_share)


def suits(weight: Weight, least: int = smallest) -> bool:
    """Return whether the codec is for this weight: plain float32, not tiny, and no codes."""
    return weight.dtype == "float32" and weight.quantization is None and weight.grid is None and weight.size >= least


class Exact:
    """Exponent, sign and top mantissa as base; the two low mantissa bytes as refinement."""

    name = "exact"
    identity = "exact"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it: nothing."""
        return {}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return the four planes, one byte an element each."""
        return tuple(
            Plane(index, index >= first_refining, weight.size, partial(_read, weight.data, index))
            for index in range(planes_in_all)
        )

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return float32 bytes from planes 0 and 1, or from all four.

        Raises:
            FormatError: the planes differ in length.
        """
        import numpy as np

        if len({len(plane) for plane in planes.values()}) > 1:
            raise FormatError("planes of one weight differ in length", code="SP-504")
        exponent, top = (np.frombuffer(planes[index], np.uint8).astype(np.uint32) for index in (0, 1))
        bits = (top & 0x80) << 24 | exponent << 23 | (top & 0x7F) << 16
        if 2 in planes and 3 in planes:
            middle, low = (np.frombuffer(planes[index], np.uint8).astype(np.uint32) for index in (2, 3))
            bits |= middle << 8 | low
        else:
            special = (exponent == 255) | ((exponent == 0) & (top & 0x7F == 0))
            bits |= np.where(special, 0, 0x8000).astype(np.uint32)
        return bits.astype("<u4").tobytes()


def _read(data: Data, index: int, start: int, stop: int) -> bytes:
    import numpy as np

    bits = np.frombuffer(data.read(4 * start, 4 * stop), "<u4")
    return _split(bits, index).astype(np.uint8).tobytes()


def _split(bits: Bits, index: int) -> Bits:
    """Return one byte of each element in the low eight bits; what is above them is cut off by the caller."""
    import numpy as np

    if index == 0:
        return bits >> np.uint32(23)
    if index == 1:
        return (bits >> np.uint32(24)) & np.uint32(0x80) | (bits >> np.uint32(16)) & np.uint32(0x7F)
    return bits >> np.uint32(8) if index == first_refining else bits
