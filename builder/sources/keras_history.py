"""Reads what older versions of Keras wrote: their names for layers and arguments, and their defaults.

A configuration of Keras 1 or 2 becomes one that Keras 2.15 and later reads, with the same inference. What only training
needs (initialisers, regularisers, constraints of Keras 1) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import SourceError

Config = dict[str, Any]

# Layers that Keras 1 called otherwise.
_classes = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
}
_merges = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum", "dot": "Dot"}
_noises = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout")
_recurrent = ("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D")
# Arguments that Keras 1 called otherwise, for all layers and for some.
_arguments = {
    "bias": "use_bias",
    "border_mode": "padding",
    "input_dtype": "dtype",
    "nb_filter": "filters",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_own_arguments = {
    **{kind: {"output_dim": "units"} for kind in (*_recurrent, "Dense")},
    **{kind: {"p": "rate"} for kind in _noises},
    "GaussianNoise": {"sigma": "stddev"},
    "UpSampling1D": {"length": "size"},
}
# Of training only, or told by the weights and by the shape of the input.
_left_out = frozenset(
    ("init", "inner_init", "forget_bias_init", "beta_init", "gamma_init", "W_regularizer", "U_regularizer",
     "b_regularizer", "W_constraint", "U_constraint", "b_constraint", "depthwise_regularizer",
     "pointwise_regularizer", "consume_less", "weights", "mode_type", "output_mask_type", "output_shape_type",
     "arguments")
)  # fmt: skip
_orders = {"tf": "channels_last", "th": "channels_first"}


def modernise(config: object, version: str, where: str) -> object:
    """Return a configuration as Keras 2 reads it today.

    Args:
        config: of a model of Keras 1 or 2; stays as it is.
        version: of the Keras that wrote it, as the file says.
        where: the file, for messages.

    Returns:
        Another one, or the same object if there is nothing to change.

    Raises:
        SourceError: it has a layer that no later Keras has, or is nested more deeply than any model.
    """
    try:
        found = _modernise(config, version, where)
        return config if found == config else found
    except RecursionError as error:
        raise SourceError(
            "its configuration is nested too deeply", code="SP-309", where=where, hint="Save the model again"
        ) from error


def _modernise(config: object, version: str, where: str) -> object:
    if isinstance(config, list):
        return [_modernise(item, version, where) for item in config]
    if not isinstance(config, dict):
        return config
    if set(config) == {"type", "value"} and config["type"] == "ndarray":  # as Keras 2.2 wrote NumPy's numbers
        return config["value"]
    found = {key: _modernise(value, version, where) for key, value in config.items()}
    if isinstance(found.get("class_name"), str) and isinstance(found.get("config"), dict):
        if version.startswith("1.") or version == "1":
            found = _from_keras_1(found, where)
        inner = found["config"]
        if found["class_name"] == "GRU" and isinstance(inner, dict):
            inner.setdefault("reset_after", False)  # an option that is not there did not exist yet
    return found


def _from_keras_1(layer: Config, where: str) -> Config:
    kind: str = layer["class_name"]
    config: Config = dict(layer["config"])
    special = _specials.get(kind)
    if special is not None:
        kind, config = special(config, where)
    names = _arguments | _own_arguments.get(_classes.get(kind, kind), {})
    _join_lengths(config)
    if "dim_ordering" in config:
        order = config.pop("dim_ordering")
        config |= {"data_format": _orders[order]} if order in _orders else {}
    config = {names.get(key, key): value for key, value in config.items() if key not in _left_out}
    if kind != "Embedding":  # the shape of the input tells
        config = {key: value for key, value in config.items() if key not in {"input_dim", "input_length"}}
    return {**layer, "class_name": _classes.get(kind, kind), "config": config}


def _join_lengths(config: Config) -> None:
    """Put the lengths of a kernel together."""
    for keys in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if keys[0] in config:
            config["kernel_size"] = [config.pop(key) for key in keys]


def _merge(config: Config, where: str) -> tuple[str, Config]:
    """Return the layer that does what a Merge of this mode did."""
    mode, name = str(config.get("mode")), config.get("name", "merge")
    if mode not in {*_merges, "cos"} or "layers" in config:
        raise SourceError(
            f"layer {name!r} merges others in a mode that no later Keras has ({mode!r})",
            code="SP-326",
            where=where,
            hint="Rebuild the model in a later version of Keras, load these weights, and save all of it",
        )
    kept: Config = {"name": name}
    if mode == "concat":
        kept["axis"] = config.get("concat_axis", -1)
    if mode in {"dot", "cos"}:
        axes = config.get("dot_axes", -1)
        kept |= {
            "axes": [axis[0] if isinstance(axis, list) else axis for axis in axes] if isinstance(axes, list) else axes
        }
        kept["normalize"] = mode == "cos"
    return ("Dot" if mode == "cos" else _merges[mode]), kept


def _batch_norm(config: Config, where: str) -> tuple[str, Config]:
    if mode := config.pop("mode", 0):
        raise SourceError(
            f"layer {config.get('name')!r} is a BatchNormalization of mode {mode}, which no later Keras has",
            code="SP-326",
            where=where,
            hint="Train it again with BatchNormalization as it is today, or with LayerNormalization for mode 1",
        )
    return "BatchNormalization", config


def _embedding(config: Config, _: str) -> tuple[str, Config]:
    config.pop("dropout", None)
    return "Embedding", config


def _deconvolution(config: Config, _: str) -> tuple[str, Config]:
    config.pop("output_shape", None)  # follows from the padding
    return "Deconvolution2D", config


_specials: dict[str, Callable[[Config, str], tuple[str, Config]]] = {
    "BatchNormalization": _batch_norm,
    "Deconvolution2D": _deconvolution,
    "Embedding": _embedding,
    "Merge": _merge,
}
