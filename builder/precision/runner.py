"""What a measurement asks of whatever runs the model, and how the cases of a question are put together in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .distance import Arrays
from .layers import Feeds, Floats

Case = dict[str, NDArray[Any]]
Doubles = NDArray[np.float64]
most_together = 1_300_000  # elements of inputs that run in one batch: 8 pictures of 224 x 224


class Runner(Protocol):
    """Runs the model with other weights."""

    def outputs(self, cases: Sequence[int], feeds: Feeds) -> Sequence[Arrays]:
        """Return the outputs for some cases."""

    def means(self, cases: Sequence[int], feeds: Feeds, results: Sequence[str]) -> list[Floats]:
        """Return the means of tensors over all cases and all axes but the last."""

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[Doubles]:
        """Return the covariances of the last axis of tensors over all cases and all other axes."""


class BatchRunner(ABC):
    """A runner whose runtime takes a group of cases at a time; ``results`` are names of nodes, their first outputs.

    Attributes:
        cases: the inputs, by name.
    """

    def __init__(self, cases: Sequence[Case]) -> None:
        """Note what may run together; ``join_batches`` has to be called once the runtime is there."""
        self.cases = cases
        self._shapes = [tuple(sorted((name, array.shape) for name, array in case.items())) for case in cases]
        self._rows = [next((array.shape[0] for array in case.values() if array.ndim), 0) for case in cases]
        self._elements = [sum(array.size for array in case.values()) for case in cases]
        self._together = False

    @abstractmethod
    def takes_batches(self) -> bool:
        """Return whether the first axis of all inputs and outputs is of an open length."""

    @abstractmethod
    def group_outputs(self, group: Sequence[int], feeds: Feeds) -> Arrays:
        """Return the outputs for a group of cases."""

    @abstractmethod
    def group_means(self, group: Sequence[int], feeds: Feeds, results: Sequence[str]) -> Feeds:
        """Return the means of tensors over a group, and all axes but the last, by name."""

    @abstractmethod
    def group_spreads(self, group: Sequence[int], results: Sequence[str]) -> Mapping[str, tuple[int, Doubles, Doubles]]:
        """Return by name the number of rows of tensors, their mean [width], and the sum of squares about it.

        The latter is of shape [width, width]; the last axis is the width, all others are rows.
        """

    def join_batches(self) -> None:
        """Find out whether two cases in one batch give what each gives by itself: then they run together."""
        if len(self.cases) < 2 or not all(self._rows) or self._shapes[0] != self._shapes[1]:
            return
        if not self.takes_batches():
            return
        both = self.group_outputs([0, 1], {})
        apart = [self.group_outputs([case], {}) for case in (0, 1)]
        self._together = all(
            array.shape == (joined := np.concatenate([one[name] for one in apart])).shape
            and np.allclose(array, joined, rtol=1e-3, atol=1e-4)
            for name, array in both.items()
        )

    def outputs(self, cases: Sequence[int], feeds: Feeds) -> list[Arrays]:
        """Return the outputs for some cases."""
        found: list[Arrays] = []
        for group in self._groups(cases):
            answers, start = self.group_outputs(group, feeds), 0
            if len(group) == 1:
                found.append(answers)
                continue
            for case in group:
                stop = start + self._rows[case]
                found.append({name: array[start:stop] for name, array in answers.items()})
                start = stop
        return found

    def means(self, cases: Sequence[int], feeds: Feeds, results: Sequence[str]) -> list[Floats]:
        """Return the means of tensors over all cases and all axes but the last."""
        totals: dict[str, Any] = {}
        for group in self._groups(cases):
            for name, mean in self.group_means(group, feeds, results).items():
                totals[name] = totals.get(name, 0.0) + mean * (len(group) / len(cases))
        return [totals[name] for name in results]

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[Doubles]:
        """Return the covariances of the last axis of tensors over all cases and all other axes."""
        rows_of: dict[str, int] = dict.fromkeys(results, 0)
        sums: dict[str, Any] = dict.fromkeys(results, 0.0)
        squares: dict[str, Any] = dict.fromkeys(results, 0.0)
        for group in self._groups(cases) if results else ():
            for name, (rows, mean, about) in self.group_spreads(group, results).items():
                rows_of[name] += rows
                sums[name] = sums[name] + rows * mean
                squares[name] = squares[name] + about + rows * np.outer(mean, mean)
        return [
            squares[name] / rows_of[name] - np.outer(sums[name], sums[name]) / rows_of[name] ** 2 for name in results
        ]

    def _groups(self, cases: Sequence[int]) -> Iterator[list[int]]:
        """Return the cases that run together: as many as memory allows of those with like shapes, else one by one."""
        group: list[int] = []
        for case in cases:
            if group and (
                not self._together
                or self._shapes[case] != self._shapes[group[0]]
                or (len(group) + 1) * self._elements[case] > most_together
            ):
                yield group
                group = []
            group.append(case)
        if group:
            yield group
