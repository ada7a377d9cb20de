"""A corpus of graphs with ops that TensorFlow.js lacks, converted and run in TensorFlow; run as a program.

Usage: python graph_corpus.py FOLDER

Writes for each graph of ``graphs`` a frozen file, converts it in this process, and writes ``outcomes.json``: for each
the outcome or the error, and beside it inputs and TensorFlow's answers of what is left between the cuts.
"""

# ruff: noqa: E501

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def graphs(tf: Any, np: Any) -> dict[str, tuple[str, Callable[[], Any]]]:  # noqa: C901
    """Give for each graph what must become of it, and a function that makes it and gives its output."""
    raw, v1 = tf.raw_ops, tf.compat.v1
    kernel = np.linspace(-0.5, 0.5, 3 * 3 * 3 * 4, dtype=np.float32).reshape(3, 3, 3, 4)
    matrix = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)

    def text(shape: Any = ()) -> Any:
        return v1.placeholder(tf.string, shape, name="text")

    def rows(columns: int = 4, kind: Any = tf.float32) -> Any:
        return v1.placeholder(kind, [None, columns], name="x")

    def picture() -> Any:
        return v1.placeholder(tf.float32, [None, 6, 6, 3], name="x")

    def network(pixels: Any) -> Any:
        return tf.nn.conv2d(tf.cast(pixels, tf.float32)[None] / 255.0, kernel, 1, "SAME")

    def dense(x: Any) -> Any:
        return tf.matmul(x, matrix)

    def encoded(pixels: Any, encode: Any = tf.io.encode_jpeg) -> Any:
        return encode(tf.cast(tf.clip_by_value(pixels[0, :, :, :3], 0.0, 255.0), tf.uint8))

    def both(decode: Any, encode: Any) -> Any:
        return encoded(network(decode(text())) * 255.0, encode)

    def asserting(x: Any) -> Any:
        with tf.control_dependencies([v1.Assert(tf.reduce_all(x < 1e9), [x])]):
            return dense(tf.identity(x))

    def printing(x: Any) -> Any:
        with tf.control_dependencies([tf.print(x)]):
            return dense(tf.identity(x))

    def called(x: Any) -> Any:
        @tf.function(autograph=False)
        def inner(y: Any) -> Any:
            return tf.nn.relu(y) + 1.0

        return dense(inner(x))

    def dropped(x: Any) -> Any:
        keep = v1.placeholder_with_default(tf.constant(1.0), [], name="keep")
        return dense(x * tf.floor(keep + tf.random.uniform([4])) / keep)

    def parsed() -> Any:
        features = {"a": tf.io.FixedLenFeature([2], tf.float32), "b": tf.io.FixedLenFeature([2], tf.float32)}
        found = tf.io.parse_example(text([None]), features)
        return dense(tf.concat([found["a"], found["b"]], 1))

    crop = np.array([0, 0, 6, 6], np.int32)
    whole = np.array([0, 0, 1, 1], np.int32)
    segments = np.array([0, 0, 2], np.int32)

    def fixed() -> Any:
        return v1.placeholder(tf.float32, [3, 4], name="x")

    return {
        # decoders and encoders at the edges
        "jpeg": ("cut", lambda: network(tf.io.decode_jpeg(text(), channels=3))),
        "png": ("cut", lambda: network(tf.io.decode_png(text(), channels=3))),
        "bmp": ("cut", lambda: network(tf.io.decode_bmp(text(), channels=3))),
        "gif": ("cut", lambda: network(tf.io.decode_gif(text())[0])),
        "image": ("cut", lambda: network(tf.io.decode_image(text(), channels=3, expand_animations=False))),
        "crop": ("cut", lambda: network(tf.io.decode_and_crop_jpeg(text(), crop, channels=3))),
        "jpeg-in-list": ("cut", lambda: network(tf.io.decode_jpeg(text([1])[0], channels=3))),
        "base64": ("cut", lambda: network(tf.io.decode_jpeg(tf.io.decode_base64(text()), channels=3))),
        "raw": ("cut", lambda: dense(tf.reshape(tf.io.decode_raw(text(), tf.float32), [-1, 4]))),
        "csv": ("cut", lambda: dense(tf.stack(tf.io.decode_csv(text([None]), [[0.0]] * 4), 1))),
        "example": ("cut", parsed),
        "bicubic": ("cut", lambda: network(tf.image.resize(tf.io.decode_png(text(), 3), [6, 6], "bicubic"))),
        "area": ("cut", lambda: network(tf.image.resize(tf.io.decode_png(text(), 3), [6, 6], "area"))),
        "hue": ("rewritten", lambda: network(tf.image.adjust_hue(tf.io.decode_png(text(), 3), 0.2))),
        "to-jpeg": ("cut", lambda: encoded(picture() * 255.0)),
        "to-png": ("cut", lambda: encoded(picture() * 255.0, tf.io.encode_png)),
        "to-base64": ("cut", lambda: tf.io.encode_base64(encoded(picture() * 255.0))),
        "to-text": ("cut", lambda: tf.strings.as_string(dense(rows()))),
        "to-bytes": ("cut", lambda: tf.io.serialize_tensor(dense(rows()))),
        "jpeg-to-jpeg": ("cut", lambda: both(lambda s: tf.io.decode_jpeg(s, channels=3), tf.io.encode_jpeg)),
        "png-to-png": ("cut", lambda: both(lambda s: tf.io.decode_png(s, channels=3), tf.io.encode_png)),
        "lower": ("cut", lambda: dense(tf.reshape(tf.cast(tf.strings.length(tf.strings.lower(text([None]))), tf.float32), [-1, 4]))),
        "number": ("cut", lambda: dense(tf.reshape(tf.strings.to_number(text([None])), [-1, 4]))),
        "length": ("cut", lambda: dense(tf.reshape(tf.cast(tf.strings.length(text([None])), tf.float32), [-1, 4]))),
        # ops that are rewritten
        "roll": ("rewritten", lambda: dense(tf.roll(rows(), [1, -6], [0, 1]))),
        "contrast": ("rewritten", lambda: tf.nn.conv2d(raw.AdjustContrastv2(images=picture(), contrast_factor=1.7), kernel, 1, "SAME")),
        "segments": ("rewritten", lambda: dense(tf.math.segment_sum(fixed(), segments))),
        "unsorted": ("rewritten", lambda: dense(tf.math.unsorted_segment_sum(fixed(), tf.constant([3, -1, 0]), 4))),
        "numerics": ("rewritten", lambda: dense(tf.debugging.check_numerics(rows(), "nan"))),
        "prevent": ("rewritten", lambda: dense(raw.PreventGradient(input=rows()))),
        "call": ("rewritten", lambda: called(rows())),
        "blocks": ("rewritten", lambda: tf.nn.conv2d(tf.nn.space_to_depth(picture(), 2)[..., :3], kernel, 1, "SAME")),
        "buckets": ("rewritten", lambda: dense(tf.cast(raw.Bucketize(input=rows(), boundaries=[-0.5, 0.0, 0.7]), tf.float32))),
        "softsign": ("rewritten", lambda: dense(tf.nn.softsign(rows()))),
        "l2": ("rewritten", lambda: tf.nn.l2_loss(dense(rows()))),
        "xdivy": ("rewritten", lambda: dense(tf.math.xdivy(tf.nn.relu(rows()), rows_of(tf, -0.5)))),
        "xlogy": ("rewritten", lambda: dense(tf.math.xlogy(tf.nn.relu(rows()), rows_of(tf, 0.5)))),
        "xlog1py": ("rewritten", lambda: dense(tf.math.xlog1py(tf.nn.relu(rows()), rows_of(tf, 0.5)))),
        "rint": ("rewritten", lambda: dense(tf.math.rint(rows() * 3.0))),
        "inverse": ("rewritten", lambda: dense(raw.Inv(x=rows() + 5.0))),
        "batched": ("rewritten", lambda: raw.BatchMatMulV3(x=rows()[None], y=matrix[None], Tout=tf.float32)),
        "roll-to-jpeg": ("cut rewritten", lambda: encoded(tf.roll(picture(), 2, 1) * 255.0)),
        # leftovers that disappear
        "assert": ("plain", lambda: asserting(rows())),
        "print": ("plain", lambda: printing(rows())),
        "stop": ("plain", lambda: dense(tf.stop_gradient(rows()))),
        "snapshot": ("plain", lambda: dense(raw.Snapshot(input=rows()))),
        "dropout": ("plain", lambda: dropped(rows())),
        # refusals, which name the node
        "betainc": ("Betainc", lambda: dense(tf.math.betainc(tf.nn.sigmoid(rows()), 1.0, 0.5))),
        "svd": ("Svd", lambda: tf.linalg.svd(dense(rows()), compute_uv=False)),
        "digamma": ("Digamma", lambda: tf.math.digamma(dense(rows()))),
        "stateless": ("StatelessRandomUniformV2", lambda: dense(rows() + tf.random.stateless_uniform([4], [1, 2]))),
        "shuffle": ("RandomShuffle", lambda: dense(tf.random.shuffle(rows()))),
        "jpeg-in-the-middle": (
            "EncodeJpeg",
            lambda: network(tf.io.decode_jpeg(encoded(network(tf.io.decode_jpeg(text(), channels=3)) * 255.0), channels=3)),
        ),
        "resized-numbers": ("ResizeBicubic", lambda: network(tf.image.resize(picture(), [9, 9], "bicubic")[0])),
        "hsv": ("rewritten", lambda: tf.image.rgb_to_hsv(tf.nn.sigmoid(tf.nn.conv2d(picture(), kernel[..., :3], 1, "SAME")))),
        "rgb": ("rewritten", lambda: tf.nn.conv2d(raw.HSVToRGB(images=tf.nn.sigmoid(picture())), kernel, 1, "SAME")),
        "saturation": ("rewritten", lambda: tf.image.adjust_saturation(tf.nn.sigmoid(tf.nn.conv2d(picture(), kernel[..., :3], 1, "SAME")), 1.7)),
        "saturation-to-jpeg": ("cut", lambda: encoded(255.0 * tf.image.adjust_saturation(tf.nn.relu(network(tf.io.decode_png(text(), 3))[..., :3]), 0.4), tf.io.encode_png)),
        "crossed": ("Cross", lambda: tf.linalg.cross(dense(rows()), tf.ones([3]) + 0.0 * dense(rows()))),
        "segments-of-input": (
            "SegmentSum",
            lambda: tf.math.segment_sum(rows(), v1.placeholder(tf.int32, [None], name="ids")),
        ),
        "behind-betainc": ("cut", lambda: dense(tf.math.betainc(tf.nn.sigmoid(rows()), 1.0, 0.5))),
        "before-digamma": ("cut", lambda: tf.math.digamma(dense(rows()))),
        "no-such-node": ("Betaink", lambda: dense(tf.math.betainc(tf.nn.sigmoid(rows()), 1.0, 0.5))),
        "whole": ("cut", lambda: network(tf.io.decode_png(text(), channels=3)) + tf.cast(whole, tf.float32)[0]),
    }  # fmt: skip


# Cuts that the user asks for.
asked: dict[str, dict[str, tuple[str, ...]]] = {
    "behind-betainc": {"cut_inputs": ("Betainc",)},
    "before-digamma": {"cut_outputs": ("MatMul",)},
    "no-such-node": {"cut_inputs": ("Betaink",)},
}


def rows_of(tf: Any, value: float) -> Any:
    """Give four columns that are no input."""
    return tf.constant([[value, 1.0, 2.0, 3.0]])


def main(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf

    from builder.convert import worker
    from builder.convert.requests import ConvertRequest, ReferenceRequest, SourceOptions
    from builder.errors import ShardpressError
    from builder.sources.tfjs import read_model

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.Generator(np.random.PCG64(5))
    outcomes: dict[str, Any] = {}
    for name, (expected, build) in graphs(tf, np).items():
        with tf.Graph().as_default() as graph:
            tf.identity(build(), name="y")
            (folder / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
        source = SourceOptions(folder / f"{name}.pb", "frozen-graph", outputs=("y",), **asked.get(name, {}))
        entry: dict[str, Any] = {"expected": expected}
        outcomes[name] = entry
        try:
            made = worker.convert(ConvertRequest(source, folder / name))
        except ShardpressError as error:
            entry |= {"error": str(error), "type": type(error).__name__}
            continue
        model = read_model(made.model_json)
        entry["ops"] = sorted({node["op"] for node in model.artifacts["modelTopology"]["node"]})
        entry["inputs"] = [spec.name for spec in model.inputs]
        entry["glue"] = (folder / name / "glue.json").is_file()
        arrays = {}
        for spec in model.inputs:
            shape = [4 if length is None else length for length in spec.shape or (6, 6, 3)]
            shape = [6, 6, shape[2]] if len(shape) == 3 and spec.dtype == "int32" else shape
            if spec.dtype == "string":
                arrays[spec.name] = np.array(["one", "two", "three"])[: shape[0] if shape else 1]
            elif spec.dtype == "int32":
                arrays[spec.name] = random.integers(0, 255, shape).astype(np.int32)
            else:
                # Pictures are from 0 to 1; what a cast does beyond is nobody's promise.
                values = random.uniform(size=shape) if len(shape) == 3 else random.normal(size=shape)
                arrays[spec.name] = values.astype(np.float32)
        np.savez(folder / name / "inputs.npz", **arrays)
        worker.reference(ReferenceRequest(source, folder / name / "inputs.npz", folder / name / "outputs.npz"))
    (folder / "outcomes.json").write_text(json.dumps(outcomes, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main(Path(sys.argv[1]))
