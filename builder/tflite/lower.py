"""Walks over a TensorFlow Lite graph and lowers node by node; what is constant is computed at build time.

Quantised models run in real numbers: their weights stand for what their codes say, and what lies between two operators
is not rounded to codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..convert.fixed_inputs import array_of, check_names, check_shape
from ..convert.requests import FixedInput
from ..errors import ShardpressError, SourceError, UnsupportedOpsError
from ..lowering.graph import Graph
from ..lowering.layout import Shape
from ..lowering.values import Value
from . import ops as _  # noqa: F401  (fills the table)
from .fold import evaluate
from .interface import Interface
from .quantized import constant, decoded, real_numbers
from .read import numpy_types
from .registry import Context, table
from .types import File, Operator, Subgraph, Tensor

deepest = 20  # subgraphs that call others


@dataclass(slots=True)
class Scope:
    """The values of a subgraph by the number of their tensor.

    Attributes:
        graph: that is built.
        file: with all subgraphs.
        subgraph: this one.
        fixed: no length of an input is open, so that the file's shapes are true.
        values: by tensor.
        depth: how many subgraphs call this one.
    """

    graph: Graph
    file: File
    subgraph: Subgraph
    fixed: bool
    values: dict[int, Value] = field(default_factory=dict)
    depth: int = 0

    def value(self, number: int) -> Value | None:
        """Return the value of a tensor; None for an input that is left out, or a state that is zero.

        Raises:
            SourceError: nothing gives it.
        """
        if number < 0:
            return None
        if number not in self.values:
            tensor = self.subgraph.tensors[number]
            if tensor.array is None and 0 in tensor.shape:  # a constant without content
                tensor = replace(tensor, array=np.zeros(tensor.shape, tensor.type))
            if tensor.array is None and tensor.variable:
                return None
            if tensor.array is None:
                raise SourceError(
                    f"a node takes {tensor.name!r}, which nothing gives before it",
                    code="SP-386",
                    hint="Convert it again",
                )
            self.values[number] = self._constant(tensor)
        return self.values[number]

    def _constant(self, tensor: Tensor) -> Value:
        assert tensor.array is not None  # noqa: S101
        if tensor.quantized and tensor.scales is not None:
            return constant(self.graph, tensor.array, tensor.scales, tensor.name)
        return self.graph.constant(tensor.array, name=tensor.name)

    def shape(self, number: int) -> Shape | None:
        """Return what the file says of a tensor's shape, where that can be relied on."""
        tensor = self.subgraph.tensors[number]
        if tensor.signature is not None:
            return tensor.signature
        return tensor.shape if self.fixed and tensor.shape and min(tensor.shape) >= 0 else None

    def kinds_behind(self, name: str, passing: frozenset[str]) -> set[str]:
        """Return the operators that take a tensor, or what others of a kind make of it; "" where it is an output."""
        waiting = [number for number, tensor in enumerate(self.subgraph.tensors) if tensor.name == name]
        found, seen = set(), set(waiting)
        while waiting:
            number = waiting.pop()
            if number in self.subgraph.outputs:
                found.add("")
            for operator in self.subgraph.operators:
                if number in operator.inputs and operator.op in passing:
                    waiting += [made for made in operator.outputs if made not in seen]
                    seen.update(operator.outputs)
                elif number in operator.inputs:
                    found.add(operator.op)
        return found

    def run(self) -> None:
        """Lower all nodes in their order."""
        for operator in self.subgraph.operators:
            self._lower(operator)

    def _lower(self, operator: Operator) -> None:
        inputs = [self.value(number) for number in operator.inputs]
        context = self._context(operator, inputs)
        found = self._fold(context) or self._one(context)
        for number, value in zip(operator.outputs, found, strict=False):
            if value is not None:
                self.values[number] = _sharpened(value, self.shape(number))

    def _context(self, operator: Operator, inputs: Sequence[Value | None]) -> Context:
        tensors = self.subgraph.tensors
        outputs = [tensors[number] for number in operator.outputs if number >= 0]
        return Context(
            self.graph,
            operator.op,
            outputs[0].name if outputs else operator.op,
            inputs,
            sources=[tensors[number] if number >= 0 else None for number in operator.inputs],
            options=operator.options,
            outputs=outputs,
            shapes=[self.shape(number) for number in operator.outputs if number >= 0],
            scope=self,
        )

    def _one(self, context: Context) -> Sequence[Value | None]:
        lowering = table.get(context.op)
        if lowering is None:
            raise UnsupportedOpsError(
                f"TensorFlow.js has no way for the TensorFlow Lite operator {context.op} (tensor {context.name!r})",
                code="SP-387",
                hint="Convert the model without it",
            )
        try:
            found = lowering(context)
        except ShardpressError:
            raise
        except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
            raise SourceError(
                f"{context.op} (tensor {context.name!r}) is malformed ({str(error)[:200]})",
                code="SP-386",
                hint="Convert it again",
            ) from error
        return [found] if isinstance(found, Value) else found

    def _fold(self, context: Context) -> Sequence[Value | None] | None:
        """Compute what depends on constants only."""
        if not context.inputs or any(value is not None and value.array is None for value in context.inputs):
            return None
        arrays = [None if value is None else value.array for value in context.inputs]
        found = evaluate(context.op, arrays, context.options, context.type() if context.outputs else "")
        return None if found is None else [self.graph.constant(array, name=context.name) for array in found]

    def body(self, number: int) -> Callable[[Sequence[Value]], list[Value]]:
        """Return a function that lowers another subgraph, given its inputs.

        Raises:
            SourceError: there is none, or they call each other without end.
        """
        if not 0 <= number < len(self.file.subgraphs) or self.depth >= deepest:
            raise SourceError("calls a subgraph that it cannot", code="SP-386", hint="Convert it again")
        subgraph = self.file.subgraphs[number]

        def lower(inputs: Sequence[Value]) -> list[Value]:
            scope = Scope(self.graph, self.file, subgraph, self.fixed, depth=self.depth + 1)
            scope.values = dict(zip(subgraph.inputs, inputs, strict=True))
            scope.run()
            return [value for value in map(scope.value, subgraph.outputs) if value is not None]

        return lower


def lower_file(
    file: File, interface: Interface, where: str, fixed: Sequence[FixedInput] = ()
) -> tuple[Graph, dict[str, Value]]:
    """Lower one signature of a file.

    Args:
        file: as ``read_tflite`` gives it.
        interface: which subgraph, and names of its inputs and outputs.
        where: the file, for messages.
        fixed: inputs whose lengths or values are fixed.

    Returns:
        The graph, and its outputs by name, quantised ones as real numbers.

    Raises:
        SourceError: it is malformed, or its inputs cannot be fixed so.
        UnsupportedOpsError: TensorFlow.js cannot do what an operator asks for.
    """
    check_names(fixed, interface.inputs, where)
    try:
        return _lower_file(file, interface, {item.name: item for item in fixed})
    except ShardpressError as error:
        if not error.where:
            raise type(error)(error.what, code=error.code, where=where, hint=error.hint) from error
        raise


def _lower_file(file: File, interface: Interface, fixed: Mapping[str, FixedInput]) -> tuple[Graph, dict[str, Value]]:
    graph = Graph()
    subgraph = file.subgraphs[interface.subgraph]
    # Also where build.toml fixes what is open: shapes within the file are those of other lengths.
    told = all(None not in (subgraph.tensors[number].signature or ()) for number in subgraph.inputs)
    scope = Scope(graph, file, subgraph, told)
    for name, number in interface.inputs.items():
        tensor = subgraph.tensors[number]
        if tensor.type not in numpy_types.values():
            raise UnsupportedOpsError(
                f"the input {name!r} is of the type {tensor.type}", code="SP-387", hint="Export the model without it"
            )
        scope.values[number] = _input(graph, name, tensor, fixed.get(name) or FixedInput(name))
    scope.run()
    outputs = {}
    for name, number in interface.outputs.items():
        found = scope.value(number)
        if found is None:
            raise SourceError(f"its output {name!r} is no tensor of it", code="SP-386", hint="Convert it again")
        outputs[name] = graph.plain(found)
    return graph, outputs


def _input(graph: Graph, name: str, tensor: Tensor, fixed: FixedInput) -> Value:
    """Return an input as real numbers: what pages give, or what it always is."""
    known = tensor.open_shape
    check_shape(fixed, known, "")
    if fixed.value is None:
        value = graph.input(name, tensor.type, fixed.shape or known)
        return decoded(graph, value, tensor.scales) if tensor.scales and tensor.quantized else value
    array = array_of(fixed, known, tensor.type, "")
    real = real_numbers(array, tensor.scales) if tensor.scales and tensor.quantized else array
    return graph.constant(real, name=name)


def _sharpened(value: Value, known: Shape | None) -> Value:
    """Fill in lengths that the file knows and the lowering left open."""
    if known is None or len(known) != value.rank or value.array is not None:
        return value
    shape = tuple(n if n is not None else other for n, other in zip(value.shape, known, strict=True))
    return replace(value, shape=shape)
