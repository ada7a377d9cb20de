"""Small ONNX networks with the shapes of real ones, for tests of layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass
class Network:
    """Nodes under construction; each method adds one and returns the name of its output."""

    inputs: dict[str, tuple[int | str, ...]]
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def __call__(self, op: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        """Add a node; several outputs are a list."""
        from onnx import helper

        names = [f"t{len(self.nodes)}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if count == 1 else names

    def constant(self, content: Any) -> str:
        """Add a constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(content)
        return name

    def weight(self, *shape: int) -> str:
        """Add a constant of random numbers."""
        return self.constant(self.random.normal(0, 0.3, shape).astype(np.float32))

    def ints(self, *numbers: int) -> str:
        """Add whole numbers."""
        return self.constant(np.array(numbers, np.int64))

    def conv(self, x: str, inputs: int, outputs: int, size: int = 3, **attributes: Any) -> str:
        """Add a convolution with a bias that keeps lengths unless it has strides."""
        group = attributes.get("group", 1)
        pads = [size // 2] * 4
        weight, bias = self.weight(outputs, inputs // group, size, size), self.weight(outputs)
        return str(self("Conv", x, weight, bias, pads=pads, **attributes))

    def norm(self, x: str, channels: int) -> str:
        """Add a batch normalisation."""
        ones = self.constant(np.linspace(0.5, 1.5, channels, dtype=np.float32))
        return str(self("BatchNormalization", x, ones, self.weight(channels), self.weight(channels), ones))

    def model(self, *outputs: str, opset: int = 17) -> Any:
        """Return the ModelProto."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in self.inputs.items()]
        results = [onnx.ValueInfoProto(name=name) for name in outputs]
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", inputs, results, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def classifier() -> Any:
    """Conv, batch norm, Relu, pool, Flatten, Gemm."""
    net = Network({"x": ("n", 3, 8, 8)})
    t = net("Relu", net.norm(net.conv("x", 3, 4), 4))
    t = net("MaxPool", t, kernel_shape=[2, 2], strides=[2, 2])
    t = net("Flatten", t, axis=1)
    t = net("Relu", net("Gemm", t, net.weight(6, 64), net.weight(6), transB=1))
    return net.model(net("Gemm", t, net.weight(5, 6), net.weight(5), transB=1))


def reshaped_classifier() -> Any:
    """As PyTorch writes view(n, -1), with an activation and a bias between it and the product."""
    net = Network({"x": (2, 3, 8, 8)})
    t = net("Reshape", net("Relu", net.conv("x", 3, 4)), net.ints(2, -1))
    t = net("Identity", net("Sigmoid", net("Add", t, net.weight(256))))
    return net.model(net("Add", net("MatMul", t, net.weight(256, 5)), net.weight(5)))


def residual() -> Any:
    """Two residual blocks, the second with a projection, and a global pool."""
    net = Network({"x": ("n", 3, 8, 8)})
    t = net("Relu", net.conv("x", 3, 4))
    t = net("Relu", net("Add", t, net.norm(net.conv(net("Relu", net.conv(t, 4, 4)), 4, 4), 4)))
    side = net.conv(t, 4, 8, size=1, strides=[2, 2])
    t = net("Relu", net("Add", net.conv(net("Relu", net.conv(t, 4, 8, strides=[2, 2])), 8, 8), side))
    t = net("Flatten", net("GlobalAveragePool", t))
    return net.model(net("Gemm", t, net.weight(8, 5), net.weight(5)))


def squeeze_and_excite() -> Any:
    """Channels weighed by a small network of their means, as convolutions and as products."""
    net = Network({"x": ("n", 3, 8, 8)})
    t = net.conv("x", 3, 8)
    gate = net("Relu", net.conv(net("GlobalAveragePool", t), 8, 4, size=1))
    t = net("Mul", t, net("HardSigmoid", net.conv(gate, 4, 8, size=1)))
    means = net("ReduceMean", t, axes=[2, 3], keepdims=0)
    gate = net("Sigmoid", net("Gemm", net("Relu", net("MatMul", means, net.weight(8, 4))), net.weight(4, 8)))
    t = net("Mul", t, net("Unsqueeze", gate, net.ints(2, 3)))
    return net.model(net.conv(t, 8, 3))


def pixel_shuffle() -> Any:
    """Twice as large by DepthToSpace, as ONNX and as PyTorch order the channels, and by a turn of axes."""
    net = Network({"x": (1, 3, 4, 4)})
    t = net("DepthToSpace", net.conv("x", 3, 8), blocksize=2, mode="CRD")
    t = net("DepthToSpace", net.conv(t, 2, 8), blocksize=2)
    t = net("Reshape", net.conv(t, 2, 12), net.ints(1, 3, 2, 2, 16, 16))
    t = net("Transpose", t, perm=[0, 1, 4, 2, 5, 3])
    return net.model(net.conv(net("Reshape", t, net.ints(1, 3, 32, 32)), 3, 3))


def channel_shuffle() -> Any:
    """The shuffle of channels of ShuffleNet."""
    net = Network({"x": (1, 3, 8, 8)})
    t = net.conv("x", 3, 8)
    t = net("Reshape", t, net.ints(1, 2, 4, 8, 8))
    t = net("Reshape", net("Transpose", t, perm=[0, 2, 1, 3, 4]), net.ints(1, 8, 8, 8))
    left, right = net("Split", t, axis=1, count=2)
    t = net("Concat", left, net.conv(right, 4, 4, group=4), axis=1)
    return net.model(net.conv(t, 8, 3))


def u_net() -> Any:
    """Down and up again, with Concat over the channels."""
    net = Network({"x": ("n", 3, "h", "w")})
    first = net("Relu", net.conv("x", 3, 4))
    t = net("Relu", net.conv(net("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]), 4, 8))
    empty = ""
    t = net("Resize", t, empty, net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    t = net.conv(net("Concat", first, t, axis=1), 12, 4)
    t = net("ConvTranspose", t, net.weight(4, 4, 2, 2), strides=[2, 2])
    return net.model(net.conv(t, 4, 3, strides=[2, 2]))


def broadcasts() -> Any:
    """Constants [c, 1, 1] and computed ones, and a scale of each channel as LayerScale has."""
    net = Network({"x": (1, 3, 8, 8)})
    t = net("Div", net("Sub", "x", net.weight(3, 1, 1)), net.constant(np.full((3, 1, 1), 0.5, np.float32)))
    t = net.conv(t, 3, 4)
    t = net("Add", net("Mul", t, net.weight(1, 4, 1, 1)), net.weight(4, 1, 1))
    peak = net("Reshape", net("ReduceMax", t, axes=[0, 2, 3], keepdims=0), net.ints(4, 1, 1))
    t = net("Mul", t, peak)
    t = net("PRelu", t, net.weight(4, 1, 1))
    return net.model(net.conv(t, 4, 3))


def vision_transformer() -> Any:
    """Patches by a convolution, one layer of attention, a class token."""
    net = Network({"x": (1, 3, 8, 8)})
    t = net("Conv", "x", net.weight(8, 3, 4, 4), net.weight(8), strides=[4, 4])
    t = net("Transpose", net("Reshape", t, net.ints(1, 8, 4)), perm=[0, 2, 1])
    t = net("Add", net("Concat", net.weight(1, 1, 8), t, axis=1), net.weight(1, 5, 8))
    n = net("LayerNormalization", t, net.weight(8), net.weight(8), axis=-1)
    q, k, v = (net("Add", net("MatMul", n, net.weight(8, 8)), net.weight(8)) for _ in range(3))
    q, v = (net("Transpose", net("Reshape", part, net.ints(1, 5, 2, 4)), perm=[0, 2, 1, 3]) for part in (q, v))
    k = net("Transpose", net("Reshape", k, net.ints(1, 5, 2, 4)), perm=[0, 2, 3, 1])
    scores = net("Softmax", net("Div", net("MatMul", q, k), net.constant(np.float32(2))), axis=-1)
    mixed = net("Transpose", net("MatMul", scores, v), perm=[0, 2, 1, 3])
    t = net("Add", t, net("MatMul", net("Reshape", mixed, net.ints(1, 5, 8)), net.weight(8, 8)))
    return net.model(net("Gemm", net("Gather", t, net.constant(np.int64(0)), axis=1), net.weight(8, 5)))


def convnext() -> Any:
    """Depthwise convolution, Transpose, LayerNorm and products over the channels, Transpose, residual; twice."""
    net = Network({"x": (1, 3, 8, 8)})
    t = net.conv("x", 3, 8)
    for _ in range(2):
        turned = net("Transpose", net.conv(t, 8, 8, group=8), perm=[0, 2, 3, 1])
        n = net("LayerNormalization", turned, net.weight(8), net.weight(8), axis=-1)
        n = net("Relu", net("Add", net("MatMul", n, net.weight(8, 16)), net.weight(16)))
        n = net("Mul", net("Add", net("MatMul", n, net.weight(16, 8)), net.weight(8)), net.weight(8))
        t = net("Add", t, net("Transpose", n, perm=[0, 3, 1, 2]))
    return net.model(net.conv(t, 8, 3))


def yolo() -> Any:
    """A head of two scales: Reshape, Transpose, Sigmoid, Split, Concat."""
    net = Network({"x": (1, 3, 16, 16)})
    large = net.conv("x", 3, 8, strides=[2, 2])
    small = net.conv(large, 8, 8, strides=[2, 2])
    parts = []
    for picture, size, stride in ((large, 8, 2), (small, 4, 4)):
        t = net("Reshape", net.conv(picture, 8, 21, size=1), net.ints(1, 3, 7, size, size))
        t = net("Sigmoid", net("Transpose", t, perm=[0, 1, 3, 4, 2]))
        xy, wh, rest = net("Split", t, net.ints(2, 2, 3), axis=4, count=3)
        xy = net("Mul", net("Add", xy, net.weight(1, 3, size, size, 2)), net.constant(np.float32(stride)))
        wh = net("Mul", net("Pow", wh, net.constant(np.float32(2))), net.weight(1, 3, 1, 1, 2))
        t = net("Concat", xy, wh, rest, axis=4)
        parts.append(net("Reshape", t, net.ints(1, -1, 7)))
    return net.model(net("Concat", *parts, axis=1))


def anchor_free_yolo() -> Any:
    """A head that flattens pictures to [n, c, places], and puts scales behind one another."""
    net = Network({"x": (1, 3, 16, 16)})
    large = net.conv("x", 3, 8, strides=[2, 2])
    small = net.conv(large, 8, 8, strides=[2, 2])
    parts = [net("Reshape", net.conv(t, 8, 20, size=1), net.ints(1, 20, -1)) for t in (large, small)]
    t = net("Concat", *parts, axis=2)
    box, classes = net("Split", t, net.ints(16, 4), axis=1, count=2)
    box = net("Transpose", net("Reshape", box, net.ints(1, 4, 4, 80)), perm=[0, 2, 1, 3])
    box = net("Conv", net("Softmax", box, axis=1), net.constant(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)))
    box = net("Reshape", box, net.ints(1, 4, 80))
    return net.model(net("Concat", box, net("Sigmoid", classes), axis=1))


def open_head() -> Any:
    """A head over pictures of open lengths, which flattens them to [n, c, places] of computed lengths."""
    net = Network({"x": ("n", 3, "h", "w")})
    t = net.conv("x", 3, 8)
    batch = net("Gather", net("Shape", t), net.ints(0), axis=0)
    target = net("Concat", batch, net.ints(8, -1), axis=0)
    t = net("Reshape", t, target)
    return net.model(net("Sigmoid", net("Transpose", t, perm=[0, 2, 1])))


def recogniser() -> Any:
    """Rows of a picture of open lengths, flattened to lengths that inference cannot follow, and residual blocks."""
    net = Network({"x": ("n", 3, "h", "w")})
    t = net.conv("x", 3, 8)
    head = net("Slice", net("Shape", t), net.ints(0), net.ints(2), net.ints(0))
    flat = net("Reshape", t, net("Concat", net("Mul", head, net.ints(1, 1)), net.ints(-1), axis=0))
    rows = net("Transpose", flat, perm=[0, 2, 1])
    for _ in range(2):
        n = net("LayerNormalization", rows, net.weight(8), net.weight(8), axis=-1)
        rows = net("Add", rows, net("Add", net("MatMul", n, net.weight(8, 8)), net.weight(8)))
    return net.model(net("Softmax", net("MatMul", rows, net.weight(8, 5)), axis=-1))


def both_ways() -> Any:
    """Two bidirectional GRUs over rows of open lengths, whose states are an output and are averaged, too."""
    net = Network({"x": ("n", "h", 6)})
    t = net("Transpose", "x", perm=[1, 0, 2])
    for width in (6, 8):
        states, _ = net(
            "GRU",
            t,
            net.weight(2, 12, width),
            net.weight(2, 12, 4),
            net.weight(2, 24),
            count=2,
            hidden_size=4,
            direction="bidirectional",
            linear_before_reset=1,
        )
        t = net("Reshape", net("Transpose", states, perm=[0, 2, 1, 3]), net.ints(0, 0, -1))
    rows = net("Transpose", t, perm=[1, 0, 2])
    weights = net("Sigmoid", net("MatMul", "x", net.weight(6, 1)))
    return net.model(rows, net("ReduceMean", net("Mul", rows, weights), axes=[1], keepdims=0))


def mobile_net() -> Any:
    """Inverted residuals with HardSwish and squeeze-and-excite, as MobileNetV3 has them."""
    net = Network({"x": ("n", 3, 16, 16)})
    t = net("HardSwish", net.conv("x", 3, 8, strides=[2, 2]))
    wide = net("HardSwish", net.norm(net.conv(net("HardSwish", net.conv(t, 8, 16, size=1)), 16, 16, group=16), 16))
    gate = net("GlobalAveragePool", wide)
    gate = net("HardSigmoid", net.conv(net("Relu", net.conv(gate, 16, 4, size=1)), 4, 16, size=1), alpha=1 / 6)
    t = net("Add", t, net.conv(net("Mul", wide, gate), 16, 8, size=1))
    t = net("Flatten", net("GlobalAveragePool", t))
    t = net("HardSwish", net("Gemm", t, net.weight(8, 12), net.weight(12)))
    return net.model(net("Gemm", t, net.weight(12, 5), net.weight(5)))


networks: Sequence[Callable[[], Any]] = (
    classifier,
    reshaped_classifier,
    residual,
    squeeze_and_excite,
    pixel_shuffle,
    channel_shuffle,
    u_net,
    broadcasts,
    vision_transformer,
    convnext,
    yolo,
    anchor_free_yolo,
    open_head,
    recogniser,
    mobile_net,
)
