"""Branches and loops: functions of the library, what they take from outside, and the nodes that call them.

TensorFlow.js' ``If`` and ``While`` take what a function needs from outside as further arguments. A graph with them
runs asynchronously, as it waits for each condition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UnsupportedOpsError
from .attributes import Type
from .graph import Graph
from .layout import Shape, plain
from .nodes import Frame, Function
from .pieces import ints, scalar
from .values import Value, variant

Body = Callable[[list[Value]], Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Built:
    """A function, and the outputs outside that it takes besides its own arguments."""

    function: Function
    outside: dict[str, str]


def build(graph: Graph, stem: str, arguments: Sequence[Value], body: Body) -> Built:
    """Build a function: its arguments are like the values given, which it gets in plain order.

    Args:
        graph: whose library gets it when it is ``finish``ed.
        stem: for its name.
        arguments: whose types and shapes its own have.
        body: adds its nodes and gives its results.
    """
    name = graph.unused(stem)
    frame = Frame(f"{name}/")
    graph.frames.append(frame)
    try:
        inside = [
            Value(value.type, value.shape, plain(value.rank), graph.argument(frame, f"argument_{number}", value.type))
            for number, value in enumerate(arguments)
        ]
        outputs = [_own(graph, graph.plain(value)) for value in body(inside)]
    finally:
        graph.frames.pop()
    return Built(Function(name, inside, outputs, frame), dict(frame.captured))


def finish(graph: Graph, built: Built, outside: Sequence[str], *, passes: bool) -> None:
    """Give a function the arguments from outside that it shares with others, and put it into the library.

    Args:
        graph: whose library it is put into.
        built: the function.
        outside: outputs outside, in the order in which its callers give them.
        passes: it gives them as results too, as the body of a loop has to.
    """
    function = built.function
    graph.frames.append(function.frame)
    for output in outside:
        name = built.outside.get(output) or graph.argument(function.frame, "outside", graph.types[output])
        value = Value(graph.types[output], (), (), name)
        function.inputs.append(value)
        if passes:
            function.outputs.append(_own(graph, value))
    graph.frames.pop()
    graph.functions.append(function)


def branch(graph: Graph, condition: Value, then: Body, otherwise: Body, stem: str) -> list[Value]:
    """Add an ``If`` whose branches take nothing but what they need from outside."""
    parts = [build(graph, f"{stem}_{side}", [], body) for side, body in (("then", then), ("else", otherwise))]
    outside = list(dict.fromkeys(output for part in parts for output in part.outside))
    for part in parts:
        finish(graph, part, outside, passes=False)
    first, second = (part.function.outputs for part in parts)
    results = [(one.type, _common(one.shape, other.shape), None) for one, other in zip(first, second, strict=True)]
    names = {
        key: {"func": {"name": part.function.name}}
        for key, part in zip(("then_branch", "else_branch"), parts, strict=True)
    }
    return graph.ops("StatelessIf", [condition, *_outside(graph, outside)], results, name=stem, **names)


def loop(graph: Graph, state: Sequence[Value], condition: Body, body: Body, stem: str, *, kept: int = 0) -> list[Value]:
    """Add a ``While`` over a state; a length that a round changes becomes an open one.

    Args:
        graph: that is built.
        state: before the first round.
        condition: takes the state, and gives whether there is another round.
        body: takes the state, and gives the next one.
        stem: for names.
        kept: how many at the end of the state no round reads, see ``push``.
    """
    given = [graph.plain(value) for value in state]
    shaped = given
    while True:
        part = build(graph, f"{stem}_body", shaped, body)
        read = zip(shaped[: len(shaped) - kept], part.function.outputs, strict=False)
        grown = [Value(value.type, _common(value.shape, result.shape), value.order) for value, result in read]
        grown += shaped[len(grown) :]
        if [value.shape for value in grown] == [value.shape for value in shaped]:
            break
        shaped = grown
    test = build(graph, f"{stem}_condition", shaped, condition)
    outside = list(dict.fromkeys((*part.outside, *test.outside)))
    finish(graph, part, outside, passes=True)
    finish(graph, test, outside, passes=False)
    kinds: list[tuple[str, Shape, None]] = [(value.type, value.shape, None) for value in shaped]
    kinds += [(graph.types[output], (), None) for output in outside]
    names = {
        "cond": {"func": {"name": test.function.name}},
        "body": {"func": {"name": part.function.name}},
    }
    found = graph.ops("StatelessWhile", [*given, *_outside(graph, outside)], kinds, name=stem, **names)
    return found[: len(given)]


def empty_list(graph: Graph, like: Value) -> Value:
    """Return an empty list of tensors of one shape."""
    lengths = ints(graph, [-1 if n is None else n for n in like.shape])
    return graph.op(
        "EmptyTensorList", [lengths, scalar(graph, -1)], shape=(), type_name=variant, element_dtype=Type(like.dtype)
    )


def push(graph: Graph, items: Value, value: Value) -> tuple[Value, Value]:
    """Return a list with another tensor at its end, and that tensor, which the body of a loop has to return too.

    When a function ends, TensorFlow.js disposes of all that it does not return, what is in lists among it. An Identity
    gives the very tensor that is in the list if it runs after that was put there.
    """
    value = graph.identity(graph.plain(value))
    pushed = graph.op(
        "TensorListPushBack", [items, value], shape=(), type_name=variant, element_dtype=Type(value.dtype)
    )
    kept = graph.identity(value)
    graph.frames[-1].nodes[-1].inputs.append(f"^{pushed.name}")
    return pushed, kept


def stack(graph: Graph, items: Value, like: Value, length: int | None) -> Value:
    """Return the tensors of a list, whose length may be known, as one along a new first axis."""
    lengths = ints(graph, [-1 if n is None else n for n in like.shape])
    return graph.op(
        "TensorListStack",
        [items, lengths],
        shape=(length, *like.shape),
        type_name=like.type,
        element_dtype=Type(like.dtype),
        num_elements=-1,
    )


def _common(one: Shape, other: Shape) -> Shape:
    if len(one) != len(other):
        raise UnsupportedOpsError(
            "its branches or rounds give tensors of different ranks",
            code="SP-384",
            hint="Where that hangs on lengths, fix them with [models.NAME.inputs]",
        )
    return tuple(n if n == m else None for n, m in zip(one, other, strict=True))


def _own(graph: Graph, value: Value) -> Value:
    """Return the output of a node that no other result has, which is what functions return."""
    frame = graph.frames[-1]
    is_free = value.array is None and value.name not in frame.results
    if not (is_free and any(node.name == value.name for node in reversed(frame.nodes))):
        value = graph.identity(value)
    frame.results.add(value.name)
    return value


def _outside(graph: Graph, outputs: Sequence[str]) -> list[Value]:
    """Return outputs of nodes by their names, to be given to a function, which knows their shapes."""
    return [Value(graph.types[output], (), (), output) for output in outputs]
