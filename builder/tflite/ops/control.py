"""Branches and loops over subgraphs, and operators that TensorFlow.js cannot have."""

from __future__ import annotations

from ...errors import SourceError
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
