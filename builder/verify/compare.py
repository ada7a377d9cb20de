"""Compares what TensorFlow.js answered with what the source model answers.

Four measures:

- **max error** of one output: ``max |got - expected| / max(1, max |expected|)``; absolute for outputs within ±1,
  relative to the largest magnitude beyond. Infinities must stand in the same places with the same sign, NaN in the same
  places: then they count nothing, else the error is infinite.
- **top1**: the share of rows (all axes but the last) whose largest element is the same one. Outputs with one element
  a row have no classes and are left out; where all are such, cases of max error ≤ 0.01 are counted instead.
- **boxes**: matched F1, see ``verify.boxes``; stages without the output of boxes count cases of max error ≤ 0.01.
- **psnr**: ``10 log10(peak² / mean squared error)`` in dB, where peak is the expected output's range, at least 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import VerificationError
from .boxes import match_boxes
from .types import BoxRules, Comparison, Gate

Array = NDArray[np.generic]
Tensors = Mapping[str, Array]
__all__ = ["Comparison", "Gate", "compare", "max_error", "psnr", "top1"]

close_decibels = 40.0
close_error = 0.01


def compare(
    stage: str,
    got: Sequence[Tensors],
    expected: Sequence[Tensors],
    metric: str = "top1",
    boxes: BoxRules | None = None,
) -> Comparison:
    """Compare all cases of one stage; the outputs to compare are those of ``expected``.

    A single output may have another name on the other side (TensorFlow's ``output_0``, TensorFlow.js' ``Identity``).

    Raises:
        VerificationError: outputs are missing, or there is nothing to compare.
    """
    if len(got) != len(expected) or not expected:
        raise VerificationError(f"{len(got)} answers for {len(expected)} cases", code="SP-543", where=stage)
    largest, worst = -1.0, ""
    agreeing = total = 0
    for answer, reference in zip(got, expected, strict=True):
        pairs = _pairs(stage, answer, reference)
        errors = {name: max_error(left, right) for name, (left, right) in pairs.items()}
        for name, error in errors.items():
            if error > largest:
                largest, worst = error, name
        hits, count = _agreement(metric, pairs, errors, boxes)
        agreeing, total = agreeing + hits, total + count
    return Comparison(stage, largest, agreeing / total if total else 1.0, worst)


def max_error(got: Array, expected: Array) -> float:
    """Return the max error of one output (see the module's formula); infinite when the shapes differ."""
    if got.shape != expected.shape:
        return math.inf
    if not expected.size:
        return 0.0
    if not (_numeric(got) and _numeric(expected)):
        return 0.0 if np.array_equal(got, expected) else math.inf
    left, right = _wide(got), _wide(expected)
    finite = np.isfinite(right)
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True) or not np.isfinite(left[finite]).all():
        return math.inf
    if not finite.any():
        return 0.0
    scale = max(1.0, float(np.abs(right[finite]).max()))
    # Divide first: the difference of two huge numbers may overflow.
    return float(np.abs(left[finite] / scale - right[finite] / scale).max())


def top1(got: Array, expected: Array) -> tuple[int, int]:
    """Return (rows whose largest element is the same one, rows); (0, rows) when the shapes differ."""
    rows = expected.size // expected.shape[-1] if expected.ndim and expected.shape[-1] else 0
    if got.shape != expected.shape:
        return 0, max(rows, 1)
    if rows == 0:
        return 0, 0
    return int(np.count_nonzero(np.argmax(got, axis=-1) == np.argmax(expected, axis=-1))), rows


def psnr(got: Array, expected: Array) -> float:
    """Return the peak signal-to-noise ratio in dB: infinite for equal arrays, -infinite without a number."""
    if got.shape != expected.shape:
        return -math.inf
    if np.array_equal(got, expected, equal_nan=_numeric(got) and _numeric(expected)):
        return math.inf
    left, right = _wide(got), _wide(expected)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return -math.inf
    peak = max(1.0, float(np.abs(right - right.flat[0]).max() if np.iscomplexobj(right) else np.ptp(right)))
    error = float(np.mean(np.abs(left - right) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def _agreement(
    metric: str, pairs: Mapping[str, tuple[Array, Array]], errors: Mapping[str, float], boxes: BoxRules | None
) -> tuple[int, int]:
    if metric == "top1":
        counts = [top1(left, right) for left, right in pairs.values() if _classes(right)]
        if counts:
            return sum(hits for hits, _ in counts), sum(rows for _, rows in counts)
    if metric == "boxes" and boxes and (boxes.boxes in pairs or (boxes.scores is None and len(pairs) == 1)):
        left, right = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
        return match_boxes(left, right, boxes)
    if metric == "psnr":
        return int(all(psnr(left, right) >= close_decibels for left, right in pairs.values())), 1
    return int(all(error <= close_error for error in errors.values())), 1


def _pairs(stage: str, got: Tensors, expected: Tensors) -> dict[str, tuple[Array, Array]]:
    if len(got) == len(expected) == 1:
        (left,), ((name, right),) = got.values(), expected.items()
        return {name: (left, right)}
    missing = [name for name in expected if name not in got]
    if missing or not expected:
        raise VerificationError(
            f"the outputs {', '.join(map(repr, missing))} are missing, TensorFlow.js gave {', '.join(map(repr, got))}"
            if missing
            else "the source model gave no output",
            code="SP-544",
            where=stage,
            hint="Convert the model again with these outputs, or list the ones to keep in `outputs`",
        )
    return {name: (got[name], right) for name, right in expected.items()}


def _wide(array: Array) -> NDArray[np.float64] | NDArray[np.complex128]:
    if np.iscomplexobj(array):
        return array.astype(np.complex128)
    with np.errstate(invalid="ignore"):  # what a wrong kernel leaves may be a signaling NaN
        return array.astype(np.float64)


def _numeric(array: Array) -> bool:
    return array.dtype.kind in "biufc"


def _classes(array: Array) -> bool:
    return array.dtype.kind in "biuf" and array.ndim > 0 and array.shape[-1] > 1
