"""Makes fewer nodes of many: factors go into kernels, pads into windows, biases and activations into products.

Bounds become clips, whose kernel in wasm is many times as fast as those of Maximum and Minimum.

What remains are the fused ops of TensorFlow.js (tfjs-converter, ``convolution_executor`` and ``matrices_executor``).
A node is changed only where nobody else reads what goes away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from .graph import Graph
from .nodes import Node
from .values import Array

convolutions = {"Conv2D": "_FusedConv2D", "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative"}
products = {**convolutions, "MatMul": "_FusedMatMul"}
bounds = frozenset({"Maximum", "Minimum"})
fusable = frozenset({"Relu", "Relu6", "Elu", "LeakyRelu"})


class _Frame:
    """The nodes of one graph, with who reads what."""

    def __init__(self, graph: Graph, nodes: list[Node], results: Iterable[str]) -> None:
        self.graph = graph
        self.nodes = nodes
        self.by_name = {node.name: node for node in nodes}
        self.reads = Counter(source for node in nodes for source in node.inputs)
        self.reads.update(results)
        self.gone: set[str] = set()

    def producer(self, output: str, *ops: str) -> Node | None:
        """Return the node of one of these ops whose only reader reads this output."""
        node = self.by_name.get(output)
        return node if node is not None and node.op in ops and self.reads[output] == 1 else None

    def weight(self, output: str) -> Array | None:
        """Return the content of a constant, as it is stored."""
        node = self.by_name.get(output)
        return self.graph.weights[node.name] if node is not None and node.op == "Const" else None

    def constant(self, output: str) -> Array | None:
        """Return the content of a constant; None where codes are kept as they are."""
        return None if output in self.graph.quantizations or output in self.graph.steps else self.weight(output)

    def is_own(self, output: str) -> bool:
        """Whether a constant may be changed: it holds no codes, and only one node reads it."""
        return self.constant(output) is not None and self.reads[output] == 1

    def channels(self, output: str, count: int) -> Array | None:
        """Return a constant that has one number for each of the last axis, or one for all."""
        array = self.constant(output)
        if array is None or array.dtype != np.float32 or array.size not in (1, count) or self._is_other(array):
            return None
        return np.broadcast_to(array.reshape(-1), (count,))

    @staticmethod
    def _is_other(array: Array) -> bool:
        """Whether it has numbers along another axis than the last."""
        return array.ndim > 0 and array.shape[-1] != array.size

    def replace(self, node: Node, instead: Node) -> None:
        """Let a node be another, whose place in the order it takes, and whose readers it gets."""
        self.gone.add(instead.name)
        node.op, node.inputs, node.attributes = instead.op, instead.inputs, instead.attributes

    def new_constant(self, array: Array, like: str, before: Node) -> str:
        """Add a constant before a node, of the type of another one."""
        name = self.graph.unused(like)
        node = Node(name, "Const", [], {"dtype": self.by_name[like].attributes["dtype"]})
        self.nodes.insert(self.nodes.index(before), node)
        self.by_name[name] = node
        self.graph.weights[name] = array
        self.reads[name] = 1
        return name


def fuse(graph: Graph, results: Iterable[str]) -> None:
    """Fuse nodes of a graph and of its functions.

    Args:
        graph: changed in place.
        results: outputs of its nodes that the model gives.
    """
    frames = [(graph.frames[0].nodes, list(results))]
    frames += [(function.frame.nodes, [value.name for value in function.outputs]) for function in graph.functions]
    for nodes, wanted in frames:
        frame = _Frame(graph, nodes, wanted)
        for step in (_clip, _fold_scale, _absorb_pad, _fuse_bias, _fuse_activation):
            for node in list(nodes):
                if node.name not in frame.gone:
                    step(frame, node)
        nodes[:] = [node for node in nodes if node.name not in frame.gone]


def _clip(frame: _Frame, node: Node) -> None:
    """Let a bound be a clip, one with the bound before it; from 0 on it is a Relu, and to 6 a Relu6."""
    if node.op not in bounds:
        return
    for own, other in (node.inputs, node.inputs[::-1]):
        bound = frame.constant(other)
        if bound is None or bound.dtype != np.float32 or bound.ndim or np.isnan(bound):
            continue
        low, high = (float(bound), np.inf) if node.op == "Maximum" else (-np.inf, float(bound))
        before = frame.producer(own, "ClipByValue", "Relu")
        first = _range(frame, before) if before is not None else None
        source = own
        if before is not None and first is not None and max(first[0], low) <= min(first[1], high):
            low, high = max(first[0], low), min(first[1], high)
            source = before.inputs[0]
            frame.gone.add(before.name)
        simple = {(0.0, np.inf): "Relu", (0.0, 6.0): "Relu6"}.get((low, high))
        node.op, node.inputs = simple or "ClipByValue", [source]
        if simple is None:
            node.inputs += [frame.new_constant(np.array(end, np.float32), other, node) for end in (low, high)]
        return


def _range(frame: _Frame, node: Node) -> tuple[float, float] | None:
    """Return between which numbers a node clips, if that is known."""
    if node.op == "Relu":
        return 0.0, np.inf
    low, high = (frame.constant(source) for source in node.inputs[1:])
    return None if low is None or high is None or low.size != 1 or high.size != 1 else (low.item(), high.item())


def _fold_scale(frame: _Frame, node: Node) -> None:
    """Multiply a factor for each channel into the kernel, and add a summand to the bias."""
    if node.op not in {"Mul", "AddV2"} or len(node.inputs) != 2:
        return
    for own, other in (node.inputs, node.inputs[::-1]):
        before = frame.producer(own, *products, "BiasAdd")
        if before is None:
            continue
        bias = before if before.op == "BiasAdd" else None
        product = frame.producer(before.inputs[0], *products) if bias else before
        if product is None or product.attributes.get("transpose_b"):
            continue
        adds = node.op == "AddV2"  # which leaves the kernel as it is
        kernel = frame.weight(product.inputs[1]) if adds else frame.constant(product.inputs[1])
        if kernel is None or not (adds or frame.reads[product.inputs[1]] == 1):
            continue
        depthwise = product.op == "DepthwiseConv2dNative"
        count = kernel.shape[2] * kernel.shape[3] if depthwise else kernel.shape[-1]
        numbers = frame.channels(other, count)
        if numbers is None or (bias and not frame.is_own(bias.inputs[1])):
            continue
        if adds:
            _add(frame, node, product, bias, numbers, other)
        else:
            scale = numbers.reshape(kernel.shape[2:]) if depthwise else numbers
            frame.graph.weights[product.inputs[1]] = kernel * scale
            if bias:
                frame.graph.weights[bias.inputs[1]] = frame.graph.weights[bias.inputs[1]] * numbers
            frame.replace(node, before)
        return


def _add(frame: _Frame, node: Node, product: Node, bias: Node | None, numbers: Array, other: str) -> None:
    if bias is not None:
        frame.graph.weights[bias.inputs[1]] = frame.graph.weights[bias.inputs[1]] + numbers
        frame.replace(node, bias)
        return
    name = frame.new_constant(np.array(numbers), other, node)
    node.op, node.inputs = "BiasAdd", [product.name, name]
    node.attributes = {"T": product.attributes["T"], "data_format": "NHWC"}


def _absorb_pad(frame: _Frame, node: Node) -> None:
    """Let a convolution add the zeros around a picture itself."""
    if node.op not in convolutions or node.attributes["padding"] != "VALID":
        return
    pad = frame.producer(node.inputs[0], "Pad")
    widths = frame.constant(pad.inputs[1]) if pad is not None else None
    if pad is None or widths is None or widths.shape != (4, 2) or widths[[0, 3]].any() or (widths < 0).any():
        return
    node.inputs = [pad.inputs[0], *node.inputs[1:]]
    node.attributes |= {"padding": "EXPLICIT", "explicit_paddings": [int(n) for n in widths.ravel()]}
    frame.gone.add(pad.name)


def _fuse_bias(frame: _Frame, node: Node) -> None:
    """Put a bias into the product before it."""
    if node.op != "BiasAdd":
        return
    product = frame.producer(node.inputs[0], *products)
    bias = frame.constant(node.inputs[1])
    if product is None or bias is None or bias.ndim != 1:
        return
    fused = Node(product.name, products[product.op], [*product.inputs, node.inputs[1]], dict(product.attributes))
    fused.attributes |= {"fused_ops": ["BiasAdd"], "num_args": 1}
    frame.replace(node, fused)


def _fuse_activation(frame: _Frame, node: Node) -> None:
    """Put an activation into the fused product before it."""
    if node.op not in fusable:
        return
    product = frame.producer(node.inputs[0], *products.values())
    if product is None or product.attributes["fused_ops"] != ["BiasAdd"]:
        return
    attributes = {**product.attributes, "fused_ops": ["BiasAdd", node.op]}
    if node.op == "LeakyRelu":
        attributes["leakyrelu_alpha"] = node.attributes["alpha"]
    frame.replace(node, Node(product.name, product.op, product.inputs, attributes))
