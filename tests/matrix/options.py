"""The activations of a Keras, and the options of its layers that change what they compute."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.matrix.items import Item, layer, pair, picture, steps

not_activations = {"deserialize", "get", "serialize", "threshold"}


def activations(library: Any) -> Iterator[Item]:
    for name in dir(library.activations):
        function = getattr(library.activations, name)
        if inspect.isfunction(function) and name not in not_activations:
            yield layer(f"Activation-{name}", lambda name=name: library.layers.Activation(name), steps)


def options(library: Any) -> Iterator[Item]:
    layers = library.layers
    yield from _recurrent(library)
    for options in ({"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 3}, {"use_bias": False}):
        for suffix, shape in (("1D", (9, 6)), ("2D", (7, 8, 6)), ("3D", (5, 5, 5, 3))):
            yield layer(
                _named(f"Conv{suffix}", options),
                lambda s=suffix, o=options: getattr(layers, f"Conv{s}")(6, 3, **o),
                shape,
            )
    for suffix, shape in (("1D", (6, 4)), ("2D", (5, 6, 4)), ("3D", (3, 4, 3, 2))):
        for options in (
            {"padding": "same", "strides": 2},
            {"padding": "valid", "strides": 2},
            {"padding": "same", "strides": 3, "use_bias": False},
        ):
            yield layer(
                _named(f"Conv{suffix}Transpose", options),
                lambda s=suffix, o=options: getattr(layers, f"Conv{s}Transpose")(3, 3, **o),
                shape,
            )
    yield layer("Conv1D-causal", lambda: layers.Conv1D(3, 3, padding="causal", dilation_rate=2), steps)
    yield layer(
        "DepthwiseConv2D-wide",
        lambda: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same"),
        picture,
    )
    yield layer("SeparableConv1D-wide", lambda: layers.SeparableConv1D(5, 3, depth_multiplier=2, padding="same"), steps)
    yield layer(
        "SeparableConv2D-dilated", lambda: layers.SeparableConv2D(5, 2, dilation_rate=2, activation="relu"), picture
    )
    for kind in ("AveragePooling", "MaxPooling"):
        for suffix, shape in (("1D", (7, 3)), ("2D", (7, 6, 3)), ("3D", (5, 4, 5, 2))):
            yield layer(
                f"{kind}{suffix}-same",
                lambda k=kind, s=suffix: getattr(layers, f"{k}{s}")(3, strides=2, padding="same"),
                shape,
            )
            yield layer(
                f"Global{kind}{suffix}-kept",
                lambda k=kind, s=suffix: getattr(layers, f"Global{k}{s}")(keepdims=True),
                shape,
            )
    for interpolation in ("bilinear", "bicubic", "lanczos3", "lanczos5") + (
        ("gaussian", "area", "mitchellcubic") if library.__name__ == "tf_keras" else ()
    ):
        yield layer(
            f"UpSampling2D-{interpolation}",
            lambda i=interpolation: layers.UpSampling2D((2, 3), interpolation=i),
            picture,
        )
        yield layer(
            f"Resizing-{interpolation}", lambda i=interpolation: layers.Resizing(9, 4, interpolation=i), picture
        )
    yield layer("Resizing-cropped", lambda: layers.Resizing(4, 4, crop_to_aspect_ratio=True), (6, 8, 3))
    yield layer("BatchNormalization-plain", lambda: layers.BatchNormalization(center=False, scale=False), picture)
    yield layer("BatchNormalization-axis-1", lambda: layers.BatchNormalization(axis=1), steps)
    yield from _several_axes(library)
    yield layer("GroupNormalization-each", lambda: layers.GroupNormalization(groups=-1), picture)
    yield layer("Softmax-axis-1", lambda: layers.Softmax(axis=1), steps)
    yield layer("ReLU-full", lambda: layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5))
    yield layer(
        "Embedding-masked",
        lambda: _stack(library, layers.Embedding(9, 4, mask_zero=True), layers.GlobalAveragePooling1D()),
        (5,),
        "ids",
    )
    yield layer(
        "StringLookup-hot", lambda: layers.StringLookup(vocabulary=["one", "two"], output_mode="one_hot"), (1,), "text"
    )
    yield layer(
        "IntegerLookup-hot", lambda: layers.IntegerLookup(vocabulary=[3, 5, 8], output_mode="multi_hot"), (4,), "ids"
    )
    yield layer(
        "CategoryEncoding-count", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="count"), (3,), "ids"
    )
    yield layer(
        "CategoryEncoding-hot", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="one_hot"), (1,), "ids"
    )
    yield layer(
        "Discretization-hot", lambda: layers.Discretization(bin_boundaries=[-0.5, 0.7], output_mode="one_hot"), (1,)
    )
    yield layer("TimeDistributed-Dense", lambda: layers.TimeDistributed(layers.Dense(3, activation="relu")), steps)
    yield layer(
        "Nested",
        lambda: _stack(
            library, layers.Dense(5, activation="gelu" if library.__name__ == "keras" else "swish"), layers.Dense(2)
        ),
    )
    yield layer("Concatenate-axis", lambda: _stack(library, layers.Reshape((3, 2)), layers.Permute((2, 1))))


def _several_axes(library: Any) -> Iterator[Item]:
    """Give layers over several axes, which Keras 3 loses in HDF5 files."""
    layers = library.layers
    lost = "loses in HDF5 files" if library.__name__ == "keras" else ""
    for item in (
        layer("LayerNormalization-axes", lambda: layers.LayerNormalization(axis=[-2, -1]), steps),
        layer("UnitNormalization-axes", lambda: layers.UnitNormalization(axis=[1, 2]), steps),
        layer("Softmax-axes", lambda: layers.Softmax(axis=(1, 2)), steps),
    ):
        yield replace(item, h5=lost)


def _recurrent(library: Any) -> Iterator[Item]:
    layers = library.layers
    options: list[dict[str, Any]] = [
        {"return_sequences": True}, {"go_backwards": True}, {"go_backwards": True, "return_sequences": True},
        {"unroll": True}, {"use_bias": False}, {"dropout": 0.2, "recurrent_dropout": 0.2}, {"activation": "relu"},
    ]  # fmt: skip
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        make = getattr(layers, kind)
        gated = [] if kind == "SimpleRNN" else [{"recurrent_activation": "hard_sigmoid"}, {"implementation": 1}]
        before = [{"reset_after": False}] if kind == "GRU" else []
        for changed in (*options, *gated, *before):
            yield layer(_named(kind, changed), lambda m=make, o=changed: m(4, **o), steps)
        yield layer(f"{kind}-bidirectional", lambda m=make: layers.Bidirectional(m(4)), steps)
        yield layer(
            f"{kind}-bidirectional-sum",
            lambda m=make: layers.Bidirectional(m(4, return_sequences=True), merge_mode="sum"),
            steps,
        )
        yield layer(f"{kind}-masked", lambda m=make: _stack(library, layers.Masking(), m(4)), steps)
        yield layer(
            f"{kind}-bidirectional-masked",
            lambda m=make: _stack(library, layers.Masking(), layers.Bidirectional(m(4))),
            steps,
        )
        yield pair(f"{kind}-state", lambda x, m=make: layers.Concatenate()(m(4, return_state=True)(x)), steps)
        if kind == "LSTM":
            yield pair("LSTM-initial", lambda x, h, c, m=make: m(4)(x, initial_state=[h, c]), steps, (4,), (4,))
        else:
            yield pair(f"{kind}-initial", lambda x, h, m=make: m(4)(x, initial_state=h), steps, (4,))
        yield layer(f"{kind}-open", lambda m=make: m(4), (None, 4))
        for mode in ("mul", "ave"):
            yield layer(
                f"{kind}-bidirectional-{mode}", lambda m=make, o=mode: layers.Bidirectional(m(4), merge_mode=o), steps
            )
        yield layer(
            f"{kind}-masked-sequences",
            lambda m=make: _stack(library, layers.Masking(), m(4, return_sequences=True, go_backwards=True)),
            steps,
        )
        yield pair(
            f"{kind}-bidirectional-state",
            lambda x, m=make: layers.Concatenate()(layers.Bidirectional(m(4, return_state=True))(x)),
            steps,
        )
        stateful = layer(
            f"{kind}-stateful", lambda m=make: m(4, stateful=True), steps, outcome="keeps state from call to call"
        )
        yield replace(stateful, batch=2)


def _stack(library: Any, *layers: Any) -> Any:
    return library.Sequential(list(layers))


def _named(kind: str, options: dict[str, Any]) -> str:
    return "-".join([kind, *(f"{key}-{value}" for key, value in options.items())]).replace("_", "-")
