"""Writes ExtractImagePatches, as vision transformers begin, in slices and turns."""

from __future__ import annotations

from .formulas import join, reshape, transpose
from .nodes import NodeBuilder, int32


def image_patches(build: NodeBuilder) -> str:
    """What lies side by side in a window, one behind the other in the last dimension."""
    node = build.node
    kind, shape = node.attr["T"].type, build.shape_of(node.input[0])
    (_, *size, _), (_, *stride, _), (_, *rate, _) = (
        list(node.attr[key].list.i) for key in ("ksizes", "strides", "rates")
    )
    if shape is None or None in shape[1:]:
        raise build.refuse("the lengths of its input are not known")
    height, width, channels = (int(length) for length in shape[1:] if length is not None)
    spans = [(each - 1) * apart + 1 for each, apart in zip(size, rate, strict=True)]
    picture, sides = node.input[0], [height, width]
    if node.attr["padding"].s == b"SAME":
        counts = [-(-side // step) for side, step in zip(sides, stride, strict=True)]
        over = [max(0, (count - 1) * step + span - side)
                for count, step, span, side in zip(counts, stride, spans, sides, strict=True)]  # fmt: skip
        before = [each // 2 for each in over]
        pads = [[0, 0], *([each, all_ - each] for each, all_ in zip(before, over, strict=True)), [0, 0]]
        picture = build.add("PadV2", [picture, build.const(pads), build.const(0, kind)], T=kind, Tpaddings=int32)
    else:
        counts = [(side - span) // step + 1 for side, step, span in zip(sides, stride, spans, strict=True)]
    if size == stride and rate == [1, 1]:
        return _tiles(build, picture, counts, size, channels)
    parts = []
    for row in range(size[0]):
        for column in range(size[1]):
            start = [row * rate[0], column * rate[1]]
            stop = [first + (count - 1) * step + 1 for first, count, step in zip(start, counts, stride, strict=True)]
            bounds = [build.const([0, *start, 0]), build.const([0, *stop, 0]), build.const([1, *stride, 1])]
            parts.append(build.add("StridedSlice", [picture, *bounds], T=kind, Index=int32, begin_mask=0b1001,
                                   end_mask=0b1001, shrink_axis_mask=0, ellipsis_mask=0, new_axis_mask=0))  # fmt: skip
    return join(build, parts, 3, kind)


def _tiles(build: NodeBuilder, picture: str, counts: list[int], size: list[int], channels: int) -> str:
    """Return windows that do not overlap by turning rows and columns, which is much faster."""
    kind = build.node.attr["T"].type
    ends = [count * each for count, each in zip(counts, size, strict=True)]
    whole = build.add(
        "Slice", [picture, build.const([0, 0, 0, 0]), build.const([-1, *ends, channels])], T=kind, Index=int32
    )
    rows = reshape(build, whole, [-1, size[0], counts[1], size[1] * channels], kind)
    turned = transpose(build, rows, [0, 2, 1, 3], kind)
    return reshape(build, turned, [-1, *counts, size[0] * size[1] * channels], kind)
