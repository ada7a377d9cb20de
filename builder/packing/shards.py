"""Packs segments into shards: the unit of fetch, retry, cache and integrity."""

from __future__ import annotations

from dataclasses import replace

import brotli

from .segments import Segment, Stage

Shard = tuple[Segment, ...]
largest_shard = 4 << 20  # what the stock converter writes: as far as brotli looks back
smallest_shard = 1 << 15  # who wants smaller ones wants them for their own sake
probe_quality, least_gain, few_bytes = 5, 0.99, 16
quick_quality, repetitive = 1, 0.6  # of its bytes; trained weights, as floats or codes, take more
joining_gain = 0.9  # of the bytes of single shards: less would not be worth a larger unit of fetch
most_joined, tiny = 3, 4096  # shards at a time; bytes of what may lie between


def pack(stage: Stage, shard_bytes: int) -> tuple[Shard, ...]:
    """Pack a stage's segments, in order, into shards of at most about ``shard_bytes``.

    The planes of one weight stay together. A weight larger than a shard has shards of its own, so that a change of it
    leaves all others as they are; but shards that repeat each other, such as the two matrices of a Fourier transform,
    are joined. Within a shard like planes lie side by side, which compresses better.
    """
    shards: list[Shard] = []
    open_shard: list[Segment] = []
    filled = 0
    for group in stage.groups:
        size = sum(segment.nbytes for segment in group)
        if open_shard and filled + size > shard_bytes:
            shards.append(_close(open_shard))
            open_shard, filled = [], 0
        if size > shard_bytes:
            shards.extend(_split(group, _count(group, size, shard_bytes)))
        else:
            open_shard.extend(group)
            filled += size
    if open_shard:
        shards.append(_close(open_shard))
    return tuple(_joined(shards) if shard_bytes >= smallest_shard else shards)


def _close(segments: list[Segment]) -> Shard:
    return tuple(sorted(segments, key=lambda segment: segment.plane.index))


def _joined(shards: list[Shard]) -> list[Shard]:
    """Join shards that take less together, with what little lies between them, as far as brotli looks back."""
    found: list[Shard] = []
    sizes: list[int | None] = []  # with brotli, of those that may repeat each other or are tiny
    for shard in shards:
        found.append(shard)
        content = read(shard)
        may_join = len(content) <= tiny or _sent(content, quick_quality) < repetitive * len(content)
        sizes.append(_sent(content) if may_join else None)
        for count in range(2, most_joined + 1):
            parts = [size for size in sizes[-count:] if size is not None]
            if len(parts) < count or count > len(found):
                break
            both = _merged(found[-count:])
            content = read(both)
            if len(content) > largest_shard:
                break
            size = _sent(content)
            if size < joining_gain * sum(parts) - few_bytes * count:
                found[-count:], sizes[-count:] = [both], [size]
                break
    return found


def _merged(shards: list[Shard]) -> Shard:
    """Put shards together, and the pieces of a plane, which follow each other."""
    merged: list[Segment] = []
    for segment in _close([segment for shard in shards for segment in shard]):
        last = merged[-1] if merged else None
        if last and (last.weight, last.plane.index, last.stop) == (segment.weight, segment.plane.index, segment.start):
            merged[-1] = replace(last, stop=segment.stop)
        else:
            merged.append(segment)
    return tuple(merged)


def _sent(content: bytes, quality: int = probe_quality) -> int:
    return len(brotli.compress(content, quality=quality))


def _count(group: tuple[Segment, ...], size: int, shard_bytes: int) -> int:
    """Return the number of shards of a large weight: fewer than usual where it repeats itself over long distances."""
    few, many = -(-size // max(largest_shard, shard_bytes)), -(-size // shard_bytes)

    def sent(count: int) -> int:
        return sum(_sent(read(shard)) for shard in _split(group, count))

    may_be_fewer = few < many and shard_bytes >= smallest_shard
    return few if may_be_fewer and sent(few) < least_gain * sent(many) - few_bytes * many else many


def _split(group: tuple[Segment, ...], count: int) -> list[Shard]:
    """Cut all planes of a large weight at the same places, so that each shard can be decoded by itself."""
    pieces = [
        tuple(
            replace(segment, start=segment.nbytes * number // count, stop=segment.nbytes * (number + 1) // count)
            for segment in group
        )
        for number in range(count)
    ]
    return [tuple(segment for segment in piece if segment.nbytes) for piece in pieces]


def read(shard: Shard) -> bytes:
    """Return a shard's bytes."""
    return b"".join(segment.read() for segment in shard)
