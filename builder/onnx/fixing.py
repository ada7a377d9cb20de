"""Fixes inputs of a model as ``[models.NAME.inputs]`` asks: lengths of its axes, or what it always is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..convert.fixed_inputs import array_of, check_names, check_shape
from ..convert.requests import FixedInput
from .package import load_onnx


def fix_inputs(model: Any, fixed: Sequence[FixedInput], where: str) -> None:
    """Fix inputs of a ``ModelProto`` in place.

    Raises:
        SourceError: an input does not exist, or does not take such a shape or value.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {info.name: info for info in model.graph.input if info.name not in weights}
    check_names(fixed, inputs, where)
    for item in fixed:
        info = inputs[item.name]
        tensor = info.type.tensor_type
        known = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        check_shape(item, known, where)
        for dim, length in zip(tensor.shape.dim, item.shape or (), strict=False):
            dim.dim_value = length
        if item.value is not None:
            onnx = load_onnx()
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            array = array_of(item, known, dtype, where)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
            model.graph.input.remove(info)


def constants(session_inputs: Sequence[Any], fixed: Sequence[FixedInput]) -> dict[str, Any]:
    """Return the arrays of fixed inputs for ONNX Runtime, which is given the model as it is.

    Args:
        session_inputs: ``NodeArg`` of its session.
        fixed: as ``fix_inputs`` takes them.
    """
    values = {item.name: item for item in fixed if item.value is not None}
    return {
        item.name: array_of(values[item.name], [n if isinstance(n, int) else None for n in item.shape], None, "")
        for item in session_inputs
        if item.name in values
    }
