"""Writes the resizing of pictures of known size as two products with constant matrices: one for rows, one for columns.

The weights are those of resize_bicubic_op.cc, resize_area_op.cc and scale_and_translate_op.cc in
tensorflow/core/kernels/image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .formulas import reshape
from .nodes import NodeBuilder, float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

table_size = 1024  # fractions of a pixel that bicubic weights are known for


def resize_bicubic(build: NodeBuilder) -> str:
    """Four neighbours on each axis, weighed by a cubic."""
    node = build.node
    is_centred, is_aligned = node.attr["half_pixel_centers"].b, node.attr["align_corners"].b

    def matrix(length: int, target: int, _: int) -> Matrix:
        return bicubic_matrix(length, target, is_centred=is_centred, is_aligned=is_aligned)

    return _resize(build, matrix)


def resize_area(build: NodeBuilder) -> str:
    """The mean over the area of each pixel."""
    is_aligned = build.node.attr["align_corners"].b

    def matrix(length: int, target: int, _: int) -> Matrix:
        return area_matrix(length, target, is_aligned=is_aligned)

    return _resize(build, matrix)


def scale_and_translate(build: NodeBuilder) -> str:
    """Neighbours weighed by a kernel, which is as much wider as the picture gets smaller."""
    node = build.node
    scales, shifts = build.value_of(node.input[2]), build.value_of(node.input[3])
    name = node.attr["kernel_type"].s.decode() or "lanczos3"
    if scales is None or shifts is None or name not in kernels:
        raise build.refuse("its scale is not constant")
    is_smooth = node.attr["antialias"].b if "antialias" in node.attr else True

    def matrix(length: int, target: int, axis: int) -> Matrix:
        return kernel_matrix(length, target, float(scales[axis]), float(shifts[axis]), name, is_smooth=is_smooth)

    return _resize(build, matrix)


def _resize(build: NodeBuilder, matrix: Callable[[int, int, int], Matrix]) -> str:
    node = build.node
    shape, size = build.shape_of(node.input[0]), build.value_of(node.input[1])
    if shape is None or None in shape[1:] or size is None:
        raise build.refuse("its size, before or after, is not constant")
    height, width, channels = (int(length) for length in shape[1:] if length is not None)
    high, wide = (int(length) for length in size)
    picture = build.cast(node.input[0], node.attr["T"].type or float32, float32)
    rows = build.const(matrix(height, high, 0)[None], float32)
    columns = build.const(matrix(width, wide, 1)[None], float32)

    def product(left: str, right: str) -> str:
        return build.add("BatchMatMulV2", [left, right], T=float32, adj_x=False, adj_y=False)

    found = product(rows, reshape(build, picture, [-1, height, width * channels]))
    found = product(columns, reshape(build, found, [-1, width, channels]))
    return reshape(build, found, [-1, high, wide, channels])


def bicubic_matrix(length: int, target: int, *, is_centred: bool, is_aligned: bool) -> Matrix:
    """Return the weights [target, length] of ResizeBicubic along one axis."""
    import numpy as np

    scale, factor = _scale(length, target, is_aligned=is_aligned), -0.5 if is_centred else -0.75
    found = np.zeros((target, length), np.float32)
    for place in range(target):
        at = (
            (np.float32(place) + np.float32(0.5)) * scale - np.float32(0.5) if is_centred else np.float32(place) * scale
        )
        first = math.floor(at)
        offset = int(np.rint((at - np.float32(first)) * table_size))
        weights = [
            _cubic(x / table_size, factor)
            for x in (table_size + offset, offset, table_size - offset, 2 * table_size - offset)
        ]
        total = np.float32(0)
        for number, weight in enumerate(weights):
            source = first - 1 + number
            inside = min(max(source, 0), length - 1)
            # With centred pixels what lies outside does not count, else it is the pixel at the edge.
            if not is_centred or inside == source:
                found[place, inside] += weight
                total += weight
        if is_centred and abs(total) >= 1000 * np.finfo(np.float32).tiny:
            found[place] /= total
    return found


def _cubic(x: float, factor: float) -> float:
    if x <= 1:
        return ((factor + 2) * x - (factor + 3)) * x * x + 1
    return ((factor * x - 5 * factor) * x + 8 * factor) * x - 4 * factor


def area_matrix(length: int, target: int, *, is_aligned: bool) -> Matrix:
    """Return the weights [target, length] of ResizeArea along one axis."""
    import numpy as np

    scale = float(_scale(length, target, is_aligned=is_aligned))
    found = np.zeros((target, length), np.float32)
    for place in range(target):
        start, stop = place * scale, (place + 1) * scale
        for source in range(math.floor(start), math.ceil(stop)):
            share = min(source + 1, stop) - max(source, start)
            found[place, min(max(source, 0), length - 1)] += share / scale
    return found


def kernel_matrix(length: int, target: int, scale: float, shift: float, name: str, *, is_smooth: bool) -> Matrix:
    """Return the weights [target, length] of ScaleAndTranslate along one axis."""
    import numpy as np

    radius, kernel = kernels[name]
    inverse = 1 / scale
    wider = max(inverse, 1) if is_smooth else 1.0
    found = np.zeros((target, length), np.float32)
    for place in range(target):
        at = (place + 0.5) * inverse - inverse * shift
        if not 0 <= at <= length:
            continue
        start = min(max(math.ceil(at - radius * wider - 0.5), 0), length - 1)
        stop = min(max(math.floor(at + radius * wider - 0.5), 0), length - 1) + 1
        weights = np.array([kernel(abs(source + 0.5 - at) / wider) for source in range(start, stop)])
        if abs(weights.sum()) >= 1000 * np.finfo(np.float32).tiny:
            found[place, start:stop] = weights / weights.sum()
    return found


def _lanczos(radius: float) -> tuple[float, Callable[[float], float]]:
    def kernel(x: float) -> float:
        if x > radius:
            return 0.0
        return (
            1.0 if x <= 1e-3 else radius * math.sin(math.pi * x) * math.sin(math.pi * x / radius) / (math.pi * x) ** 2
        )

    return radius, kernel


def _two_cubics(inner: Sequence[float], outer: Sequence[float]) -> tuple[float, Callable[[float], float]]:
    def kernel(x: float) -> float:
        if x >= 2:
            return 0.0
        a, b, c, d = outer if x >= 1 else inner
        return ((a * x + b) * x + c) * x + d

    return 2.0, kernel


kernels: dict[str, tuple[float, Callable[[float], float]]] = {
    "lanczos1": _lanczos(1.0),
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
    "gaussian": (1.5, lambda x: 0.0 if x >= 1.5 else math.exp(-x * x / (2 * 0.5 * 0.5))),
    "box": (0.5, lambda x: 1.0 if x < 0.5 else 0.5 if x == 0.5 else 0.0),
    "triangle": (1.0, lambda x: max(0.0, 1 - x)),
    "keyscubic": _two_cubics((1.5, -2.5, 0, 1), (-0.5, 2.5, -4, 2)),
    "mitchellcubic": _two_cubics((7 / 6, -2, 0, 8 / 9), (-7 / 18, 2, -10 / 3, 16 / 9)),
}


def _scale(length: int, target: int, *, is_aligned: bool) -> Any:
    import numpy as np

    pair = (length - 1, target - 1) if is_aligned and target > 1 else (length, target)
    return np.float32(pair[0]) / np.float32(pair[1])
