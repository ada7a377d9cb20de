"""Makes models that take and give pictures, and TensorFlow's own answers; run as a program, it imports TensorFlow.

Usage: python glue_models.py FOLDER MODELS

Writes photos as JPEG, what the SavedModels MODELS/beautify and MODELS/enlarge make of them, small models with the
answers to one photo, and what the stock converter says to both (``refusal-….txt``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
samples = Path(__file__).resolve().parents[2] / "assets" / "samples"
side = 144
# Pictures, and the upper left corners of what is taken of them.
photos = {
    "astronaut.png": (20, 150), "chelsea.png": (60, 120), "coffee.png": (100, 200), "rocket.jpg": (140, 250),
    "retina.jpg": (600, 700),
}  # fmt: skip


def main(folder: Path, models: Path) -> None:
    import numpy as np
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    serve = tf.saved_model.load(str(models / "beautify")).signatures["serving_default"]
    for file, (top, left) in photos.items():
        name = Path(file).stem
        pixels = tf.io.decode_image((samples / file).read_bytes(), channels=3, expand_animations=False)
        content = tf.io.encode_jpeg(pixels[top : top + side, left : left + side + 7], quality=95).numpy()
        (folder / f"{name}.jpg").write_bytes(content)
        better = serve(photo=tf.constant(content))["better"].numpy()
        np.save(folder / f"{name}.npy", tf.io.decode_jpeg(better).numpy())
    pixels = tf.io.decode_jpeg((folder / "coffee.jpg").read_bytes())[40:80, 20:68]
    (folder / "tiny.jpg").write_bytes(tf.io.encode_jpeg(pixels, quality=95).numpy())
    enlarge = tf.saved_model.load(str(models / "enlarge")).signatures["serving_default"]
    large = enlarge(photo=tf.constant((folder / "tiny.jpg").read_bytes()))["large"].numpy()
    np.save(folder / "tiny.npy", tf.io.decode_jpeg(large).numpy())
    _small(folder, tf, np)
    for name in ("beautify", "enlarge"):
        _refusal(folder, models / name)


def _small(folder: Path, tf: Any, np: Any) -> None:
    # PNG has no loss, so that nothing differs but what the glue does.
    content = tf.io.encode_png(tf.io.decode_jpeg((folder / "coffee.jpg").read_bytes())).numpy()
    (folder / "coffee.png").write_bytes(content)
    text = tf.TensorSpec([], tf.string, "photo")

    def resized(method: str) -> Any:
        def body(photo: Any) -> Any:
            pixels = tf.cast(tf.io.decode_png(photo, channels=3), tf.float32)
            return tf.image.resize(pixels[None], [61, 201], method) / 255.0

        return body

    def legacy(photo: Any) -> Any:
        pixels = tf.io.decode_png(photo, channels=3)[None]
        return tf.raw_ops.ResizeBicubic(images=pixels, size=[61, 201]) / 255.0

    def unit(photo: Any) -> Any:
        return tf.io.decode_image(photo, channels=3, dtype=tf.float32, expand_animations=False) * 0.5

    def grey(photo: Any) -> Any:
        return tf.cast(tf.io.decode_png(photo, channels=1), tf.float32) / 255.0

    def linear(photo: Any) -> Any:
        pixels = tf.io.decode_png(photo, channels=3)[None]
        return tf.image.resize(pixels, [50, 60]) / 255.0

    def corners(photo: Any) -> Any:
        pixels = tf.io.decode_png(photo, channels=3)[None]
        return (
            tf.raw_ops.ResizeNearestNeighbor(images=tf.cast(pixels, tf.float32), size=[50, 60], align_corners=True)
            / 255.0
        )

    bodies = {
        "bicubic": resized("bicubic"), "area": resized("area"), "legacy": legacy, "unit": unit, "grey": grey,
        "linear": linear, "corners": corners,
    }  # fmt: skip
    module = tf.Module()
    signatures = {}
    for name, body in bodies.items():
        # A weight, so that there is a model between the ends.
        scale = tf.Variable(np.float32(0.75))
        setattr(module, name, scale)
        signatures[name] = tf.function(_scaled(body, scale), input_signature=[text])
        np.save(folder / f"small-{name}.npy", signatures[name](tf.constant(content))["y"].numpy())
        setattr(module, f"serve_{name}", signatures[name])
    words = tf.lookup.KeyValueTensorInitializer(tf.range(3), tf.constant(["red", "green", "blue"]))
    module.words = tf.lookup.StaticHashTable(words, "?")

    @tf.function(input_signature=[text])
    def labelled(photo: Any) -> dict[str, Any]:
        means = tf.reduce_mean(tf.cast(tf.io.decode_png(photo, channels=3), tf.float32), [0, 1]) * module.unit
        return {"means": means, "label": module.words.lookup(tf.argmax(means[None], -1, tf.int32))}

    module.labelled = labelled
    (folder / "label.txt").write_bytes(labelled(tf.constant(content))["label"][0].numpy())
    tf.saved_model.save(
        module,
        str(folder / "small"),
        signatures=signatures | _lists(folder, module, content, tf, np) | {"labelled": labelled},
    )


def _lists(folder: Path, module: Any, content: bytes, tf: Any, np: Any) -> dict[str, Any]:
    batch = tf.TensorSpec([None], tf.string, "photos")

    @tf.function(input_signature=[batch])
    def many(photos: Any) -> dict[str, Any]:
        pixels = tf.map_fn(lambda one: tf.io.decode_png(one, channels=3), photos, fn_output_signature=tf.uint8)
        turned = 255 - tf.reverse(pixels, [2])
        return {
            "mean": tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2]) / 255.0,
            "png": tf.map_fn(tf.io.encode_png, turned, fn_output_signature=tf.string),
        }

    @tf.function(input_signature=[batch])
    def served(photos: Any) -> dict[str, Any]:
        def one(photo: Any) -> Any:
            pixels = tf.image.convert_image_dtype(tf.io.decode_image(photo, 3, expand_animations=False), tf.float32)
            return (tf.image.resize(pixels, [40, 50]) - 0.5) * 2.0

        pixels = tf.map_fn(one, photos, fn_output_signature=tf.TensorSpec([40, 50, 3], tf.float32))
        return {"y": tf.reduce_mean(pixels * module.unit, [1])}

    @tf.function(input_signature=[batch])
    def cropped(photos: Any) -> dict[str, Any]:
        pixels = tf.map_fn(
            lambda one: tf.io.decode_and_crop_jpeg(one, [20, 10, 60, 80], channels=3),
            photos,
            fn_output_signature=tf.uint8,
        )
        return {"y": tf.cast(pixels, tf.float32) * module.unit}

    module.many, module.served, module.cropped = many, served, cropped
    answers = many(tf.constant([content]))
    np.save(folder / "small-many.npy", tf.io.decode_png(answers["png"][0]).numpy())
    np.save(folder / "small-many-mean.npy", answers["mean"].numpy())
    np.save(folder / "small-served.npy", served(tf.constant([content]))["y"].numpy())
    photo = (folder / "coffee.jpg").read_bytes()
    np.save(folder / "small-cropped.npy", cropped(tf.constant([photo]))["y"].numpy())
    return {"many": many, "served": served, "cropped": cropped}


def _scaled(body: Any, scale: Any) -> Any:
    return lambda photo: {"y": body(photo) * scale}


def _refusal(folder: Path, model: Path) -> None:
    from builder.convert.stock import import_converter

    import_converter()
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as stock

    try:
        stock.convert_tf_saved_model(str(model), str(folder / "stock"))
        said = "converted"
    except ValueError as error:
        said = str(error)
    (folder / f"refusal-{model.name}.txt").write_text(said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
