"""Layers that defaults cannot make, and what must become of those that are no part of a page's model."""

# ruff: noqa: E501, PLW0108 - one line an item; layers are made when the model is

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.matrix.items import Item, layer, pair, picture, steps, vector

# Classes of which no model is made, and why; the docs say so.
left_out = {
    "Equalization": "Keras itself cannot put it into a model",
    "MaxNumBoundingBoxes": "takes dictionaries of boxes in data pipelines, never a model's tensors",
    "FlaxLayer": "holds code of another framework",
    "JaxLayer": "holds code of another framework",
    "TFSMLayer": "holds a SavedModel: build that",
    "TorchModuleWrapper": "holds code of another framework",
    "DenseFeatures": "takes the feature columns of estimators",
}
# Keras 3's layers for augmentation, beside Random…: they do nothing in inference, but draw in exported SavedModels.
drawing = ("AugMix", "CutMix", "MixUp", "Pipeline", "RandAugment", "Solarization")
not_drawing = ("RandomColorJitter",)  # all its factors are 0 by default

# What Keras cannot write in some form would take the models apart that it shares.
apart = ("RandomBrightness", "RandomColorDegeneration", "RandomCrop", "RandomPosterization", "RandomSaturation",
         "RandomSharpness", "Solarization", "SpectralNormalization")  # fmt: skip


def draws(library: Any, kind: Any) -> bool:
    """Tell whether a class draws numbers in a SavedModel, as those of Keras 3 do."""
    name = kind.__name__
    if library.__name__ == "tf_keras":
        return False
    is_random = name.startswith("Random") and "image" in kind.__module__
    return (is_random or name in drawing) and name not in not_drawing


def special(library: Any) -> dict[str, list[Item]]:
    """Give the items of classes that defaults cannot make, by class."""
    layers = library.layers
    two = (vector, vector)

    def merge(name: str) -> Item:
        return pair(name, lambda *x: getattr(layers, name)()(list(x)), *two)

    def words(name: str, make: Any, outcome: str = "built") -> Item:
        return layer(name, make, (1,), "text", outcome)

    def normalised() -> Any:
        return layers.Normalization(mean=[0.5, -1.0, 0.25, 2, 0, 1], variance=[1.0, 4.0, 0.25, 1, 9, 2])

    def crossed(name: str, **options: Any) -> Item:
        return Item(name, "HashedCrossing", (((1,), "text"), ((1,), "text")),
                    lambda a, b: layers.HashedCrossing(5, **options)((a, b)), outcome="SparseCross", is_sequence=False)  # fmt: skip

    def read_words() -> Item:
        # Alone it would leave nothing to be built.
        def both() -> list[Any]:
            words = layers.TextVectorization(max_tokens=8, output_sequence_length=4, vocabulary=["one", "two"])
            return [words, layers.Embedding(8, 3)]

        def apply(x: Any) -> Any:
            first, second = both()
            return second(first(x))

        return Item("TextVectorization", "TextVectorization", (((1,), "text"),), apply, layers=both)

    table: dict[str, list[Item]] = {name: [merge(name)] for name in
        ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")}  # fmt: skip
    table |= {
        "Dot": [pair("Dot", lambda a, b: layers.Dot(-1)([a, b]), *two),
                pair("Dot-normalised", lambda a, b: layers.Dot((2, 1), normalize=True)([a, b]), (3, 4), (4, 5))],
        "Attention": [pair("Attention", lambda q, v: layers.Attention()([q, v]), steps, steps),
                      pair("Attention-scaled", lambda q, v, k: layers.Attention(use_scale=True)([q, v, k]), steps, (5, 4), (5, 4)),
                      pair("Attention-causal", lambda q, v: layers.Attention()([q, v], use_causal_mask=True), steps, steps)],
        "AdditiveAttention": [pair("AdditiveAttention", lambda q, v: layers.AdditiveAttention()([q, v]), steps, (5, 4))],
        "MultiHeadAttention": [
            pair("MultiHeadAttention", lambda q, v: layers.MultiHeadAttention(2, 4)(q, v), steps, (5, 4)),
            pair("MultiHeadAttention-causal", lambda x: layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True), steps),
        ],
        "Activation": [layer("Activation", lambda: layers.Activation("tanh"))],
        "Discretization": [layer("Discretization", lambda: layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.7]))],
        "CategoryEncoding": [layer("CategoryEncoding", lambda: layers.CategoryEncoding(num_tokens=9, output_mode="multi_hot"), (3,), "ids")],
        "EinsumDense": [layer("EinsumDense", lambda: layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"), steps)],
        "Embedding": [layer("Embedding", lambda: layers.Embedding(9, 4), (5,), "ids")],
        "Normalization": [layer("Normalization", normalised)],
        "Bidirectional": [layer("Bidirectional", lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)), steps)],
        "TimeDistributed": [layer("TimeDistributed", lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), (4, 6, 2))],
        "SpectralNormalization": [layer("SpectralNormalization", lambda: layers.SpectralNormalization(layers.Dense(4)))],
        "StackedRNNCells": [layer("StackedRNNCells", lambda: layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(4)])), steps)],
        "Hashing": [words("Hashing", lambda: layers.Hashing(5)),
                    replace(words("Hashing-masked", lambda: layers.Hashing(5, mask_value="one")), is_alone=True),
                    words("Hashing-hot", lambda: layers.Hashing(5, output_mode="one_hot")),
                    layer("Hashing-ids", lambda: layers.Hashing(5), (4,), "ids", "AsString")],
        "HashedCrossing": [crossed("HashedCrossing"), crossed("HashedCrossing-hot", output_mode="one_hot")],
        "StringLookup": [words("StringLookup", lambda: layers.StringLookup(vocabulary=["one", "two"]))],
        "IntegerLookup": [layer("IntegerLookup", lambda: layers.IntegerLookup(vocabulary=[3, 5, 8]), (4,), "ids")],
        "GroupNormalization": [layer("GroupNormalization", lambda: layers.GroupNormalization(groups=2), steps)],
        "Lambda": [replace(layer("Lambda", lambda: layers.Lambda(lambda x: x * 2), outcome="holds Python code"), saved="built")],
        "Masking": [layer("Masking", layers.Masking, steps)],
        "TextVectorization": [read_words(),
                              words("TextVectorization-counts", lambda: layers.TextVectorization(vocabulary=["one", "two"], output_mode="count"), "Bincount")],
    }  # fmt: skip
    for cell in ("LSTMCell", "GRUCell", "SimpleRNNCell"):
        table[cell] = [
            layer(cell, lambda cell=cell: layers.RNN(getattr(layers, cell)(4), return_sequences=True), steps)
        ]
    if library.__name__ == "keras":
        table |= {
            "GroupedQueryAttention": [pair("GroupedQueryAttention", lambda q, v: layers.GroupQueryAttention(4, 2, 1)(q, v), steps, (5, 4))],
            "Pipeline": [layer("Pipeline", lambda: layers.Pipeline([layers.Rescaling(2.0), layers.RandomFlip()]), picture)],
            "MelSpectrogram": [replace(layer("MelSpectrogram", lambda: layers.MelSpectrogram(64, 32, sampling_rate=8000, num_mel_bins=8, max_freq=3000), (400,)), is_alone=True)],
            "STFTSpectrogram": [layer("STFTSpectrogram", lambda: layers.STFTSpectrogram(frame_length=32, frame_step=16, fft_length=32), (200, 1))],
            "RandomPosterization": [layer("RandomPosterization", lambda: layers.RandomPosterization(4), picture)],
        }  # fmt: skip
    return table | {name: [] for name in left_out}
