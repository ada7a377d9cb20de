"""Fixes inputs of a model as ``[models.NAME.inputs]`` asks: lengths of its axes, or what it always is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..convert.requests import FixedInput
from ..errors import SourceError
from .package import load_onnx

most_named = 8


def fix_inputs(model: Any, fixed: Sequence[FixedInput], where: str) -> None:
    """Fix inputs of a ``ModelProto`` in place.

    Raises:
        SourceError: an input does not exist, or does not take such a shape or value.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {info.name: info for info in model.graph.input if info.name not in weights}
    for item in fixed:
        info = inputs.get(item.name)
        if info is None:
            raise SourceError(
                f"has no input {item.name!r}",
                code="SP-389",
                where=where,
                hint=f"Name one of {', '.join(list(inputs)[:most_named])}",
            )
        if item.shape is not None:
            _fix_shape(info, item.shape, where)
        if item.value is not None:
            model.graph.initializer.append(_constant(info, item, where))
            model.graph.input.remove(info)


def _fix_shape(info: Any, shape: tuple[int, ...], where: str) -> None:
    tensor = info.type.tensor_type
    known = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if len(known) != len(shape) or any(n is not None and n != m for n, m in zip(known, shape, strict=True)):
        told = ", ".join("open" if n is None else str(n) for n in known)
        raise SourceError(
            f"its input {info.name!r} takes [{told}], not {list(shape)}",
            code="SP-389",
            where=where,
            hint="Give a length for each axis, and change only open ones",
        )
    for dim, length in zip(tensor.shape.dim, shape, strict=True):
        dim.dim_value = length


def _constant(info: Any, item: FixedInput, where: str) -> Any:
    onnx = load_onnx()
    tensor = info.type.tensor_type
    shape = item.shape or tuple(dim.dim_value if dim.HasField("dim_value") else 1 for dim in tensor.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    try:
        array = np.broadcast_to(np.asarray(item.value), shape).astype(dtype)
    except ValueError as error:
        raise SourceError(
            f"its input {info.name!r} takes {list(shape)} numbers, not {item.value!r}",
            code="SP-389",
            where=where,
            hint="Give one number, or as many as it takes",
        ) from error
    return onnx.numpy_helper.from_array(array, info.name)


def constants(session_inputs: Sequence[Any], fixed: Sequence[FixedInput]) -> dict[str, Any]:
    """Return the arrays of fixed inputs for ONNX Runtime, which is given the model as it is.

    Args:
        session_inputs: ``NodeArg`` of its session.
        fixed: as ``fix_inputs`` takes them.
    """
    values = {item.name: item for item in fixed if item.value is not None}
    found = {}
    for item in session_inputs:
        if item.name in values:
            given = values[item.name]
            shape = given.shape or tuple(n if isinstance(n, int) else 1 for n in item.shape)
            found[item.name] = np.broadcast_to(np.asarray(given.value), shape)
    return found
