"""Classes: which of several things a picture, sound or text is, the best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..config.answers import ClassesTable
from .reading import Floats, Labels, Options, Outputs, activated, label_of, nothing_said, output_of, unreadable


@dataclass(frozen=True, slots=True)
class Scored:
    """A class and its score; ``label`` is None where there are too few labels."""

    label: str | None
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Classes:
    """The best class and those after it.

    Attributes:
        label: of the best one; None where it is unsure.
        index: its number; -1 where no score is a number.
        score: of the best one.
        unsure: its score is below the threshold.
        top: the best ones, whatever their scores.
    """

    label: str | None
    index: int
    score: float
    unsure: bool
    top: tuple[Scored, ...]


def answer(outputs: Outputs, table: ClassesTable, labels: Labels = (), options: Options = nothing_said) -> Classes:
    """Return the classes of one row of scores; equal scores keep their order.

    A single score with two labels is that of the second one; the first has what lacks of 1.

    Raises:
        VerificationError: there is no such output, or it has several rows.
    """
    name, array = output_of(outputs, table.output)
    if array.size not in {0, max(array.shape, default=1)}:
        raise unreadable(name, array.shape, "one row of scores")
    scores = _shares(array.reshape(-1), table, labels)
    order = [int(index) for index in np.argsort(-scores, kind="stable") if not np.isnan(scores[index])]
    ranked = tuple(Scored(label_of(labels, index), index, float(scores[index])) for index in order)
    threshold = table.threshold if options.score is None else options.score
    top = table.top if options.top is None else options.top
    best = ranked[0] if ranked else Scored(None, -1, 0.0)
    unsure = not ranked or not best.score >= threshold
    return Classes(None if unsure else best.label, best.index, best.score, unsure, ranked[: max(0, top)])


def _shares(row: Floats, table: ClassesTable, labels: Labels) -> Floats:
    shares = activated(row, table.activation)
    if len(shares) == 1 and len(labels) == 2:
        return np.array([1 - shares[0], shares[0]])
    return shares
