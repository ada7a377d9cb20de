"""Rows of float32 as whole numbers of one byte, with a scale for each row.

The scale is a float32 whose lower half is zero (a bfloat16), rounded up, so that a value is the product of a number of
7 and one of 8 bits: exact in float32, and the same everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

largest_code = 127


def quantize_rows(rows: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint16]]:
    """Return codes of shape [n, dim] and the upper halves of the scales, [n]: ``value = code * scale``.

    ``scale = max |row| / 127``, rounded up to what has a lower half of zero; ``code = round(value / scale)``, ties to
    even. A row of zeros has the scale 0.

    Args:
        rows: finite, of shape [n, dim].
    """
    import numpy as np

    largest = np.abs(rows).max(axis=1, initial=0).astype(np.float64)
    exact = (largest / largest_code).astype("<f4")
    halves = ((exact.view("<u4").astype(np.uint64) + 0xFFFF) >> 16).astype("<u2")
    scales = scales_of(halves).astype(np.float64)
    scales[halves == 0] = 1
    codes = np.rint(rows.astype(np.float64) / scales[:, None])
    return np.clip(codes, -largest_code, largest_code).astype(np.int8), halves


def scales_of(halves: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the scales from their upper halves."""
    import numpy as np

    scales: npt.NDArray[np.float32] = (halves.astype("<u4") << 16).view("<f4").astype(np.float32)
    return scales


def values_of(codes: npt.NDArray[np.int8], halves: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the float32 values of rows."""
    import numpy as np

    values: npt.NDArray[np.float32] = codes.astype(np.float32) * scales_of(halves)[:, None]
    return values
