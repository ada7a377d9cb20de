"""The custom operator ``TFLite_Detection_PostProcess``, the last step of TensorFlow's detectors: boxes out of offsets.

What it does is told by ``tensorflow/lite/kernels/detection_postprocess.cc``.
"""

from __future__ import annotations

import numpy as np

from ...lowering.pieces import cut, gather, joined
from ...lowering.reckoning import Reckoning
from ...lowering.values import Value
from ..detection_options import DetectionOptions, name, read_options
from ..registry import Context, fix_size, lowers

most_classes = 400  # each is a node where classes are suppressed by themselves
most_boxes = 10_000
Found = tuple[Value, Value, Value, Value]  # boxes [n, 4], classes [n], scores [n], their number [1]
Chosen = tuple[Value, Value, Value]
absent = -1.0  # the score of a place that no box takes; those of boxes are probabilities


@lowers(name)
def detection_post_process(c: Context) -> list[Value | None]:
    """Lower to boxes [1, n, 4], their classes [1, n] and scores [1, n], best first, and how many there are [1]."""
    offsets, scores, anchors = (c.input(index) for index in range(3))
    try:
        options = read_options(bytes(c.option("custom", b"")))
    except ValueError as error:
        c.refuse(str(error))
    _check(c, offsets, scores, anchors, options)
    graph = c.graph
    corners = _corners(c, graph.squeeze(offsets, [0]), anchors, options)
    background = (scores.shape[2] or 0) - options.count
    scores = cut(graph, graph.squeeze(scores, [0]), {1: (background, options.count)})
    choose = _by_class if options.apart else _together
    boxes, classes, best, count = choose(c, corners, scores, options)
    return [graph.unsqueeze(boxes, [0]), graph.unsqueeze(classes, [0]), graph.unsqueeze(best, [0]), count]


def _check(c: Context, offsets: Value, scores: Value, anchors: Value, options: DetectionOptions) -> None:
    shapes = offsets.shape, scores.shape, anchors.shape
    if [len(shape) for shape in shapes] != [3, 3, 2] or None in (*shapes[0], *shapes[1], *shapes[2]):
        c.refuse("an open number of boxes", fix_size)
    (batch, count, codes), known, own = shapes
    if batch != 1 or known[:2] != (1, count) or own != (count, 4) or (codes or 0) < 4:
        c.refuse(f"offsets, scores and anchors of {shapes[0]}, {known} and {own}, which do not belong together")
    if not 0 < options.count <= min(known[2] or 0, most_classes) or not 0 < options.classes <= most_classes:
        c.refuse(f"{options.count} classes, of which a box gets {options.classes}, and {known[2]} scores")
    if not 0 < options.boxes <= most_boxes or not options.of_class > 0 or not 0 < options.overlap <= 1:
        c.refuse(f"at most {options.boxes} boxes with an overlap of {options.overlap:g}")
    if not all(np.isfinite(scale) and scale > 0 for scale in options.scales):
        c.refuse(f"the scales {options.scales}")


def _corners(c: Context, offsets: Value, anchors: Value, options: DetectionOptions) -> Value:
    """Return least y and x, greatest y and x of all boxes, [boxes, 4]."""
    graph, reckon = c.graph, Reckoning(c.graph)
    y, x, height, width = (
        reckon("Div", cut(graph, offsets, {1: (place, 1)}), scale) for place, scale in enumerate(options.scales)
    )
    own_y, own_x, own_height, own_width = (cut(graph, anchors, {1: (place, 1)}) for place in range(4))
    middles = [
        reckon("AddV2", reckon("Mul", offset, size), middle)
        for offset, size, middle in ((y, own_height, own_y), (x, own_width, own_x))
    ]
    halves = [
        reckon("Mul", reckon("Mul", reckon("Exp", offset), size), 0.5)
        for offset, size in ((height, own_height), (width, own_width))
    ]
    ends = [reckon(op, middle, half) for op in ("Sub", "AddV2") for middle, half in zip(middles, halves, strict=True)]
    return joined(graph, ends, 1)


def _together(c: Context, corners: Value, scores: Value, options: DetectionOptions) -> Found:
    """Suppress by the best class of each box, which then gets its best few."""
    graph = c.graph
    kept = min(options.classes, options.count)
    rows = corners.shape[0]
    if kept == 1:
        best = graph.op("Max", [scores, c.whole([1])], shape=(rows,), keep_dims=False)
        kinds = graph.unsqueeze(graph.op("ArgMax", [scores, c.whole(1)], shape=(rows,), type_name="int32"), [1])
        values = graph.unsqueeze(best, [1])
    else:
        results = [("float32", (rows, kept), None), ("int32", (rows, kept), None)]
        values, kinds = graph.ops("TopKV2", [scores, c.whole(kept)], results, sorted=True)
        best = graph.squeeze(cut(graph, values, {1: (0, 1)}), [1])
    chosen, taken, count = _suppressed(c, corners, best, options.boxes, options)
    # Each box once for every class that it gets, and zeros for classes that there are none of.
    each, taken = taken.shape[0] or 0, graph.unsqueeze(taken, [1])
    boxes = Reckoning(graph)("Mul", gather(graph, corners, 0, chosen), taken)
    boxes = _longer(c, joined(graph, [graph.unsqueeze(boxes, [1])] * kept, 1), options.classes, 1)
    columns = [
        _longer(c, Reckoning(graph)("Mul", gather(graph, found, 0, chosen), taken), options.classes, 1)
        for found in (graph.cast(kinds, "float32"), values)
    ]
    total = options.boxes * options.classes
    boxes, classes, best = (
        _longer(c, graph.reshape(found, (each * options.classes, *found.shape[2:])), total)
        for found in (boxes, *columns)
    )
    return boxes, classes, best, count


def _longer(c: Context, x: Value, length: int, axis: int = 0) -> Value:
    """Return a value with zeros behind it, so that an axis gets this length."""
    missing = length - (x.shape[axis] or 0)
    if not missing:
        return x
    lengths = [missing if place == axis else size or 0 for place, size in enumerate(x.shape)]
    return joined(c.graph, [x, c.graph.constant(np.zeros(lengths, np.float32))], axis)


def _by_class(c: Context, corners: Value, scores: Value, options: DetectionOptions) -> Found:
    """Suppress each class by itself; the best of all classes remain."""
    graph, reckon = c.graph, Reckoning(c.graph)
    places, values = [], []
    for kind in range(options.count):
        own = graph.squeeze(cut(graph, scores, {1: (kind, 1)}), [1])
        chosen, taken, _ = _suppressed(c, corners, own, options.of_class, options)
        found = gather(graph, own, 0, chosen)
        places.append(chosen)
        # Where no box is: below all scores.
        values.append(reckon("AddV2", reckon("Mul", found, taken), reckon("Sub", taken, 1.0)))
    each = places[0].shape[0] or 0
    kinds = graph.constant(np.repeat(np.arange(options.count, dtype=np.float32), each))
    most = min(options.boxes, each * options.count)
    results = [("float32", (most,), None), ("int32", (most,), None)]
    best, order = graph.ops("TopKV2", [joined(graph, values, 0), c.whole(most)], results, sorted=True)
    taken = reckon.compare("Greater", best, absent / 2)
    count = graph.op("Sum", [taken, c.whole([0])], shape=(1,), keep_dims=True)
    chosen = gather(graph, joined(graph, places, 0), 0, order)
    mask = graph.unsqueeze(taken, [1])
    boxes = reckon("Mul", gather(graph, corners, 0, chosen), mask)
    classes, best = reckon("Mul", gather(graph, kinds, 0, order), taken), reckon("Mul", best, taken)
    boxes, classes, best = (_longer(c, found, options.boxes) for found in (boxes, classes, best))
    return boxes, classes, best, count


def _suppressed(
    c: Context, corners: Value, scores: Value, most: int, options: DetectionOptions
) -> tuple[Value, Value, Value]:
    """Return places [n] of boxes, best first, then zeros; 1 where there is a box, else 0 [n]; and their number [1]."""
    graph, reckon = c.graph, Reckoning(c.graph)
    most = min(most, scores.shape[0] or 0)
    # TensorFlow.js drops boxes from the overlap on and keeps those above the score; here it is above, and from on.
    overlap = min(float(np.nextafter(np.float32(options.overlap), np.float32(2))), 1.0)
    score = float(np.nextafter(np.float32(max(options.score, 1e-30)), np.float32(0)))
    limits = [c.whole(most), reckon.number(overlap), reckon.number(score if options.score > 0 else absent / 2)]
    results = [("int32", (most,), None), ("int32", (), None)]
    chosen, number = graph.ops(
        "NonMaxSuppressionV4", [corners, scores, *limits], results, name=c.name, pad_to_max_output_size=True
    )
    here = graph.elementwise("Less", [c.whole(range(most)), number], "bool")
    return chosen, graph.cast(here, "float32"), graph.unsqueeze(graph.cast(number, "float32"), [0])
