"""Make the example SavedModel, a picture denoiser: ``python assets/recipes/small_savedmodel.py``.

Four convolutions (12 thousand weights) learn to predict the noise in patches of two sample pictures; a third one is
kept for judging. Seeds are fixed and TensorFlow runs deterministic kernels, so the same machine makes the same weights.
Needs the sample pictures (``python assets/fetch.py``) and TensorFlow (docs/install.md).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

assets = Path(__file__).resolve().parents[1]
destination = assets / "models" / "denoise"
training_pictures = ("astronaut.png", "chelsea.png")
judging_picture = "coffee.png"
noise = 0.1
patch = 32
batch = 24
steps = 350


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Hide what native code writes to stderr: TensorFlow's notices while it is imported."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def read_picture(tf: Any, name: str) -> Any:
    """Give a picture as float32 [height, width, 3] in 0..1."""
    return tf.cast(tf.io.decode_png((assets / "samples" / name).read_bytes(), channels=3), tf.float32) / 255.0


def make_network(tf: Any) -> Any:
    """Give an untrained network from a noisy picture to its noise, for pictures of any size."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((None, None, 3)),
            *(layers.Conv2D(24, 3, padding="same", activation="relu") for _ in range(3)),
            layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros"),
        ]
    )


def train(tf: Any, network: Any, pictures: list[Any]) -> None:
    """Train for a few seconds on random patches."""
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(4e-3, steps))
    generator = tf.random.Generator.from_seed(7)

    @tf.function  # type: ignore[untyped-decorator]
    def step(clean: Any, disturbance: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(clean + disturbance, training=True) - disturbance))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    for _ in range(steps):
        patches = []
        for index in range(batch):
            picture = pictures[index % len(pictures)]
            top = generator.uniform((), 0, picture.shape[0] - patch, tf.int32)
            left = generator.uniform((), 0, picture.shape[1] - patch, tf.int32)
            patches.append(picture[top : top + patch, left : left + patch])
        step(tf.stack(patches), generator.normal((batch, patch, patch, 3), stddev=noise))


def export(tf: Any, network: Any, folder: Path) -> None:
    """Write a SavedModel with one signature: ``image`` [n, height, width, 3] in 0..1 to ``denoised`` of that shape."""
    module = tf.Module()
    module.weights = [tf.Variable(weight.numpy(), name=f"conv{i // 2}_{'kernel' if i % 2 == 0 else 'bias'}")
                      for i, weight in enumerate(network.weights)]  # fmt: skip

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, "image")]
    )
    def serve(image: Any) -> dict[str, Any]:
        found = image
        for index in range(0, len(module.weights), 2):
            found = tf.nn.conv2d(found, module.weights[index], 1, "SAME") + module.weights[index + 1]
            if index + 2 < len(module.weights):
                found = tf.nn.relu(found)
        return {"denoised": tf.clip_by_value(image - found, 0.0, 1.0)}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def judge(tf: Any, folder: Path) -> tuple[float, float]:
    """Give the PSNR in dB of an unseen noisy picture before and after the saved model."""
    clean = read_picture(tf, judging_picture)[None]
    noisy = tf.clip_by_value(clean + tf.random.Generator.from_seed(11).normal(clean.shape, stddev=noise), 0.0, 1.0)
    denoised = tf.saved_model.load(str(folder)).signatures["serving_default"](image=noisy)["denoised"]
    before, after = (float(tf.image.psnr(clean, picture, 1.0)[0]) for picture in (noisy, denoised))
    return before, after


def make() -> str:
    """Train, judge and write the model; give a sentence on it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
    tf.keras.utils.set_random_seed(7)
    tf.config.experimental.enable_op_determinism()
    network = make_network(tf)
    train(tf, network, [read_picture(tf, name) for name in training_pictures])
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="denoise-", dir=destination.parent) as folder:
        made = Path(folder) / "model"
        export(tf, network, made)
        before, after = judge(tf, made)
        if after < before + 3:
            raise SystemExit(f"error: the denoiser gained only {after - before:.1f} dB. The recipe is broken; mend it.")
        shutil.rmtree(destination, ignore_errors=True)
        made.rename(destination)
    return (
        f"denoise: {network.count_params()} weights, {judging_picture} {before:.1f} dB noisy, {after:.1f} dB denoised"
    )


def main() -> int:
    """Make the model unless it is there; give the exit status."""
    if (destination / "saved_model.pb").is_file() and "--force" not in sys.argv[1:]:
        print("denoise: already here")
    else:
        print("denoise: training the example SavedModel")
        print(make())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
