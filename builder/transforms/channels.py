"""Finds the output channels of each weight, from the op or layer that uses it."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import GraphNode, GraphTopology, Model
from .layers import name_of, walk_layers

passing = frozenset({"Identity", "Cast", "Enter", "ReadVariableOp", "StopGradient"})
filters = frozenset({"Conv2D", "_FusedConv2D", "Conv1D", "Conv3D"})
depthwise = frozenset({"DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"})
transposed = frozenset({"Conv2DBackpropInput", "Conv3DBackpropInputV2"})
products = frozenset({"MatMul", "_FusedMatMul"})
batch_products = frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})
lookups = frozenset({"Gather", "GatherV2", "ResourceGather"})
smallest_row = 32  # elements; below, a step for each row of a table costs more than it saves
smallest_share = 4  # elements of a channel


def channel_axes(model: Model) -> tuple[tuple[int, ...], ...]:
    """Return for each weight the neighbouring axes that together number its channels; () where it has none.

    What is used in an unknown way has its channels along the last axis, as most kernels and recurrent cells do.
    """
    if model.kind == "graph-model":
        used = dict(_graph_uses(model.artifacts["modelTopology"]))
    else:
        used = dict(_layer_uses(model))
    return tuple(_fitting(weight.shape, used.get(weight.name, (-1,))) for weight in model.weights)


def _fitting(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < 2 or any(not -len(shape) <= axis < len(shape) for axis in axes):
        return ()
    wanted = tuple(axis % len(shape) for axis in axes)
    channels, size = 1, 1
    for axis, length in enumerate(shape):
        size *= length
        channels *= length if axis in wanted else 1
    if wanted == (0,) and size < smallest_row * channels:
        return _fitting(shape, (-1,))
    return wanted if size >= smallest_share * channels else ()


def _graph_uses(topology: GraphTopology) -> Iterator[tuple[str, tuple[int, ...]]]:
    functions = topology.get("library", {}).get("function", [])
    for nodes in (topology.get("node", []), *(function.get("nodeDef", []) for function in functions)):
        origins: dict[str, str] = {}
        by_name = {node["name"]: node for node in nodes}
        for node in nodes:
            for position, axes in _uses(node):
                if position < len(node.get("input", [])):
                    yield _origin(by_name, node["input"][position], origins), axes


def _origin(by_name: dict[str, GraphNode], reference: str, known: dict[str, str]) -> str:
    name = reference.lstrip("^").split(":")[0]
    path = []
    while name not in known and name not in path:
        path.append(name)
        node = by_name.get(name)
        if node is None or node["op"] not in passing or not node.get("input"):
            break
        name = node["input"][0].lstrip("^").split(":")[0]
    origin = known.get(name, name)
    known.update(dict.fromkeys(path, origin))
    return origin


def _uses(node: GraphNode) -> Iterator[tuple[int, tuple[int, ...]]]:
    op = node["op"]
    if op in filters:
        yield 1, (-1,)
    elif op in depthwise:
        yield 1, (-2, -1)
    elif op in transposed:
        yield 1, (-2,)
    elif op in products:
        yield 1, (-2 if _flag(node, "transpose_b") else -1,)
        yield 0, (-1 if _flag(node, "transpose_a") else -2,)
    elif op in batch_products:
        yield 1, (-2 if _flag(node, "adj_y") else -1,)
    elif op in lookups:
        yield 0, (0,)


def _flag(node: GraphNode, name: str) -> bool:
    return bool(node.get("attr", {}).get(name, {}).get("b", False))


def _layer_uses(model: Model) -> Iterator[tuple[str, tuple[int, ...]]]:
    topology = model.artifacts["modelTopology"]
    classes = {name_of(layer): str(layer.get("class_name", "")) for layer in walk_layers(topology)}
    for weight in model.weights:
        *path, kind = weight.name.split("/")
        layer = next((classes[part] for part in reversed(path) if part in classes), "")
        if kind == "depthwise_kernel" or (kind == "kernel" and layer == "DepthwiseConv2D"):
            yield weight.name, (-2, -1)
        elif kind == "kernel" and layer in {"Conv2DTranspose", "Conv3DTranspose"}:
            yield weight.name, (-2,)
        elif kind == "embeddings":
            yield weight.name, (0,)
