"""Fourier transforms of known length, as products with matrices of cosines and sines."""

from __future__ import annotations

import numpy as np

from ...lowering.pieces import along, cut, joined
from ...lowering.values import Array, Value
from ..registry import Context, lowers

longest = 4096


@lowers("DFT")
def dft(c: Context) -> Value:
    """Lower a discrete Fourier transform along one axis; the last axis holds real and imaginary parts."""
    x, graph = c.input(0), c.graph
    if c.opset >= 20:
        axis = int(c.known(2, "axis").ravel()[0]) if c.optional(2) is not None else -2
    else:
        axis = c.attribute("axis", 1)
    axis %= x.rank
    length, inverse, onesided = x.shape[axis], bool(c.attribute("inverse", 0)), bool(c.attribute("onesided", 0))
    if length is None:
        c.refuse("an open length", "Export the model with a fixed size")
    count = _length(c, length, whole=inverse and onesided)
    if count > longest:
        c.refuse(f"more than {longest} elements")
    used = min(length, count // 2 + 1 if inverse and onesided else count)
    x = cut(graph, x, {axis: (0, used)})
    parts = [cut(graph, x, {x.rank - 1: (number, 1)}) for number in range(x.shape[-1] or 1)]
    outputs = count // 2 + 1 if onesided and not inverse else count
    angles = 2 * np.pi * np.outer(np.arange(outputs), np.arange(used)) / count
    cosines, sines = np.cos(angles), np.sin(angles)
    if inverse and onesided:
        # Each element but the first, and the one in the middle, stands for its conjugate too.
        twice = np.where((np.arange(used) == 0) | (2 * np.arange(used) == count), 1.0, 2.0)
        return _combined(c, parts, axis, [(0, cosines * twice / count), (1, -sines * twice / count)])
    if inverse:
        cosines, sines = cosines / count, -sines / count
    real = _combined(c, parts, axis, [(0, cosines), (1, sines)])
    imaginary = _combined(c, parts, axis, [(0, -sines), (1, cosines)])
    return joined(graph, [real, imaginary], real.rank - 1)


def _length(c: Context, length: int, *, whole: bool) -> int:
    """Return how long the signal is taken for."""
    if c.optional(1) is not None:
        return int(c.known(1, "dft_length").ravel()[0])
    return 2 * (length - 1) if whole else length


def _combined(c: Context, parts: list[Value], axis: int, matrices: list[tuple[int, Array]]) -> Value:
    """Return the sum of parts multiplied by matrices; parts that are not there are zeros."""
    found: Value | None = None
    for number, matrix in matrices:
        if number < len(parts):
            product = along(c.graph, parts[number], axis, c.graph.constant(matrix.astype(np.float32)))
            found = product if found is None else c.graph.elementwise("AddV2", [found, product])
    assert found is not None  # noqa: S101
    return found


@lowers("STFT")
def stft(c: Context) -> Value:
    """Lower transforms of windows along a signal [batch, length, 1] as a convolution with cosines and sines."""
    x, graph = c.input(0), c.graph
    step = int(c.known(1, "frame_step").ravel()[0])
    window = c.known(2, "window").astype(np.float64) if c.optional(2) is not None else None
    if c.optional(3) is not None:
        size = int(c.known(3, "frame_length").ravel()[0])
    elif window is not None:
        size = len(window)
    else:
        c.refuse("neither a window nor a frame_length is given")
    if x.shape[-1] != 1 or size > longest:
        c.refuse(f"complex signals, or windows of more than {longest}")
    window = np.ones(size) if window is None else window
    if len(window) != size:
        c.refuse("a window of another length than frame_length")
    outputs = size // 2 + 1 if c.attribute("onesided", 1) else size
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(outputs)) / size
    basis = np.stack([np.cos(angles), -np.sin(angles)], -1) * window[:, None, None]
    kernel = graph.constant(basis.reshape(1, size, 1, 2 * outputs).astype(np.float32), name=f"{c.name}_basis")
    frames = None if x.shape[1] is None else (x.shape[1] - size) // step + 1
    # Stored as a picture of height 1.
    picture = graph.unsqueeze(graph.plain(x), [1])
    found = graph.op(
        "Conv2D",
        [picture, kernel],
        shape=(x.shape[0], 1, frames, 2 * outputs),
        name=c.name,
        strides=[1, 1, step, 1],
        dilations=[1, 1, 1, 1],
        padding="VALID",
        data_format="NHWC",
    )
    if x.shape[0] is None and frames is None:
        c.refuse("an open batch of open length", "Export the model with a fixed size")
    return graph.reshape(found, (x.shape[0], frames, outputs, 2))
