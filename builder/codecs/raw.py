"""The codec ``raw``: one plane, the stored bytes."""

from __future__ import annotations

from builder.codecs import Plane
from builder.model import Weight


class Raw:
    """Stored bytes as they are."""

    name = "raw"

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Give the one plane."""
        return (Plane(0, False, weight.data.nbytes, weight.data.read),)

    def decode(self, planes: dict[int, bytes]) -> bytes:
        """Give the one plane back."""
        return planes[0]
