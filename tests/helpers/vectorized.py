"""Ids that Keras' TextVectorization makes, and a model that begins with one; run as a program: it imports TensorFlow.

Usage: python vectorized.py FOLDER, where texts.json lies; writes ids.json and the models model, large, pair and own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
lines = [
    "the cat sat on the mat",
    "a dog's day",
    "Foo BAR baz 今天 天气 真 好",
    "今天天气真好",
    "été ÉTÉ 👍🏽",
    "  ,, .. a",
]
layers: dict[str, dict[str, Any]] = {
    "default": {},
    "lower": {"standardize": "lower"},
    "strip": {"standardize": "strip_punctuation"},
    "none": {"standardize": None},
    "long": {"output_sequence_length": 7},
    "characters": {"split": "character"},
    "plain characters": {"split": "character", "standardize": None, "output_sequence_length": 9},
    "whole": {"split": None},
    "whole and none": {"split": None, "standardize": None},
    "pairs": {"ngrams": 2, "output_sequence_length": 12},
    "threes": {"ngrams": (3, 1), "standardize": "lower"},
    "character pairs": {"split": "character", "ngrams": 2},
    "few": {"max_tokens": 5},
}


def main(folder: Path) -> None:
    import keras
    import tensorflow as tf

    texts = json.loads((folder / "texts.json").read_text("utf-8"))
    found = {}
    for name, options in layers.items():
        layer = keras.layers.TextVectorization(**options)
        layer.adapt(lines)
        ids = [layer(tf.constant([[text]])).numpy()[0].tolist() for text in texts]
        found[name] = {"words": layer.get_vocabulary(include_special_tokens=True), "ids": ids}
    (folder / "ids.json").write_text(json.dumps(found))
    keras.utils.set_random_seed(5)

    def head(name: str, width: int = 4, words: list[str] = lines, **options: Any) -> tuple[Any, Any]:
        text = keras.Input((1,), dtype="string", name=name)
        layer = keras.layers.TextVectorization(output_sequence_length=6, **options)
        layer.adapt(words)
        rows = keras.layers.Embedding(60, width)(layer(text))
        return text, keras.layers.GlobalAveragePooling1D()(rows)

    def own(texts: Any) -> Any:
        return tf.strings.regex_replace(texts, "a", "b")

    text, mean = head("text")
    answer = keras.layers.Dense(3, activation="softmax")(mean)
    keras.Model(text, answer).export(str(folder / "model"), verbose=False)
    text, mean = head("line", 200, lines[::-2])
    answer = keras.layers.Dense(3, activation="softmax")(mean)
    keras.Model(text, answer).export(str(folder / "large"), verbose=False)
    (title, one), (body, other) = head("title"), head("body", split="character")
    keras.Model([title, body], keras.layers.Concatenate()([one, other])).export(str(folder / "pair"), verbose=False)
    text, mean = head("text", standardize=own)
    keras.Model(text, mean).export(str(folder / "own"), verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
