"""The codec ``codes``: multiples of a step for each channel, a signed byte each, as quantised sources hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..errors import FormatError
from ..model import BytesData, Data, Weight, chunks
from . import CodecFields, Layout, Plane

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

lowest, highest = -128, 127


@dataclass(frozen=True, slots=True)
class Multiples:
    """Element ``i`` is ``float32(steps[channel of i] * code)``, bit for bit.

    Attributes:
        layout: which channel an element belongs to.
        steps: of each channel, as float32 bytes.
    """

    layout: Layout
    steps: bytes
    name = "codes"

    @property
    def identity(self) -> str:
        """Tell codecs apart that store the same bytes differently."""
        return f"codes {self.layout} {hashlib.sha256(self.steps).hexdigest()}"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it: a ratio of 1, as nothing refines the codes."""
        return {"steps": (1, self.layout.channels, self.layout.inner)}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return codes and steps."""
        return (
            Plane(0, False, weight.size, partial(self._read, weight.data)),
            Plane(1, False, len(self.steps), BytesData(self.steps).read),
        )

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return float32 bytes.

        Raises:
            FormatError: there is not one step for each channel.
        """
        import numpy as np

        codes = np.frombuffer(planes[0], np.int8)
        steps = np.frombuffer(planes[1], "<f4")
        if len(steps) != self.layout.channels:
            raise FormatError("planes of one weight differ in length", code="SP-504")
        exact = steps.astype(np.float64)[self.layout.channels_of(0, len(codes))] * codes
        return bytes(exact.astype("<f4").tobytes())

    def holds(self, weight: Weight) -> bool:
        """Return whether the weight's values come out of the codes with the same bits."""
        import numpy as np

        start = 0
        for chunk in chunks(weight.data):
            values = np.frombuffer(chunk, "<f4")
            fine = self._fine(start, start + len(values))
            counts = _counts(values, fine)
            start += len(values)
            if not (np.isfinite(values).all() and (counts >= lowest).all() and (counts <= highest).all()):
                return False
            if (fine * counts.astype(np.int8)).astype("<f4").tobytes() != chunk:
                return False
        return True

    def _fine(self, start: int, stop: int) -> Numbers:
        import numpy as np

        steps: Numbers = np.frombuffer(self.steps, "<f4").astype(np.float64)
        return steps[self.layout.channels_of(start, stop)]

    def _read(self, data: Data, start: int, stop: int) -> bytes:
        import numpy as np

        values = np.frombuffer(data.read(4 * start, 4 * stop), "<f4")
        return bytes(_counts(values, self._fine(start, stop)).astype(np.int8).tobytes())


def multiples(weight: Weight) -> Multiples | None:
    """Return the codec where the source says that a weight's values are multiples of steps, and they are."""
    if weight.grid is None:
        return None
    import numpy as np

    steps = np.array(weight.grid.steps, "<f4")
    codec = Multiples(Layout(len(steps), weight.grid.inner), steps.tobytes())
    return codec if len(steps) * weight.grid.inner <= weight.size and codec.holds(weight) else None


def _counts(values: npt.NDArray[np.float32], fine: Numbers) -> Numbers:
    """Return which multiples values are; of a step of 0 the code that keeps the sign of its zeros."""
    import numpy as np

    zeros = np.where(np.signbit(values) == np.signbit(fine), 0.0, -1.0)
    counts: Numbers = np.divide(values.astype(np.float64), fine, out=zeros, where=fine != 0)
    return np.rint(counts)
