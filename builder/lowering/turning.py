"""Turns the rows of matrices round instead of the tensors that are flattened before them.

A picture that is stored with its channels last and then flattened for a product of matrices has to be moved, as its
numbers are counted with the channels first. Where all that follows is arithmetic with constants, number by number, up
to such products, the constants and the rows of the matrices are put into the order of the picture at build time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .graph import Graph
from .nodes import Node
from .values import Array

alone = frozenset(
    {
        *("Abs", "Ceil", "Elu", "Erf", "Exp", "Expm1", "Floor", "Identity", "LeakyRelu", "Log", "Log1p", "Neg"),
        *("Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Softplus", "Sqrt", "Square", "Tanh"),
    }
)
pairs = frozenset({"AddV2", "BiasAdd", "Maximum", "Minimum", "Mul", "Pow", "Prelu", "RealDiv", "Sub"})


@dataclass(slots=True)
class _Flat:
    """What follows a flattened tensor.

    Attributes:
        outputs: all that hold its numbers, in its order.
        places: which input of which node is a constant whose columns, or rows, are in that order.
    """

    outputs: set[str] = field(default_factory=set)
    places: list[tuple[Node, int]] = field(default_factory=list)


def turn_rows(graph: Graph, results: Iterable[str]) -> None:
    """Change the constants of a graph and of its functions, so that fewer tensors are moved.

    Args:
        graph: changed in place.
        results: outputs of its nodes that the model gives.
    """
    frames = [(graph.frames[0].nodes, set(results))]
    frames += [(function.frame.nodes, {value.name for value in function.outputs}) for function in graph.functions]
    for nodes, wanted in frames:
        readers: dict[str, list[Node]] = defaultdict(list)
        for node in nodes:
            for source in node.inputs:
                readers[source].append(node)
        for node in list(nodes):
            if node.op == "Transpose" and node.name in graph.moved:
                for reader in list(readers[node.name]):
                    if reader.op == "Reshape" and reader.inputs[0] == node.name:
                        _turn(graph, nodes, readers, node, reader, wanted)


def _turn(
    graph: Graph, nodes: list[Node], readers: dict[str, list[Node]], moved: Node, flat: Node, wanted: set[str]
) -> None:
    """Let a tensor be flattened as it is stored, if what follows can be put into that order."""
    before, moves = graph.moved[moved.name], graph.weights.get(moved.inputs[1])
    target = graph.weights.get(flat.inputs[1])
    if moves is None or target is None or target.shape != (2,) or int(moves[0]) != 0 or None in before[1:]:
        return
    lengths = [n or 0 for n in before[1:]]
    count = int(np.prod(lengths))
    if int(target[1]) != count:
        return
    found = _follow(graph, readers, flat.name, count, wanted)
    if found is None:
        return
    # Column j was taken from the stored column numbers[j]; the one stored at k is taken from order[k] now.
    numbers = np.arange(count).reshape(lengths).transpose([int(axis) - 1 for axis in moves[1:]]).ravel()
    order = np.argsort(numbers)
    flat.inputs[0] = moved.inputs[0]
    for node, place in found.places:
        _replace(graph, nodes, readers, node, place, order)


def _follow(graph: Graph, readers: dict[str, list[Node]], first: str, count: int, wanted: set[str]) -> _Flat | None:
    """Return all that takes the numbers of a flattened tensor; None where something depends on their order."""
    found, waiting, both = _Flat(), [first], []
    while waiting:
        output = waiting.pop()
        if output in found.outputs:
            continue
        if output in wanted:
            return None
        found.outputs.add(output)
        for node in readers[output]:
            if node.op in alone:
                waiting.append(node.name)
            elif node.op == "MatMul" and _is_rows(graph, node, output):
                found.places.append((node, 1))
            elif node.op in pairs:
                both.append(node)
                waiting.append(node.name)
            else:
                return None
    return found if all(_takes_columns(graph, found, node, count) for node in both) else None


def _takes_columns(graph: Graph, found: _Flat, node: Node, count: int) -> bool:
    """Note which inputs of a node are constants in the order of the columns; False: others are something else."""
    for place, source in enumerate(node.inputs):
        if source in found.outputs:
            continue
        array = graph.weights.get(source)
        if array is None or not _fits(array, count):
            return False
        if array.size != 1 and (node, place) not in found.places:
            found.places.append((node, place))
    return True


def _is_rows(graph: Graph, node: Node, output: str) -> bool:
    return (
        node.inputs[0] == output
        and node.inputs[1] != output
        and node.inputs[1] in graph.weights
        and not node.attributes.get("transpose_a")
    )


def _fits(array: Array, count: int) -> bool:
    """Whether a constant has one number for each column, or one for all."""
    return array.ndim <= 2 and (array.size == 1 or (array.shape[-1] == count and array.size == count))


def _replace(
    graph: Graph, nodes: list[Node], readers: dict[str, list[Node]], node: Node, place: int, order: Array
) -> None:
    """Put a constant into another order, for one node only."""
    source = node.inputs[place]
    array = graph.weights[source]
    axis = 0 if node.op == "MatMul" and not node.attributes.get("transpose_b") else -1
    turned = np.ascontiguousarray(array.take(order, axis))
    steps = graph.steps.get(source)
    if steps is not None and steps.shape[axis] > 1:
        steps = steps.take(order, axis)
    if len(readers[source]) == 1:
        graph.weights[source] = turned
        if steps is not None:
            graph.steps[source] = steps
        return
    constant = next(other for other in nodes if other.name == source)
    name = graph.unused(source)
    nodes.insert(nodes.index(constant), Node(name, "Const", [], dict(constant.attributes)))
    graph.weights[name] = turned
    if steps is not None:
        graph.steps[name] = steps
    if source in graph.quantizations:
        graph.quantizations[name] = graph.quantizations[source]
    readers[source].remove(node)
    readers[name].append(node)
    node.inputs = [name if number == place else other for number, other in enumerate(node.inputs)]
