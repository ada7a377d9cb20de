"""The weights of a model as constants of a TensorFlow graph."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..graphs.messages import AttrValue
from ..graphs.topology import Node
from ..model import Weight
from .tf_types import Array


def numbers_of(weight: Weight) -> Array:
    """Return the numbers of a weight that is not of strings."""
    stored = np.frombuffer(
        weight.data.read(0, weight.data.nbytes),
        {"bool": "?", "complex64": "<c8"}.get(weight.stored_type, weight.stored_type),
    )
    if weight.quantization and weight.stored_type != "float16":
        stored = stored * weight.quantization["scale"] + weight.quantization["min"]
    return stored.reshape(weight.shape)


def constant_of(tf: ModuleType, weight: Weight, kind: int) -> AttrValue:
    """Return a weight as the attribute of a Const of TensorFlow's type ``kind``."""
    dtype = tf.dtypes.as_dtype(kind)
    value: AttrValue = tf.compat.v1.AttrValue()
    if weight.dtype == "string":
        content = weight.data.read(0, weight.data.nbytes)
        strings, at = [], 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 4], "little")
            strings.append(content[at + 4 : at + 4 + length])
            at += 4 + length
        array = np.array(strings, object).reshape(weight.shape)
    else:
        array = numbers_of(weight).astype(dtype.as_numpy_dtype)
    value.tensor.CopyFrom(tf.make_tensor_proto(array, dtype, weight.shape))
    return value


def without_value(node: Node) -> Node:
    """Return a node of a ``model.json`` without its value, if it is a constant."""
    if node["op"] != "Const":
        return node
    return {**node, "attr": {key: value for key, value in node["attr"].items() if key != "value"}}
