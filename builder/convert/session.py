"""The one process-wide session with TensorFlow: how it is imported, fed and emptied.

Only this module imports TensorFlow and Keras; ``stock`` looks up what they and the stock converter do not document.
"""

from __future__ import annotations

import gc
import os
import sys
import types
from functools import cache
from typing import Any

from ..errors import ConversionError
from .folding import fold_batch_norms

Arrays = dict[str, Any]


def load_tensorflow() -> Any:
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
    _freeze_modules()
    return tf


@cache
def _freeze_modules() -> None:
    """Keep TensorFlow's modules out of collections: walking them took four quarters of a second a conversion."""
    gc.collect()
    gc.freeze()


def forget_models() -> None:
    """Drop names and graphs of the last model: the next must not depend on it."""
    for module in ("keras", "tf_keras"):
        if module in sys.modules:
            sys.modules[module].backend.clear_session()
    gc.collect()


def import_graph(graph_def: Any) -> Any:
    """Make a graph of its definition."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def find_tensor(graph: Any, name: str) -> Any:
    """Give a tensor of a graph, or None where there is none of this name."""
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        return None


def run_session(session: Any, arrays: Arrays, inputs: dict[str, str], outputs: dict[str, str]) -> Arrays:
    """Feed what is there, and give the outputs by signature name; a placeholder with a default may stay unfed."""
    feeds = {}
    for name, tensor_name in inputs.items():
        tensor = session.graph.get_tensor_by_name(tensor_name)
        if name in arrays or tensor.op.type != "PlaceholderWithDefault":
            feeds[tensor] = feed(arrays, name, tensor.dtype, tensor.shape)
    answers = session.run(outputs, feeds)
    return dict(answers)


def feed(arrays: Arrays, name: str, dtype: Any, shape: Any) -> Any:
    """Give an input in the source's own type; what the converted model dropped gets zeros."""
    import numpy as np

    if name not in arrays:
        lengths = [length or 1 for length in shape.as_list()] if shape.rank is not None else []
        return np.zeros(lengths, dtype.as_numpy_dtype)
    if dtype == "string":
        return arrays[name].astype(object)
    return arrays[name].astype(dtype.as_numpy_dtype)


def plain_array(array: Any) -> Any:
    """Give an array in a type that every numpy reads."""
    import numpy as np

    array = np.asarray(array)
    if array.dtype == object:
        return array.astype("S")
    return array.astype(np.float32) if array.dtype.name in {"bfloat16", "float16"} else array
