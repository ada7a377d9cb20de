"""How a constant is stored: as values, or as codes that are decoded when the weights are loaded.

Codes with one scale are decoded by TensorFlow.js. Those with a scale for each channel are values here, and the scales
with them: the bundle has a codec for that (``codecs.multiples``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .codes import Codes, channels_of, fits_codes, unsigned
from .layout import Order
from .values import Array, Value, held

CodesKey = tuple[int, Order, float, int]  # which codes, in which order, with which scale and zero
least_coded = 65  # whole numbers of a narrow type from which on one byte or two each are worth a decoding


@dataclass(frozen=True, slots=True)
class StoredForm:
    """A constant as it is stored.

    Attributes:
        array: values or codes, in the order in which its axes are stored.
        quantization: TensorFlow.js' ``{dtype, scale, min, original_dtype}`` of codes, or None.
        key: what the codes of several constants have in common, or None.
        steps: what each channel of values is a multiple of, with as many axes as the values, or None.
        factors: what has to be done with the decoded codes: ops, and arrays with logical axes.
    """

    array: Array
    quantization: dict[str, Any] | None = None
    key: CodesKey | None = None
    steps: Array | None = None
    factors: tuple[tuple[str, Array], ...] = ()


def stored_form(value: Value, where: str) -> StoredForm:
    """Return how a constant is stored.

    Args:
        value: the constant.
        where: its name in the source, for messages.

    Raises:
        SourceError: a whole number does not fit into 32 bits.
        ValueError: it is not constant.
    """
    if value.array is None:
        raise ValueError("only constants are stored")
    if value.codes is not None:
        return _codes(value, value.codes)
    if value.dtype == "int32" and value.size >= least_coded and fits_codes(value.array):
        array, quantization = _quantized(value.array.transpose(value.order), 1.0, 0, "int32")
        return StoredForm(array, quantization, (id(value.array), value.order, 1.0, 0))
    return StoredForm(held(value.array, where).transpose(value.order).copy())


def _codes(value: Value, codes: Codes) -> StoredForm:
    """Store codes; what no codec has, scales of blocks or of 16 bits, is multiplied in when the graph runs."""
    steps = codes.scale.transpose(value.order)
    stored = tuple(codes.array.shape[axis] for axis in value.order)
    if not codes.is_shared and codes.are_bytes and channels_of(steps, stored) is not None:
        values = codes.values().transpose(value.order).copy()
        # Of a small constant, codes and steps would take more than its values.
        return StoredForm(values, steps=steps if values.size + steps.nbytes < values.nbytes else None)
    scale = float(codes.scale.item()) if codes.is_shared else 1.0
    zero = int(codes.zero.item()) if codes.zero.size == 1 else 0
    array, quantization = _quantized(codes.array.transpose(value.order), scale, zero, "float32")
    factors = tuple(
        (op, factor)
        for op, factor in (("Sub", codes.zero), ("Mul", codes.scale))
        if factor.size > 1 or (op == "Mul" and not codes.is_shared)
    )
    return StoredForm(array, quantization, (id(codes.array), value.order, scale, zero), factors=factors)


def _quantized(array: Array, scale: float, zero: int, kind: str) -> tuple[Array, dict[str, Any]]:
    whole, least = unsigned(array)
    quantization = {
        "dtype": whole.dtype.name,
        "scale": scale,
        "min": (least - zero) * scale,
        "original_dtype": kind,
    }
    return np.array(whole, order="C"), quantization
