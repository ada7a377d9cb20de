"""Resize and Upsample: TensorFlow.js' own kernels where they do the same, else choices and constant matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.pieces import along, cut, ints, joined, length_of, take
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .computed_resizing import OpenAxis, resize_computed
from .interpolation import Axis, coordinate_modes, nearest, roundings, weights


@dataclass(frozen=True, slots=True)
class Plan:
    """What a node asks for.

    Attributes:
        mode, coordinates, rounding: the attributes.
        axes: those of which all is known, by number.
        opened: the others, by number.
    """

    mode: str
    coordinates: str
    rounding: str
    axes: dict[int, Axis]
    opened: dict[int, OpenAxis]


@lowers("Resize", "Upsample")
def resize(c: Context) -> Value:
    """Lower a resize of any axes."""
    x, plan = c.input(0), _plan(c)
    if plan.mode != "nearest" and x.dtype != "float32":
        c.refuse(f"mode {plan.mode!r} of {x.type}")
    found = _by_kernel(c, x, plan)
    if found is not None:
        return found
    for axis, how in plan.axes.items():
        x = _resized(c, x, axis, how, plan)
    for number, opened in plan.opened.items():
        x = resize_computed(c, x, number, opened, plan.mode, plan.coordinates, plan.rounding)
    return _extrapolated(c, x, plan)


def _plan(c: Context) -> Plan:
    x = c.input(0)
    old = c.op == "Upsample" or c.opset < 11
    mode, rounding = c.attribute("mode", "nearest"), c.attribute("nearest_mode", "round_prefer_floor")
    coordinates = c.attribute("coordinate_transformation_mode", "half_pixel")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    if old:
        coordinates, rounding = "asymmetric", "floor"
    if mode not in ("nearest", "linear", "cubic") or coordinates not in coordinate_modes or rounding not in roundings:
        c.refuse(f"mode {mode!r} with {coordinates!r} and {rounding!r}")
    axes = [axis % x.rank for axis in c.attribute("axes", range(x.rank))]
    scales = _given(c, 1 if old else 2, "scales")
    sizes = None if old or scales is not None else c.optional(3)
    if scales is None and sizes is None:
        c.refuse("neither scales nor sizes are given")
    closed: dict[int, Axis] = {}
    opened: dict[int, OpenAxis] = {}
    shared = _shared_scale(c, axes, sizes)
    for place, axis in enumerate(axes):
        how = _axis(c, place, axis, scales, sizes, shared, coordinates, len(axes))
        if isinstance(how, Axis) and not how.does_nothing:
            closed[axis] = how
        elif isinstance(how, OpenAxis):
            opened[axis] = how
        if coordinates == "align_corners" and not _is_whole(how):
            # ONNX' tests divide by the fractional length, ONNX Runtime by the one that comes out.
            c.refuse("align_corners with scales that give no whole lengths", "Export the model with sizes")
    return Plan(mode, coordinates, rounding, closed, opened)


def _is_whole(how: Axis | OpenAxis | None) -> bool:
    if isinstance(how, OpenAxis):
        return how.scale is None or bool(how.whole_scale)
    return how is None or how.is_exact


def _given(c: Context, index: int, name: str) -> Value | None:
    """Return an input, or an attribute of old, unless it is empty."""
    if name in c.attributes:
        return c.graph.constant(np.array(c.attributes[name], np.float32))
    value = c.optional(index)
    return None if value is None or value.shape == (0,) else value


def _shared_scale(c: Context, axes: list[int], sizes: Value | None) -> Value | None:
    """Return the scale of all axes where they keep their proportions, float32 [1]."""
    policy = c.attribute("keep_aspect_ratio_policy", "stretch")
    if sizes is None or policy == "stretch":
        return None
    x, graph = c.input(0), c.graph
    if any(x.shape[axis] is None for axis in axes):
        c.refuse(f"keep_aspect_ratio_policy {policy!r} of an open length", fix_lengths)
    lengths = np.array([x.shape[axis] or 1 for axis in axes], np.float32)
    if sizes.array is not None:
        quotients = sizes.array.astype(np.float32) / lengths
        return graph.constant(quotients.min(keepdims=True) if policy == "not_larger" else quotients.max(keepdims=True))
    computed = graph.elementwise("RealDiv", [graph.cast(sizes, "float32"), graph.constant(lengths)])
    op = "Min" if policy == "not_larger" else "Max"
    return graph.op(op, [computed, ints(graph, [0])], shape=(1,), keep_dims=True)


def _axis(
    c: Context,
    place: int,
    axis: int,
    scales: Value | None,
    sizes: Value | None,
    shared: Value | None,
    coordinates: str,
    count: int,
) -> Axis | OpenAxis | None:
    """Return how one axis is resized; None where it is not."""
    x, graph, known = c.input(0), c.graph, c.shape()
    length, wanted = x.shape[axis], None if known is None else known[axis]
    roi: tuple[Value, Value] | None = None
    if coordinates == "tf_crop_and_resize":
        given = graph.cast(c.input(1), "float32")
        roi = (cut(graph, given, {0: (place, 1)}), cut(graph, given, {0: (place + count, 1)}))
    scale = shared or (cut(graph, scales, {0: (place, 1)}) if scales is not None else None)
    size = cut(graph, graph.cast(sizes, "int32"), {0: (place, 1)}) if sizes is not None else None
    given_values = [value for value in (scale, size, *(roi or ())) if value is not None]
    if length is not None and all(value.array is not None for value in given_values):
        start, end = (float(value.array[0]) for value in roi if value.array is not None) if roi else (0.0, 1.0)
        factor = float(scale.array[0]) if scale is not None and scale.array is not None else None
        target = int(size.array[0]) if size is not None and size.array is not None else None
        if shared is not None:
            target = math.floor((factor or 1) * length + 0.5)
        elif target is None:
            target = math.floor(np.float32(length * (end - start)) * np.float32(factor or 1))
        return Axis(length, target, factor or target / max(length, 1), coordinates, start, end)
    if length is not None and wanted is not None and scale is None and roi is None:
        return Axis(length, wanted, wanted / max(length, 1), coordinates)
    if scale is not None and scale.array is not None and scale.array[0] == 1 and roi is None:
        return None
    if scales is None and shared is None and x.rank >= 3 and axis < 2 and length is None:
        return None  # the batch and the channels of a picture, whose sizes are those that they have
    target_value = ints(graph, [wanted]) if wanted is not None else size
    if target_value is None and roi is not None:
        c.refuse("a crop to computed lengths", fix_lengths)
    return OpenAxis(length_of(graph, x, axis), target_value, scale, roi, wanted)


def _antialias(c: Context) -> bool:
    return bool(c.attribute("antialias", 0))


def _by_kernel(c: Context, x: Value, plan: Plan) -> Value | None:
    """Resize a picture with a kernel of TensorFlow.js; None where none does just that."""
    resized = {*plan.axes, *plan.opened}
    if x.dtype != "float32" or not resized:
        return None
    is_line = x.rank == 3 and resized == {2}
    if not is_line and (x.rank != 4 or not resized <= {2, 3}):
        return None
    kernel = _kernel_for(c, plan)
    if kernel is None:
        return None
    if is_line:
        flat = c.graph.unsqueeze(x, [2])
        return c.graph.squeeze(_run_kernel(c, flat, plan, kernel, 1), [2])
    return _run_kernel(c, x, plan, kernel, 0)


def _kernel_for(c: Context, plan: Plan) -> tuple[str, bool, bool] | None:
    """Return a kernel, and whether it aligns corners and takes the centres of pixels."""
    known, opened = list(plan.axes.values()), list(plan.opened.values())
    if plan.coordinates == "tf_crop_and_resize" or not all(axis.is_simple for axis in opened):
        return None
    if plan.mode == "nearest":
        factors = [_factor(axis, plan.rounding) for axis in known]
        for axis in opened:
            # How the pattern goes on does not depend on the length.
            whole = axis.whole_scale if plan.coordinates != "align_corners" else 0
            factors.append(_factor(Axis(64, 64 * whole, whole, plan.coordinates), plan.rounding) if whole else 0)
        # With centres, no place lies near a whole number, so that no rounding can go the other way.
        return ("ResizeNearestNeighbor", False, True) if all(factors) else None
    if plan.mode != "linear" or _antialias(c) or c.attribute("exclude_outside", 0):
        return None
    if plan.coordinates == "align_corners":
        return "ResizeBilinear", True, False
    if not all(axis.is_exact for axis in known) or not all(axis.scale is None or axis.whole_scale for axis in opened):
        return None
    if plan.coordinates == "pytorch_half_pixel" and (opened or any(axis.target == 1 for axis in known)):
        return None
    return "ResizeBilinear", False, plan.coordinates != "asymmetric"


def _factor(axis: Axis, rounding: str) -> int:
    """Return how often each element is repeated, 0 if not all are as often."""
    factor = axis.target // max(axis.length, 1)
    if factor * axis.length != axis.target or not factor or axis.coordinates == "tf_crop_and_resize":
        return 0
    return factor if np.array_equal(nearest(axis, rounding), np.arange(axis.target) // factor) else 0


def _run_kernel(c: Context, x: Value, plan: Plan, kernel: tuple[str, bool, bool], moved: int) -> Value:
    """Resize the last two axes, whose numbers are larger by ``moved`` than those of the plan."""
    graph = c.graph
    op, is_aligned, is_centred = kernel
    x = graph.ordered(x, channels_last(4))
    lengths: list[int | None] = []
    sides = []
    for axis in (2, 3):
        closed, opened = plan.axes.get(axis - moved), plan.opened.get(axis - moved)
        if axis == 2 and moved:
            closed, opened = None, None
        length = x.shape[axis] if closed is None else closed.target
        lengths.append(length if opened is None else opened.known)
        side = length_of(graph, x, axis) if closed is None else ints(graph, [closed.target])
        sides.append(side if opened is None else opened.wanted(graph))
    size = joined(graph, sides, 0) if None in lengths else ints(graph, [n or 0 for n in lengths])
    shape = (*x.shape[:2], *lengths)
    attributes: dict[str, Any] = {"align_corners": is_aligned, "half_pixel_centers": is_centred}
    return graph.op(op, [x, size], shape=shape, order=x.order, name=c.name, **attributes)


def _resized(c: Context, x: Value, axis: int, how: Axis, plan: Plan) -> Value:
    """Resize one axis of known length."""
    if plan.mode == "nearest":
        return take(c.graph, x, axis, nearest(how, plan.rounding))
    factor = float(c.attribute("cubic_coeff_a", -0.75))
    matrix = weights(
        how,
        plan.mode,
        is_smooth=_antialias(c),
        is_inside=bool(c.attribute("exclude_outside", 0)),
        factor=factor,
    )
    return along(c.graph, x, axis, c.graph.constant(matrix))


def _extrapolated(c: Context, x: Value, plan: Plan) -> Value:
    """Put one number where a crop reaches beyond the tensor."""
    if plan.coordinates != "tf_crop_and_resize" or not any(axis.outside().any() for axis in plan.axes.values()):
        return x
    outside = np.zeros([1] * x.rank, bool)
    for axis, how in plan.axes.items():
        outside = outside | how.outside().reshape([-1 if other == axis else 1 for other in range(x.rank)])
    values = [c.graph.constant(outside), c.scalar(float(c.attribute("extrapolation_value", 0.0)), x), x]
    return c.graph.elementwise("SelectV2", values, type_name=x.type)
