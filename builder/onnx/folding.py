"""Computes at build time what depends on constants only, with ONNX' own reference, and what is known of lengths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..lowering.graph import Graph
from ..lowering.lengths import KnownLengths, Origin
from ..lowering.values import Array, Value
from .coded import coded
from .package import load_onnx
from .registry import Inferred
from .subgraphs import graphs_within

largest_folded = 1 << 24  # elements of a constant that is computed at build time
# What is computed anew each time, or kept as it is because its codes are worth more than its values.
never_folded = frozenset(
    {
        *("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"),
        *("DequantizeLinear", "OptionalHasElement"),  # the reference gives the latter one axis too many
    }
)
moving = frozenset({"Cast", "CastLike", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
# Whose answer at a place depends on the length at one place only, or is a sum or product of lengths.
of_lengths = frozenset(
    {
        *("Add", "Cast", "Concat", "Flatten", "Gather", "Identity", "Mul", "ReduceProd"),
        *("Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze"),
    }
)
stand_ins = (7919, 104729)  # primes, one after another, for lengths that are open
# What these give is as large as one of their inputs says.
growing = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}


def fold(
    graph: Graph, node: Any, inputs: Sequence[Value | None], outputs: Sequence[Inferred], opset: int
) -> list[Value | None] | None:
    """Compute what depends on constants only; None if it does not, or is better computed later.

    Args:
        graph: that gets the constants.
        node: the ``NodeProto``.
        inputs: None where an optional one is left out.
        outputs: what is known of them.
        opset: version of the operators.
    """
    if node.op_type in never_folded or any(value is not None and value.array is None for value in inputs):
        return None
    if node.op_type in moving and any(value is not None and value.codes for value in inputs):
        return None
    if any(True for _ in graphs_within(node)):
        return None
    if (codes := coded(graph, node, inputs)) is not None:
        return [codes]
    arrays = {name: value.array for name, value in zip(node.input, inputs, strict=True) if value is not None}
    if _size_before(node, inputs, outputs) > largest_folded:
        return None
    found = evaluate(node, arrays, opset)
    if found is None or any(array is not None and array.size > largest_folded for array in found):
        return None
    return [None if array is None else graph.constant(array) for array in found]


def _size_before(node: Any, inputs: Sequence[Value | None], outputs: Sequence[Inferred]) -> int:
    """Return how many elements a node reads, or gives if that is more, before anything is allocated."""
    sizes = [sum(value.size for value in inputs if value is not None)]
    sizes += [math.prod(n for n in known.shape if n is not None) for known in outputs if known.shape is not None]
    place = growing.get(node.op_type)
    given = inputs[place] if place is not None and place < len(inputs) else None
    if given is not None and given.array is not None:
        lengths = math.prod(int(n) for n in given.array.ravel())
        first = inputs[0]
        sizes.append(lengths * (first.size if node.op_type == "Tile" and first is not None else 1))
    return max(sizes)


def lengths_after(graph: Graph, node: Any, inputs: Sequence[Value | None], opset: int) -> KnownLengths | None:
    """Return what is known of lengths that a node computes of others; None if it computes no lengths.

    The node is computed with two different numbers for each open length: where both agree, none of them counts, and
    where both are those of one length, it is that.
    """
    if node.op_type not in of_lengths or not any(value is not None and value.name in graph.lengths for value in inputs):
        return None
    answers = []
    used: list[dict[Origin, int]] = []
    for start in stand_ins:
        arrays: dict[str, Array] = {}
        used.append({})
        for number, (name, value) in enumerate(zip(node.input, inputs, strict=True)):
            if value is None:
                continue
            filled = _filled(graph, value, start * (number + 1), used[-1])
            if filled is None:
                return None
            arrays[name] = filled
        found = evaluate(node, arrays, opset)
        if not found or found[0] is None or found[0].dtype.kind != "i" or found[0].ndim > 1:
            return None
        answers.append(found[0])
    first, second = answers
    if first.shape != second.shape:
        return None
    known = {(number, used[1][origin]): origin for origin, number in used[0].items()}
    origins = tuple(known.get((int(a), int(b))) for a, b in zip(first.ravel(), second.ravel(), strict=True))
    return KnownLengths(np.where(first == second, first, np.nan), origins)


def _filled(graph: Graph, value: Value, start: int, used: dict[Origin, int]) -> Array | None:
    """Return a value with a number in place of each open length; None if it is not made of lengths."""
    if value.array is not None:
        return value.array
    lengths = graph.lengths.get(value.name)
    if lengths is None:
        return None
    numbers = []
    for place, (number, origin) in enumerate(zip(lengths.numbers.ravel(), lengths.origins, strict=True)):
        stand_in = start + 2 * place
        if np.isnan(number) and origin is not None:
            stand_in = used.setdefault(origin, stand_in)
        numbers.append(stand_in if np.isnan(number) else int(number))
    return np.array(numbers, np.int64).reshape([n or 0 for n in value.shape])


def remember(graph: Graph, value: Value | None, lengths: KnownLengths | None) -> None:
    """Note what is known of lengths that a node gives."""
    if lengths is not None and value is not None and value.array is None and value.is_static:
        graph.lengths[value.name] = lengths


def evaluate(node: Any, arrays: Mapping[str, Any], opset: int) -> list[Array | None] | None:
    """Compute one node with ONNX' reference; None where that cannot."""
    onnx = load_onnx()
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in arrays.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    try:
        single = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        results = iter(ReferenceEvaluator(single).run(None, dict(arrays)))
        found = [next(results) if name else None for name in node.output]
    except Exception:  # whatever the reference lacks is lowered like the rest
        return None
    if not all(isinstance(item, np.ndarray | np.generic | None) for item in found):
        return None
    return [None if item is None else np.asarray(item) for item in found]
