"""Makes files as old versions of Keras wrote them, with the answers that those versions gave; run as a program.

Usage: python old_keras.py FOLDER

Each file is written by Keras 2 of today, and then its configuration (and, for Keras 1, its weights) are put as that
version had them. The answers are those of the model before that.
"""

# ruff: noqa: E501

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

Config = dict[str, Any]


def main(folder: Path) -> None:
    import numpy as np
    import tf_keras as keras

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.Generator(np.random.PCG64(8))
    layers = keras.layers
    for name, has_bias in (("gru", True), ("gru-plain", False)):
        cell = layers.GRU(4, reset_after=False, use_bias=has_bias, recurrent_activation="hard_sigmoid")
        model = keras.Sequential([keras.Input((5, 3)), layers.Bidirectional(cell), layers.Dense(2)])
        _write(folder / name, model, "2.1.6", random, _without_reset)
    model = keras.Sequential(
        [
            layers.Conv2D(4, (3, 2), padding="same", input_shape=(8, 8, 3)),
            layers.BatchNormalization(epsilon=1e-5),
            layers.LeakyReLU(0.3),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(5, 2, dilation_rate=2, use_bias=False),
            layers.ZeroPadding2D((1, 2)),
            layers.UpSampling2D((2, 1)),
            layers.SpatialDropout2D(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    _write(folder / "keras1", model, "1.2.2", random, _picture_config)
    ids = layers.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(9, 4, name="table")(ids)
    left = layers.LSTM(3, recurrent_activation="hard_sigmoid", name="left")(x)
    right = layers.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid", name="right")(x)
    wide = layers.GlobalMaxPooling1D(name="most")(layers.Conv1D(3, 2, name="wide")(x))
    merged = layers.Concatenate(name="merged")([layers.Add(name="sum")([left, right]), wide])
    model = keras.Model(ids, layers.Dense(2, name="answer")(layers.GaussianNoise(0.1, name="noise")(merged)))
    _write(folder / "keras1-words", model, "1.2.2", random, _word_config)


def _write(path: Path, model: Any, version: str, random: Any, change: Callable[[Config], None]) -> None:
    import h5py
    import numpy as np

    for variable in model.weights:
        values = random.normal(scale=0.5, size=tuple(variable.shape)).astype(np.float32)
        variable.assign(np.abs(values) + 0.2 if "variance" in variable.name else values)
    shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
    fed = random.normal(size=(3, *shape)) * 3
    fed = np.abs(fed).astype(np.int32) if dtype == "int32" else fed.astype(np.float32)
    np.savez(path.with_suffix(".npz"), inputs=fed, outputs=model(fed, training=False).numpy())
    file = path.with_suffix(".h5")
    model.save(file)
    with h5py.File(file, "r+") as content:
        config = json.loads(content.attrs["model_config"])
        change(config)
        content.attrs["model_config"] = json.dumps(config)
        for group in (content, content["model_weights"]):
            group.attrs["keras_version"] = version.encode()
        if version.startswith("1"):
            _old_weights(content["model_weights"], config)


def _without_reset(config: Config) -> None:
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Bidirectional":
            del layer["config"]["layer"]["config"]["reset_after"]


def _picture_config(config: Config) -> None:
    """Put the layers of a Sequential as Keras 1 wrote them: a list, without a layer for the input."""
    shape = [None, 8, 8, 3]
    names = [layer["config"]["name"] for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
    common = {"trainable": True}
    picture = {"dim_ordering": "tf", "init": "glorot_uniform", "W_regularizer": None, "b_regularizer": None,
               "activity_regularizer": None, "W_constraint": None, "b_constraint": None, "activation": "linear"}  # fmt: skip
    layers: list[tuple[str, Config]] = [
        ("Convolution2D", {**picture, "nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same", "subsample": [1, 1],
                           "bias": True, "batch_input_shape": shape, "input_dtype": "float32"}),
        ("BatchNormalization", {"epsilon": 1e-5, "mode": 0, "axis": -1, "momentum": 0.99, "gamma_regularizer": None,
                                "beta_regularizer": None, "beta_init": "zero", "gamma_init": "one"}),
        ("LeakyReLU", {"alpha": {"type": "ndarray", "value": 0.3}}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid", "dim_ordering": "tf"}),
        ("AtrousConvolution2D", {**picture, "nb_filter": 5, "nb_row": 2, "nb_col": 2, "border_mode": "valid",
                                 "subsample": [1, 1], "bias": False, "atrous_rate": [2, 2]}),
        ("ZeroPadding2D", {"padding": [1, 2], "dim_ordering": "tf"}),
        ("UpSampling2D", {"size": [2, 1], "dim_ordering": "tf"}),
        ("SpatialDropout2D", {"p": 0.2, "dim_ordering": "tf"}),
        ("GlobalAveragePooling2D", {"dim_ordering": "tf"}),
        ("Dropout", {"p": 0.5}),
        ("Dense", {"output_dim": 3, "init": "glorot_uniform", "activation": "softmax", "bias": True, "input_dim": None,
                   "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
                   "b_constraint": None}),
    ]  # fmt: skip
    config["config"] = [
        {"class_name": kind, "config": {"name": name, **common, **body}}
        for name, (kind, body) in zip(names, layers, strict=True)
    ]


def _word_config(config: Config) -> None:
    recurrent = {"output_dim": 3, "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh",
                 "inner_activation": "hard_sigmoid", "return_sequences": False, "go_backwards": False, "stateful": False,
                 "unroll": False, "consume_less": "cpu", "W_regularizer": None, "U_regularizer": None, "b_regularizer": None,
                 "dropout_W": 0.0, "dropout_U": 0.0, "input_dim": 4, "input_length": None}  # fmt: skip
    bodies: dict[str, tuple[str, Config]] = {
        "ids": ("InputLayer", {"batch_input_shape": [None, 6], "input_dtype": "int32", "sparse": False}),
        "table": ("Embedding", {"input_dim": 9, "output_dim": 4, "init": "uniform", "input_length": None, "mask_zero": False,
                                "activity_regularizer": None, "W_regularizer": None, "W_constraint": None, "dropout": 0.0}),
        "left": ("LSTM", {**recurrent, "forget_bias_init": "one"}),
        "right": ("GRU", recurrent),
        "wide": ("Convolution1D", {"nb_filter": 3, "filter_length": 2, "border_mode": "valid", "subsample_length": 1,
                                   "bias": True, "init": "glorot_uniform", "activation": "linear", "W_regularizer": None,
                                   "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
                                   "b_constraint": None, "input_dim": 4, "input_length": None}),
        "most": ("GlobalMaxPooling1D", {}),
        "sum": ("Merge", {"mode": "sum", "mode_type": "raw", "concat_axis": -1, "dot_axes": -1, "output_shape": None,
                          "output_shape_type": "raw", "output_mask": None, "output_mask_type": "raw", "arguments": {}}),
        "merged": ("Merge", {"mode": "concat", "mode_type": "raw", "concat_axis": -1, "dot_axes": -1, "output_shape": None,
                             "output_shape_type": "raw", "output_mask": None, "output_mask_type": "raw", "arguments": {}}),
        "noise": ("GaussianNoise", {"sigma": 0.1}),
        "answer": ("Dense", {"output_dim": 2, "init": "glorot_uniform", "activation": "linear", "bias": True,
                             "input_dim": None, "W_regularizer": None, "b_regularizer": None}),
    }  # fmt: skip
    config["class_name"] = "Model"
    for layer in config["config"]["layers"]:
        kind, body = bodies[layer["name"]]
        nodes = [[reference[:3] for reference in node] for node in layer["inbound_nodes"]]
        layer.update(class_name=kind, config={"name": layer["name"], **body}, inbound_nodes=nodes)
        layer.pop("module", None)
        layer.pop("registered_name", None)
        layer.pop("build_config", None)


def _old_weights(group: Any, config: Config) -> None:
    """Divide gates into weights of their own, as Keras 1 kept them."""
    import numpy as np

    body = config["config"]
    kinds = {
        layer["config"]["name"]: layer["class_name"] for layer in (body if isinstance(body, list) else body["layers"])
    }
    # Keras 1 kept the gates of an LSTM in the order i, c, f, o.
    orders = {"LSTM": (0, 2, 1, 3), "GRU": (0, 1, 2)}
    for layer in list(group):
        if kinds.get(layer) == "Convolution1D":
            names = list(group[layer].attrs["weight_names"])
            kernel = group[layer][names[0]][()]
            del group[layer][names[0]]
            group[layer][names[0]] = kernel[:, None]
        if kinds.get(layer) not in orders:
            continue
        arrays = [group[layer][name][()] for name in group[layer].attrs["weight_names"]]
        gates = [np.split(array, len(orders[kinds[layer]]), axis=-1) for array in arrays]
        names = []
        for number in orders[kinds[layer]]:
            for letter, parts in zip("WUb", gates, strict=True):
                names.append(f"{layer}_{letter}_{number}")
                group[layer][names[-1]] = parts[number]
        group[layer].attrs["weight_names"] = [name.encode() for name in names]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
