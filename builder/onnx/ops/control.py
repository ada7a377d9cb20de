"""Branches and loops: ``If``, ``Loop`` and ``Scan``, whose bodies are graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lowering import functions
from ...lowering.pieces import reverse, scalar
from ...lowering.values import Value
from ..registry import Context, lowers

most_unrolled = 16  # rounds; more are a loop while the model runs


@lowers("If")
def branch(c: Context) -> Sequence[Value]:
    """Lower ``If``: a condition that is known leaves one branch, else both become functions."""
    condition = c.input(0)
    sides = [c.attributes["then_branch"], c.attributes["else_branch"]]
    if condition.array is not None:
        return run_body(c, sides[0] if bool(condition.array.ravel()[0]) else sides[1], [])
    flat = c.graph.reshape(condition, ())
    then, otherwise = (_body(c, side) for side in sides)
    return functions.branch(c.graph, flat, then, otherwise, c.name)


def _body(c: Context, graph: Any) -> functions.Body:
    return lambda arguments: run_body(c, graph, arguments)


def run_body(c: Context, graph: Any, arguments: Sequence[Value]) -> list[Value]:
    """Lower the nodes of a graph within a graph, and return its outputs."""
    scope = c.scope.inner(graph)
    for info, value in zip(graph.input, arguments, strict=False):
        scope.values[info.name] = value
    scope.run(graph.node)
    return [scope.value(info.name) for info in graph.output]


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is done in each round of a loop.

    Attributes:
        count: of the rounds, a scalar int32; None where only ``condition`` ends it.
        condition: before the first round, a scalar bool; None where only ``count`` ends it.
        state: what goes from round to round.
        body: takes the number of the round and the state; gives the condition for another round (or None), the new
            state, and what is collected.
    """

    count: Value | None
    condition: Value | None
    state: Sequence[Value]
    body: Callable[[Value, Sequence[Value]], tuple[Value | None, Sequence[Value], Sequence[Value]]]


def run_rounds(c: Context, rounds: Rounds) -> tuple[list[Value], list[Value]]:
    """Return the last state, and what each round gave, stacked along a new first axis.

    Few rounds of a known number are unrolled, as long as the condition is known in each.
    """
    count = None if rounds.count is None else rounds.count.array
    first = rounds.condition is None or rounds.condition.array is not None
    if count is not None and int(count) <= most_unrolled and first:
        found = _unrolled(c, rounds, int(count))
        if found is not None:
            return found
    return _looped(c, rounds)


def _unrolled(c: Context, rounds: Rounds, count: int) -> tuple[list[Value], list[Value]] | None:
    graph = c.graph
    goes_on = rounds.condition is None or _holds(rounds.condition)
    state, collected = list(rounds.state), []
    for number in range(count if goes_on else 0):
        condition, new, given = rounds.body(graph.constant(np.array(number, np.int64)), state)
        if condition is not None and condition.array is None:
            return None
        state = list(new)
        collected.append(given)
        if condition is not None and not _holds(condition):
            break
    if not collected:
        return None
    return state, [stacked(c, [given[index] for given in collected]) for index in range(len(collected[0]))]


def _holds(condition: Value) -> bool:
    return condition.array is not None and bool(condition.array.ravel()[0])


def stacked(c: Context, values: Sequence[Value]) -> Value:
    """Return values of one shape along a new first axis."""
    graph = c.graph
    plain = [graph.plain(value) for value in values]
    return graph.op("Pack", plain, shape=(len(plain), *values[0].shape), axis=0, N=len(plain))


def _looped(c: Context, rounds: Rounds) -> tuple[list[Value], list[Value]]:
    graph = c.graph
    zero, one = (scalar(graph, n) for n in (0, 1))
    goes_on = rounds.condition or graph.constant(np.array(True))
    _, _, likes = _tried(c, rounds)
    lists = [functions.empty_list(graph, like) for like in likes]
    # What is in a list has to be a result as well, see ``functions.push``.
    kept = [graph.constant(np.array(0, like.dtype)) for like in likes]
    start = [zero, goes_on, *rounds.state, *lists, *kept]
    states = len(rounds.state)

    def condition(arguments: list[Value]) -> list[Value]:
        number, wanted = arguments[:2]
        if rounds.count is None:
            return [wanted]
        limit = graph.cast(graph.reshape(rounds.count, ()), "int32")
        below = graph.op("Less", [number, limit], shape=(), type_name="bool")
        return [graph.op("LogicalAnd", [below, wanted], shape=(), type_name="bool")]

    def body(arguments: list[Value]) -> list[Value]:
        number = Value("int64", (), (), arguments[0].name)
        wanted, state, given = rounds.body(number, arguments[2 : 2 + states])
        lists = arguments[2 + states : 2 + states + len(given)]
        pushed = [functions.push(graph, *pair) for pair in zip(lists, given, strict=True)]
        items, kept = [pair[0] for pair in pushed], [pair[1] for pair in pushed]
        again = goes_on_value(wanted)
        return [graph.op("AddV2", [arguments[0], one], shape=(), type_name="int32"), again, *state, *items, *kept]

    def goes_on_value(wanted: Value | None) -> Value:
        return graph.constant(np.array(True)) if wanted is None else graph.reshape(wanted, ())

    found = functions.loop(graph, start, condition, body, c.name, kept=len(kept))
    last, ends = found[2 : 2 + states], found[2 + states : 2 + states + len(likes)]
    length = int(rounds.count.array) if rounds.count is not None and rounds.count.array is not None else None
    length = length if rounds.condition is None else None
    collected = [functions.stack(graph, items, like, length) for items, like in zip(ends, likes, strict=True)]
    return last, collected


def _tried(c: Context, rounds: Rounds) -> tuple[Value | None, Sequence[Value], Sequence[Value]]:
    """Lower a round once for the types and shapes of what it gives; its nodes are dropped."""
    kept: list[Sequence[Value]] = []
    result: list[tuple[Value | None, Sequence[Value], Sequence[Value]]] = []

    def body(arguments: list[Value]) -> list[Value]:
        found = rounds.body(Value("int64", (), (), arguments[0].name), arguments[1:])
        result.append(found)
        kept.append(found[1])
        return []

    number = scalar(c.graph, 0)
    functions.build(c.graph, "tried", [number, *rounds.state], body)
    return result[0]


@lowers("Loop")
def loop(c: Context) -> Sequence[Value]:
    """Lower ``Loop``: a number of rounds, or as long as its condition holds, or both."""
    graph = c.graph
    inner = c.attributes["body"]
    count, condition = c.optional(0), c.optional(1)
    state = [value for value in c.inputs[2:] if value is not None]
    has_condition = condition is not None
    keep = np.array(True)

    def body(number: Value, values: Sequence[Value]) -> tuple[Value | None, Sequence[Value], Sequence[Value]]:
        found = run_body(c, inner, [number, graph.constant(keep), *values])
        wanted = found[0] if has_condition else None
        return wanted, found[1 : 1 + len(state)], found[1 + len(state) :]

    if count is not None:
        count = graph.cast(graph.reshape(count, ()), "int32")
    if condition is not None:
        condition = graph.reshape(condition, ())
    last, collected = run_rounds(c, Rounds(count, condition, state, body))
    return [*last, *collected]


@lowers("Scan")
def scan(c: Context) -> Sequence[Value]:
    """Lower ``Scan`` of opset 9 and up: a body that goes along an axis of its inputs."""
    if c.opset < 9:
        c.refuse("a Scan of opset 8", "Convert it with onnx.version_converter")
    graph, inner = c.graph, c.attributes["body"]
    inputs = [value for value in c.inputs if value is not None]
    scanned = int(c.attributes["num_scan_inputs"])
    state, items = inputs[: len(inputs) - scanned], inputs[len(inputs) - scanned :]
    axes = [axis % item.rank for axis, item in zip(c.attribute("scan_input_axes", [0] * scanned), items, strict=True)]
    items = [front(c, item, axis) for item, axis in zip(items, axes, strict=True)]
    backwards = c.attribute("scan_input_directions", [0] * scanned)
    items = [reverse(c.graph, item, [0]) if back else item for item, back in zip(items, backwards, strict=True)]
    length = items[0].shape[0]
    count = scalar(graph, length) if length is not None else at(c, graph.shape_of(items[0]), 0)

    def body(number: Value, values: Sequence[Value]) -> tuple[Value | None, Sequence[Value], Sequence[Value]]:
        found = run_body(c, inner, [*values, *(at(c, item, number) for item in items)])
        return None, found[: len(state)], found[len(state) :]

    last, collected = run_rounds(c, Rounds(count, None, state, body))
    backwards = c.attribute("scan_output_directions", [0] * len(collected))
    places = c.attribute("scan_output_axes", [0] * len(collected))
    outputs = [
        behind(c, reverse(c.graph, item, [0]) if back else item, axis)
        for item, back, axis in zip(collected, backwards, places, strict=True)
    ]
    return [*last, *outputs]


def at(c: Context, x: Value, number: Value | int) -> Value:
    """Return what is at a place of the first axis."""
    graph = c.graph
    if isinstance(number, int):
        number = scalar(graph, number)
    place = graph.cast(number, "int32")
    if x.array is not None and place.array is not None:
        return graph.constant(x.array[int(place.array)])
    axis = scalar(graph, 0)
    return graph.op("GatherV2", [graph.plain(x), place, axis], shape=x.shape[1:], type_name=x.type)


def front(c: Context, x: Value, axis: int) -> Value:
    """Return a value with one axis brought to the front."""
    return c.graph.transpose(x, (axis, *(other for other in range(x.rank) if other != axis)))


def behind(c: Context, x: Value, axis: int) -> Value:
    """Return a value whose first axis is brought to another place."""
    axis %= x.rank
    rest = list(range(1, x.rank))
    return c.graph.transpose(x, (*rest[:axis], 0, *rest[axis:]))
