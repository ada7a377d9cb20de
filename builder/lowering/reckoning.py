"""Arithmetic of float32 values in a graph, written shortly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .graph import Graph
from .values import Value


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Adds nodes of arithmetic: ``reckon("Mul", x, 2.0)``."""

    graph: Graph

    def __call__(self, op: str, *values: Value | float) -> Value:
        """Add an op that works number by number on float32 values, or on numbers."""
        found = [self.number(value) if isinstance(value, int | float) else value for value in values]
        return self.graph.elementwise(op, found)

    def number(self, number: float) -> Value:
        """Return a constant, float32 []."""
        return self.graph.constant(np.array(number, np.float32))

    def compare(self, op: str, left: Value, right: float | Value) -> Value:
        """Return truth values as 0 and 1, float32."""
        other = right if isinstance(right, Value) else self.number(right)
        return self.graph.cast(self.graph.elementwise(op, [left, other], "bool"), "float32")

    def clamped(self, x: Value, low: float | Value, high: float | Value) -> Value:
        """Bring numbers between two others."""
        return self("Minimum", self("Maximum", x, low), high)

    def total(self, values: list[Value]) -> Value:
        """Return a sum."""
        found = values[0]
        for value in values[1:]:
            found = self("AddV2", found, value)
        return found

    def gelu(self, x: Value, *, by_tanh: bool) -> Value:
        """Return x / 2 (1 + erf(x / sqrt 2)), or its approximation by tanh (Hendrycks and Gimpel, 2016)."""
        if by_tanh:
            cube = self("Mul", self("Square", x), x)
            bent = self("Tanh", self("Mul", self("AddV2", x, self("Mul", cube, 0.044715)), math.sqrt(2 / math.pi)))
        else:
            bent = self("Erf", self("Mul", x, math.sqrt(0.5)))
        return self("Mul", self("Mul", x, 0.5), self("AddV2", bent, 1))
