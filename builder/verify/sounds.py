"""Whether a page makes the same inputs of sounds as the reference does."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from .result import HeardWindow, Result
from .types import Check

allowed = 1e-4  # of the largest number of an input


def windows_of(check: Check, result: Result) -> Iterator[tuple[int, HeardWindow]]:
    """Give the number of each window's case, and what ``run`` made of it."""
    for played, windows in zip(check.played, result.get("heard") or (), strict=False):
        yield from zip(played.cases, windows, strict=False)


def unheard(check: Check, result: Result) -> str:
    """Say which sound becomes other windows in a page than the reference makes of it; empty if none does."""
    import numpy as np  # a build that has nothing to do needs none

    for number, (played, windows) in enumerate(zip(check.played, result.get("heard") or (), strict=False)):
        if len(played.cases) != len(windows):
            return f"run makes {len(windows)} windows of sound {number}, the reference {len(played.cases)}"
        for place, (case, window) in enumerate(zip(played.cases, windows, strict=True)):
            wanted = check.cases[case][check.heard]
            if window["input"] is None:
                continue
            got = np.frombuffer(base64.b64decode(window["input"]), wanted.dtype).astype(np.float64)
            numbers = wanted.astype(np.float64).reshape(-1)
            largest = float(np.abs(numbers).max(initial=1.0))
            if got.size != numbers.size or float(np.abs(got - numbers).max(initial=0.0)) > allowed * largest:
                return f"run makes another input of sound {number}, window {place}, than the reference"
    return ""
