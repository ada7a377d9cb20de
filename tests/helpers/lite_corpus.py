"""Keras networks as TensorFlow's converter writes them for TensorFlow Lite, float and quantised.

``python tests/helpers/lite_corpus.py FOLDER`` writes ``NAME-KIND.tflite``, in one process with TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def networks(keras: Any) -> dict[str, Callable[[], Any]]:
    """Give functions that make networks, by name."""
    layers = keras.layers

    def mobile() -> Any:
        """Convolutions, depthwise ones, an addition, a pool, a product: what MobileNetV2 is made of."""
        x = picture = layers.Input((24, 24, 3), batch_size=1)
        x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
        x = first = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.Add()([first, layers.Conv2D(8, 1)(x)])
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, padding="valid", activation="relu")(x))
        return keras.Model(picture, layers.Softmax()(layers.Dense(10)(x)))

    def decoder() -> Any:
        """What draws pictures: transposed convolutions, resizes, concatenations, activations of many kinds."""
        x = picture = layers.Input((12, 12, 3), batch_size=1)
        down = layers.Conv2D(8, 3, strides=2, padding="same", activation="swish")(x)
        x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(down)
        x = layers.Concatenate()([layers.LeakyReLU(0.1)(x), layers.UpSampling2D(2, interpolation="bilinear")(down)])
        x = layers.PReLU(shared_axes=[1, 2])(layers.SeparableConv2D(8, 3, padding="same")(x))
        return keras.Model(picture, layers.Conv2D(1, 1, activation="sigmoid")(layers.UpSampling2D(2)(x)))

    def text() -> Any:
        """Rows of a table, attention, normalisation."""
        ids = layers.Input((6,), batch_size=1, dtype="int32")
        x = layers.Embedding(120, 16)(ids)
        x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)]))
        x = layers.Dense(16, activation="gelu")(x)
        return keras.Model(ids, layers.Dense(4)(layers.Flatten()(x)))

    def open_batch() -> Any:
        """A batch of any length, flattened as Keras does."""
        x = picture = layers.Input((8, 8, 2))
        x = layers.Flatten()(layers.AveragePooling2D()(layers.Conv2D(4, 3, padding="same")(x)))
        return keras.Model(picture, layers.Dense(3, activation="softmax")(x))

    def loop() -> Any:
        """A GRU, which the converter writes as a loop."""
        x = series = layers.Input((5, 4), batch_size=1)
        return keras.Model(series, layers.Dense(2)(layers.GRU(6)(x)))

    def lstm() -> Any:
        """An LSTM, which the converter writes as an operator of its own."""
        x = series = layers.Input((5, 4), batch_size=1)
        return keras.Model(series, layers.Dense(2)(layers.LSTM(6)(layers.LSTM(7, return_sequences=True)(x))))

    return {item.__name__.replace("_", "-"): item for item in (mobile, decoder, text, open_batch, loop, lstm)}


quantized = {"mobile": ("float", "float16", "hybrid", "int8", "pixels"), "decoder": ("float", "int8")}


def convert(tf: Any, np: Any, model: Any, kind: str) -> bytes:
    """Convert one network."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in {"int8", "pixels"}:
        shape = (1, *model.inputs[0].shape[1:])

        def samples() -> Iterator[list[Any]]:
            for number in range(20):
                yield [np.random.default_rng(number).uniform(0, 1, shape).astype("f4")]

        converter.representative_dataset = samples
    if kind == "pixels":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def main(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    for name, build in networks(keras).items():
        keras.utils.set_random_seed(1)
        model = build()
        for kind in quantized.get(name, ("float",)):
            (folder / f"{name}-{kind}.tflite").write_bytes(convert(tf, np, model, kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
