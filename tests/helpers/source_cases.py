"""Models that people bring, one of each kind that once failed: ``python tests/helpers/source_cases.py FOLDER``.

Writes ``FOLDER/NAME.keras``, ``NAME.h5`` or the SavedModel ``NAME/``, in one process with TensorFlow.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def keras_models(keras: Any, np: Any) -> dict[str, Callable[[], Any]]:
    """Give what makes each model of Keras 3, by the name of its file."""
    layer, model = keras.layers, keras.Model

    def sequential(*layers: Any, **options: Any) -> Any:
        return keras.Sequential(list(layers), **options)

    def without_input() -> Any:
        net = sequential(layer.Embedding(50, 8), layer.GlobalAveragePooling1D(), layer.Dense(1))
        net(np.zeros((1, 7)))
        return net

    def nested() -> Any:
        convolutions = [layer.Conv2D(4, 3), layer.BatchNormalization(), layer.ReLU()]
        base = sequential(keras.Input((16, 16, 3)), *convolutions, layer.Conv2D(6, 3, strides=2))
        head = [layer.GlobalAveragePooling2D(), layer.Dropout(0.2), layer.Dense(3)]
        before = [layer.RandomFlip(), layer.Rescaling(2.0, offset=-1)]
        net = sequential(keras.Input((16, 16, 3)), *before, base, *head)
        net.compile("adam", "mse")
        net.optimizer.build(net.trainable_variables)
        return net

    def named_outputs() -> Any:
        encoder = sequential(keras.Input((10,)), layer.Dense(8, activation="silu"), layer.Dense(4))
        one, two = keras.Input((10,), name="one"), keras.Input((10,), name="two")
        left, right = encoder(one), encoder(two)
        same = layer.Dense(1, activation="sigmoid")(layer.Subtract()([left, right]))
        return model({"one": one, "two": two}, {"same": same, "left": left, "right": right})

    def bfloat16() -> Any:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        try:
            return sequential(keras.Input((8,)), layer.Dense(4), layer.Dense(2, dtype="float32"))
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def stateful() -> Any:
        x = keras.Input(batch_shape=(1, 6, 3))
        return model(x, layer.LSTM(4, stateful=True)(x))

    def long_crop() -> Any:
        x = keras.Input((None, 4))
        return model(x, layer.Conv1D(3, 1)(layer.Cropping1D(5000)(layer.Conv1D(4, 11, padding="same")(x))))

    def masked_gru() -> Any:
        x = keras.Input((None, 5))
        return model(x, layer.Dense(2)(layer.Bidirectional(layer.GRU(4))(layer.Masking()(x))))

    def causal() -> Any:
        x = keras.Input((None,), dtype="int32", name="ids")
        y = layer.Embedding(30, 8, mask_zero=True)(x)
        return model(x, layer.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True))

    return {
        "plain.keras": lambda: sequential(keras.Input((8,)), layer.Dense(5, activation="relu"), layer.Dense(2)),
        "picture.h5": lambda: sequential(
            keras.Input((12, 12, 1)), layer.Conv2D(4, 3), layer.Flatten(), layer.Dense(3, activation="softmax")
        ),
        "without-input.keras": without_input,
        "nested.keras": nested,
        "named-outputs.keras": named_outputs,
        "bfloat16.keras": bfloat16,
        "stateful.keras": stateful,
        "long-crop.keras": long_crop,
        "masked-gru.keras": masked_gru,
        "causal.keras": causal,
    }


def saved_models(tf: Any, keras: Any, np: Any) -> dict[str, Callable[[], Any]]:
    """Give what makes each SavedModel, by the name of its folder: a Keras model or a module."""
    layer = keras.layers
    kernel = np.random.default_rng(1).standard_normal((3, 3, 3, 4)).astype("f4")

    def module(shape: list[int | None], function: Callable[[Any], Any]) -> Any:
        net = tf.Module()
        spec = tf.TensorSpec(shape, tf.float32, name="x")
        net.call = tf.function(function, input_signature=[spec], autograph=False)
        return net

    def gelu() -> Any:
        x = keras.Input((7,))
        return keras.Model(x, layer.Dense(4, activation="gelu")(x))

    def one_hot() -> Any:
        x = keras.Input((1,), name="age")
        return keras.Model(x, layer.Discretization([0.3, 0.5, 0.8], output_mode="one_hot")(x))

    def quantised(x: Any) -> dict[str, Any]:
        fake = tf.quantization.fake_quant_with_min_max_args
        y = tf.nn.conv2d(fake(x, -1, 1.2), fake(kernel, -2, 2, narrow_range=True), 1, "SAME")
        return {"y": fake(tf.nn.relu(y), 0, 6)}

    return {
        "gelu": gelu,
        "one-hot": one_hot,
        "int64-scalar": lambda: module(
            [None, 4], lambda x: {"label": tf.argmax(tf.matmul(x, kernel[0, 0].T), -1) + tf.constant(1, tf.int64)}
        ),
        "sparse": lambda: module(
            [None, 10], lambda x: {"y": tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(x), np.ones((10, 3), "f4"))}
        ),
        "ragged": lambda: module(
            [None, 4], lambda x: {"y": tf.reduce_sum(tf.RaggedTensor.from_tensor(x, padding=0.0), 1)}
        ),
        "quantised": lambda: module([None, 8, 8, 3], quantised),
    }


def teachable_machine(folder: Path, keras: Any) -> None:
    """Write what Teachable Machine exports of a picture project, by the stock converter: MobileNet's head, smaller."""
    from builder.convert.session import load_tensorflow

    load_tensorflow()
    from tensorflowjs.converters import keras_h5_conversion

    layer = keras.layers
    x = picture = keras.Input((32, 32, 3))
    for filters in (6, 8):
        x = layer.BatchNormalization()(layer.Conv2D(filters, 3, 2, "same", use_bias=False)(x))
        x = layer.ReLU(6.0)(x)
        x = layer.BatchNormalization()(layer.DepthwiseConv2D(3, 1, "same", use_bias=False)(x))
    base = keras.Sequential([keras.Model(picture, layer.GlobalAveragePooling2D()(x))])
    scores = layer.Dense(3, "softmax", use_bias=False)
    head = keras.Sequential([layer.Dense(10, "relu", kernel_initializer="variance_scaling"), scores])
    net = keras.Sequential([base, head])
    net.build((None, 32, 32, 3))
    keras_h5_conversion.save_keras_model(net, str(folder))
    content = json.loads((folder / "model.json").read_bytes())
    (folder / content["weightsManifest"][0]["paths"][0]).rename(folder / "weights.bin")
    content["weightsManifest"][0]["paths"] = ["weights.bin"]
    (folder / "model.json").write_text(json.dumps(content))
    metadata = {"tfjsVersion": "1.3.1", "packageName": "@teachablemachine/image", "labels": ["Cat", "Dog", "None"]}
    (folder / "metadata.json").write_text(json.dumps({**metadata, "imageSize": 32}))


# What TensorFlow Decision Forests, which no longer installs beside newer TensorFlows, writes in place of a table's ops.
forest_ops = {
    "HashTableV2": "SimpleMLCreateModelResource",
    "InitializeTableFromTextFileV2": "SimpleMLLoadModelFromPathWithHandle",
    "LookupTableFindV2": "SimpleMLInferenceOpWithHandle",
}


def forest(path: Path, tf: Any) -> None:
    """Write a decision forest: a resource that is read from a file, with the ops that such models have."""
    from tensorflow.core.protobuf import saved_model_pb2

    class Forest(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            rows = path.with_suffix(".txt")
            rows.write_text("0\n1\n2\n")
            keys, values = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            words = tf.lookup.TextFileInitializer(str(rows), tf.string, keys, tf.int64, values)
            self.trees = tf.lookup.StaticHashTable(words, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return tf.cast(self.trees.lookup(tf.strings.as_string(x[:, 0])), tf.float32)

    net = Forest()
    tf.saved_model.save(net, str(path), signatures=net.__call__)
    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = model.meta_graphs[0].graph_def
    found = set()
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        found.add(node.op)
        node.op = forest_ops.get(node.op, node.op)
    assert found >= set(forest_ops)
    file.write_bytes(model.SerializeToString())


def main(folder: Path) -> None:
    import keras
    import numpy as np
    import tensorflow as tf
    import tf_keras

    folder.mkdir(parents=True, exist_ok=True)
    for name, make in keras_models(keras, np).items():
        keras.utils.set_random_seed(3)
        make().save(folder / name)
    for name, make in saved_models(tf, keras, np).items():
        keras.utils.set_random_seed(3)
        net = make()
        if isinstance(net, keras.Model):
            net.export(str(folder / name), verbose=False)
        else:
            tf.saved_model.save(net, str(folder / name))
    keras2 = tf_keras.layers
    old = tf_keras.Sequential([keras2.LSTM(24, input_shape=(None, 12)), keras2.Dense(3)])
    old.save(folder / "lstm2.h5")
    old.save(folder / "lstm2", save_format="tf")
    forest(folder / "forest", tf)
    teachable_machine(folder / "pets", tf_keras)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(Path(sys.argv[1]))
