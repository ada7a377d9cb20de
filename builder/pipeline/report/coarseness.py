"""Which weights are hardly quantizable: as measured where the precision was, else guessed from their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .shape import Advice, MeasuredWeight, PrecisionReport, WeightBytes

if TYPE_CHECKING:
    import numpy.typing as npt

levels = 256
longest = 6
fewest = 256  # elements, for a guess
far = 22.0  # the largest over the typical value, from which the guess is a twentieth of error
stays_exact = "exact"
finest = "as fine as a byte"


def advise_precision(precision: PrecisionReport | None, weights: Sequence[WeightBytes]) -> list[Advice]:
    """Name the weights that resist coarse steps, the largest first.

    Args:
        precision: what a measurement found, or None.
        weights: as ``byte_details`` gives them.
    """
    sizes = {weight["name"]: weight["wire_bytes"] for weight in weights}
    found = _measured(precision["weights"]) if precision and precision.get("weights") else _guessed(weights)
    advice: list[Advice] = [
        {"kind": "precision", "weight": name, "text": text, "saves_bytes": 0, "times_fewer_flops": None}
        for name, text in sorted(found.items(), key=lambda item: -sizes.get(item[0], 0))
    ]
    return advice[:longest]


def _measured(layers: Sequence[MeasuredWeight]) -> dict[str, str]:
    found = {}
    for layer in layers:
        if layer["why"].startswith(stays_exact):
            found[layer["weight"]] = (
                f"hardly quantizable: {levels} levels a channel change the answers, so it stays exact"
            )
        elif layer["why"].startswith(finest):
            found[layer["weight"]] = f"hardly quantizable: it needs all of the {levels} levels that a byte tells"
    return found


def _guessed(weights: Sequence[WeightBytes]) -> dict[str, str]:
    """The error of even steps from -max to max is max / 127 / sqrt(12), here over the root mean square."""
    return {
        weight["name"]: f"hardly quantizable by {levels} even levels: its largest value is about "
        f'{weight["spread"]:.0f} times the typical one (precision = "auto" measures it)'
        for weight in weights
        if (weight.get("spread") or 0) > far
    }


def spread_of(exponents: npt.ArrayLike) -> float | None:
    """Return the largest value over the root mean square, from how often each exponent of float32 occurs.

    Args:
        exponents: 256 counts; mantissas are taken as evenly spread, which is right within a tenth for many values.
    """
    import numpy as np

    counts = np.asarray(exponents, np.float64)
    finite = counts[:255]
    if finite.sum() < fewest or not finite[1:].any():
        return None
    powers = 2.0 ** (np.arange(255) - 127.0)
    powers[0] = 0.0
    largest = 1.5 * powers[np.flatnonzero(finite[1:])[-1] + 1]
    mean_square = float((finite * powers**2).sum() / finite.sum()) * 7 / 3
    return float(largest / np.sqrt(mean_square))
