"""Nearest words and analogies as a page computes them, in NumPy, for comparison.

Similarity is the cosine. An analogy ``a : b = c : ?`` is asked of ``b - a + c``, each of length 1 (3CosAdd); what was
asked with is left out of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the rows at length 1; rows of zeros stay what they are."""
    import numpy as np

    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    units: npt.NDArray[np.float32] = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return units


def best_rows(
    units: npt.NDArray[np.float32], targets: npt.NDArray[np.float32], without: Sequence[Sequence[int]], k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the k best rows for each target, best first, and their scores; both of shape [targets, k].

    Args:
        units: the table, as ``unit_rows`` gives it.
        targets: of any length above 0, shape [targets, dim].
        without: rows that are left out, for each target.
        k: how many.
    """
    import numpy as np

    scores = unit_rows(targets) @ units.T
    for target, rows in enumerate(without):
        scores[target, list(rows)] = -np.inf
    k = min(k, scores.shape[1])
    some = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(some, order, axis=1)
    return best, np.take_along_axis(scores, best, axis=1)
