"""Opens Keras files (``.h5``, ``.keras``) with the Keras that wrote them, 2 or 3."""

from __future__ import annotations

from pathlib import Path

from ..errors import SourceError
from ..sources.keras_h5 import check_keras_weights, read_keras_h5
from ..sources.keras_history import modernise
from ..sources.keras_limits import check_keras_limits
from ..sources.keras_safety import check_keras_config
from ..sources.keras_zip import read_keras_zip
from ..sources.safety import check_graph
from .checked_copies import custom_objects, keras_copy
from .frozen import Frozen, Source, freeze_function, kept_outputs
from .graph_cleanup import node_name
from .keras_ends import ends_of
from .reasons import explain_keras
from .requests import SourceOptions
from .session import feed, load_keras, load_tensorflow
from .tf_types import Arrays, Tensor


def open_h5(options: SourceOptions, plain: Path) -> Source:
    """Check a Keras file of HDF5 and open it.

    Raises:
        SourceError: it is damaged, or needs code that is not Keras' own.
        UnsafeModelError: it holds code.
    """
    copy, is_keras2, has_optimizer = checked_h5(options, plain)
    return _open_keras(options, copy, is_keras2=is_keras2, has_optimizer=has_optimizer)


def open_zip(options: SourceOptions, plain: Path) -> Source:
    """Check a Keras file of the format ``.keras`` and open it.

    Raises:
        SourceError: it is damaged, or needs code that is not Keras' own.
        UnsafeModelError: it holds code.
    """
    copy, is_keras2, has_optimizer = checked_zip(options, plain)
    return _open_keras(options, copy, is_keras2=is_keras2, has_optimizer=has_optimizer)


def checked_h5(options: SourceOptions, plain: Path) -> tuple[Path, bool, bool]:
    """Return what may be loaded, whether Keras 2 wrote it, and whether it has an optimiser's state."""
    where = str(options.path)
    file = read_keras_h5(plain, where)
    config = modernise(file.config, file.version, where) if file.is_keras2 else file.config
    check_keras_config(config, trust=options.trust, where=where)
    if not file.is_keras2:
        check_keras_limits(config, where, is_hdf5=True)
    return keras_copy(plain, config, is_changed=config is not file.config), file.is_keras2, file.has_optimizer


def checked_zip(options: SourceOptions, plain: Path) -> tuple[Path, bool, bool]:
    """Return what may be loaded, whether Keras 2 wrote it, and whether it has an optimiser's state."""
    where = str(options.path)
    archive = read_keras_zip(options.path)
    check_keras_config(archive.config, trust=options.trust, where=where)
    if not archive.is_keras2:
        check_keras_limits(archive.config, where)
    has_optimizer = check_keras_weights(options.path, where)
    return keras_copy(plain, archive.config), archive.is_keras2, has_optimizer


def _open_keras(options: SourceOptions, plain: Path, *, is_keras2: bool, has_optimizer: bool) -> Source:
    """Load a Keras model and trace it for inference, as ``export()`` does, under its layers' names."""
    where = str(options.path)
    tf, keras = load_tensorflow(), load_keras(2 if is_keras2 else 3)
    keras.backend.clear_session()
    # Keras 2 knows safe_mode for its newer format only.
    keywords: dict[str, object] = {} if is_keras2 and plain.suffix == ".h5" else {"safe_mode": not options.trust}
    keywords["custom_objects"] = custom_objects(keras, plain)
    try:
        model = keras.models.load_model(str(plain), compile=False, **keywords)
    except Exception as error:
        raise explain_keras(error, where) from error
    ends = ends_of(model, tf.nest if is_keras2 else keras.tree)
    if ends is None:
        raise SourceError(
            "does not say what its inputs look like",
            code="SP-320",
            where=where,
            hint="Call the model once before saving it, or give its first layer an input shape",
        )
    inputs, outputs = list(ends.inputs), ends.outputs
    for name, tensor in ends.inputs.items():
        if getattr(tensor, "sparse", False) or "Ragged" in str(getattr(tensor, "type_spec", "")):
            raise SourceError(
                f"input {name!r} is sparse or ragged, which TensorFlow.js lacks",
                code="SP-316",
                where=where,
                hint="Make it dense",
            )
    kept = kept_outputs(outputs, options)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=node_name(name)) for name, tensor in ends.inputs.items()]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def infer(*tensors: Tensor) -> list[Tensor]:
        return list(ends.tree.flatten(model(ends.packed(tensors), training=False)))

    function = infer.get_concrete_function()
    if not options.trust:
        check_graph(function.graph.as_graph_def(), where)

    def freeze() -> Frozen:
        return freeze_function(function, inputs, outputs, kept)

    def run(arrays: Arrays) -> Arrays:
        fed = [feed(arrays, name, spec.dtype, spec.shape) for name, spec in zip(inputs, specs, strict=True)]
        answers = infer(*map(tf.constant, fed))
        return {name: answer.numpy() for name, answer in zip(outputs, answers, strict=True) if name in kept}

    note = "The optimiser's state in the source is left out: pages only need the model"
    has_text = any(spec.dtype == "string" for spec in specs)
    asks = bool(options.cut_inputs or options.cut_outputs)
    return Source(freeze, run, (note,) if has_optimizer else (), model, may_be_cut=has_text or asks)
