"""Rounds the weights of a product so that the errors of one input make up for those of others.

Rounding to nearest treats a weight by itself. Inputs that move together let a later row undo what the rounding of an
earlier one did to the outputs: its error, divided by the conditional spread of its input, goes to the rows after it
(GPTQ, Frantar et al. 2022, after Hassibi's optimal brain surgeon).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
block = 64  # rows whose errors go to the rest at once
reach = 0.75  # base steps from a value to its code: more costs the refinement more bits than it gains here
largest_code = 127


def round_together(values: Doubles, steps: Doubles, covariance: Doubles, damping: float) -> NDArray[np.int8]:
    """Return codes within ``reach`` of ``values``: the nearest ones where the inputs do not vary.

    Args:
        values: [inputs, outputs].
        steps: [outputs]; where one is 0 the codes are 0.
        covariance: [inputs, inputs] of what the values are multiplied with.
        damping: what is added to each variance, in shares of their mean: with little, errors cancel for the
            calibration's own inputs only.
    """
    scaled = np.divide(values, steps, out=np.zeros_like(values), where=steps > 0)
    spread = covariance + damping * float(np.mean(np.diag(covariance))) * np.eye(len(values))
    # Inputs that vary most come first, while there are many left to make up for their errors.
    order = np.argsort(-np.diag(spread), kind="stable")
    try:
        factor = np.linalg.cholesky(np.linalg.inv(spread[np.ix_(order, order)])).T
    except np.linalg.LinAlgError:
        # They hardly vary: what is left of so few inputs without their mean is float32's noise.
        alone: Doubles = np.clip(np.rint(scaled), -largest_code, largest_code)
        return alone.astype(np.int8)
    left = scaled[order]
    lowest, highest = np.ceil(left - reach), np.floor(left + reach)
    codes = np.zeros_like(left)
    for first in range(0, len(left), block):
        last = min(first + block, len(left))
        errors = np.zeros((last - first, left.shape[1]))
        for row in range(first, last):
            code = np.clip(np.rint(left[row]), lowest[row], highest[row])
            codes[row] = np.clip(code, -largest_code, largest_code)
            errors[row - first] = (left[row] - codes[row]) / factor[row, row]
            left[row + 1 : last] -= np.outer(factor[row, row + 1 : last], errors[row - first])
        left[last:] -= factor[first:last, last:].T @ errors
    found = np.zeros_like(codes)
    found[order] = codes
    return found.astype(np.int8)
