"""Quantised tensors: what computes with whole numbers is computed in float32, which holds them exactly.

Constant codes stay codes in the files (``lowering.codes``), with one scale or one for each channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...lowering.codes import Codes, fits_codes
from ...lowering.graph import Graph
from ...lowering.pieces import ints
from ...lowering.values import Array, Value, held_type
from ..registry import Context, lowers, table
from .casts import type_name
from .logic import select
from .matrices import product
from .reductions import reduce

limits = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


@lowers("DequantizeLinear")
def dequantize(c: Context) -> Value:
    """Lower (x - zero point) * scale, for a whole tensor, for each slice along an axis, or for blocks of it."""
    x, scale, zero = c.input(0), c.input(1), c.optional(2)
    kind = type_name(c.attributes["output_dtype"]) if c.attribute("output_dtype", 0) else scale.type
    found = _constant(c, x, scale, zero)
    if found is None:
        floats = centred(c.graph, x, _placed(c, x, zero) if zero is not None else None)
        found = c.graph.elementwise("Mul", [floats, c.graph.cast(_placed(c, x, scale), "float32")])
    return c.graph.cast(found, kind)


def _constant(c: Context, x: Value, scale: Value, zero: Value | None) -> Value | None:
    """Dequantise a constant: its codes are kept where they are narrow, and joined to blocks where scales have these."""
    if x.array is None or scale.array is None or (zero is not None and zero.array is None):
        return None
    scales = scale.array.astype(np.float32)
    zeros = np.zeros_like(scales) if zero is None or zero.array is None else zero.array.astype(np.float32)
    if scales.size == 1:
        scales, zeros = (array.reshape((1,) * x.rank) for array in (scales, zeros))
    elif c.attribute("block_size", 0):
        return _blocks(c, x.array, scales, zeros)
    else:
        axis = c.attribute("axis", 1) % x.rank
        scales, zeros = (array.reshape([-1 if at == axis else 1 for at in range(x.rank)]) for array in (scales, zeros))
    if not fits_codes(x.array):
        return c.graph.constant(((x.array.astype(np.float32) - zeros) * scales).astype(np.float32), name=c.names[0])
    return c.graph.coded(Codes.of(x.array, scales, zeros), name=c.names[0])


def _blocks(c: Context, array: Array, scales: Array, zeros: Array) -> Value:
    """Dequantise blocks of an axis, each with a scale."""
    axis = c.attribute("axis", 1) % array.ndim
    size = min(c.attribute("block_size", 0), array.shape[axis])
    if not fits_codes(array) or array.shape[axis] % size:
        whole, spread = array.astype(np.float32), [np.repeat(part, size, axis) for part in (scales, zeros)]
        scales, zeros = (part.take(range(array.shape[axis]), axis) for part in spread)
        return c.graph.constant(((whole - zeros) * scales).astype(np.float32), name=c.names[0])
    apart = array.reshape(*array.shape[:axis], -1, size, *array.shape[axis + 1 :])
    codes = Codes.of(apart, np.expand_dims(scales, axis + 1), np.expand_dims(zeros, axis + 1))
    return c.graph.reshape(c.graph.coded(codes, name=c.names[0]), array.shape)


@lowers("QuantizeLinear")
def quantize(c: Context) -> Value:
    """Lower round(x / scale) + zero point, halves to even, within the limits of the type."""
    x, scale, zero = c.input(0), c.input(1), c.optional(2)
    named = c.attribute("output_dtype", 0)
    kind = zero.type if zero is not None else (type_name(named) if named else "uint8")
    ratio = c.graph.elementwise("RealDiv", [c.graph.cast(x, "float32"), c.graph.cast(_placed(c, x, scale), "float32")])
    return rounded(c, ratio, None if zero is None else _placed(c, x, zero), kind)


def rounded(c: Context, floats: Value, zero: Value | None, kind: str) -> Value:
    """Return floats as codes of a type: rounded, halves to even, moved by the zero point, within its limits."""
    graph = c.graph
    if kind not in limits:
        held_type(kind)
        c.refuse(f"to {kind}")
    low, high = limits[kind]
    steps = graph.elementwise("Round", [floats])
    same = 0 if zero is None else _same(zero)
    if same is not None:
        ends = [graph.constant(np.float32(end - same)) for end in (low, high)]
        return graph.whole(graph.elementwise("ClipByValue", [steps, *ends]), same, kind)
    assert zero is not None  # noqa: S101
    moved = graph.elementwise("AddV2", [steps, graph.cast(zero, "float32")])
    ends = [graph.constant(np.float32(end)) for end in (low, high)]
    return graph.whole(graph.elementwise("ClipByValue", [moved, *ends]), 0, kind)


@lowers("DynamicQuantizeLinear")
def dynamic_quantize(c: Context) -> Sequence[Value]:
    """Lower a quantisation to uint8 by the range of what is given and 0; that of zeros alone has the scale 1."""
    graph, x = c.graph, c.input(0)
    nothing, axes = graph.constant(np.float32(0)), list(range(x.rank))
    low = graph.elementwise("Minimum", [reduce(c, "Min", x, axes, keep=False), nothing])
    high = graph.elementwise("Maximum", [reduce(c, "Max", x, axes, keep=False), nothing])
    span = graph.elementwise("Sub", [high, low])
    steps = graph.elementwise("RealDiv", [span, graph.constant(np.float32(255))])
    flat = graph.elementwise("Equal", [span, nothing], "bool")
    scale = select(c, flat, graph.constant(np.float32(1)), steps)
    place = graph.elementwise("RealDiv", [graph.elementwise("Sub", [nothing, low]), scale])
    zero = rounded(c, place, None, "uint8")
    return [rounded(c, graph.elementwise("RealDiv", [x, scale]), zero, "uint8"), scale, zero]


def _same(zero: Value) -> int | None:
    """Return a zero point that is known and the same everywhere."""
    if zero.array is None or zero.size == 0 or not bool((zero.array == zero.array.flat[0]).all()):
        return None
    return int(zero.array.flat[0])


def centred(graph: Graph, x: Value, zero: Value | None) -> Value:
    """Return whole numbers less their zero point, as floats."""
    same = 0 if zero is None else _same(zero)
    if x.array is not None and fits_codes(x.array) and (zero is None or zero.array is not None):
        zeros = None if zero is None else _fitted(zero, x.rank)
        return graph.coded(Codes.of(x.array, np.ones((1,) * x.rank), zeros))
    known = graph.floats_of(x, same) if same else None
    if known is not None:
        return known
    floats = graph.cast(x, "float32")
    if zero is None or same == 0:
        return floats
    return graph.elementwise("Sub", [floats, graph.cast(zero, "float32")])


def _fitted(zero: Value, rank: int) -> Array:
    assert zero.array is not None  # noqa: S101
    array = zero.array
    return array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim <= rank else array.reshape((1,) * rank)


def _placed(c: Context, x: Value, parameter: Value) -> Value:
    """Return a scale or zero point with its axes where they are broadcast over ``x``."""
    graph = c.graph
    if parameter.rank == 0 or (parameter.is_static and parameter.size == 1):
        return graph.reshape(parameter, ())
    axis, block = c.attribute("axis", 1) % x.rank, c.attribute("block_size", 0)
    if not block:
        return graph.unsqueeze(parameter, [at for at in range(x.rank) if at != axis])
    length = x.shape[axis]
    if length is None or not parameter.is_static or parameter.shape[axis] * block != length:
        c.refuse("block_size that does not divide the length of its axis")
    # Each number block times, side by side.
    repeated = [1] * (x.rank + 1)
    repeated[axis + 1] = block
    counts = ints(graph, repeated)
    apart = graph.plain(graph.unsqueeze(parameter, [axis + 1]))
    shape = (*apart.shape[: axis + 1], block, *apart.shape[axis + 2 :])
    return graph.reshape(graph.op("Tile", [apart, counts], shape=shape), x.shape)


@lowers("MatMulInteger")
def matmul_integer(c: Context) -> Value:
    """Lower the product of whole numbers less their zero points: of one for each row of a, or column of b."""
    found = product(c, *_operands(c, 0, 1, 2, 3))
    return c.graph.whole(found, 0, "int32")


@lowers("QLinearMatMul")
def qlinear_matmul(c: Context) -> Value:
    """Lower a product of codes to codes."""
    graph = c.graph
    found = product(c, *_operands(c, 0, 3, 2, 5))
    scales = [_rows(graph, c.input(1), c.input(0)), c.input(4), c.input(6)]
    return _rescaled(c, found, scales, c.input(7))


def _operands(c: Context, a: int, b: int, a_zero: int, b_zero: int) -> tuple[Value, Value]:
    first, second, zero = c.input(a), c.input(b), c.optional(a_zero)
    zero = None if zero is None else _rows(c.graph, zero, first)
    return centred(c.graph, first, zero), centred(c.graph, second, c.optional(b_zero))


def _rows(graph: Graph, parameter: Value, a: Value) -> Value:
    """Return a vector of numbers, one a row of matrices, as a column."""
    if parameter.is_static and parameter.size == 1:
        return graph.reshape(parameter, ())
    return graph.unsqueeze(parameter, [1]) if parameter.rank == 1 and a.rank > 1 else parameter


def _rescaled(c: Context, found: Value, scales: list[Value], zero: Value) -> Value:
    """Multiply by two scales, divide by the third, and round to codes."""
    graph = c.graph
    known = [scale.array for scale in scales]
    if all(array is not None for array in known):
        first, second, third = (np.asarray(array, np.float32) for array in known)
        factor = graph.constant(np.asarray(first * second / third, np.float32))
    else:
        one, other, third_value = (graph.cast(scale, "float32") for scale in scales)
        factor = graph.elementwise("RealDiv", [graph.elementwise("Mul", [one, other]), third_value])
    return rounded(c, graph.elementwise("Mul", [found, factor]), zero, zero.type)


@lowers("ConvInteger")
def conv_integer(c: Context) -> Value:
    """Lower a convolution of whole numbers less their zero points."""
    found = _convolved(c, c.input(0), c.input(1), c.optional(2), c.optional(3))
    return c.graph.whole(found, 0, "int32")


@lowers("QLinearConv")
def qlinear_conv(c: Context) -> Value:
    """Lower a convolution of codes to codes, with one scale a kernel."""
    graph, rank = c.graph, c.input(0).rank
    found = _convolved(c, c.input(0), c.input(3), c.input(2), c.input(5))
    if (bias := c.optional(8)) is not None:
        found = graph.elementwise("AddV2", [found, _channels(graph, graph.cast(bias, "float32"), rank)])
    scales = [graph.reshape(c.input(1), ()), _channels(graph, c.input(4), rank), graph.reshape(c.input(6), ())]
    return _rescaled(c, found, scales, graph.reshape(c.input(7), ()))


def _convolved(c: Context, x: Value, kernel: Value, x_zero: Value | None, kernel_zero: Value | None) -> Value:
    """Convolve as Conv does; what is added around a picture is its zero point, which is 0 after that is taken off."""
    graph = c.graph
    x_zero = None if x_zero is None else graph.reshape(x_zero, ())
    if kernel_zero is not None:
        wide = kernel_zero.rank == 1 and kernel_zero.shape != (1,)
        ends = list(range(1, kernel.rank))
        kernel_zero = graph.unsqueeze(kernel_zero, ends) if wide else graph.reshape(kernel_zero, ())
    inputs = [centred(graph, x, x_zero), centred(graph, kernel, kernel_zero)]
    found = table["Conv"](replace(c, op="Conv", inputs=inputs))
    assert isinstance(found, Value)  # noqa: S101
    return found


def _channels(graph: Graph, parameter: Value, rank: int) -> Value:
    if parameter.rank == 0 or parameter.shape == (1,):
        return graph.reshape(parameter, ())
    return graph.unsqueeze(parameter, [0, *range(2, rank)])
