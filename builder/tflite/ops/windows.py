"""What convolutions and pools have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...lowering.values import Value
from ..registry import Context

paddings = {0: "SAME", 1: "VALID"}


def padding(c: Context) -> str:
    """Return TensorFlow's name of the padding."""
    found = paddings.get(int(c.option("padding", 0)))
    return found or c.refuse(f"padding {c.option('padding', 0)}, which is unknown")


def strides(c: Context) -> tuple[int, int]:
    """Return the steps along height and width."""
    found = int(c.option("stride_h", 0)), int(c.option("stride_w", 0))
    if min(found) < 1:
        c.refuse("a stride below 1")
    return found


def _window_length(length: int | None, size: int, stride: int, dilation: int, pad: str) -> int | None:
    """Return how many places a window has along an axis; the formula is TensorFlow's."""
    if length is None:
        return None
    if pad == "SAME":
        return -(-length // stride)
    return max(-(-(length - (size - 1) * dilation) // stride), 0)


def window_lengths(
    x: Value, sizes: Sequence[int], steps: tuple[int, int], dilations: tuple[int, int], pad: str
) -> list[int | None]:
    """Return how many places a window has along height and width of pictures [n, h, w, c]."""
    each = zip(x.shape[1:3], sizes, steps, dilations, strict=True)
    return [_window_length(n, size, step, dilation, pad) for n, size, step, dilation in each]


def attributes(steps: tuple[int, int], dilations: tuple[int, int], pad: str) -> dict[str, Any]:
    """Return the attributes of TensorFlow's convolutions."""
    return {
        "strides": [1, *steps, 1],
        "dilations": [1, *dilations, 1],
        "padding": pad,
        "explicit_paddings": [],
        "data_format": "NHWC",
    }
