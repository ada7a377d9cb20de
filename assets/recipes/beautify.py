"""Make the example models that take JPEG and give JPEG: ``python assets/recipes/beautify.py``.

A small network (5.6 thousand weights) learns from two sample pictures what a slow filter does: it smooths skin and
noise, keeps edges, and lifts contrast and colour a little. It is exported with decoding and encoding inside its graph,
as training code often does it. Seeds are fixed and TensorFlow runs deterministic kernels, so the same machine makes the
same weights. Needs the sample pictures (``python assets/fetch.py``) and TensorFlow (docs/install.md).
"""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from small_savedmodel import assets, hushed, judging_picture, read_picture, training_pictures

destination = assets / "models" / "beautify"
radius, reach, tolerance = 3, 2.5, 0.12
patch, batch, steps = 40, 16, 400
dilations = (1, 2, 4, 1)
quality = 95


def ideal(tf: Any, picture: Any) -> Any:
    """Give what the network shall learn: a bilateral filter, then a little contrast and colour."""
    height, width = picture.shape[1:3]
    padded = tf.pad(picture, [[0, 0], [radius, radius], [radius, radius], [0, 0]], "SYMMETRIC")
    total = weights = 0.0
    for y in range(2 * radius + 1):
        for x in range(2 * radius + 1):
            shifted = padded[:, y : y + height, x : x + width]
            distance = ((y - radius) ** 2 + (x - radius) ** 2) / (2 * reach**2)
            difference = tf.reduce_sum(tf.square(shifted - picture), -1, keepdims=True) / (2 * tolerance**2)
            weight = tf.exp(-distance - difference)
            total, weights = total + weight * shifted, weights + weight
    smooth = total / weights
    lively = smooth + 0.12 * (smooth - tf.reduce_mean(smooth, -1, keepdims=True))
    return tf.clip_by_value(lively + 0.1 * (lively - 0.5) * (1 - tf.square(2 * lively - 1)), 0.0, 1.0)


def make_variables(tf: Any) -> list[Any]:
    """Give kernels and biases of an untrained network."""
    widths = (3, 16, 16, 16, 3)
    start = tf.keras.initializers.HeNormal(seed=5)
    variables = []
    for number, (before, behind) in enumerate(itertools.pairwise(widths)):
        kernel = start((3, 3, before, behind)) * (0.0 if behind == 3 else 1.0)
        variables += [
            tf.Variable(kernel, name=f"conv{number}_kernel"),
            tf.Variable(tf.zeros(behind), name=f"conv{number}_bias"),
        ]
    return variables


def improve(tf: Any, variables: list[Any], picture: Any) -> Any:
    """Run the network on [n, height, width, 3] in 0..1."""
    found = picture
    for number, dilation in enumerate(dilations):
        found = tf.nn.conv2d(found, variables[2 * number], 1, "SAME", dilations=dilation) + variables[2 * number + 1]
        found = tf.nn.relu(found) if number + 1 < len(dilations) else found
    return tf.clip_by_value(picture + found, 0.0, 1.0)


def train(tf: Any, variables: list[Any], pictures: list[Any]) -> None:
    """Train for less than a minute on random patches."""
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(4e-3, steps))
    generator = tf.random.Generator.from_seed(9)

    @tf.function  # type: ignore[untyped-decorator]
    def step(given: Any) -> None:
        wanted = ideal(tf, given)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(improve(tf, variables, given) - wanted))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(steps):
        patches = []
        for index in range(batch):
            picture = pictures[index % len(pictures)]
            top = generator.uniform((), 0, picture.shape[0] - patch, tf.int32)
            left = generator.uniform((), 0, picture.shape[1] - patch, tf.int32)
            patches.append(picture[top : top + patch, left : left + patch])
        step(tf.stack(patches))


def export(tf: Any, variables: list[Any], folder: Path) -> None:
    """Write a SavedModel whose signature takes a JPEG file's bytes, ``photo``, and gives others, ``better``."""
    module = tf.Module()
    module.weights = variables

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "photo")])  # type: ignore[untyped-decorator]
    def serve(photo: Any) -> dict[str, Any]:
        pixels = tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")
        better = improve(tf, module.weights, tf.cast(pixels, tf.float32)[None] / 255.0)[0]
        encoded = tf.io.encode_jpeg(tf.cast(tf.round(better * 255.0), tf.uint8), quality=quality)
        return {"better": encoded}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def judge(tf: Any, variables: list[Any]) -> tuple[float, float]:
    """Give the PSNR in dB between an unseen picture and its ideal, before and after the network."""
    picture = read_picture(tf, judging_picture)[None]
    wanted = ideal(tf, picture)
    before, after = (
        float(tf.image.psnr(wanted, other, 1.0)[0]) for other in (picture, improve(tf, variables, picture))
    )
    return before, after


def make() -> str:
    """Train, judge and write the model; give a sentence on it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
    tf.keras.utils.set_random_seed(9)
    tf.config.experimental.enable_op_determinism()
    variables = make_variables(tf)
    train(tf, variables, [read_picture(tf, name) for name in training_pictures])
    before, after = judge(tf, variables)
    if after < before + 3:
        raise SystemExit(f"error: the network gained only {after - before:.1f} dB. The recipe is broken; mend it.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="beautify-", dir=destination.parent) as folder:
        export(tf, variables, Path(folder) / "model")
        shutil.rmtree(destination, ignore_errors=True)
        (Path(folder) / "model").rename(destination)
    count = sum(int(tf.size(variable)) for variable in variables)
    return f"beautify: {count} weights, {judging_picture} {before:.1f} dB from the slow filter's, {after:.1f} dB after"


def main() -> int:
    """Make the model unless it is there; give the exit status."""
    if (destination / "saved_model.pb").is_file() and "--force" not in sys.argv[1:]:
        print("beautify: already here")
    else:
        print("beautify: training the example that takes and gives JPEG")
        print(make())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
