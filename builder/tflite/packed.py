"""Codes of four bits, two in a byte."""

from __future__ import annotations

import numpy as np

from ..lowering.values import Array


def unpack_nibbles(content: Array, size: int | None) -> Array:
    """Return int8 codes from -8 to 7; the lower half of a byte comes first.

    Raises:
        ValueError: there are fewer or more than ``size``.
    """
    halves = np.empty(content.size * 2, np.int8)
    halves[0::2] = (content << 4).view(np.int8) >> 4
    halves[1::2] = content.view(np.int8) >> 4
    if size is None:
        return halves
    if -(-size // 2) != content.size:
        raise ValueError("the length of a packed constant contradicts its shape")
    return halves[:size]
