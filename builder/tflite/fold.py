"""Computes nodes whose inputs are constants: conversions of weights, and arithmetic on shapes.

Only what models do with constants is here; everything else becomes nodes that run in the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..lowering.values import Array
from .strides import indices_of

largest_folded = 1 << 26  # elements of a constant that is computed at build time
Evaluate = Callable[[list[Array], Mapping[str, Any]], Array | list[Array]]


def evaluate(op: str, arrays: Sequence[Array | None], options: Mapping[str, Any], type_name: str) -> list[Array] | None:
    """Compute one node; None where that is not done here.

    Args:
        op: the operator.
        arrays: its inputs; None where one is left out.
        options: of the operator, in snake case.
        type_name: NumPy's name of the type of its output.
    """
    function = functions.get(op)
    known = [array for array in arrays if array is not None]
    if function is None or len(known) < len(arrays) or options.get("fused_activation_function"):
        return None
    if sum(array.size for array in known) > largest_folded:
        return None
    known = [array.astype(np.float32) if array.dtype == np.float16 else array for array in known]
    with np.errstate(all="ignore"):
        try:
            found = function(known, options)
        except (ValueError, IndexError, TypeError, ArithmeticError):
            return None  # its lowering says what is wrong
    results = found if isinstance(found, list) else [found]
    if any(array.size > largest_folded for array in results):
        return None
    return [array.astype(type_name, copy=False) for array in results]


def _split(arrays: list[Array], _: Mapping[str, Any]) -> list[Array]:
    x, sizes, axis = arrays
    lengths = [int(n) for n in sizes]
    if -1 in lengths:
        lengths[lengths.index(-1)] = x.shape[int(axis)] - sum(n for n in lengths if n > 0)
    if min(lengths) < 0 or sum(lengths) != x.shape[int(axis)]:
        raise ValueError
    return np.split(x, np.cumsum(lengths)[:-1], int(axis))


def _strided_slice(arrays: list[Array], options: Mapping[str, Any]) -> Array:
    x, begin, end, strides = arrays
    index = indices_of([int(n) for n in begin], [int(n) for n in end], [int(n) for n in strides], options)
    return np.asarray(x[index])


def _slice(arrays: list[Array], _: Mapping[str, Any]) -> Array:
    x, begin, size = arrays
    return x[tuple(slice(int(b), None if n < 0 else int(b + n)) for b, n in zip(begin, size, strict=True))]


def _range(arrays: list[Array], _: Mapping[str, Any]) -> Array:
    start, stop, step = (array.item() for array in arrays)
    if not step or abs(stop - start) / abs(step) > largest_folded:
        raise ValueError
    return np.arange(start, stop, step, arrays[0].dtype)


def _fill(arrays: list[Array], _: Mapping[str, Any]) -> Array:
    if float(np.prod(arrays[0], dtype=np.float64)) > largest_folded:
        raise ValueError
    return np.full([int(n) for n in arrays[0]], arrays[1])


def _gather(arrays: list[Array], options: Mapping[str, Any]) -> Array:
    if options.get("batch_dims"):
        raise ValueError
    return np.take(arrays[0], arrays[1], axis=options.get("axis", 0), mode="raise")


def _reduce(function: Callable[..., Array]) -> Evaluate:
    def reduce(arrays: list[Array], options: Mapping[str, Any]) -> Array:
        axes = tuple(int(axis) for axis in arrays[1].ravel())
        return np.asarray(function(arrays[0], axis=axes, keepdims=bool(options.get("keep_dims"))))

    return reduce


def _each(function: Callable[..., Any]) -> Evaluate:
    return lambda arrays, _: np.asarray(function(*arrays))


def _div(arrays: list[Array], _: Mapping[str, Any]) -> Array:
    a, b = arrays
    return a / b if a.dtype.kind == "f" else np.trunc(a / b)


functions: dict[str, Evaluate] = {
    "ADD": _each(np.add),
    "SUB": _each(np.subtract),
    "MUL": _each(np.multiply),
    "DIV": _div,
    "FLOOR_DIV": _each(np.floor_divide),
    "FLOOR_MOD": _each(np.mod),
    "MAXIMUM": _each(np.maximum),
    "MINIMUM": _each(np.minimum),
    "NEG": _each(np.negative),
    "ABS": _each(np.abs),
    "CEIL": _each(np.ceil),
    "FLOOR": _each(np.floor),
    "ZEROS_LIKE": _each(np.zeros_like),
    "EQUAL": _each(np.equal),
    "NOT_EQUAL": _each(np.not_equal),
    "GREATER": _each(np.greater),
    "GREATER_EQUAL": _each(np.greater_equal),
    "LESS": _each(np.less),
    "LESS_EQUAL": _each(np.less_equal),
    "LOGICAL_AND": _each(np.logical_and),
    "LOGICAL_OR": _each(np.logical_or),
    "LOGICAL_NOT": _each(np.logical_not),
    "SELECT_V2": _each(np.where),
    "CAST": lambda arrays, _: arrays[0],
    "PACK": lambda arrays, options: np.stack(arrays, options.get("axis", 0)),
    "CONCATENATION": lambda arrays, options: np.concatenate(arrays, options.get("axis", 0)),
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "SPLIT_V": _split,
    "GATHER": _gather,
    "RANGE": _range,
    "FILL": _fill,
    "SHAPE": lambda arrays, _: np.array(arrays[0].shape, np.int32),
    "RANK": lambda arrays, _: np.array(arrays[0].ndim, np.int32),
    "BROADCAST_TO": lambda arrays, _: np.broadcast_to(arrays[0], [int(n) for n in arrays[1]]),
    "REDUCE_PROD": _reduce(np.prod),
    "SUM": _reduce(np.sum),
    "REDUCE_MAX": _reduce(np.max),
    "REDUCE_MIN": _reduce(np.min),
}
