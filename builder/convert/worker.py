"""Everything that runs TensorFlow: the one module that imports tensorflow, tensorflowjs, keras and tf_keras.

Its functions run in the processes of ``convert.pool``. Every source becomes a ``_Source``: named inputs and outputs,
a way to run it as it is, and a way to freeze it into one graph of constants. From there all go the same way: checks,
the stock converter's optimiser, files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..errors import ConversionError, SourceError
from ..files.npz import write_npz
from ..graphs.analysis import analyse, refusal
from ..graphs.branches import drop_dead_branches
from ..graphs.cutting import Ends, cut_graph, find_tensors, fixed_cut
from ..graphs.fake_quant import largest_step
from ..graphs.glue import describe
from ..graphs.graphdef import choose_meta_graph, choose_signature, read_graph, read_saved_model
from ..graphs.halves import check_types
from ..graphs.lookups import keep_shapes
from ..graphs.loops import take_decoders
from ..graphs.ops import calls, supported_ops
from ..graphs.outline import ancestors, outline_of, source_of
from ..graphs.rewrites import drop_identities, drop_watchers, may_need_rewrite, rewrite_ops
from ..graphs.text import finds
from ..model import Model, Weight
from ..precision.network import tensor_names
from ..precision.types import MeasureRequest, MeasureResult
from ..sources.folders import check_folder
from ..sources.keras_h5 import check_keras_weights, read_keras_h5
from ..sources.keras_history import modernise
from ..sources.keras_limits import check_keras_limits
from ..sources.keras_safety import check_keras_config, without_training
from ..sources.keras_zip import read_keras_zip
from ..sources.safety import check_graph, check_topology, prepare_graph, prepare_saved_model
from ..sources.tfjs import read_model
from ..sources.vocabulary_files import check_vocabulary_files
from .folding import fold_batch_norms
from .graphs import (
    check_supported,
    drop_control_edges,
    drop_counters,
    forget_places,
    forget_process,
    frozen_outputs,
    let_inline,
    merge_constants,
    node_name,
    prepare_function,
    prune_functions,
    put_back_constants,
    replace_defaults,
    take_large_constants,
    trim,
)
from .keras_ends import ends_of
from .loading import custom_objects, keras_copy, part_folder
from .reasons import explain_keras
from .requests import (
    ConvertRequest,
    ConvertResult,
    ReferenceRequest,
    ReferenceResult,
    SourceOptions,
)
from .results import write_glue, write_step, write_vocabulary
from .tables import Export, export_table, exporter, fill_tables, ids_shape, vocabulary_of

weights_file_bytes = 256 << 20
int32_limits = (-(1 << 31), (1 << 31) - 1)
# What a network that answers with nothing may need, one that fails does not, and attention would fill the memory.
longest_after_failures = 4096
most_together = 1_300_000  # elements of inputs that run in one batch: 8 pictures of 224 x 224
Arrays = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A graph without variables.

    Attributes:
        graph_def: TensorFlow's GraphDef.
        inputs, outputs: by signature name, the tensor's name, dtype and shape as a TensorFlow tensor.
        resources: captured tables, by the name of their tensor.
        initializer: what fills tables of TensorFlow 1, or None.
        handles: the tables themselves, by the name of their tensor.
        export: gives what is in the table of a lookup, or None where tables have handles.
    """

    graph_def: Any
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    resources: dict[str, Any]
    initializer: Any = None
    handles: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """A model that TensorFlow can run.

    Attributes:
        freeze: makes a ``_Frozen``.
        run: gives the outputs for inputs, both by signature name.
        notes: sentences the user should read.
        model: what owns the variables and tables, which go with it.
        may_be_cut: its graph may hold what is cut off, so that ``run`` may answer for more than what is left.
    """

    freeze: Callable[[], _Frozen]
    run: Callable[[Arrays], Arrays]
    notes: tuple[str, ...] = ()
    model: Any = None
    may_be_cut: bool = True


def convert(request: ConvertRequest) -> ConvertResult:
    """Convert a source into a graph model.

    Raises:
        SourceError: it is damaged, unsafe, or cannot be chosen from as asked.
        UnsupportedOpsError: TensorFlow.js lacks ops of it.
        ConversionError: TensorFlow cannot be imported.
    """
    where = str(request.source.path)
    with _opened(request.source) as source:
        prepared = _prepare(source.freeze(), request.source)
        # Nobody else holds the graph, so that its weights go as soon as they can.
        graphs = [prepared.frozen]
        step = largest_step(prepared.frozen.graph_def, where)
        prepared = dataclasses.replace(prepared, frozen=None, run=None)
        result = _optimise(graphs.pop(), where, request.source.custom_ops)
        _write(result, request.out)
        write_glue(request.out / "model.json", prepared.glue)
        write_vocabulary(request.out / "model.json", prepared.vocabulary)
        write_step(request.out / "model.json", step)
        return ConvertResult(request.out / "model.json", (*source.notes, *prepared.notes))


def layers_form(request: ConvertRequest) -> ConvertResult:
    """Write the layers model that the stock converter makes of a Keras file, to compare its size.

    Raises:
        SourceError: as ``convert``.
        ConversionError: TensorFlow cannot be imported, or the stock converter makes none.
    """
    _tensorflow()
    from tensorflowjs.converters import converter, keras_h5_conversion

    options = request.source
    suffix, check = {"keras-h5": (".h5", _checked_h5), "keras-zip": (".keras", _checked_zip)}[options.kind]
    with tempfile.TemporaryDirectory(prefix="shardpress-") as folder:
        plain = Path(folder) / f"model{suffix}"
        plain.symlink_to(options.path.resolve())
        copy, *_ = check(options, plain)
        try:
            if suffix == ".keras":
                converter.dispatch_keras_keras_to_tfjs_layers_model_conversion(str(copy), str(request.out))
            else:
                topology, groups = keras_h5_conversion.h5_merged_saved_model_to_tfjs_format(str(copy))
                request.out.mkdir(parents=True, exist_ok=True)
                keras_h5_conversion.write_artifacts(topology, groups, str(request.out))
        except Exception as error:  # whatever its own code meets in a file of a form that it does not know
            raise ConversionError(f"the stock converter makes no layers model of it ({error})") from error
    return ConvertResult(request.out / "model.json")


def reference(request: ReferenceRequest) -> ReferenceResult:
    """Run the source as it is and write its outputs, see ``ReferenceRequest``.

    Raises:
        SourceError, ConversionError: as ``convert``.
    """
    with _opened(request.source) as source:
        run = source.run
        if source.may_be_cut:
            prepared = _prepare(source.freeze(), request.source)
            run = prepared.run or run
        chosen, empty = _first_that_runs(run, request)
        besides = next((pair for pair in request.besides if _runs(run, *pair)), None)
    return ReferenceResult(*chosen, empty, besides)


def _first_that_runs(run: Callable[[Arrays], Arrays], request: ReferenceRequest) -> tuple[tuple[Path, Path], bool]:
    """Give the first pair of files that the model answers with something, else that it answers at all."""
    failure: Exception | None = None
    ran: tuple[Path, Path] | None = None
    for pair in ((request.inputs, request.outputs), *request.instead):
        if ran is None and failure is not None and _longest(pair[0]) > longest_after_failures:
            break
        try:
            full = _answer(run, *pair)
        except Exception as error:  # whatever TensorFlow and Keras raise where sizes do not fit
            failure = failure or error
            continue
        if full:
            return pair, False
        ran = ran or pair
    if ran is not None:
        return ran, True
    raise failure or ConversionError("no inputs to run")


def _longest(inputs: Path) -> int:
    import numpy as np

    with np.load(inputs, allow_pickle=False) as arrays:
        return max((length for array in arrays.values() for length in array.shape), default=0)


def _runs(run: Callable[[Arrays], Arrays], inputs: Path, outputs: Path) -> bool:
    try:
        return _answer(run, inputs, outputs)
    except Exception:  # the sizes are not the model's: that is no failure
        return False


def _answer(run: Callable[[Arrays], Arrays], inputs: Path, outputs: Path) -> bool:
    """Run a model and write what it answers; tells whether that is more than empty tensors."""
    import numpy as np

    with np.load(inputs, allow_pickle=False) as arrays:
        found = {name: _plain(array) for name, array in run(dict(arrays)).items()}
    write_npz(outputs, found)
    return any(array.size for array in found.values())


def versions(_: object = None) -> dict[str, str]:
    """Give the versions of what took part in a conversion."""
    tf = _tensorflow()
    import keras
    import tensorflowjs
    import tf_keras

    modules = {"tensorflow": tf, "tensorflowjs": tensorflowjs, "keras": keras, "tf_keras": tf_keras}
    return {name: module.__version__ for name, module in modules.items()}


def _tensorflow() -> Any:
    """Import TensorFlow and the converter, quietly and without what conversion never uses."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # oneDNN fuses more than TensorFlow.js knows, and its last bits depend on the number of threads.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    # The converter imports these for other sources; TF-DF's protobuf breaks many installs, JAX costs half a gigabyte.
    for name in ("tensorflow_decision_forests", "tensorflow_hub", "tensorflowjs.converters.jax_conversion"):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
    sys.modules["tensorflowjs.converters.jax_conversion"].__dict__.setdefault("convert_jax", None)
    try:
        import tensorflow as tf
        from tensorflowjs.converters import graph_rewrite_util
        from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock
    except Exception as error:
        raise ConversionError(
            f"TensorFlow or its converter cannot be imported ({type(error).__name__}: {error})",
            hint="Run shardpress doctor to see which package is missing or of the wrong version",
        ) from error

    def fold(graph_def: Any) -> Any:
        return fold_batch_norms(graph_def, graph_rewrite_util.values_from_const, tf.make_tensor_proto)

    # The converter's own takes seconds for a million weights.
    stock.fold_batch_norms = types.SimpleNamespace(fold_batch_norms=fold)
    _settle()
    return tf


@cache
def _settle() -> None:
    """Keep TensorFlow's modules out of collections: walking them took four quarters of a second a conversion."""
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _opened(options: SourceOptions) -> Iterator[_Source]:
    """Check a source, load it, and forget it afterwards."""
    openers = {
        "saved-model": _open_saved_model,
        "keras-h5": _open_h5,
        "keras-zip": _open_zip,
        "frozen-graph": _open_frozen,
    }
    with tempfile.TemporaryDirectory(prefix="shardpress-") as folder:
        suffix = {"keras-h5": ".h5", "keras-zip": ".keras"}.get(options.kind, "")
        # TensorFlow reads glob patterns and URLs into paths; this one is plain.
        plain = Path(folder) / f"model{suffix}"
        plain.symlink_to(options.path.resolve())
        source = openers[options.kind](options, plain)
        try:
            yield source
        finally:
            del source
            _forget()


def _forget() -> None:
    """Drop names and graphs of the last model: the next must not depend on it."""
    for module in ("keras", "tf_keras"):
        if module in sys.modules:
            sys.modules[module].backend.clear_session()
    gc.collect()


# --- SavedModel -------------------------------------------------------------------------------------------------------


def _open_saved_model(options: SourceOptions, plain: Path) -> _Source:
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


def _part(model: Any, options: SourceOptions, *, generous: bool = False) -> Any:
    return prepare_saved_model(
        model,
        options.signature,
        options.tags,
        str(options.path),
        custom=options.custom_ops,
        trust=options.trust,
        generous=generous,
    )


def _check_variables(meta_graph: Any, folder: Path) -> None:
    has_variables = any(node.op in {"VarHandleOp", "Variable", "VariableV2"} for node in meta_graph.graph_def.node)
    index = folder / "variables" / "variables.index"
    if has_variables and not index.is_file():
        raise SourceError(
            "has no variables/variables.index", where=str(folder), hint="Copy the whole SavedModel folder"
        )
    data = list((folder / "variables").glob("variables.data-*"))
    if has_variables and not data:
        raise SourceError(
            "has no variables/variables.data-*", where=str(folder), hint="Copy the whole SavedModel folder"
        )


def _open_saved_model_2(options: SourceOptions, plain: Path, part: Any, whole: Any) -> _Source:
    tf = _tensorflow()
    try:
        model = tf.saved_model.load(str(part_folder(part, plain, "part")), tags=list(options.tags))
    except Exception:  # whatever it is that slimming does not know: all that is harmless may be what is missing
        more = _part(whole, options, generous=True)
        model = tf.saved_model.load(str(part_folder(more, plain, "more")), tags=list(options.tags))
    function = model.signatures[options.signature]
    specs = function.structured_input_signature[1]
    inputs = sorted(specs)
    outputs = sorted(function.structured_outputs)
    kept = _kept(outputs, options)

    def freeze() -> _Frozen:
        return _freeze(function, inputs, outputs, kept)

    def run(arrays: Arrays) -> Arrays:
        fed = {name: _feed(arrays, name, spec.dtype, spec.shape) for name, spec in specs.items()}
        answers = function(**{name: tf.constant(array) for name, array in fed.items()})
        return {name: answers[name].numpy() for name in kept}

    return _Source(freeze, run, model=model)


def _open_saved_model_1(
    options: SourceOptions, plain: Path, inputs: dict[str, str], outputs: dict[str, str]
) -> _Source:
    """Open what TensorFlow 1 wrote: its signature names tensors of the one graph."""
    tf = _tensorflow()
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock

    kept = _kept(sorted(outputs), options)
    nodes = [outputs[name].split(":")[0] for name in kept]

    def freeze() -> _Frozen:
        graph, initializer = stock._freeze_saved_model_v1(str(plain), list(options.tags), nodes)
        return _Frozen(
            graph.as_graph_def(),
            {key: tensor for key, name in inputs.items() if (tensor := _find(graph, name)) is not None},
            {key: graph.get_tensor_by_name(outputs[key]) for key in kept},
            {},
            initializer,
            export=export,
        )

    def export(handle: str, key_type: Any, value_type: Any) -> tuple[Any, Any]:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.loader.load(session, list(options.tags), str(plain))
            return export_table(session.graph.get_tensor_by_name(f"{handle}:0"), key_type, value_type, session.run)

    def run(arrays: Arrays) -> Arrays:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.compat.v1.saved_model.loader.load(session, list(options.tags), str(plain))
            return _run_session(session, arrays, inputs, {key: outputs[key] for key in kept})

    return _Source(freeze, run)


# --- frozen graph -----------------------------------------------------------------------------------------------------


def _open_frozen(options: SourceOptions, _plain: Path) -> _Source:
    where = str(options.path)
    content = read_graph(options.path)
    outputs = frozen_outputs(content, options.outputs, where)
    prepare_graph(content, outputs.values(), where, custom=options.custom_ops, trust=options.trust)
    tf = _tensorflow()
    graph_def = tf.compat.v1.GraphDef.FromString(content.SerializeToString())
    del content
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [name.split(":")[0] for name in outputs.values()])
    variables = [node.name for node in graph_def.node if node.op in {"VarHandleOp", "Variable", "VariableV2"}]
    if variables:
        raise SourceError(
            f"is not frozen: it has the variable {variables[0]!r}", where=where, hint="Freeze it, or save a SavedModel"
        )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    inputs = {node.name: f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder"}

    def freeze() -> _Frozen:
        return _Frozen(
            graph.as_graph_def(),
            {key: graph.get_tensor_by_name(name) for key, name in inputs.items()},
            {key: graph.get_tensor_by_name(name) for key, name in outputs.items()},
            {},
        )

    def run(arrays: Arrays) -> Arrays:
        with tf.compat.v1.Session(graph=graph) as session:
            return _run_session(session, arrays, inputs, outputs)

    return _Source(freeze, run)


def _run_session(session: Any, arrays: Arrays, inputs: dict[str, str], outputs: dict[str, str]) -> Arrays:
    feeds = {}
    for name, tensor_name in inputs.items():
        tensor = session.graph.get_tensor_by_name(tensor_name)
        if name in arrays or tensor.op.type != "PlaceholderWithDefault":
            feeds[tensor] = _feed(arrays, name, tensor.dtype, tensor.shape)
    answers = session.run(outputs, feeds)
    return dict(answers)


# --- Keras ------------------------------------------------------------------------------------------------------------


def _open_h5(options: SourceOptions, plain: Path) -> _Source:
    copy, is_keras2, has_optimizer = _checked_h5(options, plain)
    return _open_keras(options, copy, is_keras2=is_keras2, has_optimizer=has_optimizer)


def _open_zip(options: SourceOptions, plain: Path) -> _Source:
    copy, is_keras2, has_optimizer = _checked_zip(options, plain)
    return _open_keras(options, copy, is_keras2=is_keras2, has_optimizer=has_optimizer)


def _checked_h5(options: SourceOptions, plain: Path) -> tuple[Path, bool, bool]:
    """Give what may be loaded, whether Keras 2 wrote it, and whether it has an optimiser's state."""
    where = str(options.path)
    file = read_keras_h5(plain, where)
    config = modernise(file.config, file.version, where) if file.is_keras2 else file.config
    check_keras_config(config, trust=options.trust, where=where)
    if not file.is_keras2:
        check_keras_limits(config, where, is_hdf5=True)
    return keras_copy(plain, config, is_changed=config is not file.config), file.is_keras2, file.has_optimizer


def _checked_zip(options: SourceOptions, plain: Path) -> tuple[Path, bool, bool]:
    where = str(options.path)
    archive = read_keras_zip(options.path)
    check_keras_config(archive.config, trust=options.trust, where=where)
    if not archive.is_keras2:
        check_keras_limits(archive.config, where)
    has_optimizer = check_keras_weights(options.path, where)
    return keras_copy(plain, archive.config), archive.is_keras2, has_optimizer


def _open_keras(options: SourceOptions, plain: Path, *, is_keras2: bool, has_optimizer: bool) -> _Source:
    """Load a Keras model and trace it for inference, as ``export()`` does, under its layers' names."""
    where = str(options.path)
    tf = _tensorflow()
    if is_keras2:
        import tf_keras as keras
    else:
        import keras
    keras.backend.clear_session()
    # Keras 2 knows safe_mode for its newer format only.
    keywords: dict[str, Any] = {} if is_keras2 and plain.suffix == ".h5" else {"safe_mode": not options.trust}
    keywords["custom_objects"] = custom_objects(keras, plain)
    try:
        model = keras.models.load_model(str(plain), compile=False, **keywords)
    except Exception as error:
        raise explain_keras(error, where) from error
    ends = ends_of(model, tf.nest if is_keras2 else keras.tree)
    if ends is None:
        raise SourceError(
            "does not say what its inputs look like",
            where=where,
            hint="Call the model once before saving it, or give its first layer an input shape",
        )
    inputs, outputs = list(ends.inputs), ends.outputs
    for name, tensor in ends.inputs.items():
        if getattr(tensor, "sparse", False) or "Ragged" in str(getattr(tensor, "type_spec", "")):
            raise SourceError(
                f"input {name!r} is sparse or ragged, which TensorFlow.js lacks", where=where, hint="Make it dense"
            )
    kept = _kept(outputs, options)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=node_name(name)) for name, tensor in ends.inputs.items()]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def infer(*tensors: Any) -> list[Any]:
        return list(ends.tree.flatten(model(ends.packed(tensors), training=False)))

    function = infer.get_concrete_function()
    if not options.trust:
        check_graph(function.graph.as_graph_def(), where)

    def freeze() -> _Frozen:
        return _freeze(function, inputs, outputs, kept)

    def run(arrays: Arrays) -> Arrays:
        fed = [_feed(arrays, name, spec.dtype, spec.shape) for name, spec in zip(inputs, specs, strict=True)]
        answers = infer(*map(tf.constant, fed))
        return {name: answer.numpy() for name, answer in zip(outputs, answers, strict=True) if name in kept}

    note = "The optimiser's state in the source is left out: pages only need the model"
    has_text = any(spec.dtype == "string" for spec in specs)
    asks = bool(options.cut_inputs or options.cut_outputs)
    return _Source(freeze, run, (note,) if has_optimizer else (), model, may_be_cut=has_text or asks)


# --- from a source to a frozen graph ----------------------------------------------------------------------------------


def _kept(outputs: list[str], options: SourceOptions) -> list[str]:
    for name in options.outputs:
        if name not in outputs:
            raise SourceError(
                f"has no output {name!r}", where=str(options.path), hint=f"Set outputs to some of {outputs}"
            )
    return [name for name in outputs if not options.outputs or name in options.outputs]


def _freeze(function: Any, inputs: list[str], outputs: list[str], kept: list[str]) -> _Frozen:
    """Turn the variables of a concrete function into constants.

    Args:
        function: a concrete function.
        inputs: names of its first inputs, in their order.
        outputs: names of its outputs, in their order.
        kept: the outputs that are wanted.
    """
    from tensorflow.python.framework import convert_to_constants as freezing

    # TensorFlow's public function also makes a new function of the result: three more copies of all weights.
    data = freezing._FunctionConverterDataInEager(func=function, lower_control_flow=True, aggressive_inlining=True)
    drop_counters(data.graph_def)
    data._build_node_defs_list()
    graph_def, _ = freezing._replace_variables_by_constants(converter_data=data)
    let_inline(graph_def)
    del data
    placeholders = {node.name for node in graph_def.node if node.op == "Placeholder"}
    resources = {
        tensor.name: tensor
        for tensor in function.inputs[len(inputs) :]
        if tensor.dtype == "resource" and tensor.op.name in placeholders
    }
    return _Frozen(
        graph_def,
        dict(zip(inputs, function.inputs, strict=False)),
        {name: tensor for name, tensor in zip(outputs, function.outputs, strict=True) if name in kept},
        resources,
        None,
        {tensor.name: handle for handle, tensor in function.graph.captures if tensor.name in resources},
    )


def _find(graph: Any, name: str) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        return None


def _feed(arrays: Arrays, name: str, dtype: Any, shape: Any) -> Any:
    """Give an input in the source's own type; what the converted model dropped gets zeros."""
    import numpy as np

    if name not in arrays:
        lengths = [length or 1 for length in shape.as_list()] if shape.rank is not None else []
        return np.zeros(lengths, dtype.as_numpy_dtype)
    if dtype == "string":
        return arrays[name].astype(object)
    return arrays[name].astype(dtype.as_numpy_dtype)


def _plain(array: Any) -> Any:
    """Give an array in a type that every numpy reads."""
    import numpy as np

    array = np.asarray(array)
    if array.dtype == object:
        return array.astype("S")
    return array.astype(np.float32) if array.dtype.name in {"bfloat16", "float16"} else array


# --- surgery ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A frozen graph from which all is cut off that a browser does better.

    Attributes:
        frozen: the graph between the cuts.
        run: runs it as it is in TensorFlow; None if nothing was cut.
        glue: what was cut off, for the loader.
        vocabulary: the words of inputs that take ids in place of text.
        notes: sentences the user should read.
    """

    frozen: Any
    run: Callable[[Arrays], Arrays] | None = None
    glue: dict[str, Any] | None = None
    vocabulary: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def _prepare(frozen: _Frozen, options: SourceOptions) -> _Prepared:
    """Look at every op, and cut where the graph has to be and can be cut.

    Raises:
        UnsupportedOpsError: TensorFlow.js lacks ops that are neither at an edge nor can be rewritten.
    """
    where = str(options.path)
    if not options.trust:
        check_graph(frozen.graph_def, where, options.custom_ops)
    check_types(frozen.graph_def, where)
    forget_places(frozen.graph_def)
    replace_defaults(frozen.graph_def, _fed(frozen))
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
        return _Prepared(frozen)
    tensors = _import(frozen.graph_def)

    def info(name: str) -> tuple[int, Any]:
        tensor = tensors.get_tensor_by_name(name)
        return tensor.dtype.as_datatype_enum, ids_shape(tensor).as_proto()

    ends = cut_graph(frozen.graph_def, outline, cut, info, cut_outputs, where)
    if not any(node.op == "Enter" for node in frozen.graph_def.node):  # TensorFlow's loops need them
        drop_control_edges(frozen.graph_def)  # some lead to what is cut off
    trim(frozen.graph_def, set(map(source_of, ends.outputs.values())), set(map(source_of, ends.inputs.values())))
    between = _between(frozen, ends)
    specs = {name: (tensor.dtype.as_datatype_enum, tensor.shape.rank) for name, tensor in between.inputs.items()}
    vocabulary = vocabulary_of(outline, ends.entries, frozen.export or exporter(frozen.handles))
    glue, notes = describe(outline, cut, ends, specs, taken, vocabulary or {})

    def run(arrays: Arrays) -> Arrays:
        return _run_frozen(between, arrays)

    return _Prepared(between, run, glue, vocabulary, notes)


def _fed(frozen: _Frozen) -> set[str]:
    return {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.resources.values())}


def _import(graph_def: Any) -> Any:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def _shapes_of(graph_def: Any) -> Callable[[str], list[int | None] | None]:
    """Give what tells the shape of a tensor, as far as TensorFlow infers it; nothing is imported before it is asked."""
    graph: list[Any] = []

    def shape_of(name: str) -> list[int | None] | None:
        if not graph:
            graph.append(_import(graph_def))
        tensor = _find(graph[0], name if ":" in name else f"{name}:0")
        return tensor.shape.as_list() if tensor is not None and tensor.shape.rank is not None else None

    return shape_of


def _drop_dead_branches(frozen: _Frozen) -> None:
    kept = {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.outputs.values())} | _fed(frozen)
    drop_dead_branches(frozen.graph_def, lambda _: None, kept)  # some conditions need no shapes,
    shape_of = _shapes_of(frozen.graph_def)  # and what draws numbers has lost its variable: it cannot be imported

    def known_shape(name: str) -> list[int | None] | None:
        try:
            return shape_of(name)
        except ValueError:  # a later step says what is wrong
            return None

    drop_dead_branches(frozen.graph_def, known_shape, kept)


def _inline(frozen: _Frozen) -> _Frozen:
    """Put the bodies of functions where they are called: TensorFlow.js cannot call."""
    if not any(node.op in calls for node in frozen.graph_def.node):
        return frozen
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.grappler import tf_optimizer

    kept = {tensor.op.name for tensor in (*frozen.inputs.values(), *frozen.outputs.values())} | _fed(frozen)
    graph = _import(frozen.graph_def)
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=frozen.graph_def, graph=graph)
    meta_graph.collection_def["train_op"].node_list.value.extend(sorted(kept))
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers.append("function")
    config.graph_options.rewrite_options.min_graph_nodes = -1
    graph_def = tf_optimizer.OptimizeGraph(config, meta_graph)
    forget_places(graph_def)  # inlining asks for places of its own
    return dataclasses.replace(frozen, graph_def=graph_def)


def _take_decoders(frozen: _Frozen) -> tuple[_Frozen, dict[str, Any]]:
    """Let inputs be pixels where a loop over pictures decodes, see ``take_decoders``."""
    taken = take_decoders(frozen.graph_def, {name: tensor.name for name, tensor in frozen.inputs.items()})
    if not taken:
        return frozen, {}
    graph = _import(frozen.graph_def)
    inputs = {name: graph.get_tensor_by_name(tensor.name) for name, tensor in frozen.inputs.items()}
    return dataclasses.replace(frozen, inputs=inputs), taken


def _between(frozen: _Frozen, ends: Ends) -> _Frozen:
    """Give the frozen graph between the cuts, with the tables it still needs."""
    graph = _import(frozen.graph_def)
    outline = outline_of(frozen.graph_def, ends.inputs, ends.outputs)
    needed = ancestors(outline, map(source_of, ends.outputs.values()))
    resources = {name: tensor for name, tensor in frozen.resources.items() if tensor.op.name in needed}
    outputs = {name: graph.get_tensor_by_name(text) for name, text in ends.outputs.items()}
    for name, tensor in outputs.items():
        if name in frozen.outputs and frozen.outputs[name].name == tensor.name:
            tensor.set_shape(frozen.outputs[name].shape)
    return _Frozen(
        frozen.graph_def,
        {name: graph.get_tensor_by_name(text) for name, text in ends.inputs.items() if source_of(text) in needed},
        outputs,
        resources,
        frozen.initializer if any(node.op in finds for node in frozen.graph_def.node) else None,
        frozen.handles,
        frozen.export,
    )


def _run_frozen(frozen: _Frozen, arrays: Arrays) -> Arrays:
    """Run what is between the cuts, with the tables of the whole model."""
    import tensorflow as tf

    if frozen.resources:
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(frozen.graph_def, name=""), [])
        find = wrapped.graph.get_tensor_by_name
        fed = [*frozen.inputs.values(), *frozen.resources.values()]
        function = wrapped.prune([find(tensor.name) for tensor in fed], {
            name: find(tensor.name) for name, tensor in frozen.outputs.items()
        })  # fmt: skip
        given = [tf.constant(_feed(arrays, name, tensor.dtype, tensor.shape)) for name, tensor in frozen.inputs.items()]
        answers = function(*given, *(frozen.handles[name] for name in frozen.resources))
        return {name: answer.numpy() for name, answer in answers.items()}
    names = ({name: tensor.name for name, tensor in side.items()} for side in (frozen.inputs, frozen.outputs))
    with tf.compat.v1.Session(graph=_import(frozen.graph_def)) as session:
        return _run_session(session, arrays, *names)


def _rewrite(graph_def: Any, supported: frozenset[str], where: str) -> None:
    """Rewrite what TensorFlow.js lacks; the shapes are those that TensorFlow infers."""
    drop_identities(graph_def, supported)
    if not any(may_need_rewrite(node, supported) for node in graph_def.node):
        return
    shape_of = _shapes_of(graph_def)
    shape_of("")  # before anything is changed
    rewrite_ops(graph_def, supported, shape_of, where)


# --- from a frozen graph to files -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Result:
    """An optimised graph whose weights are taken out, ready to be written."""

    graph_def: Any
    weights: list[dict[str, Any]]
    signature: Any
    initializer: tuple[Any, Any, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(weight["data"].nbytes for weight in self.weights)


def _optimise(frozen: _Frozen, where: str, custom: tuple[str, ...]) -> _Result:
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock

    initializer, initializer_signature, ids = _initializer(frozen, where)
    graph_def, signature = frozen.graph_def, _signature(frozen)
    wanted = {tensor.op.name for tensor in frozen.outputs.values()}
    fed = _fed(frozen)
    del frozen
    replace_defaults(graph_def, fed)
    trim(graph_def, wanted, fed)
    merge_constants(graph_def)
    taken = take_large_constants(graph_def)
    supported = supported_ops() | set(custom)
    keep_shapes(graph_def)
    _rewrite(graph_def, supported, where)
    graph = _import(graph_def)
    gc.collect()
    graph_def = stock.optimize_graph(graph, signature, skip_op_check=True, strip_debug_ops=True)
    put_back_constants(graph_def, taken)
    drop_control_edges(graph_def)
    trim(graph_def, wanted, fed)  # what only such edges held, weights among it, would be shipped
    merge_constants(graph_def)
    prune_functions(graph_def)
    graphs = [graph_def, initializer] if initializer else [graph_def]
    check_supported(graphs, set(supported), where)
    forget_process(graphs)
    for definition in graph_def.library.function:
        prepare_function(definition)
    (weights,) = stock.extract_weights(graph_def, initializer)
    for weight in weights:
        weight["data"] = _narrow(weight["data"])
    return _Result(graph_def, weights, signature, (initializer, initializer_signature, ids))


def _initializer(frozen: _Frozen, where: str) -> tuple[Any, Any, Any]:
    """Give graph, signature and resource numbers of what fills the tables."""
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock

    if frozen.initializer is not None:
        return frozen.initializer.as_graph_def(), None, None
    if not frozen.resources:
        return None, None, None
    function, ids = fill_tables(frozen.graph_def, frozen.resources, frozen.handles, where)
    return function.graph.as_graph_def(), stock._build_signature_def(function.graph, [], function.outputs), ids


def _signature(frozen: _Frozen) -> Any:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    signature = SignatureDef()
    for target, tensors in (
        (signature.inputs, {**frozen.inputs, **frozen.resources}),
        (signature.outputs, frozen.outputs),
    ):
        for name, tensor in tensors.items():
            target[name].name = tensor.name
            target[name].dtype = tensor.dtype.as_datatype_enum
            target[name].tensor_shape.CopyFrom(tensor.shape.as_proto())
    return signature


def _narrow(array: Any) -> Any:
    """Give a weight in a type that TensorFlow.js has; ends of slices such as 2**63-1 must not wrap round to -1."""
    import numpy as np

    if array.dtype.kind in "iu" and array.dtype != np.int32:
        # Of an array without dimensions NumPy makes a scalar, which the stock writer refuses.
        return np.asarray(np.clip(array, *int32_limits) if array.dtype.itemsize > 2 else array).astype(np.int32)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _write(result: _Result, out: Path) -> None:
    import tensorflow as tf
    from google.protobuf.json_format import MessageToDict
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock

    out.mkdir(parents=True, exist_ok=True)
    initializer, signature, ids = result.initializer
    stock.write_artifacts(
        MessageToDict(result.graph_def),
        [result.weights],
        str(out / "model.json"),
        tf.__version__,
        result.signature,
        weight_shard_size_bytes=weights_file_bytes,
        initializer_graph_def=initializer,
        initializer_signature_def=signature,
        resource_ids_maps=ids,
    )


# --- running a converted graph with other weights ---------------------------------------------------------------------


def measure(request: MeasureRequest) -> MeasureResult:
    """Find how coarse the weights of a converted model may be, see ``MeasureRequest``.

    Raises:
        ConversionError: TensorFlow cannot be imported, or cannot run the model.
    """
    from ..precision.measure import measure_model

    try:
        topology = read_model(request.model_json).artifacts["modelTopology"]
        if not request.trust and "node" in topology:
            check_topology(topology, str(request.model_json), _unregistered(topology["node"]))
        makers = partial(GraphRunner, trust=request.trust), partial(layers_as_graph, trust=request.trust)
        return measure_model(request, *makers)
    finally:
        _forget()


def layers_as_graph(model: Model, *, trust: bool = False) -> Model:
    """Give a layers model as a graph in which the constants of its weights have their names.

    Raises:
        SourceError: Keras does not know a layer, or the weights do not fit.
        ConversionError: TensorFlow cannot be imported.
    """
    import json

    tf = _tensorflow()
    import tf_keras as keras
    from google.protobuf.json_format import MessageToDict

    topology = model.artifacts["modelTopology"]
    config, where = topology.get("model_config", topology), "model.json"
    check_keras_config(config, trust=trust, where=where)
    config = without_training(config)
    keras.backend.clear_session()
    try:
        net = keras.models.model_from_json(json.dumps(config))
        named = _assign(net, {weight.name: weight for weight in model.weights})
    except (ValueError, TypeError, KeyError) as error:
        raise explain_keras(error, where) from error
    ends = ends_of(net, tf.nest)
    if ends is None:
        raise SourceError("does not say what its inputs look like", where=where, hint="Save the model again")
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in net.inputs]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def infer(*tensors: Any) -> list[Any]:
        return list(tf.nest.flatten(net(ends.packed(tensors), training=False)))

    function = infer.get_concrete_function()
    inputs, outputs = ([spec.name for spec in side] for side in (model.inputs, model.outputs))
    frozen = _freeze(function, inputs, outputs, outputs)
    names = {
        tensor.op.name: named[id(variable)]
        for handle, tensor in function.graph.captures
        for variable in net.weights
        if variable.handle is handle and id(variable) in named
    }
    for node in frozen.graph_def.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [names.get(reference, reference) for reference in node.input]
        if node.op == "Const" and node.name in named.values():
            node.attr["value"].Clear()
    signature = {
        side: {name: {"name": tensor.name} for name, tensor in tensors.items()}
        for side, tensors in (("inputs", frozen.inputs), ("outputs", frozen.outputs))
    }
    artifacts = {"modelTopology": MessageToDict(frozen.graph_def), "signature": signature}
    return dataclasses.replace(model, kind="graph-model", artifacts=artifacts)


def _assign(net: Any, weights: Mapping[str, Weight]) -> dict[int, str]:
    """Give a Keras model its weights; the answer names them by the identity of the variables."""
    from tensorflowjs.converters.keras_h5_conversion import normalize_weight_name

    named = {}
    for variable in net.weights:
        name = normalize_weight_name(variable.name)
        if name not in weights:  # newer versions put the cell's name before that of a recurrent weight
            *path, _, kind = name.split("/")
            name = "/".join([*path, kind])
        weight = weights[name]
        variable.assign(_numbers(weight).astype(variable.dtype.as_numpy_dtype))
        named[id(variable)] = name
    return named


def _numbers(weight: Weight) -> Any:
    """Give the numbers of a weight that is not of strings."""
    import numpy as np

    stored = np.frombuffer(
        weight.data.read(0, weight.data.nbytes),
        {"bool": "?", "complex64": "<c8"}.get(weight.stored_type, weight.stored_type),
    )
    if weight.quantization and weight.stored_type != "float16":
        stored = stored * weight.quantization["scale"] + weight.quantization["min"]
    return stored.reshape(weight.shape)


class GraphRunner:
    """Runs a TensorFlow.js graph in TensorFlow; constants that are fed have the fed values."""

    def __init__(
        self,
        model: Model,
        nodes: list[dict[str, Any]],
        cases: list[Arrays],
        tensors: Sequence[str] = (),
        *,
        trust: bool = False,
    ) -> None:
        """Make the graph and a session.

        Args:
            model: the model.
            nodes: its nodes, see ``plain_nodes``.
            cases: the inputs, by name.
            tensors: names of those that are to be given beside the outputs.
            trust: the user vouches for its ops.

        Raises:
            UnsafeModelError: it holds ops that reach files, scripts or the network.
            ConversionError: TensorFlow does not take the graph.
        """
        from google.protobuf.json_format import ParseDict

        self._tf = tf = _tensorflow()
        topology = model.artifacts["modelTopology"]
        weights = {weight.name: weight for weight in model.weights}
        graph_def = tf.compat.v1.GraphDef()
        try:
            ParseDict(
                {**topology, "node": [_without_value(node) if node["name"] in weights else node for node in nodes]},
                graph_def,
            )
            functions = [node for function in graph_def.library.function for node in function.node_def]
            for node in (*graph_def.node, *functions):
                if node.op == "Const" and node.name in weights:
                    node.attr["value"].CopyFrom(_constant(tf, weights[node.name], node.attr["dtype"].type))
            if not trust:
                check_graph(graph_def, "model.json", _unregistered(nodes))
            self._graph = tf.Graph()
            with self._graph.as_default():
                tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            raise ConversionError(
                f"TensorFlow cannot run the converted model, so its precision cannot be measured: {error}",
                hint='Use precision = "balanced" or "exact"',
            ) from error
        signature = model.artifacts.get("signature", {})
        self._inputs = tensor_names(signature.get("inputs", {}), model.inputs)
        self._outputs = tensor_names(signature.get("outputs", {}), model.outputs) | {name: name for name in tensors}
        self._cases = cases
        self._means: dict[str, Any] = {}
        # The last bits, and with them the steps, depend on the number of threads.
        options = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=1)
        self._session = tf.compat.v1.Session(graph=self._graph, config=options)
        self._shapes = [tuple(sorted((name, array.shape) for name, array in case.items())) for case in cases]
        self._rows = [next((array.shape[0] for array in case.values() if array.ndim), 0) for case in cases]
        self._elements = [sum(array.size for array in case.values()) for case in cases]
        self._together = self._may_run_together()

    def outputs(self, cases: Sequence[int], feeds: Arrays) -> list[Arrays]:
        """Give the outputs for some cases."""
        found: list[Arrays] = []
        for group in self._groups(cases):
            answers, start = self._run(self._outputs, group, feeds), 0
            if len(group) == 1:
                found.append(answers)
                continue
            for case in group:
                stop = start + self._rows[case]
                found.append({name: array[start:stop] for name, array in answers.items()})
                start = stop
        return found

    def means(self, cases: Sequence[int], feeds: Arrays, results: Sequence[str]) -> list[Any]:
        """Give the means of tensors over all cases and all axes but the last."""
        with self._graph.as_default():
            for name in results:
                if name not in self._means:
                    tensor = self._graph.get_tensor_by_name(f"{name}:0")
                    flat = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                    self._means[name] = self._tf.reduce_mean(flat, 0)
        wanted = {name: self._means[name] for name in results}
        totals: dict[str, Any] = {}
        for group in self._groups(cases):
            for name, mean in self._run(wanted, group, feeds).items():
                totals[name] = totals.get(name, 0.0) + mean * (len(group) / len(cases))
        return [totals[name] for name in results]

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[Any]:
        """Give the covariances of the last axis of tensors over all cases and all other axes."""
        import numpy as np

        wanted: dict[str, Any] = {}
        with self._graph.as_default():
            for name in results:
                tensor = self._graph.get_tensor_by_name(f"{name}:0")
                rows = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                mean = self._tf.reduce_mean(rows, 0)
                # Without the mean: squares of large means would leave little of float32 for what varies.
                varying = rows - mean
                wanted |= {f"{name} rows": self._tf.shape(rows)[0], f"{name} mean": mean}
                wanted[f"{name} squares"] = self._tf.matmul(varying, varying, transpose_a=True)
        rows_of: dict[str, int] = dict.fromkeys(results, 0)
        sums: dict[str, Any] = dict.fromkeys(results, 0.0)
        squares: dict[str, Any] = dict.fromkeys(results, 0.0)
        for group in self._groups(cases):
            found = self._run(wanted, group, {})
            for name in results:
                count, mean = int(found[f"{name} rows"]), found[f"{name} mean"].astype(np.float64)
                rows_of[name] += count
                sums[name] = sums[name] + count * mean
                squares[name] = squares[name] + found[f"{name} squares"] + count * np.outer(mean, mean)
        return [
            squares[name] / rows_of[name] - np.outer(sums[name], sums[name]) / rows_of[name] ** 2 for name in results
        ]

    def _groups(self, cases: Sequence[int]) -> Iterator[list[int]]:
        """Give the cases that run together: as many as memory allows of those with like shapes, else one by one."""
        group: list[int] = []
        for case in cases:
            if group and (
                not self._together
                or self._shapes[case] != self._shapes[group[0]]
                or (len(group) + 1) * self._elements[case] > most_together
            ):
                yield group
                group = []
            group.append(case)
        if group:
            yield group

    def _may_run_together(self) -> bool:
        """Tell whether two cases in one batch give what each gives by itself."""
        if len(self._cases) < 2 or not all(self._rows) or self._shapes[0] != self._shapes[1]:
            return False
        tensors = (self._graph.get_tensor_by_name(name) for name in (*self._inputs.values(), *self._outputs.values()))
        if any(tensor.shape.rank is None or not tensor.shape.rank or tensor.shape[0] is not None for tensor in tensors):
            return False
        import numpy as np

        both = self._run(self._outputs, [0, 1], {})
        apart = [self._run(self._outputs, [case], {}) for case in (0, 1)]
        return all(
            array.shape == (joined := np.concatenate([one[name] for one in apart])).shape
            and np.allclose(array, joined, rtol=1e-3, atol=1e-4)
            for name, array in both.items()
        )

    def _run(self, wanted: Arrays, group: list[int], feeds: Arrays) -> Arrays:
        import numpy as np

        fed = {f"{name}:0": array for name, array in feeds.items()}
        for name, tensor_name in self._inputs.items():
            tensor = self._graph.get_tensor_by_name(tensor_name)
            arrays = [_feed(self._cases[case], name, tensor.dtype, tensor.shape) for case in group]
            fed[tensor] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return dict(self._session.run(wanted, fed))


def _unregistered(nodes: Sequence[Mapping[str, Any]]) -> set[str]:
    """Give the ops of a graph that TensorFlow does not have; it says so itself."""
    _tensorflow()
    from tensorflow.python.framework import op_def_registry

    return {op for node in nodes if op_def_registry.get(op := str(node["op"])) is None}


def _without_value(node: dict[str, Any]) -> dict[str, Any]:
    if node["op"] != "Const":
        return node
    return {**node, "attr": {key: value for key, value in node["attr"].items() if key != "value"}}


def _constant(tf: Any, weight: Weight, kind: int) -> Any:
    """Give a weight as the attribute of a Const of TensorFlow's type ``kind``."""
    import numpy as np

    dtype = tf.dtypes.as_dtype(kind)
    value = tf.compat.v1.AttrValue()
    if weight.dtype == "string":
        content = weight.data.read(0, weight.data.nbytes)
        strings, at = [], 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 4], "little")
            strings.append(content[at + 4 : at + 4 + length])
            at += 4 + length
        array = np.array(strings, object).reshape(weight.shape)
    else:
        array = _numbers(weight).astype(dtype.as_numpy_dtype)
    value.tensor.CopyFrom(tf.make_tensor_proto(array, dtype, weight.shape))
    return value
