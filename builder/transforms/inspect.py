"""Looks for what a user should know of a model's weights."""

from __future__ import annotations

from ..model import Weight, chunks


def find_non_finite(weights: tuple[Weight, ...]) -> tuple[str, ...]:
    """Return the names of the float32 weights that hold NaN or infinities."""
    return tuple(
        weight.name
        for weight in weights
        if weight.dtype == "float32" and weight.quantization is None and _has_non_finite(weight)
    )


def _has_non_finite(weight: Weight) -> bool:
    import numpy as np

    return any(not np.isfinite(np.frombuffer(chunk, "<f4")).all() for chunk in chunks(weight.data))
