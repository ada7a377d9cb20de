"""How far the boxes of a detector are from what they should be.

Only boxes that count, or nearly do, tell anything, and nearly all rows of a detector are none: what its layers do to
those says little of what they do to these. A score is taken as the chance of a box to count, by the logistic function
of how far it is above ``min_score``, and two chances are apart by their KL divergence; two rectangles by twice the
square of what they lack of each other, as other outputs are by twice their relative squared error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..verify.boxes import overlaps, read_rows
from ..verify.types import BoxRules
from .distance import Arrays, distance, error_weight

Floats = NDArray[np.float64]
least_chance = 0.1  # of a row that tells anything
edge = 1e-6


def distance_of_boxes(got: Sequence[Arrays], expected: Sequence[Arrays], rules: BoxRules) -> float:
    """Return the mean over boxes of the divergence of their scores and of their rectangles; infinite if not finite.

    Where no box nearly counts, the outputs are compared as numbers.

    Raises:
        VerificationError: the outputs do not have the shapes that the rules speak of.
    """
    pairs = [(read_rows(left, rules), read_rows(right, rules)) for left, right in zip(got, expected, strict=True)]
    shares = all(right[1].min(initial=0) >= 0 and right[1].max(initial=0) <= 1 for _, right in pairs)
    total = boxes = 0.0
    for (corners, scores, _), (wanted, truth, _) in pairs:
        if scores.shape != truth.shape or not (np.isfinite(corners).all() and np.isfinite(scores).all()):
            return math.inf
        chances, right = (_chances(array, rules.min_score, shares) for array in (scores, truth))
        weights = np.maximum(chances, right).max(axis=-1)
        near = weights > least_chance
        weights, chances, right = weights[near], chances[near], right[near]
        apart = right * np.log(right / chances) + (1 - right) * np.log((1 - right) / (1 - chances))
        lacking = 1 - overlaps(corners[near], wanted[near])
        total += float(apart.sum() + error_weight * (weights * lacking**2).sum())
        boxes += float(weights.sum())
    if boxes:
        return total / boxes
    names = [name for name in (rules.boxes, rules.scores) if name and name in expected[0]] or list(expected[0])
    return distance(*([{name: case[name] for name in names} for case in side] for side in (got, expected)))


def _chances(scores: Floats, least: float, shares: bool) -> Floats:
    """Return the chances to count: scores are probabilities (``shares``) or logits."""
    margin = _logit(scores) - _logit(np.float64(least)) if shares and 0 < least < 1 else scores - least
    found: Floats = np.clip(1 / (1 + np.exp(-np.clip(margin, -30, 30))), edge, 1 - edge)
    return found


def _logit(share: Floats | np.float64) -> Floats:
    clipped = np.clip(share, edge, 1 - edge)
    found: Floats = np.log(clipped / (1 - clipped))
    return found
