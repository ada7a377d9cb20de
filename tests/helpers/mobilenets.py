"""MobileNetV2 (Sandler and others, 2018) as a graph model with weights of one value: its form is what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import tiny

stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _channels(count: float) -> int:
    """Round to a multiple of 8, as the paper's code does."""
    rounded = max(8, int(count + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * count else rounded


class _Net:
    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.tensors: dict[str, np.ndarray] = {}

    def constant(self, *shape: int, kind: str = "DT_FLOAT", value: float = 1e-3) -> str:
        name = f"w{len(self.tensors)}"
        dtype = np.float32 if kind == "DT_FLOAT" else np.int32
        self.tensors[name] = np.full(shape, value, dtype)
        tensor = {"tensor": {"dtype": kind}}
        self.nodes.append(tiny.node(name, "Const", dtype={"type": kind}, value=tensor))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(tiny.node(name, op, *inputs, **attributes))
        return name

    def convolve(self, x: str, filters: tuple[int, ...], stride: int = 1, *, by_depth: bool = False) -> str:
        steps = {"list": {"i": ["1", str(stride), str(stride), "1"]}}
        op = "DepthwiseConv2dNative" if by_depth else "Conv2D"
        form = {"padding": {"s": "U0FNRQ=="}, "data_format": {"s": "TkhXQw=="}}
        ones = {"list": {"i": ["1", "1", "1", "1"]}}
        return self.add(op, x, self.constant(*filters), strides=steps, dilations=ones, **form)


def write_mobilenet(folder: Path, *, width: float = 1.0, side: int = 224, classes: int = 1000) -> Path:
    """Write the network; normalisation is taken to be folded into its convolutions."""
    net = _Net()
    shape = tiny.dimensions(1, side, side, 3)
    kind = {"type": "DT_FLOAT"}
    net.nodes.append(tiny.node("x", "Placeholder", dtype=kind, shape={"shape": shape}))
    channels = _channels(32 * width)
    x = net.add("Relu6", net.convolve("x", (3, 3, 3, channels), 2))
    for wider, given, repeats, first in stages:
        for number in range(repeats):
            before, inner, after = channels, channels * wider, _channels(given * width)
            y = net.add("Relu6", net.convolve(x, (1, 1, before, inner))) if wider > 1 else x
            stride = first if number == 0 else 1
            y = net.add("Relu6", net.convolve(y, (3, 3, inner, 1), stride, by_depth=True))
            y = net.convolve(y, (1, 1, inner, after))
            x = net.add("AddV2", x, y) if stride == 1 and before == after else y
            channels = after
    last = _channels(1280 * max(1.0, width))
    x = net.add("Relu6", net.convolve(x, (1, 1, channels, last)))
    axes = net.constant(2, kind="DT_INT32", value=1)
    net.tensors[axes] = np.array([1, 2], np.int32)
    x = net.add("Mean", x, axes, Tidx={"type": "DT_INT32"}, keep_dims={"b": False})
    plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
    x = net.add("MatMul", x, net.constant(last, classes), **plain)
    net.nodes.append(tiny.node("Identity", "Softmax", x))
    content: dict[str, Any] = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {
                "probs": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(1, classes)}
            },
        },
        "modelTopology": {"node": net.nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return tiny.write(folder, content, net.tensors)
