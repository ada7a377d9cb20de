"""Makes tiny TensorFlow models of every kind of source; run as a program, because it imports TensorFlow.

Usage: python tf_models.py FOLDER
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def main(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf

    tf.random.set_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    _saved_models(folder, tf, np)
    _old_saved_model(folder, tf, np)
    _hostile(folder, tf)
    _frozen(folder, tf, np)
    _keras(folder, tf)


def _saved_models(folder: Path, tf: Any, np: Any) -> None:
    class Two(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(np.linspace(-1, 1, 48, dtype=np.float32).reshape(8, 6))
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([3, 5])), -1
            )

        @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            logits = x @ self.kernel
            return {"scores": tf.nn.softmax(logits), "logits": logits}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 8], tf.float32, name="b"),
                tf.TensorSpec([None, 8], tf.float32, name="a"),
                tf.TensorSpec([None], tf.int64, name="unused"),
            ]
        )
        def pair(self, b: Any, a: Any, unused: Any) -> dict[str, Any]:
            return {"difference": (b - a) @ self.kernel, "tail": a[:, 2 : 2**62]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="path")])
        def picture(self, path: Any) -> dict[str, Any]:
            return {"pixels": tf.reduce_sum(tf.io.decode_jpeg(tf.strings.as_string(path[0])))}

        @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="path")])
        def reads(self, path: Any) -> dict[str, Any]:
            return {"bytes": tf.io.read_file(path)}

    module = Two()
    signatures = {
        "serving_default": module.serve,
        "pair": module.pair,
        "picture": module.picture,
        "reads": module.reads,
    }
    tf.saved_model.save(module, str(folder / "two"), signatures=signatures)

    class Words(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b"]), tf.constant([3, 5])), -1
            )

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def serve(self, words: Any) -> dict[str, Any]:
            return {"ids": self.table.lookup(words)}

    words = Words()
    tf.saved_model.save(words, str(folder / "words"), signatures=words.serve)

    class Loop(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(np.linspace(-0.1, 0.1, 4096, dtype=np.float32).reshape(64, 64))

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            steps = tf.cast(tf.reduce_max(tf.abs(x)) * 3, tf.int32)
            _, y = tf.while_loop(lambda i, _: i < steps, lambda i, y: (i + 1, tf.tanh(y @ self.kernel)), (0, x))
            return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: y @ self.kernel, lambda: y - x @ self.kernel)}

    loop = Loop()
    tf.saved_model.save(loop, str(folder / "loop"), signatures=loop.serve)
    tf.saved_model.save(loop, str(folder / "spaces [1] * ? é 模型"), signatures=loop.serve)

    class Constant(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": x + 1.0}

    constant = Constant()
    tf.saved_model.save(constant, str(folder / "constant"), signatures=constant.serve)


def _old_saved_model(folder: Path, tf: Any, np: Any) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        rate = v1.placeholder_with_default(tf.constant(2.0), [], name="rate")
        kernel = v1.get_variable(
            "kernel", initializer=np.arange(12, dtype=np.float32).reshape(4, 3), use_resource=False
        )
        y = tf.identity(tf.matmul(x, kernel) * rate, name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder / "old"))
        signature = v1.saved_model.predict_signature_def({"images": x}, {"answers": y})
        builder.add_meta_graph_and_variables(session, ["serve", "cpu"], signature_def_map={"predict": signature})
        builder.save()


def _hostile(folder: Path, tf: Any) -> None:
    canary = str(folder / "canary.txt")

    class Writes(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            tf.io.write_file(canary, "executed")
            return {"y": x * 2}

    class Calls(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": tf.py_function(lambda a: a * 2, [x], tf.float32)}

    class Prints(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            tf.print(x, output_stream=f"file://{canary}")
            return {"y": x * 2}

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        def _initialize(self) -> None:
            tf.io.write_file(canary, "executed at load")

    class Loads(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.resource = Resource()
            _ = self.resource.resource_handle

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": x * 2}

    for kind in (Writes, Calls, Prints, Loads):
        module = kind()
        tf.saved_model.save(module, str(folder / f"hostile_{kind.__name__.lower()}"), signatures=module.serve)
    Path(canary).unlink(missing_ok=True)


def _frozen(folder: Path, tf: Any, np: Any) -> None:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    kernel = tf.Variable(np.linspace(-0.1, 0.1, 4096, dtype=np.float32).reshape(64, 64))

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="x")])
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ kernel) + 0.5), (0, x))[1]

    frozen = convert_variables_to_constants_v2(loop.get_concrete_function(), lower_control_flow=False)
    (folder / "loop.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 1024], name="x")
        kernel = (np.arange(1024 * 1100, dtype=np.float32) % 7 - 3).reshape(1024, 1100) / 1024
        tf.nn.relu(tf.nn.bias_add(tf.matmul(x, kernel), np.ones(1100, np.float32)), name="y")
        (folder / "large.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.matmul(x, np.arange(12, dtype=np.float32).reshape(4, 3), name="y")
        (folder / "one.pb").write_bytes(graph.as_graph_def().SerializeToString())
        tf.nn.relu(y, name="first")
        tf.nn.sigmoid(y, name="second")
        (folder / "several.pb").write_bytes(graph.as_graph_def().SerializeToString())
        tf.add(v1.get_variable("v", initializer=1.0), y)
        (folder / "unfrozen.pb").write_bytes(graph.as_graph_def().SerializeToString())


def _keras(folder: Path, tf: Any) -> None:
    import keras
    import tf_keras

    for version, library in ((2, tf_keras), (3, keras)):
        model = _convolution(library)
        model.compile(optimizer="adam", loss="mse")
        model.fit(tf.random.uniform([4, 16, 16, 3]), [tf.random.uniform([4, 5]), tf.random.uniform([4, 4])], verbose=0)
        model.save(folder / f"keras{version}.h5")
        model.save(folder / f"keras{version}.keras")
        model.save_weights(folder / f"keras{version}.weights.h5")
        if version == 2:
            model.save(folder / "keras2_saved", save_format="tf")
            _capturing(library).save(folder / "keras2_capturing", save_format="tf")
        for kind in ("LSTM", "GRU"):
            layers = library.layers
            steps = library.Input((7, 12), name="steps")
            hidden = layers.Bidirectional(getattr(layers, kind)(24, return_sequences=True))(steps)
            answer = layers.Dense(3, name="answer")(getattr(layers, kind)(24)(hidden))
            library.Model(steps, answer).save(folder / f"{kind.lower()}{version}.keras")
        layers = library.layers
        inside = library.Sequential([library.Input((4,)), layers.Lambda(lambda x: x * 2)])
        image = library.Input((4,), name="twice")
        library.Model(image, layers.Dense(2)(inside(image))).save(folder / f"lambda{version}.h5")
        library.Model(image, layers.Dense(2)(inside(image))).save(folder / f"lambda{version}.keras")
    _duplicated_names(folder, tf_keras)
    _external(folder, tf_keras)

    class Halve(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x / 2

    keras.Sequential([keras.Input((4,)), Halve()]).save(folder / "custom.keras")
    whole = (folder / "keras3.keras").read_bytes()
    (folder / "truncated.keras").write_bytes(whole[: len(whole) // 2])
    whole = (folder / "keras2.h5").read_bytes()
    (folder / "truncated.h5").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(folder / "keras3.keras") as source, zipfile.ZipFile(folder / "slip.keras", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.writestr("../../outside.txt", "executed")


def _convolution(library: Any) -> Any:
    layers = library.layers
    image = library.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.5)(x)
    scores = layers.Dense(5, activation="softmax", name="scores")(x)
    points = layers.Dense(4, name="points")(x)
    return library.Model(image, [scores, points])


def _capturing(library: Any) -> Any:
    """Give a compiled model whose layers' functions capture constants and have gradients of their own."""
    layers = library.layers
    image = library.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, activation="swish")(image)
    model = library.Model(image, layers.Dense(3)(layers.LSTM(5)(layers.Reshape((36, 8))(x))))
    model.compile(optimizer="adam", loss="mse")
    return model


def _duplicated_names(folder: Path, tf_keras: Any) -> None:
    """Write a file as old Keras did: the weights of different layers carry the same names."""
    import h5py

    model = _convolution(tf_keras)
    model.save(folder / "duplicated.hdf5")
    with h5py.File(folder / "duplicated.hdf5", "r+") as file:
        group = file["model_weights"]
        for layer in group.attrs["layer_names"]:
            names = [name.decode() if isinstance(name, bytes) else name for name in group[layer].attrs["weight_names"]]
            plain = []
            for name in names:
                last = "w/" + name.rsplit("/", 1)[-1]
                group[layer].move(name, last)
                plain.append(last.encode())
            if plain:
                group[layer].attrs["weight_names"] = plain
        file.attrs["keras_version"] = b"2.0.5"


def _external(folder: Path, tf_keras: Any) -> None:
    """Write a file whose dataset lies in another file, as one would to publish that file's content."""
    import h5py

    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2, use_bias=False, name="dense")])
    model.save(folder / "external.h5")
    (folder / "secret.bin").write_bytes(bytes(32))
    with h5py.File(folder / "external.h5", "r+") as file:
        group = file["model_weights/dense/dense"]
        del group["kernel:0"]
        group.create_dataset("kernel:0", (4, 2), "<f4", external=[(str(folder / "secret.bin"), 0, 32)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
