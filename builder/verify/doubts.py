"""Finds passed checks that prove little: answers that never change, sizes at which the bundle is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import VerificationError
from .types import Check, Comparison

if TYPE_CHECKING:
    from .compare import Array, Tensors

give_inputs = "give inputs that make a difference with [models.NAME.verify] inputs"
slack = 4  # times the error at the usual size that another size may have
least_agreement = 0.5


def doubts_of(
    check: Check,
    last: Comparison,
    answers: Sequence[Tensors],
    extra: tuple[Tensors | str | None, Tensors | str | None],
    other: Tensors | None,
) -> tuple[str, ...]:
    """Return what weakens a passed check, one sentence each.

    Args:
        check: what was asked.
        last: the comparison at full precision.
        answers: the model's, by case.
        extra: the model's answer to the extra case and the source's; texts are complaints, None is "not run".
        other: the model's answer to still other inputs, of the golden sample.
    """
    got, wanted = extra
    fresh = got if check.extra is not None and _is_fresh(check.extra) else None
    found = [_sizes(check, last, got, wanted), _sameness([*answers, *_also(fresh), *_also(other)])]
    return tuple(text for text in found if text)


def _is_fresh(case: Tensors) -> bool:
    """Whether a case is more than a repetition of another."""
    import numpy as np

    return not all(len(array) > 1 and np.array_equal(array[0], array[1]) for array in map(np.asarray, case.values()))


def _also(answer: Tensors | str | None) -> list[Tensors]:
    return [] if answer is None or isinstance(answer, str) else [answer]


def _sizes(check: Check, last: Comparison, got: Tensors | str | None, wanted: Tensors | str | None) -> str:
    """Compare the answers to the extra case; if the source fails there too, nothing is concluded."""
    from .compare import compare

    if check.extra is None or got is None or wanted is None or isinstance(wanted, str):
        return ""
    sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in check.extra.items())
    advice = "feed it with the sizes that were verified, or export it with fixed ones"
    if isinstance(got, str):
        return f"right as verified, but TensorFlow.js cannot run it with {sizes} ({got}): {advice}"
    try:
        found = compare("full", [got], [wanted], check.gate.metric, check.gate.boxes)
    except VerificationError as error:
        return f"right as verified, but with {sizes} {error.what}: {advice}"
    allowed = max(check.gate.max_error or 0.0, slack * last.max_error)
    agrees = check.gate.min_agreement is not None and found.agreement >= least_agreement
    if found.max_error <= allowed or agrees:
        return ""
    return f"right as verified, but with {sizes} output {found.worst!r} differs from the source model's: {advice}"


def _sameness(answers: Sequence[Tensors]) -> str:
    """Report if no output distinguishes the inputs."""
    import numpy as np

    flat = [[np.asarray(array) for array in answer.values()] for answer in answers]
    numbers = [array for answer in flat for array in answer]
    if not numbers or any(array.dtype.kind not in "biuf" for array in numbers):
        return ""
    if not any(array.size for array in numbers):
        return f"all outputs are empty, so the check proves nothing: {give_inputs}"
    if all(not array.any() for array in numbers) and any(array.dtype.kind == "f" for array in numbers):
        return f"all outputs are zero for the inputs that were tried, so the check proves nothing: {give_inputs}"
    if any(array.dtype.kind == "f" for array in flat[0]) and _rows_differ(flat) is False:
        return f"all outputs are the same whatever the inputs, so the check proves little: {give_inputs}"
    return ""


def _rows_differ(answers: Sequence[Sequence[Array]]) -> bool | None:
    """Return whether outputs differ between inputs, be these cases or rows of a batch; None with a single input."""
    compared = False
    for place in range(len(answers[0])):
        rows = [row for answer in answers if place < len(answer) for row in _rows(answer[place])]
        for row in rows[1:]:
            if row.shape != rows[0].shape:
                return True
            compared = True
            if not _close(row, rows[0]):
                return True
    return False if compared else None


def _rows(array: Array) -> list[Array]:
    return list(array) if array.ndim > 1 and array.shape[0] <= 2 else [array]


def _close(left: Array, right: Array) -> bool:
    import numpy as np

    scale = float(np.nanmax(np.abs(right.astype(np.float64)), initial=0.0))
    return bool(
        np.allclose(left.astype(np.float64), right.astype(np.float64), rtol=0, atol=1e-6 * scale, equal_nan=True)
    )
