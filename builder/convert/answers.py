"""Runs a source on inputs of guessed sizes and writes what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ConversionError
from ..files.npz import write_npz
from .requests import ReferenceRequest, ReferenceResult
from .session import plain_array
from .tf_types import Arrays

# What a network that answers with nothing may need, one that fails does not, and attention would fill the memory.
longest_after_failures = 4096


def reference_result(run: Callable[[Arrays], Arrays], request: ReferenceRequest) -> ReferenceResult:
    """Run a source on the first inputs that it takes, and on the first further ones; see ``ReferenceRequest``.

    Args:
        run: arrays by name of an input to arrays by name of an output.
        request: which files there are, and which are to be written.
    """
    chosen, empty = _first_that_runs(run, request)
    before = chosen[1]
    for inputs, outputs in request.follow:
        _answer(run, inputs, outputs, _carried(before, request.state))
        before = outputs
    besides = next((pair for pair in request.besides if _runs(run, *pair)), None)
    return ReferenceResult(*chosen, empty, besides)


def _first_that_runs(run: Callable[[Arrays], Arrays], request: ReferenceRequest) -> tuple[tuple[Path, Path], bool]:
    """Return the first pair of files that the model answers with something, else that it answers at all."""
    failure: Exception | None = None
    ran: tuple[Path, Path] | None = None
    for pair in ((request.inputs, request.outputs), *request.instead):
        if ran is None and failure is not None and _longest(pair[0]) > longest_after_failures:
            break
        try:
            full = _answer(run, *pair)
        except Exception as error:  # whatever TensorFlow and Keras raise where sizes do not fit
            failure = failure or error
            continue
        if full:
            return pair, False
        ran = ran or pair
    if ran is not None:
        return ran, True
    raise failure or ConversionError("no inputs to run", code="SP-412")


def _longest(inputs: Path) -> int:
    import numpy as np

    with np.load(inputs, allow_pickle=False) as arrays:
        return max((length for array in arrays.values() for length in array.shape), default=0)


def _runs(run: Callable[[Arrays], Arrays], inputs: Path, outputs: Path) -> bool:
    """Run a model and write what it answers; False where it fails or answers with empty tensors only."""
    try:
        return _answer(run, inputs, outputs)
    except Exception:  # the sizes are not the model's: that is no failure
        return False


def _carried(outputs: Path, state: tuple[tuple[str, str], ...]) -> Arrays:
    """Return the inputs that a run leaves for the next one."""
    import numpy as np

    with np.load(outputs, allow_pickle=False) as arrays:
        return {name: arrays[output] for name, output in state}


def _answer(run: Callable[[Arrays], Arrays], inputs: Path, outputs: Path, carried: Arrays | None = None) -> bool:
    """Run a model and write what it answers; tells whether that is more than empty tensors."""
    import numpy as np

    with np.load(inputs, allow_pickle=False) as arrays:
        found = {name: plain_array(array) for name, array in run({**arrays, **(carried or {})}).items()}
    write_npz(outputs, found)
    return any(array.size for array in found.values())
