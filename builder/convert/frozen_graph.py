"""Opens frozen graphs of TensorFlow 1 (``.pb``)."""

from __future__ import annotations

from pathlib import Path

from ..errors import SourceError
from ..graphs.graphdef import read_graph
from ..sources.safety import prepare_graph
from .frozen import Frozen, Source
from .graph_cleanup import frozen_outputs
from .requests import SourceOptions
from .session import load_tensorflow, run_session
from .tf_types import Arrays


def open_frozen_graph(options: SourceOptions, _plain: Path) -> Source:
    """Check a frozen graph and open it.

    Raises:
        SourceError: it is damaged, has variables, or its outputs cannot be told.
        UnsafeModelError: it holds ops that reach files, scripts or the network.
    """
    where = str(options.path)
    content = read_graph(options.path)
    outputs = frozen_outputs(content, options.outputs, where)
    prepare_graph(content, outputs.values(), where, custom=options.custom_ops, trust=options.trust)
    tf = load_tensorflow()
    graph_def = tf.compat.v1.GraphDef.FromString(content.SerializeToString())
    del content
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [name.split(":")[0] for name in outputs.values()])
    variables = [node.name for node in graph_def.node if node.op in {"VarHandleOp", "Variable", "VariableV2"}]
    if variables:
        raise SourceError(
            f"is not frozen: it has the variable {variables[0]!r}",
            code="SP-318",
            where=where,
            hint="Freeze it, or save a SavedModel",
        )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    inputs = {node.name: f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder"}

    def freeze() -> Frozen:
        return Frozen(
            graph.as_graph_def(),
            {key: graph.get_tensor_by_name(name) for key, name in inputs.items()},
            {key: graph.get_tensor_by_name(name) for key, name in outputs.items()},
            {},
        )

    def run(arrays: Arrays) -> Arrays:
        with tf.compat.v1.Session(graph=graph) as session:
            return run_session(session, arrays, inputs, outputs)

    return Source(freeze, run)
