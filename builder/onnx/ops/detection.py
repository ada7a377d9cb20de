"""Operators of detectors of objects: NonMaxSuppression and RoiAlign."""

from __future__ import annotations

import numpy as np

from ...lowering.layout import channels_last
from ...lowering.pieces import cut, ints, joined
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .pooling import lowest
from .sampling import Tap, sampled

most_suppressions = 400  # of classes times pictures, each of which is a node


@lowers("NonMaxSuppression")
def non_max_suppression(c: Context) -> Value:
    """Lower the choice of boxes, one class of one picture after the other, as rows of picture, class and box."""
    boxes, scores, graph = c.input(0), c.input(1), c.graph
    count = (scores.shape[0], scores.shape[1])
    if count[0] is None or count[1] is None:
        c.refuse("an open number of pictures or classes", fix_lengths)
    if count[0] * count[1] > most_suppressions:
        c.refuse(f"more than {most_suppressions} classes of pictures")
    if c.optional(2) is None or (c.input(2).array is not None and not c.known(2).any()):
        return graph.constant(np.zeros((0, 3), np.int64))
    limits = [_limit(c), _overlap(c), _least(c)]
    boxes, scores = graph.plain(boxes), graph.plain(scores)
    parts = []
    for picture in range(count[0]):
        corners = graph.squeeze(cut(graph, boxes, {0: (picture, 1)}), [0])
        corners = _corners(c, corners) if c.attribute("center_point_box", 0) else corners
        for kind in range(count[1]):
            own = graph.squeeze(cut(graph, scores, {0: (picture, 1), 1: (kind, 1)}), [0, 1])
            chosen = graph.op(
                "NonMaxSuppressionV3", [corners, own, *limits], shape=(None,), type_name="int32", name=c.name
            )
            column = graph.unsqueeze(chosen, [1])
            rows = graph.op("Pad", [column, ints(graph, np.array([[0, 0], [2, 0]]))], shape=(None, 3))
            if picture or kind:
                rows = graph.elementwise("AddV2", [rows, ints(graph, [picture, kind, 0])])
            parts.append(rows)
    return graph.cast(joined(graph, parts, 0), "int64")


def _limit(c: Context) -> Value:
    """Return how many boxes of a class are kept, int32 []."""
    value = c.input(2)
    if value.array is not None:
        return c.graph.constant(np.array(min(int(value.array.ravel()[0]), 2**31 - 1), np.int32))
    return c.graph.reshape(c.graph.cast(value, "int32"), ())


def _overlap(c: Context) -> Value:
    """Return from where on boxes suppress each other: TensorFlow.js does at the threshold, ONNX above it."""
    value, reckon = c.optional(3), Reckoning(c.graph)
    if value is None:
        return reckon.number(float(np.nextafter(np.float32(0), np.float32(1))))
    if value.array is not None:
        threshold = np.float32(value.array.ravel()[0])
        if threshold >= 1:
            c.refuse("an iou_threshold of 1 or more")
        return reckon.number(float(np.nextafter(threshold, np.float32(1))))
    above = reckon("Mul", c.graph.reshape(value, ()), 1 + 2.0**-23)
    return reckon("Minimum", reckon("Maximum", above, 1e-30), 1.0)


def _least(c: Context) -> Value:
    """Return the score that chosen boxes must have more than."""
    value = c.optional(4)
    return Reckoning(c.graph).number(lowest) if value is None else c.graph.reshape(value, ())


def _corners(c: Context, boxes: Value) -> Value:
    """Return two corners of boxes that are given as centre, width and height."""
    reckon = Reckoning(c.graph)
    x, y, width, height = (cut(c.graph, boxes, {1: (number, 1)}) for number in range(4))
    half_width, half_height = reckon("Mul", width, 0.5), reckon("Mul", height, 0.5)
    ends = [reckon(op, middle, half) for op in ("Sub", "AddV2") for middle, half in ((y, half_height), (x, half_width))]
    return joined(c.graph, ends, 1)


@lowers("RoiAlign")
def roi_align(c: Context) -> Value:
    """Lower means, or largest numbers, of samples in parts of pictures."""
    x, rois, graph = c.input(0), c.graph.plain(c.input(1)), c.graph
    samples, mode = int(c.attribute("sampling_ratio", 0)), c.attribute("mode", "avg")
    if samples < 1:
        c.refuse("a sampling_ratio of 0, which depends on the boxes", "Export the model with a fixed one")
    if None in x.shape[1:] or mode not in ("avg", "max"):
        c.refuse(f"a picture of open lengths, or mode {mode!r}", fix_lengths)
    newest = "half_pixel" if c.opset >= 16 else "output_half_pixel"
    is_centred = c.attribute("coordinate_transformation_mode", newest) == "half_pixel"
    sizes = [int(c.attribute(name, 1)) for name in ("output_height", "output_width")]
    axes = []
    for axis in (0, 1):
        # A box is x, y of one corner and x, y of the other.
        ends = [cut(graph, rois, {1: (place, 1)}) for place in (1 - axis, 3 - axis)]
        line = _line(c, ends, x.shape[axis + 2] or 1, sizes[axis], samples, is_centred=is_centred)
        axes.append([Tap(graph.unsqueeze(tap.place, [2 - axis]), tap.weight and graph.unsqueeze(tap.weight, [2 - axis]))
                     for tap in line])  # fmt: skip
    count = rois.shape[0]
    if mode == "avg":
        return _blocks(c, x, sampled(graph, x, axes, c.input(2)), sizes, samples, count, "AvgPool")
    # The largest of four weighed neighbours, as the specification's reference has it.
    parts = [sampled(graph, x, [[row], [column]], c.input(2)) for row in axes[0] for column in axes[1]]
    best = parts[0]
    for part in parts[1:]:
        best = graph.elementwise("Maximum", [best, part])
    return _blocks(c, x, best, sizes, samples, count, "MaxPool")


def _line(c: Context, ends: list[Value], length: int, size: int, samples: int, *, is_centred: bool) -> list[Tap]:
    """Return the two neighbours of all samples along one axis, [boxes, size samples]."""
    reckon, scale = Reckoning(c.graph), float(c.attribute("spatial_scale", 1.0))
    start, end = (reckon("Sub", reckon("Mul", value, scale), 0.5 if is_centred else 0.0) for value in ends)
    span = reckon("Sub", end, start)
    span = span if is_centred else reckon("Maximum", span, 1.0)
    steps = c.graph.constant(((np.arange(size * samples, dtype=np.float32) + 0.5) / (size * samples))[None])
    at = reckon("AddV2", start, reckon("Mul", span, steps))
    counts = reckon("Mul", reckon.compare("GreaterEqual", at, -1.0), reckon.compare("LessEqual", at, float(length)))
    at = reckon.clamped(at, 0.0, length - 1.0)
    low = reckon("Floor", at)
    high = reckon("Minimum", reckon("AddV2", low, 1.0), length - 1.0)
    share = reckon("Sub", at, low)
    return [
        Tap(low, reckon("Mul", reckon("Sub", 1.0, share), counts)),
        Tap(high, reckon("Mul", share, counts)),
    ]


def _blocks(c: Context, x: Value, found: Value, sizes: list[int], samples: int, count: int | None, op: str) -> Value:
    """Pool the samples of each cell."""
    shape = (count, x.shape[1], *sizes)
    pixels = Value(x.type, (count, x.shape[1], *(size * samples for size in sizes)), channels_last(4), found.name)
    if samples == 1:
        return pixels
    window = [1, samples, samples, 1]
    return c.graph.op(
        op, [pixels], shape=shape, order=channels_last(4), ksize=window, strides=window, padding="VALID",
        data_format="NHWC",
    )  # fmt: skip
