"""Makes small models that begin with text or tables; run as a program, because it imports TensorFlow.

Usage: python text_models.py FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
lines = ["the cat sat on the mat", "a dog's day", "Foo BAR baz"]


def main(folder: Path) -> None:
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(3)
    _vectorized(folder, keras)
    _looked_up(folder, keras)
    _tables(folder)
    _keras2(folder)


def _head(keras: Any, ids: Any, size: int = 50) -> Any:
    x = keras.layers.Embedding(size, 8)(ids)
    return keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling1D()(x))


def _vectorize(keras: Any, **options: Any) -> Any:
    layer = keras.layers.TextVectorization(max_tokens=50, **options)
    layer.adapt(lines)
    return layer


def _vectorized(folder: Path, keras: Any) -> None:
    layers = keras.layers
    options: dict[str, dict[str, Any]] = {
        "int": {"output_sequence_length": 8},
        "open": {},
        "characters": {"split": "character", "output_sequence_length": 12, "standardize": "lower"},
        "pairs": {"ngrams": 2, "output_sequence_length": 8},
        "whole": {"split": None, "standardize": "strip_punctuation"},
    }
    for name, chosen in options.items():
        text = keras.Input((1,) if name != "open" else (), dtype="string", name="text")
        model = keras.Model(text, _head(keras, _vectorize(keras, **chosen)(text)))
        model.export(str(folder / name), verbose=False)
        if name == "int":
            model.save(folder / "int.keras")
    for mode in ("count", "tf_idf"):
        text = keras.Input((1,), dtype="string", name="text")
        answer = layers.Dense(3)(_vectorize(keras, output_mode=mode)(text))
        keras.Model(text, answer).export(str(folder / mode), verbose=False)
    title, body = (keras.Input((1,), dtype="string", name=name) for name in ("title", "body"))
    shared = _vectorize(keras, output_sequence_length=8)
    own = keras.layers.TextVectorization(output_sequence_length=5)
    own.adapt(["red green blue"])
    both = layers.Concatenate()([_head(keras, shared(title)), _head(keras, own(body))])
    keras.Model([title, body], layers.Dense(2)(both)).export(str(folder / "two"), verbose=False)


def _looked_up(folder: Path, keras: Any) -> None:
    layers = keras.layers
    word = keras.Input((4,), dtype="string", name="word")
    lookup = layers.StringLookup(vocabulary=["red", "green", "blue"])
    keras.Model(word, _head(keras, lookup(word))).export(str(folder / "words"), verbose=False)
    color = keras.Input((1,), dtype="string", name="color")
    hot = layers.StringLookup(vocabulary=["red", "green", "blue"], output_mode="one_hot")
    keras.Model(color, layers.Dense(2)(hot(color))).export(str(folder / "one_hot"), verbose=False)
    code = keras.Input((4,), dtype="int64", name="code")
    numbers = layers.IntegerLookup(vocabulary=[10, 20, 40])
    keras.Model(code, _head(keras, numbers(code))).export(str(folder / "numbers"), verbose=False)
    keras.Model(code, _head(keras, numbers(code))).save(folder / "numbers.keras")
    hashed = layers.Hashing(num_bins=20)
    keras.Model(word, _head(keras, hashed(word))).export(str(folder / "hashed"), verbose=False)
    category = keras.Input((2,), dtype="int32", name="category")
    coded = layers.CategoryEncoding(num_tokens=6, output_mode="multi_hot")(category)
    keras.Model(category, layers.Dense(2)(coded)).export(str(folder / "categories"), verbose=False)
    ids = keras.Input((3,), dtype="int64", name="ids")
    back = layers.StringLookup(vocabulary=["red", "green", "blue"], invert=True)
    keras.Model(ids, back(ids)).export(str(folder / "words_out"), verbose=False)


def _tables(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf

    (folder / "vocabulary.txt").write_text("red\ngreen\nblue\n")

    class Asset(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rows = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))
            file = tf.lookup.TextFileInitializer(
                str(folder / "vocabulary.txt"),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )
            self.table = tf.lookup.StaticVocabularyTable(file, 1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.string, name="words")])  # type: ignore[untyped-decorator]
        def serve(self, words: Any) -> dict[str, Any]:
            return {"vectors": tf.gather(self.rows, self.table.lookup(tf.strings.lower(words)))}

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        words = tf.compat.v1.placeholder(tf.string, [None], name="words")
        columns = {"key_dtype": tf.string, "key_index": -2, "value_dtype": tf.int64, "value_index": -1}
        file = tf.lookup.TextFileInitializer(str(folder / "vocabulary.txt"), **columns)
        table = tf.lookup.StaticHashTable(file, 0)
        rows = tf.compat.v1.get_variable("rows", initializer=np.arange(9, dtype=np.float32).reshape(3, 3))
        answer = tf.gather(rows, table.lookup(tf.strings.lower(words)))
        session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
        old = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(folder / "old_asset"))
        signature = tf.compat.v1.saved_model.predict_signature_def({"words": words}, {"vectors": answer})
        assets = [session.graph.get_tensor_by_name("asset_path:0")]
        old.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, assets, main_op=tf.compat.v1.tables_initializer()
        )
        old.save()
    module = Asset()
    tf.saved_model.save(module, str(folder / "asset"), signatures={"serving_default": module.serve})

    class Unused(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            pairs = [tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([first, 5])) for first in (3, 4)]
            self.tables = [tf.lookup.StaticHashTable(pair, 0) for pair in pairs]
            self.rows = tf.Variable(np.arange(18, dtype=np.float32).reshape(6, 3))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])  # type: ignore[untyped-decorator]
        def serve(self, words: Any) -> dict[str, Any]:
            return {"vectors": tf.gather(self.rows, self.tables[1].lookup(words))}

    module2 = Unused()
    tf.saved_model.save(module2, str(folder / "unused"), signatures={"serving_default": module2.serve})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        words = tf.compat.v1.placeholder(tf.string, [None], name="words")
        pair = tf.lookup.KeyValueTensorInitializer(["red", "blue"], tf.constant([1, 2], tf.int64))
        table = tf.lookup.StaticHashTable(pair, 0)
        rows = tf.compat.v1.get_variable("rows", initializer=np.arange(9, dtype=np.float32).reshape(3, 3))
        answer = tf.gather(rows, table.lookup(tf.strings.lower(words)))
        session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
        tf.compat.v1.saved_model.simple_save(
            session, str(folder / "old"), {"words": words}, {"vectors": answer}, tf.compat.v1.tables_initializer()
        )


def _keras2(folder: Path) -> None:
    import tf_keras

    layers = tf_keras.layers
    text = tf_keras.Input((1,), dtype="string", name="text")
    model = tf_keras.Model(text, _head(tf_keras, _vectorize(tf_keras, output_sequence_length=8)(text)))
    model.save(folder / "saved2", save_format="tf")
    model.save(folder / "int2.keras")
    text = tf_keras.Input((1,), dtype="string", name="text")
    counted = tf_keras.Model(text, layers.Dense(3)(_vectorize(tf_keras, output_mode="tf_idf")(text)))
    counted.export(str(folder / "tf_idf2"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
