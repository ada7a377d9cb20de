"""The default gates of verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .types import BoxRules, Gate

largest_errors = {"exact": 1e-4, "balanced": 1e-3}
largest_error_else = 0.05


def gate_of(
    precision: str | Mapping[str, str],
    max_error: float | None,
    min_agreement: float | None,
    metric: str,
    boxes: Mapping[str, Any] | None = None,
) -> Gate:
    """Complete a gate: of several precisions the loosest one counts, and a stated agreement is enough by itself.

    Args:
        precision: as in build.toml.
        max_error: as stated there, or None.
        min_agreement: likewise.
        metric: what agreement means.
        boxes: the fields of ``BoxRules``, for that metric.
    """
    if max_error is None and min_agreement is None:
        kinds = {precision} if isinstance(precision, str) else {"exact", *precision.values()}
        max_error = max(largest_errors.get(kind, largest_error_else) for kind in kinds)
    return Gate(max_error, min_agreement, metric, BoxRules(**boxes) if boxes else None)
