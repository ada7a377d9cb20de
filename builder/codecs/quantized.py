"""Weights as codes that TensorFlow.js itself decodes: ``float16``, and ``uint8`` or ``uint16`` for a whole tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..model import Data, Quantization, Weight, chunks, code_sizes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float32]

half_limit = 65504.0


@dataclass(frozen=True, slots=True)
class _Codes:
    """Codes that are made when they are read."""

    data: Data
    item: int
    encode: Callable[[Numbers], bytes]

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.data.nbytes // 4 * self.item

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes ``start <= i < stop``."""
        import numpy as np

        first, last = start // self.item, -(-stop // self.item)
        codes = self.encode(np.frombuffer(self.data.read(4 * first, 4 * last), "<f4"))
        return codes[start - first * self.item : stop - first * self.item]


def quantize(weight: Weight, kind: str) -> Weight:
    """Return the weight with its values as codes of ``kind``; what has no such codes (NaN, too large) stays as it is.

    The formulas are those of the stock converter: ``uint8`` and ``uint16`` share one scale and keep zero exact.
    """
    import numpy as np

    low = high = 0.0
    for chunk in chunks(weight.data):
        values = np.frombuffer(chunk, "<f4")
        if not np.isfinite(values).all():
            return weight
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    quantization: Quantization
    if kind == "float16":
        if max(-low, high) > half_limit:
            return weight
        quantization = {"dtype": "float16", "original_dtype": "float32"}
        codes = _Codes(weight.data, 2, lambda values: values.astype("<f2").tobytes())
    else:
        top = (1 << 8 * code_sizes[kind]) - 1
        scale = (high - low) / top or 1.0
        zero = round(-low / scale)
        quantization = {"dtype": kind, "scale": scale, "min": -zero * scale, "original_dtype": "float32"}

        def encode(values: Numbers) -> bytes:
            codes = np.clip(np.rint(values.astype(np.float64) / scale) + zero, 0, top)
            return bytes(codes.astype("<u1" if kind == "uint8" else "<u2").tobytes())

        codes = _Codes(weight.data, code_sizes[kind], encode)
    return replace(weight, data=codes, quantization=quantization)


@dataclass(frozen=True, slots=True)
class _Wide:
    """float16 values as float32."""

    data: Data

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return 2 * self.data.nbytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes ``start <= i < stop``."""
        import numpy as np

        first, last = start // 4, -(-stop // 4)
        wide = np.frombuffer(self.data.read(2 * first, 2 * last), "<f2").astype("<f4").tobytes()
        return wide[start - 4 * first : stop - 4 * first]


def widen(weight: Weight) -> Weight:
    """Return a weight that is stored as float16 with the float32 values that TensorFlow.js makes of it."""
    if weight.dtype != "float32" or not weight.quantization or weight.quantization["dtype"] != "float16":
        return weight
    return replace(weight, data=_Wide(weight.data), quantization=None)
