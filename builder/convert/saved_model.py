"""Opens SavedModels of TensorFlow 1 and 2."""

from __future__ import annotations

from pathlib import Path

from ..errors import SourceError
from ..graphs.graphdef import choose_meta_graph, choose_signature, read_saved_model
from ..graphs.messages import MetaGraphDef, SavedModel
from ..sources.folders import check_folder
from ..sources.safety import prepare_saved_model
from ..sources.vocabulary_files import check_vocabulary_files
from . import stock
from .checked_copies import part_folder
from .frozen import Frozen, Source, freeze_function, kept_outputs
from .requests import SourceOptions
from .session import feed, find_tensor, load_tensorflow, run_session
from .tables import export_table
from .tf_types import Array, Arrays, DType


def open_saved_model(options: SourceOptions, plain: Path) -> Source:
    """Check a SavedModel and open the part of it that its signature needs.

    Args:
        options: which signature and outputs.
        plain: a path to it without characters that TensorFlow would take for a pattern or an address.

    Raises:
        SourceError: it is damaged, incomplete, or lacks what the options ask for.
        UnsafeModelError: it holds ops that reach files, scripts or the network.
    """
    where = str(options.path)
    check_folder(options.path)
    model = read_saved_model(options.path)
    part = _part(model, options)
    check_vocabulary_files(part.meta_graphs[0], options.path, where)
    meta_graph = choose_meta_graph(model, options.tags, where)
    signature = choose_signature(meta_graph, options.signature, where)
    _check_variables(meta_graph, options.path)
    if meta_graph.object_graph_def.nodes:
        return _open_saved_model_2(options, plain, part, model)
    names = ({key: info.name for key, info in side.items()} for side in (signature.inputs, signature.outputs))
    return _open_saved_model_1(options, part_folder(part, plain, "part"), *names)


def _part(model: SavedModel, options: SourceOptions, *, generous: bool = False) -> SavedModel:
    return prepare_saved_model(
        model,
        options.signature,
        options.tags,
        str(options.path),
        custom=options.custom_ops,
        trust=options.trust,
        generous=generous,
    )


def _check_variables(meta_graph: MetaGraphDef, folder: Path) -> None:
    has_variables = any(node.op in {"VarHandleOp", "Variable", "VariableV2"} for node in meta_graph.graph_def.node)
    index = folder / "variables" / "variables.index"
    if has_variables and not index.is_file():
        raise SourceError(
            "has no variables/variables.index",
            code="SP-307",
            where=str(folder),
            hint="Copy the whole SavedModel folder",
        )
    data = list((folder / "variables").glob("variables.data-*"))
    if has_variables and not data:
        raise SourceError(
            "has no variables/variables.data-*",
            code="SP-307",
            where=str(folder),
            hint="Copy the whole SavedModel folder",
        )


def _open_saved_model_2(options: SourceOptions, plain: Path, part: SavedModel, whole: SavedModel) -> Source:
    tf = load_tensorflow()
    try:
        model = tf.saved_model.load(str(part_folder(part, plain, "part")), tags=list(options.tags))
    except Exception:  # whatever it is that slimming does not know: all that is harmless may be what is missing
        more = _part(whole, options, generous=True)
        model = tf.saved_model.load(str(part_folder(more, plain, "more")), tags=list(options.tags))
    function = model.signatures[options.signature]
    specs = function.structured_input_signature[1]
    inputs = sorted(specs)
    outputs = sorted(function.structured_outputs)
    kept = kept_outputs(outputs, options)

    def freeze() -> Frozen:
        return freeze_function(function, inputs, outputs, kept)

    def run(arrays: Arrays) -> Arrays:
        fed = {name: feed(arrays, name, spec.dtype, spec.shape) for name, spec in specs.items()}
        answers = function(**{name: tf.constant(array) for name, array in fed.items()})
        return {name: answers[name].numpy() for name in kept}

    return Source(freeze, run, model=model)


def _open_saved_model_1(options: SourceOptions, plain: Path, inputs: dict[str, str], outputs: dict[str, str]) -> Source:
    """Open what TensorFlow 1 wrote: its signature names tensors of the one graph."""
    tf = load_tensorflow()
    kept = kept_outputs(sorted(outputs), options)
    nodes = [outputs[name].split(":")[0] for name in kept]

    def freeze() -> Frozen:
        graph, initializer = stock.freeze_saved_model_1(plain, options.tags, nodes)
        return Frozen(
            graph.as_graph_def(),
            {key: tensor for key, name in inputs.items() if (tensor := find_tensor(graph, name)) is not None},
            {key: graph.get_tensor_by_name(outputs[key]) for key in kept},
            {},
            initializer,
            export=export,
        )

    def export(handle: str, key_type: DType, value_type: DType) -> tuple[Array, Array]:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.loader.load(session, list(options.tags), str(plain))
            return export_table(session.graph.get_tensor_by_name(f"{handle}:0"), key_type, value_type, session.run)

    def run(arrays: Arrays) -> Arrays:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.loader.load(session, list(options.tags), str(plain))
            return run_session(session, arrays, inputs, {key: outputs[key] for key in kept})

    return Source(freeze, run)
