"""Turns a layers model of TensorFlow.js back into a graph, whose precision can be measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..errors import SourceError
from ..model import Model, Weight
from ..sources.keras_safety import check_keras_config, without_training
from . import stock
from .constants import numbers_of
from .frozen import freeze_function
from .keras_ends import ends_of
from .reasons import explain_keras
from .session import load_keras, load_tensorflow
from .tf_types import Tensor


def layers_as_graph(model: Model, *, trust: bool = False) -> Model:
    """Return a layers model as a graph in which the constants of its weights have their names.

    Raises:
        SourceError: Keras does not know a layer, or the weights do not fit.
        ConversionError: TensorFlow cannot be imported.
    """
    import json

    tf = load_tensorflow()
    keras = load_keras(2)
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
        raise SourceError(
            "does not say what its inputs look like", code="SP-320", where=where, hint="Save the model again"
        )
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in net.inputs]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def infer(*tensors: Tensor) -> list[Tensor]:
        return list(tf.nest.flatten(net(ends.packed(tensors), training=False)))

    function = infer.get_concrete_function()
    inputs, outputs = ([spec.name for spec in side] for side in (model.inputs, model.outputs))
    frozen = freeze_function(function, inputs, outputs, outputs)
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
    """Return a Keras model its weights; the answer names them by the identity of the variables."""
    named = {}
    for variable in net.weights:
        name = stock.layers_weight_name(variable.name)
        if name not in weights:  # newer versions put the cell's name before that of a recurrent weight
            *path, _, kind = name.split("/")
            name = "/".join([*path, kind])
        weight = weights[name]
        variable.assign(numbers_of(weight).astype(variable.dtype.as_numpy_dtype))
        named[id(variable)] = name
    return named
