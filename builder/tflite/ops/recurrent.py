"""Recurrent layers, a step after the other; their state begins at zero in each call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...lowering.attributes import Type
from ...lowering.pieces import joined
from ...lowering.values import Value
from ..registry import Context, lowers

most_steps = 512
gates = ("input", "forget", "cell", "output")
activations = {0: "", 1: "Relu", 3: "Relu6", 4: "Tanh"}


@lowers("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(c: Context) -> Value:
    """Lower an LSTM without peepholes, projection and normalisation (Hochreiter and Schmidhuber, 1997).

    Without weights of the input gate, that one is what the forget gate leaves (Greff et al., 2015).
    """
    graph, x = c.graph, c.input(0)
    if any(c.optional(index) is not None for index in (9, 10, 11, 16, 17, *range(20, 24))):
        c.refuse("peepholes, projections or normalisations")
    if x.rank != 3:
        c.refuse("an input that does not have three axes")
    activation = activations.get(int(c.option("fused_activation_function", 0)))
    if activation is None:
        c.refuse(f"the fused activation {c.option('fused_activation_function', 0)}, which is unknown")
    time_major = bool(c.option("time_major", False))
    x = x if time_major else graph.plain(graph.transpose(x, (1, 0, 2)))
    steps, batch, width = x.shape
    if steps is None or batch is None or not 0 < steps <= most_steps:
        c.refuse(f"an open batch, or an open number of steps or more than {most_steps}")
    coupled = c.optional(1) is None
    used = [index for index in range(4) if index or not coupled]
    size = c.arranged(5 + used[0]).shape[0] or 0
    kernel = _side_by_side(c, [graph.transpose(c.arranged(1 + index), (1, 0)) for index in used], 1)
    again = _side_by_side(c, [graph.transpose(c.arranged(5 + index), (1, 0)) for index in used], 1)
    bias = _side_by_side(c, [c.arranged(12 + index) for index in used], 0)
    rows = graph.reshape(x, (steps * batch, width))
    total = len(used) * size
    product = graph.op("MatMul", [rows, kernel], shape=(steps * batch, total), name=c.name, **plain_product)
    product = graph.op("BiasAdd", [product, bias], shape=product.shape, data_format="NHWC")
    parts = graph.ops(
        "Unpack",
        [graph.reshape(product, (steps, batch, total))],
        [("float32", (batch, total), None)] * steps,
        axis=0,
        num=steps,
    )
    hidden: Value | None = None
    cell: Value | None = None
    results = []
    for part in parts:
        hidden, cell = _step(c, part, (hidden, cell), again, (batch, size, len(used)), activation)
        results.append(hidden)
    shape = (steps, batch, size) if time_major else (batch, steps, size)
    return graph.op("Pack", results, shape=shape, name=c.name, axis=0 if time_major else 1, N=steps)


plain_product: dict[str, Any] = {"transpose_a": False, "transpose_b": False}


def _step(
    c: Context,
    part: Value,
    state: tuple[Value | None, Value | None],
    again: Value,
    sizes: tuple[int, int, int],
    activation: str,
) -> tuple[Value, Value]:
    """Return the hidden state and the cell after a step."""
    graph, (hidden, cell), (batch, size, count) = c.graph, state, sizes
    if hidden is not None:
        product = graph.op("MatMul", [hidden, again], shape=part.shape, **plain_product)
        part = graph.elementwise("AddV2", [part, product])
    pieces = graph.ops(
        "Split", [c.whole(1), part], [("float32", (batch, size), None)] * count, num_split=count, T=Type("float32")
    )
    forget, candidate, output = pieces[-3:]
    forget = graph.elementwise("Sigmoid", [forget])
    if count == 4:
        admitted = graph.elementwise("Sigmoid", [pieces[0]])
    else:
        admitted = graph.elementwise("Sub", [graph.constant(np.float32(1)), forget])
    new = graph.elementwise("Mul", [admitted, c.activation(candidate, activation)])
    if cell is not None:
        new = graph.elementwise("AddV2", [graph.elementwise("Mul", [forget, cell]), new])
    limit = float(c.option("cell_clip", 0.0))
    if limit > 0:
        new = graph.elementwise("Maximum", [new, graph.constant(np.float32(-limit))])
        new = graph.elementwise("Minimum", [new, graph.constant(np.float32(limit))])
    shown = graph.elementwise("Mul", [graph.elementwise("Sigmoid", [output]), c.activation(new, activation)])
    return shown, new


def _side_by_side(c: Context, values: Sequence[Value], axis: int) -> Value:
    """Return constants side by side; those with codes are put together when the graph runs."""
    arrays = [value.array for value in values if value.array is not None and value.codes is None]
    if len(arrays) == len(values):
        whole = np.concatenate([array.astype(np.float32) for array in arrays], axis)
        return c.graph.constant(whole, name=f"{c.name}_joined")
    return c.graph.plain(joined(c.graph, values, axis))
