"""Wrap the super-resolution example so that it takes and gives JPEG: ``python assets/recipes/enlarge.py``.

The network is the one of ``assets/models/upscale``, weight for weight; only decoding before it and encoding behind it
are new, as a server that is asked for files has them. Needs ``python assets/fetch.py`` and
TensorFlow (docs/install.md).
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from small_savedmodel import assets, hushed

origin = assets / "models" / "upscale" / "model.json"
destination = assets / "models" / "enlarge"
quality = 95


def read_network(keras: Any) -> Any:
    """Give the super-resolution network as a Keras model, [n, height, width, 3] in 0..1 to twice the size."""
    content = json.loads(origin.read_bytes())
    network = keras.models.model_from_json(json.dumps(content["modelTopology"]["model_config"]))
    weights: dict[str, Any] = {}
    for group in content["weightsManifest"]:
        data = b"".join((origin.parent / name).read_bytes() for name in group["paths"])
        offset = 0
        for entry in group["weights"]:
            array = np.frombuffer(data, "<f4", int(np.prod(entry["shape"])), offset)
            weights[entry["name"]] = array.reshape(entry["shape"])
            offset += array.nbytes
    for variable in network.weights:
        variable.assign(weights[variable.name.removesuffix(":0")])
    return network


def export(tf: Any, network: Any, folder: Path) -> None:
    """Write a SavedModel whose signature takes a JPEG file's bytes, ``photo``, and gives others, ``large``."""
    module = tf.Module()
    module.network = network

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "photo")])  # type: ignore[untyped-decorator]
    def serve(photo: Any) -> dict[str, Any]:
        pixels = tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")
        large = network(tf.image.convert_image_dtype(pixels, tf.float32)[None], training=False)[0]
        pixels = tf.cast(tf.round(tf.clip_by_value(large, 0.0, 1.0) * 255.0), tf.uint8)
        return {"large": tf.io.encode_jpeg(pixels, quality=quality)}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def main() -> int:
    """Make the model unless it is there; give the exit status."""
    if (destination / "saved_model.pb").is_file() and "--force" not in sys.argv[1:]:
        print("enlarge: already here")
        return 0
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
        keras = importlib.import_module("tf_keras")
    # The file names random initializers without seeds; its weights replace what they make.
    warnings.filterwarnings("ignore", "The initializer", UserWarning)
    with tempfile.TemporaryDirectory(prefix="enlarge-", dir=destination.parent) as folder:
        export(tf, read_network(keras), Path(folder) / "model")
        shutil.rmtree(destination, ignore_errors=True)
        (Path(folder) / "model").rename(destination)
    print("enlarge: the super-resolution network, from JPEG to JPEG")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
