"""Golden samples: a run whose answer is in the head, so that a page can check whether its device gives the same.

Inputs are not stored but computed, by a formula that JavaScript has too (``templates/modules/device.js``):
``docs/format.md`` states it. Of the outputs a few values are kept, the largest ones among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..model import TensorSpec
from .inputs import Sizes, declared_shape, small_id, usual
from .types import SampleInput

Array = NDArray[np.generic]
largest_elements = 1 << 22
kept_values = 96  # of all outputs together: about 1.5 kB of JSON
digits = 6


def sample_inputs(
    specs: tuple[TensorSpec, ...], ids_below: Mapping[str, int], sizes: Sizes = usual
) -> tuple[SampleInput, ...]:
    """Describe the inputs of a sample; () for a model that cannot have one."""
    found = []
    for spec in specs:
        shape = declared_shape(spec, sizes)
        below = ids_below.get(spec.name, {"int32": small_id, "bool": 2}.get(spec.dtype, 0))
        if spec.dtype not in {"float32", "int32", "bool"} or math.prod(shape) > largest_elements:
            return ()
        found.append(SampleInput(spec.name, spec.dtype, shape, below))
    return tuple(found)


def sample_tensor(spec: SampleInput, position: int) -> Array:
    """Fill an input: element i from the bits of a hash of i and the input's position.

    Args:
        spec: of the input.
        position: of it among the inputs.
    """
    ramp = np.arange(1, math.prod(spec.shape) + 1, dtype=np.uint64) + np.uint64(0x10000 * position)
    mask = np.uint64(0xFFFFFFFF)
    x = ramp * np.uint64(0x9E3779B1) & mask
    x = (x ^ (x >> np.uint64(16))) * np.uint64(0x85EBCA6B) & mask
    unit = (x ^ (x >> np.uint64(13))).astype(np.float64) / 2.0**32
    values = np.floor(unit * spec.below) if spec.below else unit
    return values.astype(np.float32).astype({"bool": np.bool_}.get(spec.dtype, spec.dtype)).reshape(spec.shape)


def make_sample(
    inputs: Sequence[SampleInput],
    base: Sequence[tuple[str, Array]] | None,
    full: Sequence[tuple[str, Array]],
    tolerance: float,
    *,
    numbered: bool,
) -> dict[str, object] | None:
    """Return what the head keeps of a run, or None where it has no finite numbers.

    Args:
        inputs: as described.
        base: names and answers before the refinement, or None where there is none.
        full: names and answers at final precision.
        tolerance: allowed max error at final precision.
        numbered: outputs are told by their number, as of layers models.
    """
    chosen = [
        (number, name, array.ravel())
        for number, (name, array) in enumerate(full)
        if array.dtype == np.float32 and array.size and np.isfinite(array).all()
    ]
    if base is not None:
        chosen = [item for item in chosen if base[item[0]][1].size == item[2].size]
    chosen = chosen[:4]
    if not chosen:
        return None
    each = kept_values // len(chosen)
    outputs, distance = [], 0.0
    for number, name, values in chosen:
        places = _places(values, each)
        outputs.append([number if numbered else name, values.size, places.tolist(), _rounded(values[places])])
        if base is not None:
            scale = max(1.0, float(np.abs(values[places]).max()))
            rough = base[number][1].ravel()[places]
            if not np.isfinite(rough).all():
                return None
            distance = max(
                distance, float(np.abs(rough.astype(np.float64) - values[places].astype(np.float64)).max()) / scale
            )
    return {
        "inputs": [[spec.name, spec.dtype, list(spec.shape), spec.below] for spec in inputs],
        "outputs": outputs,
        "tolerance": tolerance,
        "base": _rounded(np.array([distance]))[0],
    }


def _places(values: Array, count: int) -> NDArray[np.int64]:
    """Choose where to look: evenly, and the largest magnitudes."""
    if values.size <= count:
        return np.arange(values.size)
    even = np.linspace(0, values.size - 1, count * 2 // 3).astype(np.int64)
    largest = np.argsort(-np.abs(values.astype(np.float64)), kind="stable")[: count - even.size]
    chosen: NDArray[np.int64] = np.unique(np.concatenate([even, largest]))
    return chosen


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values.tolist()]
