"""The two types of a conversion, a source that TensorFlow can run and a graph without variables; and freezing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import SourceError
from ..graphs.messages import GraphDef
from . import stock
from .graph_cleanup import allow_inlining, drop_counters
from .requests import SourceOptions
from .session import feed, import_graph, load_tensorflow, run_session
from .tables import Export
from .tf_types import Arrays, Function, Graph, Tensor


@dataclass(frozen=True, slots=True)
class Frozen:
    """A graph without variables.

    Attributes:
        graph_def: TensorFlow's GraphDef.
        inputs, outputs: by signature name, the tensor's name, dtype and shape as a TensorFlow tensor.
        resources: captured tables, by the name of their tensor.
        initializer: what fills tables of TensorFlow 1, or None.
        handles: the tables themselves, by the name of their tensor.
        export: gives what is in the table of a lookup, or None where tables have handles.
    """

    graph_def: GraphDef
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    resources: dict[str, Tensor]
    initializer: Graph | None = None
    handles: Mapping[str, object] = dataclasses.field(default_factory=dict)
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A model that TensorFlow can run.

    Attributes:
        freeze: makes a ``Frozen``.
        run: gives the outputs for inputs, both by signature name.
        notes: sentences the user should read.
        model: what owns the variables and tables, which go with it.
        may_be_cut: its graph may hold what is cut off, so that ``run`` may answer for more than what is left.
    """

    freeze: Callable[[], Frozen]
    run: Callable[[Arrays], Arrays]
    notes: tuple[str, ...] = ()
    model: object = None
    may_be_cut: bool = True


def kept_outputs(outputs: list[str], options: SourceOptions) -> list[str]:
    """Return the outputs that the options keep, in the order of the source.

    Raises:
        SourceError: the source lacks one that is asked for.
    """
    for name in options.outputs:
        if name not in outputs:
            raise SourceError(
                f"has no output {name!r}",
                code="SP-315",
                where=str(options.path),
                hint=f"Set outputs to some of {outputs}",
            )
    return [name for name in outputs if not options.outputs or name in options.outputs]


def freeze_function(function: Function, inputs: list[str], outputs: list[str], kept: list[str]) -> Frozen:
    """Turn the variables of a concrete function into constants.

    Args:
        function: a concrete function.
        inputs: names of its first inputs, in their order.
        outputs: names of its outputs, in their order.
        kept: the outputs that are wanted.
    """
    graph_def = stock.variables_to_constants(function, drop_counters)
    allow_inlining(graph_def)
    placeholders = {node.name for node in graph_def.node if node.op == "Placeholder"}
    resources = {
        tensor.name: tensor
        for tensor in function.inputs[len(inputs) :]
        if tensor.dtype.name == "resource" and tensor.op.name in placeholders
    }
    return Frozen(
        graph_def,
        dict(zip(inputs, function.inputs, strict=False)),
        {name: tensor for name, tensor in zip(outputs, function.outputs, strict=True) if name in kept},
        resources,
        None,
        {tensor.name: handle for handle, tensor in function.graph.captures if tensor.name in resources},
    )


def fed_node_names(frozen: Frozen) -> set[str]:
    """Return the names of the nodes that get their values from outside: inputs and tables."""
    return {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.resources.values())}


def run_frozen(frozen: Frozen, arrays: Arrays) -> Arrays:
    """Run what is between the cuts, with the tables of the whole model."""
    tf = load_tensorflow()
    if frozen.resources:
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(frozen.graph_def, name=""), [])
        find = wrapped.graph.get_tensor_by_name
        fed = [*frozen.inputs.values(), *frozen.resources.values()]
        function = wrapped.prune([find(tensor.name) for tensor in fed], {
            name: find(tensor.name) for name, tensor in frozen.outputs.items()
        })  # fmt: skip
        given = [tf.constant(feed(arrays, name, tensor.dtype, tensor.shape)) for name, tensor in frozen.inputs.items()]
        answers = function(*given, *(frozen.handles[name] for name in frozen.resources))
        return {name: answer.numpy() for name, answer in answers.items()}
    names = ({name: tensor.name for name, tensor in side.items()} for side in (frozen.inputs, frozen.outputs))
    with tf.compat.v1.Session(graph=import_graph(frozen.graph_def)) as session:
        return run_session(session, arrays, *names)
