"""The codec ``steps``: whole multiples of a step for each channel, one byte an element, refined by a second byte."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..errors import FormatError
from ..model import BytesData, Data, Weight
from . import CodecFields, Layout, Plane

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

largest_base, lowest_rest, highest_rest = 127, -128, 127
piece = 1 << 20  # elements held at a time
balanced_ratio, balanced_largest = 256, 116  # of 127: an eighth of a bit, as much as small models' names take
quarters = (0.5, 0.594604, 0.707107, 0.840897, 1.0)  # 2 ** (k / 4), nearly


@dataclass(frozen=True, slots=True)
class Steps:
    """Element ``i`` is ``steps[channel of i] * (ratio * base code + refining code)``.

    Attributes:
        layout: which channel an element belongs to.
        ratio: how many fine steps a base step has.
        steps: the fine step of each channel, as float32 bytes.
        codes: the base codes, a signed byte an element, where they are not simply the nearest.
    """

    layout: Layout
    ratio: int
    steps: bytes
    codes: bytes | None = None
    name = "steps"

    @property
    def identity(self) -> str:
        """Tell codecs apart that store the same bytes differently."""
        return f"steps {self.layout} {self.ratio} {hashlib.sha256(self.steps + (self.codes or b'')).hexdigest()}"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it."""
        return {"steps": (self.ratio, self.layout.channels, self.layout.inner)}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return base codes, steps and refining codes."""
        return (
            Plane(0, False, weight.size, partial(self._read, weight.data, False)),
            Plane(1, False, len(self.steps), BytesData(self.steps).read),
            Plane(2, True, weight.size, partial(self._read, weight.data, True)),
        )

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return float32 bytes from planes 0 and 1, or from all three.

        Raises:
            FormatError: the planes do not fit each other.
        """
        import numpy as np

        base = np.frombuffer(planes[0], np.int8).astype(np.int32)
        rest = np.frombuffer(planes.get(2, bytes(len(base))), np.int8)
        steps = np.frombuffer(planes[1], "<f4")
        if len(rest) != len(base) or len(steps) != self.layout.channels:
            raise FormatError("planes of one weight differ in length", code="SP-504")
        exact = steps.astype(np.float64)[self.layout.channels_of(0, len(base))] * (self.ratio * base + rest)
        return exact.astype("<f4").tobytes()

    def _read(self, data: Data, refining: bool, start: int, stop: int) -> bytes:
        import numpy as np

        values = np.frombuffer(data.read(4 * start, 4 * stop), "<f4").astype(np.float64)
        fine = np.frombuffer(self.steps, "<f4").astype(np.float64)[self.layout.channels_of(start, stop)]
        counts = np.divide(values, fine, out=np.zeros_like(values), where=fine > 0)
        if self.codes is None:
            base = np.clip(np.rint(counts / self.ratio), -largest_base, largest_base)
        else:
            base = np.frombuffer(self.codes[start:stop], np.int8).astype(np.float64)
        if not refining:
            return bytes(base.astype(np.int8).tobytes())
        rest = np.clip(np.rint(counts) - self.ratio * base, lowest_rest, highest_rest)
        return bytes(rest.astype(np.int8).tobytes())


def balanced(weight: Weight, layout: Layout) -> Steps | None:
    """Return 16-bit fixed point over each channel's range; None where a value is not finite."""
    import numpy as np

    largest = np.zeros(layout.channels)
    for start, values in _pieces(weight):
        if not np.isfinite(values).all():
            return None
        np.maximum.at(largest, layout.channels_of(start, start + len(values)), np.abs(values))
    # The largest value has the largest code and refinement.
    steps = on_grid(largest / (balanced_ratio * balanced_largest + highest_rest))
    return Steps(layout, balanced_ratio, steps.astype("<f4").tobytes())


def on_grid(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the least quarter powers of two not below the steps: so few values compress to half a byte each."""
    import numpy as np

    mantissas, exponents = np.frexp(steps)
    # Exactly rounded constants: a power function may differ in its last bit from platform to platform.
    grid = np.array(quarters)
    found: npt.NDArray[np.float64] = np.ldexp(grid[np.searchsorted(grid, mantissas)], exponents)
    return np.where(steps > 0, found, 0.0)


def _pieces(weight: Weight) -> Iterator[tuple[int, Floats]]:
    import numpy as np

    for start in range(0, weight.size, piece):
        stop = min(start + piece, weight.size)
        yield start, np.frombuffer(weight.data.read(4 * start, 4 * stop), "<f4")


def layout_of(shape: tuple[int, ...], axes: tuple[int, ...]) -> Layout:
    """Return the layout in which the neighbouring ``axes`` together number the channels; without axes there is one."""
    if not axes:
        return Layout(1, 1)
    return Layout(math.prod(shape[axis] for axis in axes), math.prod(shape[axes[-1] + 1 :]))
