"""Makes SavedModels as training leaves them, all harmless; run as a program, because it imports TensorFlow.

Usage: python -m tests.helpers.training_models FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def main(folder: Path) -> None:
    """Write them, each into a folder of its name, with a signature ``serving_default``."""
    import keras
    import tensorflow as tf
    import tf_keras

    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(3)
    _modules(folder, tf)
    _graphs(folder, tf)
    _graph_of_files(folder, tf)
    for name, library in (("keras2", tf_keras), ("keras3", keras)):
        model = _trained(library, tf)
        if name == "keras2":
            model.save(folder / "keras2_saved", save_format="tf")
            model.save(folder / "keras2_nested.h5")
        model.export(folder / f"{name}_exported")
    _lookups(tf_keras, tf).save(folder / "keras2_lookups", save_format="tf")
    _custom_gradient(folder, tf)


def _modules(folder: Path, tf: Any) -> None:
    class Trained(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.reshape(tf.range(12.0), (4, 3)))
            self.velocity = tf.Variable(tf.zeros((4, 3)))
            self.steps = tf.Variable(0)
            self.constant = tf.constant([1.0, 2.0, 3.0])
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([3, 5])), -1
            )
            self.counts = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            self.random = tf.random.Generator.from_seed(1)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": x @ self.kernel + self.constant}

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32), tf.TensorSpec([None, 3], tf.float32)])
        def train(self, x: Any, y: Any) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((x @ self.kernel - y) ** 2)
            gradient = tape.gradient(loss, self.kernel) + self.random.normal((4, 3))
            self.velocity.assign(0.9 * self.velocity + gradient)
            self.kernel.assign_sub(0.1 * self.velocity)
            self.steps.assign_add(1)
            tf.print("loss", loss, output_stream=sys.stderr)
            return {"loss": loss}

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def evaluate(self, path: Any) -> dict[str, Any]:
            lines = tf.strings.split(tf.io.read_file(path), "\n")
            return {"ids": self.table.lookup(lines)}

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def export(self, path: Any) -> dict[str, Any]:
            tf.io.write_file(path, tf.io.serialize_tensor(self.kernel))
            return {"steps": tf.identity(self.steps)}

    module = Trained()
    signatures = {"serving_default": module.serve, "train": module.train, "evaluate": module.evaluate}
    tf.saved_model.save(module, str(folder / "signatures"), signatures={**signatures, "export": module.export})
    tf.saved_model.save(module, str(folder / "functions"), signatures=module.serve)


def _graphs(folder: Path, tf: Any) -> None:
    """Write what TensorFlow 1 saves: variables of both kinds, optimisers, sharded savers, tables, summaries."""
    v1 = tf.compat.v1
    for name, settings in {
        "graph": {"use_resource": False, "optimizer": v1.train.AdamOptimizer},
        "graph_resource": {"use_resource": True, "optimizer": v1.train.MomentumOptimizer},
    }.items():
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 4], name="x")
            target = v1.placeholder(tf.float32, [None, 3], name="target")
            v1.train.get_or_create_global_step()
            kernel = v1.get_variable("kernel", [4, 3], use_resource=settings["use_resource"])
            keys = tf.constant(["a", "b"])
            table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, tf.constant([3, 5])), -1)
            y = tf.identity(tf.matmul(x, kernel), name="y")
            loss = tf.reduce_mean((y - target) ** 2)
            v1.summary.scalar("loss", loss)
            v1.summary.merge_all()
            kind = settings["optimizer"]
            optimizer = kind(0.1) if kind is v1.train.AdamOptimizer else kind(0.1, 0.9)
            train = optimizer.minimize(loss, global_step=v1.train.get_global_step())
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            session.run(train, {x: [[1.0] * 4], target: [[1.0] * 3]})
            builder = v1.saved_model.builder.SavedModelBuilder(str(folder / name))
            serve = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            words = v1.placeholder(tf.string, [None], name="words")
            ids = v1.saved_model.predict_signature_def({"words": words}, {"ids": table.lookup(words)})
            training = v1.saved_model.predict_signature_def({"x": x, "target": target}, {"loss": loss})
            builder.add_meta_graph_and_variables(
                session,
                ["serve"],
                signature_def_map={"serving_default": serve, "ids": ids, "train": training},
                main_op=v1.tables_initializer(),
                saver=v1.train.Saver(sharded=name == "graph_resource"),
            )
            builder.save()


def _graph_of_files(folder: Path, tf: Any) -> None:
    """Write a graph of TensorFlow 1 whose training reads files through queues, and which has logs of its own."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        queue = v1.train.string_input_producer(["examples.tfrecord"])
        _, example = v1.TFRecordReader().read(queue)
        rows = v1.train.batch([tf.io.decode_raw(example, tf.float32)], 2, shapes=[[4]])
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        kernel = v1.get_variable("kernel", [4, 3], initializer=v1.ones_initializer(), use_resource=False)
        y = tf.identity(tf.nn.relu(tf.matmul(x, kernel)), name="y")
        loss = tf.reduce_mean(tf.matmul(rows, kernel))
        v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder / "graph_of_files"), {"x": x}, {"y": y})
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y", loss.op.name])
        (folder / "frozen_of_files.pb").write_bytes(frozen.SerializeToString())


def _trained(library: Any, tf: Any) -> Any:
    layers = library.layers
    inside = library.Sequential([library.Input((4,)), layers.Dense(6, activation="relu"), layers.BatchNormalization()])
    inside.compile(optimizer="sgd", loss="mse")
    x = library.Input((4,), name="x")
    model = library.Model(x, layers.Dense(3, name="y", kernel_regularizer="l2")(layers.Dropout(0.5)(inside(x))))
    model.compile(optimizer=library.optimizers.Adam(), loss="mse", metrics=["mae"])
    model.fit(tf.ones((4, 4)), tf.ones((4, 3)), verbose=0)
    return model


def _lookups(library: Any, tf: Any) -> Any:
    """Give a model whose layers look words up and have counted them."""
    layers = library.layers
    words = library.Input((), dtype=tf.string, name="words")
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    number = layers.Embedding(4, 3)(lookup(words))
    return library.Model(words, layers.Dense(2)(number))


def _custom_gradient(folder: Path, tf: Any) -> None:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 1.0)

    class Clipped(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones((4, 3)))

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": clipped(x @ self.kernel)}

    module = Clipped()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(folder / "custom_gradient"), signatures=module.serve, options=options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
