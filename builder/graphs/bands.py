"""Writes what keeps a band round the diagonal of matrices: TensorFlow.js takes the band's first bound for both."""

from __future__ import annotations

from ..model import Model
from .formulas import count_up, expand, number, pick, select, shape_vector, two
from .known import Shape, ShapeOf
from .nodes import NodeBuilder, boolean, int32
from .topology import Body, data_inputs


def is_band(_node: object, _shape_of: ShapeOf) -> bool:
    """Tell that every node of the op is got wrong."""
    return True


def band_note(model: Model) -> str:
    """Say of a graph model that others converted that its bands are taken for others; "" where they are not."""
    if model.kind != "graph-model":
        return ""
    topology, weights = model.artifacts["modelTopology"], {weight.name: weight for weight in model.weights}
    parts = [
        topology.get("node", []),
        *(one.get("nodeDef", []) for one in topology.get("library", {}).get("function", [])),
    ]
    for part in parts:
        body = Body({node["name"]: node for node in part}, weights)
        for node in part:
            if node["op"] == "MatrixBandPart" and not _is_one_bound(body, data_inputs(node)[1:3]):
                return (
                    f"TensorFlow.js takes the first bound of MatrixBandPart (at {node['name']!r}) for both, so causal "
                    "masks hide nothing; built from the model before its conversion, it is right"
                )
    return ""


def _is_one_bound(body: Body, references: list[str]) -> bool:
    lower, upper = (body.value_of(reference) for reference in references)
    return lower is not None and upper is not None and lower.item() == upper.item()


def band_part(build: NodeBuilder) -> str:
    """What is at most ``lower`` below the diagonal and ``upper`` above it; a negative bound is none."""
    node = build.node
    kind, bounds_kind = node.attr["T"].type, node.attr["Tindex"].type or int32
    tensor, lower, upper = node.input[:3]
    rows, columns = _lengths(build, tensor, build.shape_of(tensor), kind)
    below = two(build, "Sub", expand(build, count_up(build, rows), 1, int32), count_up(build, columns), int32)
    above = two(build, "Sub", number(build, 0, int32), below, int32)
    sides = (_within(build, *side, bounds_kind) for side in ((below, lower), (above, upper)))
    masks = [mask for mask in sides if mask]
    if not masks:
        return str(tensor)
    mask = masks[0] if len(masks) == 1 else build.add("LogicalAnd", masks)
    if kind == boolean:
        return build.add("LogicalAnd", [tensor, mask])
    return select(build, mask, tensor, build.cast(number(build, 0, int32), int32, kind), kind)


def _lengths(build: NodeBuilder, tensor: str, shape: Shape, kind: int) -> list[str]:
    """Return the numbers of rows and columns."""
    known = shape[-2:] if shape else (None, None)
    last: str = ""
    found = []
    for place, length in enumerate(known):
        if length is None:
            last = last or _last_two(build, shape_vector(build, tensor, kind))
            found.append(pick(build, last, place))
        else:
            found.append(build.const(length))
    return found


def _last_two(build: NodeBuilder, lengths: str) -> str:
    bounds = [build.const([-2]), build.const([0]), build.const([1])]
    return build.add("StridedSlice", [lengths, *bounds], T=int32, Index=int32, shrink_axis_mask=0, begin_mask=0,
                     end_mask=1, ellipsis_mask=0, new_axis_mask=0)  # fmt: skip


def _within(build: NodeBuilder, distance: str, bound: str, kind: int) -> str:
    """Return where a distance is at most a bound; "" for everywhere."""
    value = build.value_of(bound)
    if value is not None:
        return "" if value.item() < 0 else two(build, "LessEqual", distance, build.const(value.item()), int32)
    bound = build.cast(bound, kind, int32)
    near = two(build, "LessEqual", distance, bound, int32)
    return build.add("LogicalOr", [near, two(build, "Less", bound, number(build, 0, int32), int32)])
