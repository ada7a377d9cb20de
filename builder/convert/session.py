"""The one process-wide session with TensorFlow: how it is imported, fed and emptied.

Only this module imports TensorFlow and Keras; ``stock`` looks up what they and the converter do not document.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from functools import cache
from types import ModuleType

import numpy as np

from ..errors import ConversionError
from ..graphs.messages import GraphDef
from . import stock
from .tf_types import Array, Arrays, DType, Graph, Session, Tensor, TensorShape


@cache
def load_tensorflow() -> ModuleType:
    """Import TensorFlow and the converter, quietly and without what conversion never uses.

    Raises:
        ConversionError: one of them cannot be imported, or is not the version that ``stock`` was written for.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # oneDNN fuses more than TensorFlow.js knows, and its last bits depend on the number of threads.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    try:
        import tensorflow as tf

        stock.import_converter()
    except Exception as error:
        raise ConversionError(
            f"TensorFlow or its converter cannot be imported ({type(error).__name__}: {error})",
            code="SP-405",
            hint="Run shardpress doctor to see which package is missing or of the wrong version",
        ) from error
    stock.patch_converter(tf.make_tensor_proto)
    # Keep their modules out of collections: walking them took four quarters of a second a conversion.
    gc.collect()
    gc.freeze()
    module: ModuleType = tf
    return module


def load_keras(generation: int) -> ModuleType:
    """Import Keras 2 (``tf_keras``) or 3; TensorFlow has to be loaded.

    Raises:
        ConversionError: it cannot be imported.
    """
    try:
        return importlib.import_module({2: "tf_keras", 3: "keras"}[generation])
    except ImportError as error:
        raise ConversionError(
            f"Keras {generation} cannot be imported ({error})",
            code="SP-405",
            hint="Run shardpress doctor to see which package is missing or of the wrong version",
        ) from error


def loaded_versions() -> dict[str, str]:
    """Return the versions of what takes part in a conversion, by module."""
    modules = (load_tensorflow(), importlib.import_module("tensorflowjs"), load_keras(3), load_keras(2))
    return {module.__name__: module.__version__ for module in modules}


def clear_models() -> None:
    """Drop names and graphs of the last model: the next must not depend on it."""
    for module in ("keras", "tf_keras"):
        if module in sys.modules:
            sys.modules[module].backend.clear_session()
    gc.collect()


def import_graph(graph_def: GraphDef) -> Graph:
    """Make a graph of its definition."""
    tf = load_tensorflow()
    graph: Graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def find_tensor(graph: Graph, name: str) -> Tensor | None:
    """Return a tensor of a graph, or None where there is none of this name."""
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        return None


def run_session(session: Session, arrays: Arrays, inputs: dict[str, str], outputs: dict[str, str]) -> Arrays:
    """Feed what is there, and give the outputs by signature name; a placeholder with a default may stay unfed."""
    feeds = {}
    for name, tensor_name in inputs.items():
        tensor = session.graph.get_tensor_by_name(tensor_name)
        if name in arrays or tensor.op.type != "PlaceholderWithDefault":
            feeds[tensor] = feed(arrays, name, tensor.dtype, tensor.shape)
    answers = session.run(outputs, feeds)
    return dict(answers)


def feed(arrays: Arrays, name: str, dtype: DType, shape: TensorShape) -> Array:
    """Return an input in the source's own type; what the converted model dropped gets zeros."""
    if name not in arrays:
        lengths = [length or 1 for length in shape.as_list()] if shape.rank is not None else []
        return np.zeros(lengths, dtype.as_numpy_dtype)
    if dtype.name == "string":
        return arrays[name].astype(object)
    return arrays[name].astype(dtype.as_numpy_dtype)


def plain_array(array: object) -> Array:
    """Return an array in a type that every numpy reads."""
    found: Array = np.asarray(array)
    if found.dtype == object:
        return found.astype("S")
    return found.astype(np.float32) if found.dtype.name in {"bfloat16", "float16"} else found
