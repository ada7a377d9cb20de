"""The classes of TensorFlow Lite's flatbuffers schema, from the package that also runs such models."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..convert.own_runtime import needed

package, extra = "ai-edge-litert", "tflite"


def load_schema() -> Any:
    """Import the schema's classes.

    Raises:
        ConversionError: the package is not installed.
    """
    with needed(package, extra):
        from ai_edge_litert import schema_py_generated

        return schema_py_generated


@cache
def names_of(enum: Any) -> dict[int, str]:
    """Return the names of an enumeration's numbers."""
    return {number: name for name, number in vars(enum).items() if isinstance(number, int) and name.isupper()}


@cache
def union_names(enum: Any) -> dict[int, str]:
    """Return the names of a union's numbers, which are those of its classes."""
    return {number: name for name, number in vars(enum).items() if isinstance(number, int) and number > 0}
