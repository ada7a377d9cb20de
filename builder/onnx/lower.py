"""Walks over an ONNX graph and lowers node by node; what is constant is computed with ONNX' own reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ShardpressError, SourceError, UnsupportedOpsError
from ..lowering.graph import Graph
from ..lowering.layout import Order, Shape
from ..lowering.values import Array, Value
from . import ops as _  # noqa: F401  (fills the table)
from .folding import fold, lengths_after, remember
from .functions import body_of
from .package import load_onnx
from .read import own_domains
from .registry import Context, Inferred, table
from .subgraphs import graphs_within


@dataclass(slots=True)
class Scope:
    """The values that a graph, or one within it, sees by name.

    Attributes:
        graph: that is built.
        opset: version of the operators.
        values: by ONNX' names.
        inferred: types and shapes by ONNX' names.
        where: the file, for messages.
        parent: the scope around a subgraph.
        used: names that nodes take, or that the graph gives.
        moved: names of outputs of the model that it moves itself: what follows takes them as they are given.
    """

    graph: Graph
    opset: int
    where: str
    values: dict[str, Value] = field(default_factory=dict)
    inferred: dict[str, Inferred] = field(default_factory=dict)
    parent: Scope | None = None
    used: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()

    def value(self, name: str) -> Value:
        """Find a value by its name.

        Raises:
            SourceError: there is none.
        """
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        raise SourceError(
            f"a node takes {name!r}, which nothing gives before it",
            code="SP-380",
            where=self.where,
            hint="Export it again",
        )

    def inner(self, graph: Any) -> Scope:
        """Open the scope of a subgraph, with its constants."""
        scope = Scope(self.graph, self.opset, self.where, parent=self)
        scope.read(graph)
        return scope

    def read(self, graph: Any) -> None:
        """Take the constants of a graph, and what is known of its values."""
        onnx = load_onnx()
        self.used = frozenset(_names_used(graph))
        for tensor in graph.initializer:
            self.values[tensor.name] = self.graph.constant(_array(onnx, tensor, self.where), name=tensor.name)
        for sparse in graph.sparse_initializer:
            raise UnsupportedOpsError(
                f"has the sparse weight {sparse.values.name!r}", code="SP-384", where=self.where, hint="Make it dense"
            )
        for info in (*graph.value_info, *graph.output, *graph.input):
            self.inferred[info.name] = inferred_of(info)

    def run(self, nodes: Sequence[Any]) -> None:
        """Lower nodes in their order."""
        for node in nodes:
            self._lower(node)

    def _lower(self, node: Any) -> None:
        inputs = [self.value(name) if name else None for name in node.input]
        outputs = [self.inferred.get(name, Inferred()) for name in node.output]
        try:
            found = fold(self.graph, node, inputs, outputs, self.opset) or self._open(node, inputs, outputs)
        except ShardpressError as error:
            if not error.where:
                raise type(error)(error.what, code=error.code, where=self.where, hint=error.hint) from error
            raise
        except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
            raise SourceError(
                f"the node {node.name or node.output[0]!r} ({node.op_type}) does not fit its inputs ({error})",
                code="SP-380",
                where=self.where,
                hint="Export the model again; if onnx.checker finds nothing wrong with it, tell us",
            ) from error
        for name, value, known in zip(node.output, found, outputs, strict=False):
            if name and value is not None:
                given = self.graph.plain(value) if name in self.moved else value
                self.values[name] = _sharpened(given, known)

    def _open(self, node: Any, inputs: list[Value | None], outputs: list[Inferred]) -> Sequence[Value | None]:
        """Lower a node that does not depend on constants only; lengths of axes may be known nevertheless."""
        lengths = lengths_after(self.graph, node, inputs, self.opset)
        if lengths is not None and lengths.are_known:
            return [self.graph.constant(lengths.numbers.astype(np.int64))]
        found = self._one(node, inputs, outputs)
        remember(self.graph, found[0] if found else None, lengths)
        return found

    def _one(self, node: Any, inputs: list[Value | None], outputs: list[Inferred]) -> Sequence[Value | None]:
        onnx = load_onnx()
        lowering = table.get(node.op_type if node.domain in own_domains else f"{node.domain}.{node.op_type}")
        if lowering is None:
            if (found := self.expand(node, inputs)) is not None:
                return found
            raise UnsupportedOpsError(
                f"TensorFlow.js has no way for the ONNX operator {node.op_type} (node {node.name!r})",
                code="SP-384",
                hint="Export the model without it",
            )
        attributes = {one.name: _attribute(onnx, one) for one in node.attribute}
        context = Context(
            self.graph,
            node.op_type,
            node.name or node.output[0],
            inputs,
            opset=self.opset,
            attributes=attributes,
            outputs=outputs,
            names=tuple(name if name in self.used else "" for name in node.output),
            scope=self,
            given=[self.inferred.get(name, Inferred()) for name in node.input],
        )
        lowered = lowering(context)
        return [lowered] if isinstance(lowered, Value) else lowered

    def expand(self, node: Any, inputs: Sequence[Value | None]) -> Sequence[Value | None] | None:
        """Lower the body that ONNX' specification gives an operator; None if it gives none."""
        body = body_of(node, inputs, self.opset)
        if body is None:
            return None
        graph, opset = body
        scope = Scope(self.graph, opset, self.where)
        scope.read(graph)
        scope.values |= {
            info.name: value for info, value in zip(graph.input, inputs, strict=False) if value is not None
        }
        scope.run(graph.node)
        return [scope.value(info.name) if name else None for info, name in zip(graph.output, node.output, strict=False)]


def _names_used(graph: Any) -> Iterator[str]:
    """Return the names that nodes of a graph and of those within it take, or that it gives."""
    yield from (info.name for info in graph.output)
    for node in graph.node:
        yield from node.input
        for inner in graphs_within(node):
            yield from _names_used(inner)


def inferred_of(info: Any) -> Inferred:
    """Return type and shape of a value, as far as they are known."""
    onnx = load_onnx()
    tensor = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        return Inferred()
    try:
        name = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else ""
    except (KeyError, ValueError):
        name = ""
    if not tensor.HasField("shape"):
        return Inferred(name)
    lengths = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return Inferred(name, tuple(lengths), tuple(dim.dim_param for dim in tensor.shape.dim))


def lower_model(model: Any, opset: int, where: str, *, inputs_last: bool = False) -> tuple[Graph, dict[str, Value]]:
    """Lower a whole model.

    Args:
        model: as ``read_onnx`` gives it.
        opset: as ``opset_of`` gives it.
        where: the file, for messages.
        inputs_last: pages give pictures, and get them, with the channels last.

    Returns:
        The graph, and its outputs by ONNX' names.

    Raises:
        SourceError: it is malformed.
        UnsupportedOpsError: TensorFlow.js cannot do what an operator asks for.
    """
    graph = Graph()
    scope = Scope(graph, opset, where)
    for item in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        if not isinstance(item.name, str):  # protocol buffers give what is no UTF-8 as bytes
            raise SourceError(
                f"the name {item.name!r} is not UTF-8", code="SP-380", where=where, hint="Download or export it again"
            )
    scope.read(model.graph)
    for info in model.graph.input:
        if info.name in scope.values:  # old files name their weights among the inputs
            continue
        known = scope.inferred[info.name]
        if not known.type or known.shape is None:
            raise UnsupportedOpsError(
                f"input {info.name!r} is no tensor of a known type and rank",
                code="SP-384",
                where=where,
                hint="Export the model with tensors as inputs",
            )
        scope.values[info.name] = graph.input(info.name, known.type, known.shape, _order(known.shape, last=inputs_last))
    scope.moved = frozenset(_moved_outputs(model.graph, last=inputs_last, inferred=scope.inferred))
    scope.run(model.graph.node)
    outputs = {}
    for info in model.graph.output:
        value = scope.value(info.name)
        if value.items is not None:
            raise UnsupportedOpsError(
                f"output {info.name!r} is a sequence of tensors",
                code="SP-384",
                where=where,
                hint="Export the model with tensors as outputs",
            )
        order = _order(value.shape, last=inputs_last)
        outputs[info.name] = graph.ordered(value, order or tuple(range(value.rank)))
    return graph, outputs


def _moved_outputs(graph: Any, *, last: bool, inferred: Mapping[str, Inferred]) -> Iterator[str]:
    """Return the outputs that transposes give, but for those that pages get in another order."""
    given = {info.name for info in graph.output}
    for node in graph.node:
        if node.op_type == "Transpose" and node.output[0] in given:
            shape = inferred[node.output[0]].shape
            if not last or (shape is not None and not is_picture(shape)):
                yield node.output[0]


def _order(shape: Shape, *, last: bool) -> Order | None:
    return (0, 2, 3, 1) if last and is_picture(shape) else None


def is_picture(shape: Sequence[int | str | None]) -> bool:
    """Whether a tensor is pictures of one, three or four channels, [n, c, h, w]."""
    return len(shape) == 4 and shape[1] in (1, 3, 4)


def _sharpened(value: Value, known: Inferred) -> Value:
    """Fill in lengths that inference knows and the lowering left open."""
    if known.shape is None or len(known.shape) != value.rank or value.array is not None:
        return value
    shape = tuple(n if n is not None else other for n, other in zip(value.shape, known.shape, strict=True))
    return replace(value, shape=shape, type=known.type or value.type)


def _array(onnx: Any, tensor: Any, where: str) -> Array:
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # lengths that contradict the shape, unknown types
        raise SourceError(
            f"the weight {tensor.name!r} is damaged ({error})", code="SP-332", where=where, hint="Download it again"
        ) from error


def _attribute(onnx: Any, attribute: Any) -> Any:
    found = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return np.asarray(onnx.numpy_helper.to_array(found))
    if isinstance(found, bytes):
        return found.decode(errors="replace")
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [item.decode(errors="replace") for item in found]
    return found
