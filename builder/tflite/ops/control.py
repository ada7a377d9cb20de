"""Branches and loops over subgraphs, and operators that TensorFlow.js cannot have."""

from __future__ import annotations

from ...errors import SourceError
from ...lowering.functions import branch, loop
from ...lowering.values import Value
from ..registry import Context, lowers


@lowers("VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", "CALL_ONCE")
def state(c: Context) -> Value:
    """Refuse what keeps numbers from one call to the next."""
    raise SourceError(
        f"keeps state between calls (operator {c.op}, tensor {c.name!r})",
        code="SP-319",
        hint="Export the model with its state as inputs and outputs",
    )


@lowers("IF")
def if_(c: Context) -> list[Value | None]:
    """Lower a branch; one whose condition is known is lowered in its place."""
    condition, given = c.input(0), [c.input(index) for index in range(1, len(c.inputs))]
    then, otherwise = (c.scope.body(int(c.option(f"{name}_subgraph_index", 0))) for name in ("then", "else"))
    if condition.array is not None:
        return list((then if condition.array.any() else otherwise)(given))
    return list(branch(c.graph, condition, lambda _: then(given), lambda _: otherwise(given), c.name))


@lowers("WHILE")
def while_(c: Context) -> list[Value | None]:
    """Lower a loop."""
    given = [c.input(index) for index in range(len(c.inputs))]
    condition, body = (c.scope.body(int(c.option(f"{name}_subgraph_index", 0))) for name in ("cond", "body"))
    return list(loop(c.graph, given, condition, body, c.name))
