"""How much boxes overlap, and which of them hide others, class by class as torchvision's ``batched_nms``."""

from __future__ import annotations

import numpy as np

from .reading import Floats, Whole


def suppress(corners: Floats, scores: Floats, classes: Whole, iou: float) -> tuple[list[int], list[list[int]]]:
    """Return the rows that stay: those that no better one of their class that stays overlaps by more than ``iou``.

    Args:
        corners: [n, 4] left, top, right, bottom.
        scores: [n]; of equal ones the earlier row is the better one.
        classes: [n].
        iou: intersection over union.

    Returns:
        The rows, best first; and for each the rows that it hides, itself the first.
    """
    kept: list[int] = []
    hidden: list[list[int]] = []
    free = np.ones(len(scores), np.bool_)
    for row in np.argsort(-scores, kind="stable"):
        if free[row]:
            free[row] = False
            gone = free & (overlap(corners[row], corners) > iou) & (classes == classes[row])
            kept.append(int(row))
            hidden.append([int(row), *map(int, np.flatnonzero(gone))])
            free &= ~gone
    return kept, hidden


def overlap(box: Floats, others: Floats) -> Floats:
    """Return intersection over union of a box [4] with others [n, 4]; 0 where both have no area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(shared > 0, shared / union, 0.0)
