"""Inputs of a source that ``[models.NAME.inputs]`` fixes: lengths of their axes, or what they always are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from .requests import FixedInput

most_named = 8


def check_names(fixed: Sequence[FixedInput], names: Collection[str], where: str) -> None:
    """Check that inputs exist.

    Raises:
        SourceError: one does not.
    """
    for item in fixed:
        if item.name not in names:
            raise SourceError(
                f"has no input {item.name!r}",
                code="SP-389",
                where=where,
                hint=f"Name one of {', '.join(list(names)[:most_named])}",
            )


def check_shape(item: FixedInput, known: Sequence[int | None], where: str) -> None:
    """Check that an input takes the lengths that are asked for.

    Raises:
        SourceError: it has others, or another number of axes.
    """
    shape = item.shape
    if shape is None:
        return
    if len(known) != len(shape) or any(n is not None and n != m for n, m in zip(known, shape, strict=True)):
        told = ", ".join("open" if n is None else str(n) for n in known)
        raise SourceError(
            f"its input {item.name!r} takes [{told}], not {list(shape)}",
            code="SP-389",
            where=where,
            hint="Give a length for each axis, and change only open ones",
        )


def array_of(item: FixedInput, known: Sequence[int | None], dtype: npt.DTypeLike, where: str) -> npt.NDArray[Any]:
    """Return what an input always is; open lengths that nobody states are 1.

    Raises:
        SourceError: the value has other lengths, or another type.
    """
    shape = item.shape or tuple(1 if n is None else n for n in known)
    try:
        return np.broadcast_to(np.asarray(item.value), shape).astype(dtype)
    except ValueError as error:
        raise SourceError(
            f"its input {item.name!r} takes {list(shape)} numbers, not {item.value!r}",
            code="SP-389",
            where=where,
            hint="Give one number, or as many as it takes",
        ) from error
