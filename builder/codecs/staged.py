"""The codec ``staged``: float32 values that are others in the base stage than at the end, as corrected biases are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..model import BytesData, Weight
from . import CodecFields, Plane


@dataclass(frozen=True, slots=True)
class Staged:
    """Two float32 contents of the same length.

    Attributes:
        first: what the base stage uses.
        last: what takes its place.
    """

    first: bytes
    last: bytes
    name = "staged"

    @property
    def identity(self) -> str:
        """Tell codecs apart that store the same bytes differently."""
        return f"staged {hashlib.sha256(self.first + self.last).hexdigest()}"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it: nothing."""
        return {}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return the two contents; the weight's own values are in neither."""
        del weight
        return (
            Plane(0, False, len(self.first), BytesData(self.first).read),
            Plane(2, True, len(self.last), BytesData(self.last).read),
        )

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return the last content that is there."""
        return planes.get(2, planes[0])
