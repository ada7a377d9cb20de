"""Tables of words and numbers that a graph looks things up in: what is in them, and a graph that fills them anew.

Needs TensorFlow, and imports it when called. The converter's own way runs every table's initialiser and wants each
table of the model to be captured by the one function; this one reads the tables that a function has captured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

import numpy as np

from ..errors import SourceError
from ..graphs.known import read_tensor
from ..graphs.messages import GraphDef, NodeDef
from ..graphs.outline import Outline, ancestors, source_of
from ..graphs.text import finds, is_text_lookup
from .session import load_tensorflow
from .tf_types import Array, DType, Function, Tensor, TensorShape

elementwise = frozenset(
    ("Identity", "Cast", "SelectV2", "AddV2", "Add", "Sub", "Mul", "FloorMod", "Maximum", "Minimum")
)
Export = Callable[
    [str, DType, DType], tuple[Array, Array]
]  # of the name of a table's node, and the types of its keys and values


class Words(TypedDict):
    """The vocabulary of an input: words, whose place is their id, and the id of all other words."""

    words: list[str]
    unknown: NotRequired[int]


def export_table(
    handle: object, key_type: DType, value_type: DType, run: Callable[[Any], Any] | None = None
) -> tuple[Array, Array]:
    """Return keys and values of a table, as arrays in the order of the keys: TensorFlow's own differs from run to run.

    Args:
        handle: the table.
        key_type: of the keys.
        value_type: of the values.
        run: runs tensors in the session of a graph of TensorFlow 1.
    """
    tf = load_tensorflow()
    parts = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=key_type, Tvalues=value_type)
    keys, values = run(tuple(parts)) if run is not None else (part.numpy() for part in parts)
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def exporter(handles: Mapping[str, object]) -> Export:
    """Return an ``Export`` of tables that have handles, by the name of their tensor."""

    def export(name: str, key_type: DType, value_type: DType) -> tuple[Array, Array]:
        return export_table(handles[f"{name}:0"], key_type, value_type)

    return export


def fill_tables(
    graph_def: GraphDef, resources: Mapping[str, Tensor], handles: Mapping[str, object], where: str
) -> tuple[Function, tuple[dict[str, int], dict[str, int]]]:
    """Make a graph that fills the tables of another anew: TensorFlow.js runs it before the first answer.

    Args:
        graph_def: the graph that looks up.
        resources: the tensors that take its tables, by name.
        handles: the tables, by the same names.
        where: the file, for messages.

    Returns:
        The graph as a concrete function, and for each side (the model's tensors, its outputs) the number of the
        table that belongs to a tensor.

    Raises:
        SourceError: something else than a table is taken.
    """
    tf = load_tensorflow()
    types = _types(graph_def, resources)
    contents = {name: (*types[name], *export_table(handles[name], *types[name])) for name in resources if name in types}
    if missing := [name for name in resources if name not in types]:
        raise SourceError(
            f"keeps something at {missing[0].removesuffix(':0')!r} that is neither a weight nor a table",
            code="SP-319",
            where=where,
            hint="Save it for inference, without state that changes between calls",
        )

    @tf.function  # type: ignore[untyped-decorator]
    def fill() -> list[Tensor]:
        filled = []
        for number, (key_type, value_type, keys, values) in enumerate(contents.values()):
            handle = tf.raw_ops.HashTableV2(
                key_dtype=key_type, value_dtype=value_type, shared_name=f"table_{number}", use_node_name_sharing=False
            )
            put = tf.raw_ops.LookupTableImportV2(
                table_handle=handle, keys=tf.constant(keys, key_type), values=tf.constant(values, value_type)
            )
            with tf.control_dependencies([put]):
                filled.append(tf.identity(handle))
        return filled

    function: Function = fill.get_concrete_function()
    numbers = {name: number for number, name in enumerate(contents, 1)}
    return function, (numbers, {tensor.name: number for number, tensor in enumerate(function.outputs, 1)})


def _types(graph_def: GraphDef, resources: Mapping[str, Tensor]) -> dict[str, tuple[DType, DType]]:
    """Return the types of key and value of the tables among ``resources``, by the name of their tensor."""
    nodes = {node.name: node for node in graph_def.node}
    known = {tensor.op.name: name for name, tensor in resources.items()}
    return {
        known[handle]: _types_of(node)
        for node in nodes.values()
        if node.op in finds and (handle := _handle_of(nodes, node)) in known
    }


def _types_of(node: NodeDef) -> tuple[DType, DType]:
    tf = load_tensorflow()
    return tf.as_dtype(node.attr["Tin"].type), tf.as_dtype(node.attr["Tout"].type)


def _handle_of(nodes: Mapping[str, NodeDef], node: NodeDef) -> str:
    """Follow the first input of a lookup to the node that holds the table."""
    name = source_of(node.input[0])
    while name in nodes and nodes[name].op == "Identity":
        name = source_of(nodes[name].input[0])
    return name


def vocabulary_of(outline: Outline, entries: Mapping[str, str], export: Export) -> dict[str, Words] | None:
    """Return the words of the inputs that stand for a text part which was cut off.

    Args:
        outline: of the graph before it was cut.
        entries: the tensor for which each new input stands, by its name.
        export: gives what is in a table.

    Returns:
        For each input that one table makes of text: ``words``, whose place is their id, and ``unknown``, the id of
        all other words, where there is one. None where there is no such input.
    """
    found = {}
    for name, tensor in entries.items():
        above = ancestors(outline, [source_of(tensor)])
        lookups = [node for item, node in outline.nodes.items() if item in above and is_text_lookup(node)]
        handles = {_handle_of(outline.nodes, node) for node in lookups}
        if len(handles) == 1:
            contents = export(handles.pop(), *_types_of(lookups[0]))
            if entry := _entry(outline, lookups[0], *contents):
                found[name] = entry
    return found or None


def ids_shape(tensor: Tensor) -> TensorShape:
    """Return a tensor's shape; that of ids is the shape of their words, which TensorFlow forgets."""
    queue = [tensor]
    for found in queue:  # grows
        if found.shape.rank is not None:
            return found.shape
        if found.op.type in finds:
            return found.op.inputs[1].shape
        if found.op.type in elementwise:
            queue.extend(taken for taken in found.op.inputs if taken.shape.rank != 0)
    return tensor.shape


def _entry(outline: Outline, lookup: NodeDef, keys: Array, values: Array) -> Words | None:
    """Put words at their ids; None where the numbers are no ids."""
    if (
        values.dtype.kind not in "iu"
        or not len(values)
        or not 0 <= values.min() <= values.max() < _most_ids(len(values))
    ):
        return None
    words = [""] * (int(values.max()) + 1)
    for key, value in zip(keys, values, strict=True):
        words[int(value)] = key.decode(errors="replace")
    unknown = _constant(outline, lookup.input[2])
    return {"words": words} if unknown is None or unknown < 0 else {"words": words, "unknown": unknown}


def _most_ids(words: int) -> int:
    return 4 * words + 64  # a few may be reserved; a list with more gaps than words is no vocabulary


def _constant(outline: Outline, text: str) -> int | None:
    node = outline.nodes.get(source_of(text))
    while node is not None and node.op == "Identity":
        node = outline.nodes.get(source_of(node.input[0]))
    value = read_tensor(node.attr["value"].tensor) if node is not None and node.op == "Const" else None
    return None if value is None or value.size != 1 else int(value.ravel()[0])
