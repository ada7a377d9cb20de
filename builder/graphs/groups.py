"""Writes convolutions in groups of channels, which TensorFlow.js lacks, as one convolution a group."""

from __future__ import annotations

from .formulas import join
from .known import ShapeOf
from .messages import NodeDef
from .nodes import NodeBuilder


def is_grouped(node: NodeDef, shape_of: ShapeOf) -> bool:
    """Return whether a kernel takes fewer channels than there are."""
    channels, taken = _channels(node, shape_of)
    return channels is not None and taken is not None and channels != taken


def grouped_convolution(build: NodeBuilder) -> str:
    """Divide channels and kernel, convolve each part, and put the answers behind one another."""
    node = build.node
    channels, taken = _channels(node, build.shape_of)
    kind = node.attr["T"].type
    if channels is None or taken is None or node.attr["data_format"].s not in {b"", b"NHWC", b"NDHWC"}:
        raise build.refuse("only channels last can be")
    count = channels // taken

    def parts(tensor: str) -> list[str]:
        name = build.add("Split", [build.const(-1), tensor], T=kind, num_split=count)
        return [name, *(f"{name}:{number}" for number in range(1, count))]

    found = []
    for tensor, kernel in zip(parts(node.input[0]), parts(node.input[1]), strict=True):
        found.append(build.add(node.op, [tensor, kernel], T=kind))
        for key in ("strides", "dilations", "padding", "data_format", "explicit_paddings", "use_cudnn_on_gpu"):
            if key in node.attr:
                build.graph.node[-1].attr[key].CopyFrom(node.attr[key])
    return join(build, found, -1, kind)


def _channels(node: NodeDef, shape_of: ShapeOf) -> tuple[int | None, int | None]:
    """Return how many channels there are, and how many each kernel takes."""
    tensor, kernel = shape_of(node.input[0]), shape_of(node.input[1])
    if not tensor or not kernel or len(kernel) < 4:
        return None, None
    is_first = node.attr["data_format"].s.startswith(b"NC")
    return tensor[1 if is_first else -1], kernel[-2]
