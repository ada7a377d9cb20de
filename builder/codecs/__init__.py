"""Codecs: a weight's stored bytes as planes, and back. ``docs/format.md`` is the specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

from ..model import Weight

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of one weight.

    Attributes:
        index: its number in the codec.
        refine: it belongs to the ``refine`` stage, not to the first.
        nbytes: its length.
        read: gives its bytes ``start <= i < stop``.
    """

    index: int
    refine: bool
    nbytes: int
    read: Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the channels of a weight are: element ``i`` is of channel ``i // inner % channels``."""

    channels: int
    inner: int

    def channels_of(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Return the channel of each element ``start <= i < stop``."""
        import numpy as np

        return np.arange(start, stop) // self.inner % self.channels


class CodecFields(TypedDict, total=False):
    """What heads say of codecs beside their names.

    Attributes:
        steps: ratio, channels and inner of the codec ``steps``.
        bytes: length of the one plane of the codec ``front``.
    """

    steps: tuple[int, int, int]
    bytes: int


class Codec(Protocol):
    """A way to split a weight into planes and to put it together again."""

    @property
    def name(self) -> str:
        """Return what the head calls it."""

    @property
    def identity(self) -> str:
        """Return what two codecs have in common if they make the same planes of the same bytes."""

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it beside its name."""

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Split a weight."""

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Put the stored bytes together from the planes that are there: those of the base stage, or all."""
