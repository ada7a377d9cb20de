"""Checks a frozen graph, inlines its functions, cuts off what a browser does better, and rewrites what it lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from ..graphs.analysis import analyse, refusal
from ..graphs.branches import drop_dead_branches
from ..graphs.cutting import Ends, cut_graph, find_tensors, fixed_cut
from ..graphs.float_types import check_types
from ..graphs.glue import Glue, describe
from ..graphs.known import ShapeOf
from ..graphs.loops import take_decoders
from ..graphs.messages import GraphDef, NodeDef, TensorShapeProto
from ..graphs.ops import calls
from ..graphs.outline import ancestors, outline_of, source_of
from ..graphs.rewrites import drop_identities, drop_watchers, may_need_rewrite, rewrite_ops
from ..graphs.text import finds
from ..sources.safety import check_graph
from ..tokens.vectorization import TextSteps
from . import stock
from .frozen import Frozen, fed_node_names, run_frozen
from .graph_cleanup import drop_control_edges, drop_placements, replace_defaults, trim
from .requests import SourceOptions
from .session import find_tensor, import_graph, load_tensorflow
from .tables import Words, exporter, ids_shape, vocabulary_of
from .tf_types import Arrays, Graph
from .vectorization import copy_head, texts_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was cut off of a graph because a browser does it better.

    Attributes:
        run: runs it as it is in TensorFlow; None if nothing was cut.
        glue: what was cut off, for the loader.
        vocabulary: the words of inputs that take ids in place of text.
        texts: how texts become these ids, where a page can do it.
        notes: sentences the user should read.
    """

    run: Callable[[Arrays], Arrays] | None = None
    glue: Glue | None = None
    vocabulary: dict[str, Words] | None = None
    texts: dict[str, TextSteps] | None = None
    notes: tuple[str, ...] = ()


def prepare(frozen: Frozen, options: SourceOptions) -> tuple[Frozen, Prepared]:
    """Look at every op, and cut where the graph has to be and can be cut; give the graph between the cuts.

    Raises:
        UnsupportedOpsError: TensorFlow.js lacks ops that are neither at an edge nor can be rewritten.
    """
    where = str(options.path)
    if not options.trust:
        check_graph(frozen.graph_def, where, options.custom_ops)
    check_types(frozen.graph_def, where)
    drop_placements(frozen.graph_def)
    replace_defaults(frozen.graph_def, fed_node_names(frozen))
    drop_watchers(frozen.graph_def)
    _drop_dead_branches(frozen)
    if (inlined := _inline(frozen)) is not frozen:
        frozen = inlined
        _drop_dead_branches(frozen)  # whose condition a call was given
    asks = bool(options.cut_inputs or options.cut_outputs)
    frozen, taken = (frozen, {}) if asks else _take_decoders(frozen)
    names = ({name: tensor.name for name, tensor in side.items()} for side in (frozen.inputs, frozen.outputs))
    outline = outline_of(frozen.graph_def, *names)
    fixed = None
    cut_inputs, cut_outputs = (find_tensors(outline, side, where) for side in (options.cut_inputs, options.cut_outputs))
    if cut_inputs or cut_outputs:
        fixed = fixed_cut(outline, cut_inputs, cut_outputs)
    analysis = analyse(outline, options.custom_ops, fixed)
    if analysis.refused:
        raise refusal(outline, analysis, where)
    cut = analysis.cut
    if not cut.head and not cut.tail and not cut_outputs and not taken:
        return frozen, Prepared()
    tensors = import_graph(frozen.graph_def)

    def info(name: str) -> tuple[int, TensorShapeProto]:
        tensor = tensors.get_tensor_by_name(name)
        return tensor.dtype.as_datatype_enum, ids_shape(tensor).as_proto()

    head = copy_head(frozen.graph_def, outline, cut.head)
    ends = cut_graph(frozen.graph_def, outline, cut, info, cut_outputs, where)
    if not any(node.op == "Enter" for node in frozen.graph_def.node):  # TensorFlow's loops need them
        drop_control_edges(frozen.graph_def)  # some lead to what is cut off
    trim(frozen.graph_def, set(map(source_of, ends.outputs.values())), set(map(source_of, ends.inputs.values())))
    between = _between(frozen, ends)
    specs = {name: (tensor.dtype.as_datatype_enum, tensor.shape.rank) for name, tensor in between.inputs.items()}
    vocabulary = vocabulary_of(outline, ends.entries, frozen.export or exporter(frozen.handles))
    stood_for = {new: old for old, names in ends.replaced_inputs.items() for new in names}
    entries = {name: tensors.get_tensor_by_name(ends.entries[name]) for name in vocabulary or {}}
    texts, reasons = texts_of(outline, head, frozen, entries, stood_for, vocabulary or {})
    glue, notes = describe(outline, cut, ends, specs, taken, {name: reasons.get(name) for name in vocabulary or {}})

    def run(arrays: Arrays) -> Arrays:
        return run_frozen(between, arrays)

    return between, Prepared(run, glue, vocabulary, texts or None, notes)


def _shapes_of(graph_def: GraphDef) -> ShapeOf:
    """Return a function for shapes of tensors, as TensorFlow infers them; nothing is imported before it is called."""
    graph: list[Graph] = []

    def shape_of(name: str) -> list[int | None] | None:
        if not graph:
            graph.append(import_graph(graph_def))
        tensor = find_tensor(graph[0], name if ":" in name else f"{name}:0")
        return tensor.shape.as_list() if tensor is not None and tensor.shape.rank is not None else None

    return shape_of


def _drop_dead_branches(frozen: Frozen) -> None:
    kept = {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.outputs.values())} | fed_node_names(frozen)
    drop_dead_branches(frozen.graph_def, lambda _: None, kept)  # some conditions need no shapes,
    shape_of = _shapes_of(frozen.graph_def)  # and what draws numbers has lost its variable: it cannot be imported

    def known_shape(name: str) -> list[int | None] | None:
        try:
            return shape_of(name)
        except ValueError:  # a later step says what is wrong
            return None

    drop_dead_branches(frozen.graph_def, known_shape, kept)


def _inline(frozen: Frozen) -> Frozen:
    """Put the bodies of functions where they are called: TensorFlow.js cannot call."""
    if not any(node.op in calls for node in frozen.graph_def.node):
        return frozen
    tf = load_tensorflow()
    kept = {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.outputs.values())} | fed_node_names(frozen)
    graph = import_graph(frozen.graph_def)
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=frozen.graph_def, graph=graph)
    meta_graph.collection_def["train_op"].node_list.value.extend(sorted(kept))
    graph_def = stock.inline_functions(meta_graph)
    drop_placements(graph_def)  # inlining asks for places of its own
    return dataclasses.replace(frozen, graph_def=graph_def)


def _take_decoders(frozen: Frozen) -> tuple[Frozen, dict[str, NodeDef]]:
    """Let inputs be pixels where a loop over pictures decodes, see ``take_decoders``."""
    taken = take_decoders(frozen.graph_def, {name: tensor.name for name, tensor in frozen.inputs.items()})
    if not taken:
        return frozen, {}
    graph = import_graph(frozen.graph_def)
    inputs = {name: graph.get_tensor_by_name(tensor.name) for name, tensor in frozen.inputs.items()}
    return dataclasses.replace(frozen, inputs=inputs), taken


def _between(frozen: Frozen, ends: Ends) -> Frozen:
    """Return the frozen graph between the cuts, with the tables it still needs."""
    graph = import_graph(frozen.graph_def)
    outline = outline_of(frozen.graph_def, ends.inputs, ends.outputs)
    needed = ancestors(outline, map(source_of, ends.outputs.values()))
    resources = {name: tensor for name, tensor in frozen.resources.items() if tensor.op.name in needed}
    outputs = {name: graph.get_tensor_by_name(text) for name, text in ends.outputs.items()}
    for name, tensor in outputs.items():
        if name in frozen.outputs and frozen.outputs[name].name == tensor.name:
            tensor.set_shape(frozen.outputs[name].shape)
    return Frozen(
        frozen.graph_def,
        {name: graph.get_tensor_by_name(text) for name, text in ends.inputs.items() if source_of(text) in needed},
        outputs,
        resources,
        frozen.initializer if any(node.op in finds for node in frozen.graph_def.node) else None,
        frozen.handles,
        frozen.export,
    )


def rewrite(graph_def: GraphDef, supported: frozenset[str], where: str) -> None:
    """Rewrite what TensorFlow.js lacks; the shapes are those that TensorFlow infers."""
    drop_identities(graph_def, supported)
    if not any(may_need_rewrite(node, supported) for node in graph_def.node):
        return
    shape_of = _shapes_of(graph_def)
    shape_of("")  # before anything is changed
    rewrite_ops(graph_def, supported, shape_of, where)
