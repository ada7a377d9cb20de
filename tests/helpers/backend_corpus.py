"""Graphs and layers whose kernels in TensorFlow.js' wasm backend are wrong.

``python tests/helpers/backend_corpus.py FOLDER`` writes ``NAME/`` with the stock artefact, ``inputs.npz`` and
``outputs.npz``, in one process with TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def graphs(tf: Any, np: Any) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Give functions of their inputs, by name."""
    random = np.random.default_rng(3)
    x = random.normal(size=(2, 3, 4)).astype("f4")
    n = (random.integers(-9, 9, (2, 3, 4)) * 7_000_001).astype("i4")
    ids = np.array([[0, 3, 1], [5, -1, 2]], "i4")
    picture = random.integers(0, 255, (1, 2, 3, 8)).astype("i4")
    f32, i32 = tf.float32, tf.int32

    def truth(value: Any) -> Any:
        return value > 0

    return {
        "one-hot": (lambda ids: tf.one_hot(ids, 4), {"ids": ids}),
        "one-hot-values": (lambda ids: tf.one_hot(ids, 4, on_value=0.9, off_value=-0.1), {"ids": ids}),
        "one-hot-bool": (lambda ids: tf.cast(tf.one_hot(ids, 4, True, False), f32), {"ids": ids}),
        "one-hot-cold": (lambda ids: tf.cast(tf.one_hot(ids, 4, False, True), f32), {"ids": ids}),
        "one-hot-int": (lambda ids: tf.one_hot(ids, 4, 5, 2), {"ids": ids}),
        "one-hot-axis-0": (lambda ids: tf.one_hot(ids, 4, axis=0), {"ids": ids}),
        "one-hot-axis-1": (lambda ids: tf.one_hot(ids, 4, axis=1, dtype=i32), {"ids": ids}),
        "reverse-bool": (lambda x: tf.cast(tf.reverse(truth(x), [1]), f32), {"x": x}),
        "select-bool": (lambda x: tf.cast(tf.where(x > 0.5, truth(x[:, :1]), x < -1), f32), {"x": x}),
        "cast-float": (lambda x: tf.cast(tf.cast(x * 0.5, tf.bool), f32), {"x": np.trunc(x)}),
        "cast-int": (lambda n: tf.cast(tf.cast(n * 256, tf.bool), f32), {"n": np.arange(-2, 3, dtype="i4")}),
        "clip-int": (lambda n: tf.clip_by_value(n, -5, 7), {"n": n}),
        "clip-raw": (lambda n: tf.raw_ops.ClipByValue(t=n, clip_value_min=-5, clip_value_max=7), {"n": n}),
        "steps-int": (lambda n: n[:, ::-1, 1::2], {"n": n}),
        "steps-bool": (lambda x: tf.cast(truth(x)[::-1, :, ::2], f32), {"x": x}),
        "steps-float": (lambda x: x[:, ::2, ::-1], {"x": x}),
        "cumsum": (lambda x: tf.cumsum(x, axis=-1), {"x": x}),
        "cumsum-middle": (lambda x: tf.cumsum(x, axis=-2, exclusive=True, reverse=True), {"x": x}),
        "cumprod": (lambda x: tf.math.cumprod(x, axis=-1), {"x": x}),
        "depth-to-space": (lambda picture: tf.nn.depth_to_space(picture, 2), {"picture": picture}),
        "nearest-int": (lambda picture: tf.image.resize(picture, (5, 4), "nearest") // 2, {"picture": picture}),
        "einsum-dense": (lambda x: tf.einsum("abc,cd->abd", x, tf.constant(n[0].T / 1e7, f32)), {"x": x}),
        "einsum-heads": (
            lambda x: tf.einsum("abc,cde->abde", x, tf.constant(random.normal(size=(4, 2, 5)).astype("f4"))),
            {"x": x},
        ),
        "einsum-scores": (lambda q, k: tf.einsum("aecd,abcd->acbe", q, k), {
            "q": random.normal(size=(2, 3, 2, 4)).astype("f4"), "k": random.normal(size=(2, 5, 2, 4)).astype("f4"),
        }),
        "einsum-outer": (lambda x, y: tf.einsum("ab,cd->acbd", x, y), {"x": x[0], "y": x[1]}),
        "bincount": (
            lambda ids: tf.math.bincount(ids, minlength=6, maxlength=6, binary_output=True),
            {"ids": np.array([1, 1, 4], "i4")},
        ),
        "bias-matrix": (
            lambda x: tf.nn.relu(tf.raw_ops.MatMul(a=x, b=x, transpose_b=True) + tf.constant([[1.0], [2.0], [-3.0]])),
            {"x": x[0]},
        ),
        "bias-row": (lambda x: tf.nn.relu(tf.add(tf.matmul(x, x, transpose_b=True), [[1.0, 2.0, 3.0]])), {"x": x[0]}),
        "loop": (_loop(tf), {"x": x}),
    }  # fmt: skip


def _loop(tf: Any) -> Callable[..., Any]:
    def run(x: Any) -> Any:
        def body(step: Any, mask: Any, total: Any) -> tuple[Any, Any, Any]:
            mask = tf.reverse(tf.where(total > 0, mask, tf.logical_not(mask)), [0])
            return step + 1, mask, total + tf.one_hot(step, 4) * tf.cast(mask, tf.float32)

        return tf.while_loop(lambda step, *_: step < 3, body, (0, x > 0, x))[2]

    return run


def layers(keras: Any, np: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Give Keras models, by name."""
    layer = keras.layers
    random = np.random.default_rng(4)
    steps = random.normal(size=(2, 6, 3)).astype("f4")
    steps[0, 4:] = steps[1, 2:] = 0
    made: dict[str, tuple[Any, dict[str, Any]]] = {}

    def add(name: str, source: Any, target: Any, value: Any) -> None:
        made[name] = keras.Model(source, target), {source.name: value}

    for kind in (layer.GRU, layer.LSTM, layer.SimpleRNN):
        for options in (
            {},
            {"return_sequences": True},
            {"go_backwards": True},
            {"return_sequences": True, "go_backwards": True},
        ):
            x = keras.Input((None, 3), name="steps")
            add(f"masked-{kind.__name__.lower()}-{'-'.join(sorted(options)) or 'plain'}".replace("_", "-"), x,
                kind(4, **options)(layer.Masking()(x)), steps)  # fmt: skip
        x = keras.Input((None, 3), name="steps")
        add(f"two-ways-{kind.__name__.lower()}", x,
            layer.Bidirectional(kind(4, return_sequences=True))(layer.Masking()(x)), steps)  # fmt: skip
    ids = np.array([[3, 1, 4, 0, 0], [2, 0, 0, 0, 0]], "i4")
    x = keras.Input((None,), dtype="int32", name="ids")
    add("embedded", x, layer.Bidirectional(layer.GRU(4))(layer.Embedding(6, 3, mask_zero=True)(x)), ids)
    x = keras.Input((None, 3), name="steps")
    add("time-distributed", x, layer.GRU(3)(layer.TimeDistributed(layer.Dense(4))(layer.Masking()(x))), steps)
    x = keras.Input((3, 4, 4, 1), name="film")
    add("conv-lstm", x, layer.ConvLSTM2D(2, 2)(x), random.normal(size=(1, 3, 4, 4, 1)).astype("f4"))
    for mode in ("one_hot", "multi_hot", "count"):
        x = keras.Input((3,) if mode != "one_hot" else (1,), dtype="int32", name="ids")
        add(f"category-{mode.replace('_', '-')}", x, layer.CategoryEncoding(5, output_mode=mode)(x),
            np.array([[1, 4, 1]], "i4") if mode != "one_hot" else np.array([[3]], "i4"))  # fmt: skip
    x = keras.Input((1,), name="age")
    add("discretization", x, layer.Discretization([18.0, 30.0], output_mode="one_hot")(x), np.array([[44.0]], "f4"))
    x = keras.Input((5, 8), name="words")
    add("attention", x, layer.MultiHeadAttention(2, 4)(x, x), random.normal(size=(2, 5, 8)).astype("f4"))
    x = keras.Input((4, 4, 2), name="picture")
    add(
        "prelu",
        x,
        layer.PReLU(alpha_initializer="random_normal")(layer.Conv2D(3, 1)(x)),
        random.normal(size=(1, 4, 4, 2)).astype("f4"),
    )
    return made


def main(folder: Path) -> None:
    import keras
    import numpy as np
    import tensorflow as tf

    from builder.convert import worker
    from builder.convert.requests import ConvertRequest, ReferenceRequest, SourceOptions

    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(2)
    made: dict[str, tuple[SourceOptions, dict[str, Any]]] = {}
    for name, (function, arrays) in graphs(tf, np).items():
        with tf.Graph().as_default() as graph:
            fed = {
                key: tf.compat.v1.placeholder(value.dtype, [None] * value.ndim, key) for key, value in arrays.items()
            }
            tf.identity(function(**fed), name="result")
            (folder / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
        made[name] = SourceOptions(folder / f"{name}.pb", "frozen-graph", outputs=("result",)), arrays
    for name, (model, arrays) in layers(keras, np).items():
        model.save(folder / f"{name}.keras")
        made[name] = SourceOptions(folder / f"{name}.keras", "keras-zip"), arrays
    for name, (source, arrays) in made.items():
        worker.convert(ConvertRequest(source, folder / name))
        np.savez(folder / name / "inputs.npz", **arrays)
        worker.reference(ReferenceRequest(source, folder / name / "inputs.npz", folder / name / "outputs.npz"))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(Path(sys.argv[1]))
