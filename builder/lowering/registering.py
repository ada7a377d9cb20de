"""Tables of the functions that lower operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Lowering = TypeVar("Lowering")


def registering(table: dict[str, Lowering]) -> Callable[..., Callable[[Lowering], Lowering]]:
    """Return a decorator that enters a function into a table under the names of operators.

    Args:
        table: gets the functions; a name may be there once only.
    """

    def lowers(*ops: str) -> Callable[[Lowering], Lowering]:
        def register(function: Lowering) -> Lowering:
            for op in ops:
                assert op not in table, op  # noqa: S101
                table[op] = function
            return function

        return register

    return lowers
