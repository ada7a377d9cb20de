"""What the references of all kinds share: outputs by name, shares of scores, and what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import VerificationError

Outputs = Mapping[str, NDArray[np.generic]]
Labels = Sequence[str]
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Options:
    """What a page may say when it runs a model, in place of ``build.toml``; None: nothing.

    Attributes:
        top: how many classes are listed.
        score: least score of an answer.
        iou: how much boxes may overlap.
        most: most boxes.
        clip: whether boxes end where the picture does.
    """

    top: int | None = None
    score: float | None = None
    iou: float | None = None
    most: int | None = None
    clip: bool | None = None


nothing_said = Options()


def unreadable(name: str, shape: Sequence[int], wanted: str) -> VerificationError:
    """Return the error of an output that is not what its answer needs."""
    return VerificationError(
        f"the output {name!r} has the shape {list(shape)}, its answer needs {wanted}",
        code="SP-433",
        where="answer",
        hint="Correct the answer's settings, or run one picture at a time",
    )


def output_of(outputs: Outputs, name: str) -> tuple[str, Floats]:
    """Return an output by its name, or the only one, as float64.

    Raises:
        VerificationError: there is none of this name.
    """
    if not name and len(outputs) == 1:
        name = next(iter(outputs))
    if name not in outputs:
        raise VerificationError(
            f"there is no output {name!r} to read an answer from",
            code="SP-434",
            where="answer",
            hint=f"Use one of {', '.join(map(repr, outputs))}",
        )
    return name, np.asarray(outputs[name]).astype(np.float64)


def label_of(labels: Labels, index: int) -> str | None:
    """Return the label of a class; None where there are too few."""
    return labels[index] if 0 <= index < len(labels) else None


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):
        found: Floats = 1 / (1 + np.exp(-values))
    return found


def softmax(values: Floats, axis: int = -1) -> Floats:
    """Return exp(x) / Σ exp(x); what is no number has no share and takes none."""
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = np.where(np.isnan(values), -np.inf, values)
        powers = np.exp(values - numbers.max(axis=axis, keepdims=True, initial=-np.inf))
        found: Floats = powers / np.nansum(powers, axis=axis, keepdims=True)
    return found


def activated(values: Floats, activation: str | None, axis: int = -1) -> Floats:
    """Return the shares that scores stand for."""
    if activation == "sigmoid":
        return sigmoid(values)
    return softmax(values, axis) if activation == "softmax" else values
