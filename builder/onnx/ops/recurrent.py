"""Recurrent layers: RNN, LSTM and GRU in either direction, with ONNX' order of gates.

The product of the inputs with their weights is one product for all steps; each round adds that of the last state. The
formulas are those of ONNX' operator texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...lowering.pieces import ints, reverse, scalar
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .control import Rounds, at, behind, front, run_rounds, stacked
from .matrices import product

usual = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}
gates = {"RNN": 1, "LSTM": 4, "GRU": 3}
simple = frozenset({"Relu", "Tanh", "Sigmoid", "Elu", "Softplus"})


@dataclass(frozen=True, slots=True)
class Cell:
    """The weights of one direction.

    Attributes:
        c: the node.
        hidden: numbers of a state.
        recurrent: weights of the state, [hidden, gates * hidden].
        bias: what is added to the recurrent part, [gates * hidden], or None.
        peepholes: of an LSTM, [3 * hidden], or None.
        functions: activations, by ONNX' names.
        alphas, betas: their parameters, as far as they have any.
    """

    c: Context
    hidden: int
    recurrent: Value
    bias: Value | None
    peepholes: Value | None
    functions: tuple[str, ...]
    alphas: tuple[float, ...]
    betas: tuple[float, ...]

    def activate(self, number: int, x: Value, *, clipped: bool = True) -> Value:
        """Apply one of the activations, within the limits of ``clip``, from which ONNX Runtime leaves out cells."""
        graph, name = self.c.graph, self.functions[number].capitalize()
        limit = self.c.attribute("clip", 0.0)
        if limit and clipped:
            x = self._between(x, -limit, limit)
        if name in simple:
            return graph.elementwise(name, [x])
        if name == "Softsign":
            ones = graph.elementwise("AddV2", [graph.elementwise("Abs", [x]), self.c.scalar(1.0, x)])
            return graph.elementwise("RealDiv", [x, ones])
        alpha = self.alphas[number] if number < len(self.alphas) else None
        beta = self.betas[number] if number < len(self.betas) else None
        if name == "Leakyrelu":
            return graph.elementwise("LeakyRelu", [x], alpha=0.01 if alpha is None else alpha)
        if name in {"Hardsigmoid", "Affine"}:
            line = (0.2, 0.5) if name == "Hardsigmoid" else (1.0, 0.0)
            factor, summand = line[0] if alpha is None else alpha, line[1] if beta is None else beta
            scaled = graph.elementwise("Mul", [x, self.c.scalar(factor, x)])
            x = graph.elementwise("AddV2", [scaled, self.c.scalar(summand, x)])
            return x if name == "Affine" else self._between(x, 0, 1)
        return self.c.refuse(f"the activation {self.functions[number]}")

    def _between(self, x: Value, low: float, high: float) -> Value:
        raised = self.c.graph.elementwise("Maximum", [x, self.c.scalar(low, x)])
        return self.c.graph.elementwise("Minimum", [raised, self.c.scalar(high, x)])

    def with_state(self, x: Value, state: Value) -> Value:
        """Add the recurrent part of all gates."""
        graph = self.c.graph
        found = graph.elementwise("AddV2", [x, product(self.c, state, self.recurrent)])
        return found if self.bias is None else graph.elementwise("AddV2", [found, self.bias])


@lowers("RNN", "LSTM", "GRU")
def recurrent(c: Context) -> Sequence[Value]:
    """Lower a recurrent layer: all states, the last one, and of an LSTM the last cell."""
    graph = c.graph
    x = c.input(0)
    x = front(c, x, 1) if c.attribute("layout", 0) else x
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[
        c.attribute("direction", "forward")
    ]
    if len(directions) > 1 and x.array is None and x.shape[:-1].count(None) > 1:
        x = graph.plain(x)  # as the products of both directions need it
    lengths = c.optional(4)
    if lengths is not None and lengths.array is not None and x.shape[0] is not None:
        lengths = None if (lengths.array == x.shape[0]).all() else lengths
    outputs: list[list[Value]] = []
    for number, backwards in enumerate(directions):
        outputs.append(_direction(c, x, number, lengths, len(directions), backwards=backwards))
    states = _together(c, [found[0] for found in outputs], 1)
    lasts = [_together(c, [found[place] for found in outputs], 0) for place in range(1, len(outputs[0]))]
    if c.attribute("layout", 0):
        states = graph.transpose(states, (2, 0, 1, 3))
        lasts = [graph.transpose(last, (1, 0, 2)) for last in lasts]
    return [states, *lasts]


def _together(c: Context, values: list[Value], axis: int) -> Value:
    """Put the directions side by side along a new axis."""
    if len(values) == 1:
        return c.graph.unsqueeze(values[0], [axis])
    return behind(c, stacked(c, values), axis)


def _direction(c: Context, x: Value, number: int, lengths: Value | None, count: int, *, backwards: bool) -> list[Value]:
    """Run one direction over [time, batch, input]; give [time, batch, hidden] and the last states."""
    graph = c.graph
    cell, weights, bias = _cell(c, number, count)
    if backwards:
        x = _turned(c, x, lengths)
    parts = product(c, x, weights)
    parts = parts if bias is None else graph.elementwise("AddV2", [parts, bias])
    step = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}[c.op]
    state = [_initial(c, index, number, x, cell.hidden) for index in ((5, 6) if c.op == "LSTM" else (5,))]

    def body(place: Value, values: Sequence[Value]) -> tuple[None, Sequence[Value], Sequence[Value]]:
        new = step(cell, at(c, parts, place), values)
        if lengths is not None:
            return None, *_masked(c, place, lengths, values, new)
        return None, new, [new[0]]

    length = x.shape[0]
    rounds = scalar(graph, length) if length is not None else at(c, graph.shape_of(x), 0)
    last, (states,) = run_rounds(c, Rounds(rounds, None, state, body))
    if backwards:
        states = _turned(c, states, lengths)
    return [states, *last]


def _cell(c: Context, number: int, count: int) -> tuple[Cell, Value, Value | None]:
    """Return the weights of a direction: of the states, of the inputs [input, gates * hidden], and the inputs' bias."""
    graph = c.graph
    hidden = int(c.attributes["hidden_size"])
    weights, recurrent = (graph.transpose(at(c, c.input(index), number), (1, 0)) for index in (1, 2))
    inputs_bias: Value | None = None
    states_bias: Value | None = None
    if (bias := c.optional(3)) is not None:
        inputs_bias, states_bias = _halves(c, at(c, bias, number))
        if not (c.op == "GRU" and c.attribute("linear_before_reset", 0)):
            inputs_bias, states_bias = graph.elementwise("AddV2", [inputs_bias, states_bias]), None
            if bias.array is not None:
                whole = bias.array[number].reshape(2, -1).sum(0)
                inputs_bias = graph.constant(whole, name=f"{c.name}_bias_{number}")
    peepholes = at(c, c.input(7), number) if c.optional(7) is not None else None
    own = len(usual[c.op])
    functions = tuple(c.attribute("activations", usual[c.op] * count))[number * own : (number + 1) * own]
    alphas, betas = (
        tuple(c.attribute(name, []))[number * own : (number + 1) * own]
        for name in ("activation_alpha", "activation_beta")
    )
    if c.attribute("input_forget", 0):
        c.refuse("input_forget of 1", "Export the model without coupled gates")
    return Cell(c, hidden, recurrent, states_bias, peepholes, functions, alphas, betas), weights, inputs_bias


def _halves(c: Context, bias: Value) -> tuple[Value, Value]:
    first, second = _pieces(c, bias, 2)
    return first, second


def _pieces(c: Context, x: Value, count: int) -> list[Value]:
    """Cut the last axis into equal parts."""
    graph = c.graph
    if x.array is not None:
        return [graph.constant(part) for part in np.split(x.array, count, axis=-1)]
    from ...lowering.attributes import Type

    shape = (*x.shape[:-1], (x.shape[-1] or 0) // count)
    axis = scalar(graph, x.rank - 1)
    results = [(x.type, shape, None)] * count
    return graph.ops("Split", [axis, graph.plain(x)], results, num_split=count, T=Type(x.dtype))


def _initial(c: Context, index: int, number: int, x: Value, hidden: int) -> Value:
    """Return the first state of a direction, zeros if none is given."""
    given = c.optional(index)
    if given is not None:
        given = front(c, given, 1) if c.attribute("layout", 0) else given
        return at(c, given, number)
    graph = c.graph
    if x.shape[1] is not None:
        return graph.constant(np.zeros((x.shape[1], hidden), np.float32))
    batch = graph.reshape(at(c, graph.shape_of(x), 1), (1,))
    axis = scalar(graph, 0)
    width = ints(graph, [hidden])
    shape = graph.op("ConcatV2", [batch, width, axis], shape=(2,), type_name="int32", N=2)
    return graph.op("Fill", [shape, graph.constant(np.float32(0))], shape=(None, hidden), type_name="float32")


def _turned(c: Context, x: Value, lengths: Value | None) -> Value:
    """Turn the steps round: all, or in each row those within its length."""
    if lengths is None:
        return reverse(c.graph, x, [0])
    graph = c.graph
    steps = x.shape[0]
    if steps is None or x.shape[1] is None:
        c.refuse("sequence_lens of an open length", fix_lengths)
    rows = graph.plain(graph.transpose(x, (1, 0, *range(2, x.rank))))
    count = graph.reshape(graph.cast(lengths, "int32"), (x.shape[1], 1))
    numbers = graph.constant(np.arange(steps, dtype=np.int32).reshape(1, -1))
    back = graph.elementwise("Sub", [graph.elementwise("Sub", [count, scalar(graph, 1)]), numbers])
    inside = graph.elementwise("GreaterEqual", [back, scalar(graph, 0)], "bool")
    places = graph.elementwise("SelectV2", [inside, back, numbers], "int32")
    first = np.repeat(np.arange(x.shape[1], dtype=np.int32)[:, None], steps, 1)[..., None]
    pairs = [graph.constant(first), graph.unsqueeze(places, [2])]
    axis = scalar(graph, 2)
    index = graph.op("ConcatV2", [*pairs, axis], shape=(x.shape[1], steps, 2), type_name="int32", N=2)
    found = graph.op("GatherNd", [rows, index], shape=rows.shape, type_name=x.type)
    return graph.transpose(found, (1, 0, *range(2, x.rank)))


def _masked(
    c: Context, place: Value, lengths: Value, old: Sequence[Value], new: Sequence[Value]
) -> tuple[list[Value], list[Value]]:
    """Keep the states of rows that have ended, whose outputs are zeros."""
    graph = c.graph
    count = graph.unsqueeze(graph.cast(lengths, "int32"), [1])
    runs = graph.elementwise("Less", [graph.cast(place, "int32"), count], "bool")
    kept = [
        graph.elementwise("SelectV2", [runs, after, before], after.type) for before, after in zip(old, new, strict=True)
    ]
    zeros = c.scalar(0.0, new[0])
    return kept, [graph.elementwise("SelectV2", [runs, new[0], zeros], new[0].type)]


def _rnn(cell: Cell, x: Value, state: Sequence[Value]) -> list[Value]:
    return [cell.activate(0, cell.with_state(x, state[0]))]


def _lstm(cell: Cell, x: Value, state: Sequence[Value]) -> list[Value]:
    """Gates are input, output, forget, cell; peepholes input, output, forget."""
    c, graph = cell.c, cell.c.graph
    given, out, forget, new = _pieces(c, cell.with_state(x, state[0]), 4)
    peeps = _pieces(c, cell.peepholes, 3) if cell.peepholes is not None else None

    def seen(gate: Value, number: int, memory: Value) -> Value:
        if peeps is None:
            return gate
        return graph.elementwise("AddV2", [gate, graph.elementwise("Mul", [memory, peeps[number]])])

    given, forget = (cell.activate(0, seen(gate, n, state[1])) for gate, n in ((given, 0), (forget, 2)))
    fresh = graph.elementwise("Mul", [given, cell.activate(1, new)])
    memory = graph.elementwise("AddV2", [graph.elementwise("Mul", [forget, state[1]]), fresh])
    out = cell.activate(0, seen(out, 1, memory))
    return [graph.elementwise("Mul", [out, cell.activate(2, memory, clipped=False)]), memory]


def _gru(cell: Cell, x: Value, state: Sequence[Value]) -> list[Value]:
    """Gates are update, reset, hidden; ``linear_before_reset`` multiplies the state before it is reset."""
    c, graph = cell.c, cell.c.graph
    (old,) = state
    columns = (
        _pieces(c, cell.recurrent, 3)
        if cell.recurrent.array is None
        else [graph.constant(part) for part in np.split(cell.recurrent.array, 3, axis=1)]
    )
    biases = _pieces(c, cell.bias, 3) if cell.bias is not None else None
    parts = _pieces(c, x, 3)

    def gate(number: int) -> Value:
        found = graph.elementwise("AddV2", [parts[number], product(c, old, columns[number])])
        return found if biases is None else graph.elementwise("AddV2", [found, biases[number]])

    update, reset = (cell.activate(0, gate(number)) for number in (0, 1))
    if c.attribute("linear_before_reset", 0):
        linear = product(c, old, columns[2])
        linear = linear if biases is None else graph.elementwise("AddV2", [linear, biases[2]])
        linear = graph.elementwise("Mul", [reset, linear])
    else:
        linear = product(c, graph.elementwise("Mul", [reset, old]), columns[2])
    fresh = cell.activate(1, graph.elementwise("AddV2", [parts[2], linear]))
    kept = graph.elementwise("Mul", [update, old])
    rest = graph.elementwise("Sub", [c.scalar(1.0, update), update])
    return [graph.elementwise("AddV2", [graph.elementwise("Mul", [rest, fresh]), kept])]
