"""From a frozen graph to ``model.json``: the stock converter's optimiser and writer, and what each needs around it."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..graphs.lookups import keep_shapes
from ..graphs.messages import GraphDef, SignatureDef
from ..graphs.ops import supported_ops
from . import stock
from .frozen import Frozen, fed_node_names
from .graph_cleanup import (
    check_supported,
    drop_control_edges,
    drop_process_details,
    merge_constants,
    prepare_function,
    prune_functions,
    replace_defaults,
    restore_constants,
    take_large_constants,
    trim,
)
from .session import import_graph, load_tensorflow
from .stock import StockWeight
from .surgery import rewrite
from .tables import fill_tables
from .tf_types import Array

weights_file_bytes = 256 << 20
# A graph that fills tables, its signature, and which number belongs to which tensor of the model and of that graph.
Initializer = tuple[GraphDef | None, SignatureDef | None, tuple[dict[str, int], dict[str, int]] | None]
int32_limits = (-(1 << 31), (1 << 31) - 1)


@dataclass(frozen=True, slots=True)
class Artefact:
    """An optimised graph whose weights are taken out, ready to be written."""

    graph_def: GraphDef
    weights: list[StockWeight]
    signature: SignatureDef
    initializer: Initializer

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(weight["data"].nbytes for weight in self.weights)


def optimise(frozen: Frozen, where: str, custom: tuple[str, ...]) -> Artefact:
    """Rewrite and optimise a graph, and take its weights out.

    Args:
        frozen: the graph; changed, and freed as soon as possible.
        where: the source, for messages.
        custom: names of the ops that the page registers.

    Raises:
        UnsupportedOpsError: TensorFlow.js lacks ops of it.
        SourceError: it keeps state that is neither a weight nor a table.
    """
    initializer, initializer_signature, ids = _initializer(frozen, where)
    graph_def, signature = frozen.graph_def, _signature(frozen)
    wanted = {tensor.op.name for tensor in frozen.outputs.values()}
    fed = fed_node_names(frozen)
    del frozen
    replace_defaults(graph_def, fed)
    trim(graph_def, wanted, fed)
    merge_constants(graph_def)
    taken = take_large_constants(graph_def)
    supported = supported_ops() | set(custom)
    keep_shapes(graph_def)
    rewrite(graph_def, supported, where)
    graph = import_graph(graph_def)
    gc.collect()
    graph_def = stock.optimize_graph(graph, signature)
    restore_constants(graph_def, taken)
    drop_control_edges(graph_def)
    trim(graph_def, wanted, fed)  # what only such edges held, weights among it, would be shipped
    merge_constants(graph_def)
    prune_functions(graph_def)
    graphs = [graph_def, initializer] if initializer else [graph_def]
    check_supported(graphs, set(supported), where)
    drop_process_details(graphs)
    for definition in graph_def.library.function:
        prepare_function(definition)
    weights = stock.extract_weights(graph_def, initializer)
    for weight in weights:
        weight["data"] = _narrow(weight["data"])
    return Artefact(graph_def, weights, signature, (initializer, initializer_signature, ids))


def _initializer(frozen: Frozen, where: str) -> Initializer:
    """Return graph, signature and resource numbers of what fills the tables."""
    if frozen.initializer is not None:
        return frozen.initializer.as_graph_def(), None, None
    if not frozen.resources:
        return None, None, None
    function, ids = fill_tables(frozen.graph_def, frozen.resources, frozen.handles, where)
    return function.graph.as_graph_def(), stock.signature_of_outputs(function.graph, function.outputs), ids


def _signature(frozen: Frozen) -> SignatureDef:
    signature = stock.new_signature()
    for target, tensors in (
        (signature.inputs, {**frozen.inputs, **frozen.resources}),
        (signature.outputs, frozen.outputs),
    ):
        for name, tensor in tensors.items():
            target[name].name = tensor.name
            target[name].dtype = tensor.dtype.as_datatype_enum
            target[name].tensor_shape.CopyFrom(tensor.shape.as_proto())
    return signature


def _narrow(array: Array) -> Array:
    """Return a weight in a type that TensorFlow.js has; ends of slices such as 2**63-1 must not wrap round to -1."""
    if array.dtype.kind in "iu" and array.dtype != np.int32:
        # Of an array without dimensions NumPy makes a scalar, which the stock writer refuses.
        return np.asarray(np.clip(array, *int32_limits) if array.dtype.itemsize > 2 else array).astype(np.int32)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def write_artefact(result: Artefact, out: Path) -> None:
    """Write ``model.json`` and its weight files into the folder ``out``."""
    from google.protobuf.json_format import MessageToDict

    out.mkdir(parents=True, exist_ok=True)
    initializer, signature, ids = result.initializer
    stock.write_graph_model(
        out / "model.json",
        MessageToDict(result.graph_def),
        result.weights,
        tf_version=load_tensorflow().__version__,
        signature_def=result.signature,
        weight_shard_size_bytes=weights_file_bytes,
        initializer_graph_def=initializer,
        initializer_signature_def=signature,
        resource_ids_maps=ids,
    )
