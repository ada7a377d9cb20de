"""Writes the ops that simulate quantisation: a quantisation-aware model rounds its values to steps at inference too.

The formulas are those of tensorflow/core/kernels/fake_quant_ops_functor.h, ranges moved so that zero is a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .formulas import number, one, two
from .messages import GraphDef, NodeDef
from .nodes import NodeBuilder, float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

fake_quant_ops = frozenset(("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"))


def fake_quant(build: NodeBuilder) -> str:
    """Clamp to the range, then round to a whole number of steps above its lower end."""
    import numpy as np

    low, high = _range(build)
    step, low, high = _steps(build.node, low, high)
    # A range of nothing but zero gives zeros.
    empty = step == 0
    inverse = np.where(empty, 0, np.float32(1) / np.where(empty, np.float32(1), step))
    zero = np.floor(-low * inverse + np.float32(0.5))

    def value(array: Floats) -> str:
        return build.const(array.astype(np.float32), float32)

    clamped = two(build, "Maximum", two(build, "Minimum", build.node.input[0], value(high)), value(low))
    above = two(build, "Mul", two(build, "Sub", clamped, value(low)), value(inverse))
    rounded = two(build, "AddV2", two(build, "Sub", above, value(zero)), number(build, 0.5))
    return two(build, "Mul", one(build, "Floor", rounded), value(step))


def largest_step(graph: GraphDef, where: str) -> float:
    """Return the longest step that a graph rounds what it computes to, or 0; weights are rounded once and for all."""
    found = 0.0
    for node in graph.node:
        build = NodeBuilder(graph, node, lambda _: None, where)
        if node.op not in fake_quant_ops or build.value_of(node.input[0]) is not None:
            continue
        ends = _ends(build)
        if ends is not None:
            found = max(found, float(_steps(node, *ends)[0].max(initial=0)))
    return found


def _range(build: NodeBuilder) -> tuple[Floats, Floats]:
    ends = _ends(build)
    if ends is None:
        raise build.refuse("its range is not constant")
    return ends


def _ends(build: NodeBuilder) -> tuple[Floats, Floats] | None:
    """Return the range, or None if it is computed."""
    import numpy as np

    node = build.node
    if node.op == "FakeQuantWithMinMaxArgs":
        low, high = (np.float32(node.attr[key].f if key in node.attr else default) for key, default in _defaults)
        return np.asarray(low), np.asarray(high)
    ends = [build.value_of(tensor) for tensor in node.input[1:3]]
    if ends[0] is None or ends[1] is None:
        return None
    return ends[0].astype(np.float32), ends[1].astype(np.float32)


_defaults = (("min", -6.0), ("max", 6.0))


def _steps(node: NodeDef, low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the length of a step, and the range moved so that zero is one of them."""
    import numpy as np

    bits = node.attr["num_bits"].i or 8
    least = np.float32(1 if node.attr["narrow_range"].b else 0)
    most = np.float32((1 << bits) - 1)
    step = ((high - low) / (most - least)).astype(np.float32)
    at_zero = least - low / np.where(step == 0, np.float32(1), step)
    # C rounds halves away from zero, and here nothing is below it.
    nearest = np.clip(np.floor(at_zero + np.float32(0.5)), least, most).astype(np.float32)
    return step, (least - nearest) * step, (most - nearest) * step
