"""Codecs: a weight's stored bytes as planes, and back. ``docs/format.md`` is the specification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from builder.model import Weight


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


class Codec(Protocol):
    """A way to split a weight into planes and to put it together again."""

    name: str

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Split a weight."""

    def decode(self, planes: dict[int, bytes]) -> bytes:
        """Put the stored bytes together from the planes that are there: those of the base stage, or all."""
