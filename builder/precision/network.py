"""Turns a TensorFlow.js graph back into one that TensorFlow runs, and finds its layers."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Model, TensorSpec, Weight
from .frames import Node, enter_frames

fused = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
kept_attributes = {
    "Conv2D": ("T", "strides", "padding", "dilations", "data_format", "explicit_paddings", "use_cudnn_on_gpu"),
    "DepthwiseConv2dNative": ("T", "strides", "padding", "dilations", "data_format", "explicit_paddings"),
    "MatMul": ("T", "transpose_a", "transpose_b"),
}
activations = frozenset({"Relu", "Relu6", "Elu", "LeakyRelu", "Prelu", "Sigmoid", "Tanh"})
layer_ops = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "Conv2DBackpropInput"})
sums = frozenset({"BiasAdd", "Add", "AddV2"})
number: Node = {"T": {"type": "DT_FLOAT"}}


@dataclass(frozen=True, slots=True)
class Layer:
    """A weight whose step can be chosen by itself.

    Attributes:
        weight: its index in the model.
        bias: index of the bias that is added to what it gives, and to nothing else, or None.
        result: the node that adds the bias.
        op: the node that uses the weight.
    """

    weight: int
    bias: int | None
    result: str
    op: str


def plain_nodes(topology: Mapping[str, Any]) -> list[Node]:
    """Return the nodes with all that only TensorFlow.js knows or allows written out as TensorFlow has it."""
    return enter_frames([plain for node in topology.get("node", []) for plain in _plain(node)])


def tensor_names(side: Mapping[str, Any], specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Return the tensor of each input or output by its name: as the signature says, else as the model calls it."""
    names = {name: str(info["name"]) for name, info in side.items()} or {spec.name: spec.name for spec in specs}
    return {name: tensor if ":" in tensor else f"{tensor}:0" for name, tensor in names.items()}


def _plain(node: Node) -> Iterator[Node]:
    op, name, inputs = node["op"], node["name"], node.get("input", [])
    if op == "Prelu":
        yield from _prelu(name, inputs[0], inputs[1])
        return
    # "NoOp" stands where the converter found no bias before an activation.
    steps = [step for text in _list(node, "fused_ops") if (step := base64.b64decode(text).decode()) != "NoOp"]
    if op not in fused or not set(steps) <= {"BiasAdd", *activations}:
        yield node
        return
    attributes = node.get("attr", {})
    plain = {key: attributes[key] for key in kept_attributes[fused[op]] if key in attributes}
    tail = [text for text in inputs if text.startswith("^")]
    values = [text for text in inputs if not text.startswith("^")]
    names = [f"{name}/plain{position}" for position in range(len(steps))] + [name]
    yield {"name": names[0], "op": fused[op], "input": [*values[:2], *tail], "attr": plain}
    extra = values[2:]
    # The converter fuses sums with any other tensor too, as in a recurrent cell, where BiasAdd wants a vector.
    add = "AddV2" if op == "_FusedMatMul" else "BiasAdd"
    for before, after, step in zip(names, names[1:], steps, strict=False):
        if step == "BiasAdd":
            yield {"name": after, "op": add, "input": [before, extra.pop(0)], "attr": number}
        elif step == "Prelu":
            yield from _prelu(after, before, extra.pop(0))
        else:
            alpha = {"alpha": attributes["leakyrelu_alpha"]} if "leakyrelu_alpha" in attributes else {}
            yield {
                "name": after,
                "op": step,
                "input": [before],
                "attr": number | (alpha if step == "LeakyRelu" else {}),
            }


def _prelu(name: str, value: str, alpha: str) -> Iterator[Node]:
    yield {"name": f"{name}/above", "op": "Relu", "input": [value], "attr": number}
    yield {"name": f"{name}/negated", "op": "Neg", "input": [value], "attr": number}
    yield {"name": f"{name}/below", "op": "Relu", "input": [f"{name}/negated"], "attr": number}
    yield {"name": f"{name}/scaled", "op": "Mul", "input": [f"{name}/below", alpha], "attr": number}
    yield {"name": name, "op": "Sub", "input": [f"{name}/above", f"{name}/scaled"], "attr": number}


def _list(node: Node, key: str) -> list[str]:
    return list(node.get("attr", {}).get(key, {}).get("list", {}).get("s", []))


def add_shadows(nodes: list[Node], layers: tuple[Layer, ...]) -> list[Node]:
    """Return every layer a twin that applies other values to the same input: they are fed under ``shadow_input``."""
    by_name = {node["name"]: node for node in nodes}
    twins = []
    for layer in layers:
        node = by_name[layer.op]
        twins.append(
            {"name": shadow_input(layer.op), "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        )
        twins.append({**node, "name": shadow(layer.op), "input": _replaced(node["input"], shadow_input(layer.op))})
    return [*nodes, *twins]


def _replaced(inputs: list[str], name: str) -> list[str]:
    return [inputs[0], name, *inputs[2:]]


def product_input(node: Node, shape: tuple[int, ...]) -> str | None:
    """Name the node whose rows are multiplied with a weight of this shape [.., inputs, outputs], if that is all."""
    attributes = node.get("attr", {})
    turned = any(attributes.get(key, {}).get("b", False) for key in ("transpose_a", "transpose_b"))
    plain = (node["op"] == "MatMul" and not turned) or (node["op"] == "Conv2D" and shape[:2] == (1, 1))
    name, _, output = node["input"][0].partition(":")
    return name if plain and output in {"", "0"} else None


def shadow(op: str) -> str:
    """Name the twin of an op."""
    return f"{op}/shadow"


def shadow_input(op: str) -> str:
    """Name what is fed to the twin of an op."""
    return f"{op}/shadow/values"


def find_layers(nodes: list[Node], model: Model, coarse: frozenset[int]) -> tuple[Layer, ...]:
    """Return the layers in the order of the model's weights: kernels that one op uses.

    Args:
        nodes: as ``plain_nodes`` gives them.
        model: the model they are of.
        coarse: indices of the weights that may become coarse.
    """
    index = {weight.name: number for number, weight in enumerate(model.weights)}
    users: dict[str, list[tuple[Node, int]]] = {}
    for node in nodes:
        for position, reference in enumerate(node.get("input", [])):
            if not reference.startswith("^"):
                users.setdefault(reference.split(":")[0], []).append((node, position))
    origins = {
        node["name"]: node["input"][0].split(":")[0] for node in nodes if node["op"] == "Identity" and node.get("input")
    }
    layers = []
    for name, number_ in index.items():
        uses = _uses(name, users)
        if number_ not in coarse or len(uses) != 1:
            continue
        node, position = uses[0]
        if node["op"] in layer_ops and position == 1 and node.get("attr", {}).get("data_format", {}) in _channels_last:
            bias, result = _bias(node["name"], users, index, model.weights, origins)
            layers.append(Layer(number_, bias, result, node["name"]))
    return tuple(layers)


_channels_last: tuple[dict[str, str], ...] = ({}, {"s": base64.b64encode(b"NHWC").decode()})


def _uses(name: str, users: Mapping[str, list[tuple[Node, int]]]) -> list[tuple[Node, int]]:
    """Return who uses a value, seen through Identity."""
    found = []
    for node, position in users.get(name, []):
        found += _uses(node["name"], users) if node["op"] == "Identity" else [(node, position)]
    return found


def _bias(
    name: str,
    users: Mapping[str, list[tuple[Node, int]]],
    index: Mapping[str, int],
    weights: tuple[Weight, ...],
    origins: Mapping[str, str],
) -> tuple[int | None, str]:
    uses = users.get(name, [])
    if len(uses) == 1 and uses[0][0]["op"] in sums:
        node, position = uses[0]
        other = node["input"][1 - position].split(":")[0]
        while other not in index and other in origins:
            other = origins[other]
        if other in index and len(_uses(other, users)) == 1:
            weight = weights[index[other]]
            if weight.dtype == "float32" and weight.quantization is None and len(weight.shape) == 1:
                return index[other], node["name"]
    return None, name
