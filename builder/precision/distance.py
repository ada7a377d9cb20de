"""How far outputs are from what they should be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]
error_weight = 2.0  # twice the relative squared error stands beside KL: at .01 of either most answers stay
tiny = 1e-12


def distance(got: Sequence[Arrays], expected: Sequence[Arrays]) -> float:
    """Return the mean over all float outputs and all cases; infinite where a number is not finite.

    Outputs whose rows are probabilities count by KL divergence in nats, others by squared error relative to their
    variance over all cases.
    """
    total, outputs = 0.0, 0
    for name, first in expected[0].items():
        if first.dtype.kind != "f" or not any(case[name].size for case in expected):
            continue
        if any(one[name].shape != other[name].shape for one, other in zip(got, expected, strict=True)):
            return math.inf
        wanted = np.concatenate([case[name].astype(np.float64).ravel() for case in expected])
        found = np.concatenate([case[name].astype(np.float64).ravel() for case in got])
        if not np.isfinite(found).all():
            return math.inf
        outputs += 1
        widths = {case[name].shape[-1] if case[name].ndim else 1 for case in expected}
        width = widths.pop() if len(widths) == 1 else 1
        rows = wanted.reshape(-1, width)
        if width > 1 and rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            others = found.reshape(-1, width)
            total += float((rows * (np.log(rows + tiny) - np.log(np.maximum(others, 0) + tiny))).sum(axis=1).mean())
        else:
            total += error_weight * float(np.mean((found - wanted) ** 2) / (np.var(wanted) + tiny))
    return max(total, 0.0) / max(1, outputs)


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval (Wilson's) of a share that was found in ``count`` trials."""
    if not count:
        return 0.0, 1.0
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def entropy(codes: NDArray[np.int8]) -> float:
    """Return the order-0 entropy of codes, in bits an element."""
    counts = np.bincount(codes.astype(np.int64) + 128, minlength=256)
    shares = counts[counts > 0] / codes.size
    return float(-(shares * np.log2(shares)).sum())
