"""Finds identical tensors, so that each is stored once."""

from __future__ import annotations

import hashlib

from ..model import Weight, chunks


def find_same(weights: tuple[Weight, ...], codecs: tuple[str, ...]) -> tuple[int | None, ...]:
    """Return for each weight the index of the first earlier one with the same bytes, stored type and codec, or None.

    Args:
        weights: in execution order.
        codecs: the identity of each one's codec.
    """
    first: dict[tuple[str, str, str], int] = {}
    same: list[int | None] = []
    for index, (weight, codec) in enumerate(zip(weights, codecs, strict=True)):
        if weight.data.nbytes == 0:
            same.append(None)
            continue
        digest = hashlib.sha256()
        for chunk in chunks(weight.data):
            digest.update(chunk)
        earlier = first.setdefault((weight.stored_type, codec, digest.hexdigest()), index)
        same.append(None if earlier == index else earlier)
    return tuple(same)
