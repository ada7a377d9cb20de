"""What is known at build time of lengths that a graph computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Origin = tuple[str, int]  # an output of a node, and which of its axes, as they are stored


@dataclass(frozen=True, slots=True, eq=False)
class KnownLengths:
    """Whole numbers that are made of lengths of axes.

    Attributes:
        numbers: float64, NaN where one is open.
        origins: for each number, whose length it is; None where that is not known.
    """

    numbers: npt.NDArray[np.float64]
    origins: tuple[Origin | None, ...]

    @property
    def are_known(self) -> bool:
        """None of them is open."""
        return not bool(np.isnan(self.numbers).any())
