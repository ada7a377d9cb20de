"""A vector that stands for the meaning of a picture or text, and how alike two of them are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config.answers import VectorTable
from .reading import Floats, Outputs, output_of, unreadable


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of float64 [n]."""

    values: Floats

    def similarity(self, other: Vector) -> float:
        """Return the cosine of the angle between both; 0 where one of them has no length."""
        length = float(np.linalg.norm(self.values) * np.linalg.norm(other.values))
        return float(self.values @ other.values) / length if length else 0.0


def answer(outputs: Outputs, table: VectorTable, inputs: Outputs | None = None) -> Vector:
    """Return the vector of one picture or text.

    Args:
        outputs: of the model.
        table: which of them, [1, n] or, with pooling, [1, tokens, n].
        inputs: what the model was given; its mask leaves tokens out of the mean.

    Raises:
        VerificationError: the output is no such vector, or there is no such mask.
    """
    name, array = output_of(outputs, table.output)
    if table.pooling == "none":
        if array.size != max(array.shape, default=1) or not array.size:
            raise unreadable(name, array.shape, "one vector")
        return Vector(_scaled(array.reshape(-1), table))
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or not array.size:
        raise unreadable(name, array.shape, "[1, tokens, numbers]")
    if table.pooling == "first":
        return Vector(_scaled(array[0], table))
    weights: NDArray[np.float64] = np.ones(len(array))
    if table.mask:
        weights = output_of(inputs or {}, table.mask)[1].reshape(-1)
        if len(weights) != len(array):
            raise unreadable(name, array.shape, f"{len(weights)} tokens, as the mask has")
    total = weights.sum()
    return Vector(_scaled(weights @ array / total if total else np.zeros(array.shape[1]), table))


def _scaled(values: Floats, table: VectorTable) -> Floats:
    length = float(np.linalg.norm(values))
    return values / length if table.normalise and length else values
