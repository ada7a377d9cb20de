"""The codec ``raw``: one plane, the stored bytes."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Weight
from . import CodecFields, Plane


class Raw:
    """Stored bytes as they are."""

    name = "raw"
    identity = "raw"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it: nothing."""
        return {}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return the one plane."""
        return (Plane(0, False, weight.data.nbytes, weight.data.read),)

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return the one plane back."""
        return planes[0]
