"""Puts other ops in place of those whose kernels are wrong or missing in TensorFlow.js' wasm backend.

What is wrong was found by running the kernels beside cpu's, ``bench/kernels.mjs``; ``docs/backends.md`` lists it.
Each rewrite gives the same numbers to the bit, on all backends. They apply to graphs as TensorFlow.js has them, so to
graph models that somebody else has converted too. A rewrite gives the tensor that stands for the node's, or None where
the node is of a kind that is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..model import Model
from .einsum import einsum
from .topology import Body, Node, Patch, data_inputs, flag_of, source_name, texts_of, type_of

floats = frozenset({"DT_FLOAT", "DT_HALF", "DT_BFLOAT16", "DT_DOUBLE"})
activations = ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh", "LeakyRelu", "Prelu")
half = 1 << 16
Rewrite = Callable[[Patch], str | None]


def _is_whole(kind: str) -> bool:
    return kind not in floats and kind not in {"DT_BOOL", "DT_STRING", "DT_COMPLEX64"}


def _one_hot(patch: Patch) -> str | None:
    """The kernel writes whole numbers, whatever the type; no backend minds the axis. on * hot + off * cold is exact."""
    node = patch.node
    indices, depth, on, off = data_inputs(node)[:4]
    kind, axis = type_of(node), int(node.get("attr", {}).get("axis", {}).get("i", -1))
    if _is_whole(kind) and axis == -1:
        return None
    common: dict[str, Any] = {"T": "DT_INT32", "TI": type_of(node, "TI", "DT_INT32"), "axis": -1}
    ones, zeros = patch.const(1), patch.const(0)
    if _is_whole(kind):
        hot = patch.add("OneHot", [indices, depth, on, off], **{**common, "T": kind})
    else:
        hot = patch.add("OneHot", [indices, depth, ones, zeros], **common)
        hot = _choose(patch, hot, (on, off), kind, lambda: patch.add("OneHot", [indices, depth, zeros, ones], **common))
    return hot if axis == -1 else _to_axis(patch, hot, kind, indices, axis)


def _choose(patch: Patch, hot: str, values: tuple[str, str], kind: str, cold: Callable[[], str]) -> str:
    """Return ``values`` [on, off] where ``hot`` is 1 or 0."""
    on, off = (patch.body.value_of(value) for value in values)
    if on is not None and off is not None and on.item() == 1 and off.item() == 0:
        return _to_type(patch, hot, "DT_INT32", kind)
    if kind == "DT_BOOL":
        hot, not_hot = (_to_type(patch, marks, "DT_INT32", kind) for marks in (hot, cold()))
        sides = [patch.add("LogicalAnd", [marks, value]) for marks, value in zip((hot, not_hot), values, strict=True)]
        return patch.add("LogicalOr", sides)
    marks = (patch.cast(mark, "DT_INT32", kind) for mark in (hot, cold()))
    return patch.add(
        "AddV2", [patch.add("Mul", list(pair), T=kind) for pair in zip(marks, values, strict=True)], T=kind
    )


def _to_axis(patch: Patch, hot: str, kind: str, indices: str, axis: int) -> str:
    """Move the last axis to another place; the rank is known at run time only."""
    rank = patch.add("Rank", [indices], T=type_of(patch.node, "TI", "DT_INT32"))
    one = patch.const(1)
    before = patch.add("Range", [patch.const(0), patch.const(axis), one], Tidx="DT_INT32")
    behind = patch.add("Range", [patch.const(axis), rank, one], Tidx="DT_INT32")
    last = patch.add("Reshape", [rank, patch.const([1])], T="DT_INT32", Tshape="DT_INT32")
    order = patch.add("ConcatV2", [before, last, behind, patch.const(0)], T="DT_INT32", Tidx="DT_INT32", N=3)
    return patch.add("Transpose", [hot, order], T=kind, Tperm="DT_INT32")


def _to_type(patch: Patch, tensor: str, source: str, target: str) -> str:
    """Cast; truth is what is not zero."""
    if target != "DT_BOOL" or source == target:
        return patch.cast(tensor, source, target)
    zero = patch.const(0, source)
    return patch.add("NotEqual", [tensor, zero], T=source, incompatible_shape_error=True)


def _cast(patch: Patch) -> str | None:
    """The kernel takes the lowest byte of a number for its truth."""
    source, target = type_of(patch.node, "SrcT"), type_of(patch.node, "DstT")
    if target != "DT_BOOL" or source in {"DT_BOOL", "DT_COMPLEX64"}:
        return None
    return _to_type(patch, data_inputs(patch.node)[0], source, target)


def _through_int32(patch: Patch) -> str | None:
    """Kernels that move four bytes an element, whatever the type: truth values are one byte each."""
    node = patch.node
    if type_of(node) != "DT_BOOL":
        return None
    first = 1 if node["op"] in {"Select", "SelectV2"} else 0
    moved = 2 if first else 1
    inputs = data_inputs(node)
    for place in range(first, first + moved):
        inputs[place] = patch.cast(inputs[place], "DT_BOOL", "DT_INT32")
    name = patch.add(node["op"], inputs, **{**node.get("attr", {}), "T": {"type": "DT_INT32"}})
    return _to_type(patch, name, "DT_INT32", "DT_BOOL")


def _through_floats(patch: Patch) -> str | None:
    """Kernels that move floats only: whole numbers go as two halves, which floats hold exactly."""
    kind = type_of(patch.node)
    if kind == "DT_BOOL":
        moved = _moved(patch, patch.cast(data_inputs(patch.node)[0], kind, "DT_FLOAT"))
        return _to_type(patch, moved, "DT_FLOAT", "DT_BOOL")
    if not _is_whole(kind):
        return None
    tensor, size = data_inputs(patch.node)[0], patch.const(half, kind)
    high = patch.add("FloorDiv", [tensor, size], T=kind)
    low = patch.add("Sub", [tensor, patch.add("Mul", [high, size], T=kind)], T=kind)
    high, low = (
        patch.cast(_moved(patch, patch.cast(part, kind, "DT_FLOAT")), "DT_FLOAT", kind) for part in (high, low)
    )
    return patch.add("AddV2", [patch.add("Mul", [high, size], T=kind), low], T=kind)


def _moved(patch: Patch, tensor: str) -> str:
    """Do what the node does, with floats."""
    node = patch.node
    attributes = {**node.get("attr", {}), "T": {"type": "DT_FLOAT"}}
    return patch.add(node["op"], [tensor, *data_inputs(node)[1:]], **attributes)


def _strided_slice(patch: Patch) -> str | None:
    """With steps of one the kernel is another one, which is right."""
    steps = patch.body.value_of(data_inputs(patch.node)[3])
    return None if steps is not None and bool((steps == 1).all()) else _through_floats(patch)


def _clip(patch: Patch) -> str | None:
    """The kernel takes whole numbers for floats."""
    kind = type_of(patch.node)
    if not _is_whole(kind):
        return None
    tensor, low, high = data_inputs(patch.node)[:3]
    return patch.add("Maximum", [patch.add("Minimum", [tensor, high], T=kind), low], T=kind)


def _cumulate(patch: Patch) -> str | None:
    """A negative axis leads out of memory: count it from the front."""
    node = patch.node
    tensor, axis = data_inputs(node)[:2]
    value = patch.body.value_of(axis)
    if value is not None and value.item() >= 0:
        return None
    kind = type_of(node, "Tidx", "DT_INT32")
    rank = patch.cast(patch.add("Rank", [tensor], T=type_of(node)), "DT_INT32", kind)
    if value is not None:
        place = patch.add("AddV2", [rank, axis], T=kind)
    else:
        place = patch.add("FloorMod", [axis, rank], T=kind)
    return patch.add(node["op"], [tensor, place], **node.get("attr", {}))


def _nearest(patch: Patch) -> str | None:
    """The kernel gives floats, which are right but for their type."""
    kind = type_of(patch.node)
    if not _is_whole(kind):
        return None
    return patch.cast(_moved(patch, patch.cast(data_inputs(patch.node)[0], kind, "DT_FLOAT")), "DT_FLOAT", kind)


def _bincount(patch: Patch) -> str | None:
    """On cpu a vector is counted where only the presence of a number is asked for."""
    node = patch.node
    if not flag_of(node, "binary_output"):
        return None
    counts = patch.add(node["op"], data_inputs(node), **node.get("attr", {}))
    kind = type_of(node)
    return patch.add("Minimum", [counts, patch.const(1, kind)], T=kind)


def _fused(plain: str) -> Rewrite:
    """The kernels add a bias that is a vector, and know one slope a channel: all else becomes nodes of its own."""

    def rewrite(patch: Patch) -> str | None:
        node = patch.node
        steps = texts_of(node, "fused_ops")
        tensor, weight, *rest = data_inputs(node)
        if "BiasAdd" not in steps or not rest or not set(steps) <= {"BiasAdd", *activations}:
            return None
        shape = _shape(patch.body, rest[0])
        slopes = _shape(patch.body, rest[1]) if "Prelu" in steps and len(rest) > 1 else (1,)
        # A bias that comes with a transposed matrix is added by rows.
        turned = flag_of(node, "transpose_a") or flag_of(node, "transpose_b")
        if shape is not None and len(shape) == 1 and _per_channel(slopes) and not turned:
            return None
        weight_of_bias = patch.body.weight_of(rest[0])
        if not turned and weight_of_bias is not None and _per_channel(shape) and _per_channel(slopes):
            node["input"] = [tensor, weight, patch.flat(weight_of_bias, type_of(node)), *rest[1:]]
            return None
        kept = {"fused_ops", "num_args", "epsilon", "leakyrelu_alpha", "num_host_args", "host_args", "TArgs",
                "user_data_types"}  # fmt: skip
        attributes = {key: value for key, value in node.get("attr", {}).items() if key not in kept}
        value = patch.add(plain, [tensor, weight], **attributes)
        value = patch.add("AddV2", [value, rest[0]], T=type_of(node))
        for step in steps[steps.index("BiasAdd") + 1 :]:
            value = _activation(patch, step, value, rest)
        return value

    return rewrite


def _activation(patch: Patch, step: str, value: str, rest: list[str]) -> str:
    kind = type_of(patch.node)
    if step == "Prelu":
        return _slope(patch, value, rest[1])
    if step == "LeakyRelu":
        alpha = patch.node.get("attr", {}).get("leakyrelu_alpha", {"f": 0.2})
        return patch.add(step, [value], T=kind, alpha=alpha)
    return patch.add(step, [value], T=kind)


def _prelu(patch: Patch) -> str | None:
    """The kernel takes the slopes for one a channel, whatever their shape."""
    tensor, slopes = data_inputs(patch.node)[:2]
    return None if _per_channel(_shape(patch.body, slopes)) else _slope(patch, tensor, slopes)


def _slope(patch: Patch, tensor: str, slopes: str) -> str:
    zero = patch.const(0, "DT_FLOAT")
    above = patch.add("Maximum", [tensor, zero], T="DT_FLOAT")
    below = patch.add("Minimum", [tensor, zero], T="DT_FLOAT")
    return patch.add("AddV2", [above, patch.add("Mul", [slopes, below], T="DT_FLOAT")], T="DT_FLOAT")


def _per_channel(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) > 0 and all(length == 1 for length in shape[:-1])


def _shape(body: Body, reference: str) -> tuple[int, ...] | None:
    weight = body.weight_of(reference)
    return None if weight is None else weight.shape


rewrites: MappingProxyType[str, Rewrite] = MappingProxyType(
    {
        "Bincount": _bincount,
        "Cast": _cast,
        "ClipByValue": _clip,
        "Cumprod": _cumulate,
        "Cumsum": _cumulate,
        "DenseBincount": _bincount,
        "DepthToSpace": _through_floats,
        "Einsum": einsum,
        "FusedDepthwiseConv2dNative": _fused("DepthwiseConv2dNative"),
        "OneHot": _one_hot,
        "Prelu": _prelu,
        "ResizeNearestNeighbor": _nearest,
        "Reverse": _through_int32,
        "ReverseV2": _through_int32,
        "Select": _through_int32,
        "SelectV2": _through_int32,
        "StridedSlice": _strided_slice,
        "_FusedConv2D": _fused("Conv2D"),
        "_FusedMatMul": _fused("MatMul"),
    }
)


def rewrite_for_wasm(model: Model) -> Model:
    """Return a graph model that is right on wasm as far as rewriting can make it so; others as they are."""
    if model.kind != "graph-model":
        return model
    topology = model.artifacts["modelTopology"]
    weights = {weight.name: weight for weight in model.weights}
    known = len(weights)
    changed = {**topology, "node": _rewrite_nodes(topology.get("node", []), weights, "")}
    functions = topology.get("library", {}).get("function", [])
    if functions:
        changed["library"] = {**topology["library"], "function": [_rewrite_function(one, weights) for one in functions]}
    if len(weights) == known and changed == topology:
        return model
    artifacts = {**model.artifacts, "modelTopology": changed}
    return replace(model, artifacts=artifacts, weights=tuple(weights.values()))


def _rewrite_function(function: dict[str, Any], weights: dict[str, Any]) -> dict[str, Any]:
    if "nodeDef" not in function:
        return function
    name = str(function["signature"]["name"])
    changed = _rewrite_nodes(function["nodeDef"], weights, name)
    # What took an op's output by its name there takes an identity's now.
    identities = {node["name"] for node in changed if node["op"] == "Identity"}

    def renamed(reference: str) -> str:
        head = source_name(reference)
        return f"{head}:output:0" if head in identities and reference.count(":") == 2 else reference

    for node in changed:
        if "input" in node:
            node["input"] = [renamed(text) for text in node["input"]]
    returned = {key: renamed(text) for key, text in function.get("ret", {}).items()}
    return {**function, "nodeDef": changed, **({"ret": returned} if returned else {})}


def _rewrite_nodes(nodes: list[Node], weights: dict[str, Any], function: str) -> list[Node]:
    body = Body({node["name"]: dict(node) for node in nodes}, weights, function)
    for node in list(body.nodes.values()):
        rewrite = rewrites.get(node["op"])
        if rewrite is None:
            continue
        patch = Patch(body, node)
        result = rewrite(patch)
        if result is not None:
            patch.replace(result)
    return list(body.nodes.values())
