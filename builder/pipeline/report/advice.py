"""Diet advice: which layers would be smaller and faster built otherwise, and what repeats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...bundle.head import Head
from .shape import Advice, WeightBytes

convolutions = {"Conv2D", "_FusedConv2D", "FusedConv2D"}
worth = 0.01  # of the model's bytes
longest = 6
parts = 4


def advise(head: Head, weights: Sequence[WeightBytes]) -> list[Advice]:
    """Return advice, that which saves most first.

    Args:
        head: of the model.
        weights: as ``byte_details`` gives them.
    """
    sizes = {weight["name"]: weight["wire_bytes"] for weight in weights}
    total = sum(sizes.values()) or 1
    found = [
        advice
        for name in _kernels(head)
        for weight in weights
        if weight["name"] == name and len(weight["shape"]) == 4
        if (advice := _convolution(name, weight["shape"], sizes[name])) and advice["saves_bytes"] > worth * total
    ]
    found.sort(key=lambda advice: -advice["saves_bytes"])
    return [*found[:longest], *_repeats(head)]


def _convolution(name: str, shape: list[int], wire: int) -> Advice | None:
    """Compare a standard convolution with a lighter one; both do one multiplication a weight and position."""
    height, width, inputs, outputs = shape
    old = math.prod(shape)
    if height * width > 1 and inputs >= 8:
        new = height * width * inputs + inputs * outputs
        kind = "depthwise-separable"
        what = f"{height}x{width} convolution, {inputs} to {outputs} channels: as a depthwise-separable one"
    elif height * width == 1 and inputs % parts == outputs % parts == 0 and inputs >= 64:
        new = old // parts
        kind = "grouped"
        what = f"1x1 convolution, {inputs} to {outputs} channels: as {parts} convolutions of a quarter of the channels"
    else:
        return None
    if new >= old:
        return None
    return {
        "kind": kind,
        "weight": name,
        "text": what,
        "saves_bytes": round(wire * (1 - new / old)),
        "times_fewer_flops": round(old / new, 1),
    }


def _repeats(head: Head) -> Iterator[Advice]:
    again = [weight for weight in head.weights if weight.same is not None]
    saved = sum(4 * math.prod(weight.shape) for weight in again if weight.dtype != "string")
    if again and saved:
        yield {
            "kind": "repeated",
            "weight": again[0].name,
            "text": f"{len(again)} tensors repeat earlier ones and are stored once: share the layers, "
            "and they are computed once as well",
            "saves_bytes": 0,
            "times_fewer_flops": None,
        }


def _kernels(head: Head) -> Iterator[str]:
    """Name the kernels of standard convolutions."""
    topology = head.artifacts.get("modelTopology", {})
    if head.kind == "graph-model":
        for node in topology.get("node", []):
            if node.get("op") in convolutions and len(node.get("input", [])) > 1:
                yield str(node["input"][1]).split(":")[0]
        return
    yield from _layer_kernels(topology.get("model_config", topology))


def _layer_kernels(config: object) -> Iterator[str]:
    layers = config.get("config", {}) if isinstance(config, dict) else {}
    listed = layers.get("layers", []) if isinstance(layers, dict) else layers
    for layer in listed if isinstance(listed, list) else []:
        if not isinstance(layer, dict):
            continue
        if layer.get("class_name") == "Conv2D":
            yield f"{layer.get('config', {}).get('name', layer.get('name'))}/kernel"
        yield from _layer_kernels(layer)
