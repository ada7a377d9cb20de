"""Keeps weights from getting larger than they are: what a codec makes of one is weighed before it is used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import Codec
from .exact import Exact
from .raw import Raw

if TYPE_CHECKING:
    from ..model import Weight

quick, thorough = 5, 11  # qualities of brotli
ordinary_bits = 27.0  # an element: trained float32 values compress to 29, and there the quick quality is right
coarse_bits = 11.0  # 7.5 of the base and 3.2 of the refinement
least_gain = 0.97  # of the bytes as it is
stretches, stretch = 4, 1 << 16  # of a large weight: number, elements
thorough_share = 4  # of a stretch where it is weighed thoroughly, which takes 30 times as long


def no_larger(weight: Weight, codec: Codec) -> Codec:
    """Return the codec, or where the weight takes fewer bytes in another form: ``exact``, or at last ``raw``.

    Ordinary weights become smaller. Those do not that have few distinct values, repeat themselves, or are float16
    values: their bytes compress better together than apart.
    """
    if codec.name not in {"exact", "steps"}:
        return codec
    quality = _quality(weight)
    plain = _sent(weight, Raw(), quality)
    sent = _sent(weight, codec, quality) if codec.name == "steps" else math.inf
    if sent <= plain and quality == quick:
        return codec
    # Where nothing is saved, one plane that is complete at once is the better form.
    most = plain if quality == quick else least_gain * plain
    exact = _sent(weight, Exact(), quality)
    if sent <= plain and (exact > most or exact > sent):
        return codec
    return Exact() if exact <= most else Raw()


def codes_pay(weight: Weight, codes: Weight) -> bool:
    """Return whether a weight's codes are not more bytes than the weight as it is."""
    quality = _quality(weight)
    return quality == quick or _sent(codes, Raw(), quality) <= _sent(weight, Raw(), quality)


def may_be_coarse(weight: Weight) -> bool:
    """Return whether a float32 weight takes more bytes than its codes and their refinement at worst."""
    quality = _quality(weight)
    return quality == quick or 8 * _sent(weight, Raw(), quality) > coarse_bits * _weighed(weight, quality)


def _quality(weight: Weight) -> int:
    """Return the quality of brotli that is good enough to weigh a weight with."""
    return quick if 8 * _sent(weight, Raw(), quick) >= ordinary_bits * _weighed(weight, quick) else thorough


def _weighed(weight: Weight, quality: int) -> int:
    return sum(stop - start for start, stop in _stretches(weight.size, quality))


def _sent(weight: Weight, codec: Codec, quality: int) -> int:
    """Return how many bytes the planes take when they are sent; of a large weight only those of some stretches."""
    total = 0
    for plane in codec.planes(weight):
        item = plane.nbytes // weight.size if plane.nbytes % weight.size == 0 else 0
        parts = _stretches(weight.size, quality) if item else ()
        if len(parts) < stretches:
            total += _compressed(plane.read(0, plane.nbytes), quality)
            continue
        total += sum(_compressed(plane.read(start * item, stop * item), quality) for start, stop in parts)
    return total


def _stretches(size: int, quality: int) -> tuple[tuple[int, int], ...]:
    length = stretch if quality == quick else stretch // thorough_share
    if size <= stretches * length:
        return ((0, size),)
    starts = ((size - length) * number // (stretches - 1) for number in range(stretches))
    return tuple((start, start + length) for start in starts)


def _compressed(content: bytes, quality: int) -> int:
    import brotli

    return min(len(content), len(brotli.compress(content, quality=quality)))
