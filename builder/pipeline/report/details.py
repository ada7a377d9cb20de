"""Where a model's bytes are: by weight, by plane and by stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...bundle.files import ModelBundle
from ...bundle.head import HeadShard, HeadWeight
from .coarseness import spread_of
from .shape import Details

if TYPE_CHECKING:
    import numpy.typing as npt


def byte_details(bundle: ModelBundle) -> Details:
    """Return bytes and wire bytes of each weight and of each plane.

    A shard is compressed as a whole. Its wire bytes are shared out over its segments by their entropy: what each would
    take alone with an ideal order-0 coder.
    """
    import numpy as np

    weights = bundle.content.weights
    by_weight: dict[int, dict[str, list[float]]] = {}
    exponents: dict[int, npt.NDArray[np.int64]] = {}
    by_plane: dict[tuple[str, int, str], list[float]] = {}
    for file, shard in zip(bundle.shards, bundle.content.shards, strict=True):
        content = np.frombuffer(file.blob.path.read_bytes(), np.uint8)
        stage = bundle.content.stage_of(shard)
        sizes = segment_sizes(shard, len(content), weights)
        parts = []
        start = 0
        for segment, size in zip(shard.segments, sizes, strict=True):
            number = segment.weight
            counts = np.bincount(content[start : start + size], minlength=256)
            if segment.plane == 0 and _codec(weights[number]) == "exact":
                exponents[number] = exponents.get(number, 0) + counts
            shares = counts[counts > 0] / max(1, size)
            parts.append(max(1.0, float(-(shares * np.log2(shares)).sum()) * size / 8) if size else 0.0)
            start += size
        whole = sum(parts) or 1.0
        for segment, size, part in zip(shard.segments, sizes, parts, strict=True):
            wire = file.wire * part / whole
            codec = _codec(weights[segment.weight])
            for found in (
                by_weight.setdefault(segment.weight, {}).setdefault(stage, [0, 0]),
                by_plane.setdefault((codec, segment.plane, stage), [0, 0]),
            ):
                found[0] += size
                found[1] += wire
    return {
        "weights": [
            {
                "name": weights[number].name,
                "shape": list(weights[number].shape),
                "dtype": weights[number].dtype,
                "codec": _codec(weights[number]),
                "bytes": int(sum(found[0] for found in places.values())),
                "wire_bytes": round(sum(found[1] for found in places.values())),
                "stages": {stage: round(found[1]) for stage, found in places.items()},
                "spread": _rounded(spread_of(exponents[number])) if number in exponents else None,
            }
            for number, places in sorted(by_weight.items())
        ],
        "planes": [
            {"codec": codec, "plane": plane, "stage": stage, "bytes": int(nbytes), "wire_bytes": round(wire)}
            for (codec, plane, stage), (nbytes, wire) in sorted(by_plane.items())
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _codec(weight: HeadWeight) -> str:
    return str(weight.quantization["dtype"]) if weight.codec == "raw" and weight.quantization else weight.codec


def segment_sizes(shard: HeadShard, length: int, weights: Sequence[HeadWeight]) -> list[int]:
    """Return the lengths of a shard's segments: given with it, or from the weight's elements, scaled to ``length``."""
    known = [
        None if segment.start is None or segment.stop is None else segment.stop - segment.start
        for segment in shard.segments
    ]
    guesses = [
        size if size is not None else max(0, _plane_bytes(weights[segment.weight], segment.plane))
        for size, segment in zip(known, shard.segments, strict=True)
    ]
    if sum(guesses) == length:
        return guesses
    # A codec that this page does not know: share the rest out in proportion.
    rest = length - sum(size for size in known if size is not None)
    total = sum(guess for guess, size in zip(guesses, known, strict=True) if size is None) or 1
    sizes = [size if size is not None else guess * rest // total for guess, size in zip(guesses, known, strict=True)]
    if sizes:
        sizes[-1] += length - sum(sizes)
    return sizes


def _plane_bytes(weight: HeadWeight, plane: int) -> int:
    count = math.prod(weight.shape)
    if weight.dtype == "string":
        return weight.bytes or 0
    if weight.steps and plane == 1:
        return 4 * weight.steps[1]
    if _codec(weight) not in {"raw", "staged", "uint8", "uint16", "float16", "int8", "bfloat16"}:
        return count
    types = {"int8": 1, "bfloat16": 2, "uint8": 1, "uint16": 2, "float16": 2, "bool": 1, "complex64": 8}
    kind = weight.quantization["dtype"] if weight.quantization else weight.dtype
    return count * types.get(kind, 4)
