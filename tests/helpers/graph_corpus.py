"""A corpus of graphs with ops that TensorFlow.js lacks, converted and run in TensorFlow; run as a program.

Usage: python graph_corpus.py FOLDER [NAME …]

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
    raw, v1, quantised = tf.raw_ops, tf.compat.v1, tf.quantization
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

    def looped(x: Any, step: Any) -> Any:
        v1.disable_control_flow_v2()  # as the conversion lowers the loops of others
        try:
            return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, step(y)), (0, x))[1]
        finally:
            v1.enable_control_flow_v2()

    def with_diagonal(x: Any) -> Any:
        return tf.linalg.set_diag(x, tf.reduce_sum(x, 1))

    def normed(x: Any) -> Any:
        statistics = {"mean": matrix[0], "variance": matrix[0] ** 2}
        return raw.FusedBatchNorm(x=x, scale=matrix[2], offset=matrix[1], **statistics, is_training=False)[0]

    def normed_by_batch(x: Any, order: bytes, scale: Any) -> Any:
        none = np.zeros(0, np.float32)
        return raw.FusedBatchNormV3(
            x=x, scale=scale, offset=matrix[1], mean=none, variance=none, is_training=True, data_format=order
        )[0]

    def fixed3() -> Any:
        return v1.placeholder(tf.float32, [3, 3, 4], name="x")

    def volume() -> Any:
        return v1.placeholder(tf.float32, [2, 4, 2, 3, 3], name="x")

    def whole_numbers() -> Any:
        return v1.placeholder(tf.int32, [None, 4], name="x") - 120

    def dropped(x: Any) -> Any:
        keep = v1.placeholder_with_default(tf.constant(1.0), [], name="keep")
        return dense(x * tf.floor(keep + tf.random.uniform([4])) / keep)

    def twice_as_large(method: str) -> Any:
        x = picture()
        return tf.image.resize(x, tf.shape(x)[1:3] * tf.constant([2, 3]), method)

    def in_training(is_known: bool) -> Any:
        """What is done in training stands beside what is done otherwise, as in Keras 2's models."""
        x = rows()
        condition = tf.reduce_all([not is_known, tf.shape(x)[0] > 2])
        return tf.cond(condition, lambda: tf.random.shuffle(dense(x)), lambda: dense(x) * 2.0)

    def switched() -> Any:
        data = raw.Switch(data=rows(), pred=tf.logical_and(True, tf.equal(tf.constant(3) * 2, 6)))
        found = raw.Merge(inputs=[tf.random.shuffle(dense(data.output_false)), tf.nn.relu(dense(data.output_true))])
        return found.output + tf.cast(found.value_index, tf.float32)

    def either(x: Any, is_first: bool) -> Any:
        """A branch that is a constant, which is always there for TensorFlow.js, beside the one that is taken."""
        fixed, computed = (lambda: tf.ones([1, 3])), (lambda: dense(x) * 2.0)
        above = tf.reduce_sum(tf.abs(x)) > 1e6
        return tf.cond(above, fixed, computed) if is_first else tf.cond(~above, computed, fixed)

    def loop_in_loop(x: Any) -> Any:
        def inner(_: Any, y: Any) -> Any:
            return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5 + tf.cast(i, tf.float32)), [0, y])

        return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, inner(i, y)[1] - 1.0), [0, x])[1]

    def picked_boxes(scores: Any) -> Any:
        corners = tf.concat([scores[:, :2], scores[:, :2] + tf.abs(scores[:, 2:])], 1)
        found, count = tf.image.non_max_suppression_padded(
            corners, scores[:, 0], 4, 0.3, -10.0, pad_to_max_output_size=True
        )
        return tf.concat([found, count[None]], 0)

    def lowered(function: Any, *more: Any) -> Any:
        """Call as a function, whose loops and branches TensorFlow then writes out."""
        return tf.function(function, autograph=False)(rows(), *more)

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
        "erfc": ("rewritten", lambda: dense(tf.math.erfc(rows()))),
        "erfc-in-loop": ("rewritten", lambda: dense(looped(rows(), tf.math.erfc))),
        "fake-args": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_args(rows(), -1.0, 1.2, 4))),
        "fake-args-default": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_args(rows()))),
        "fake-vars": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_vars(rows(), -0.3, 1.5, 8, narrow_range=True))),
        "fake-vars-above": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_vars(rows(), 0.4, 1.5, 3))),
        "fake-vars-nothing": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_vars(rows(), 0.0, 0.0))),
        "fake-channels": ("rewritten", lambda: dense(quantised.fake_quant_with_min_max_vars_per_channel(rows(), np.float32([-1, -2, 0, 0]), np.float32([1, 0.5, 3, 0]), 5))),
        "fake-moving": ("FakeQuantWithMinMaxVars", lambda: dense(quantised.fake_quant_with_min_max_vars(rows(), tf.reduce_min(rows()), 2.0))),
        "reverse": ("rewritten", lambda: tf.reverse_sequence(fixed3() * kernel[0], np.int32([2, 0, 3]), 1, 0)),
        "reverse-time-major": ("rewritten", lambda: tf.reverse_sequence(fixed3() * kernel[0], np.int64([1, 3, 2]), 0, 1)),
        "reverse-last": ("rewritten", lambda: tf.reverse_sequence(fixed3() * kernel[0], np.int32([1, 4, 2]), 2, 0)),
        "gather-batches": ("rewritten", lambda: tf.gather(picture(), tf.argsort(picture()[:, :2, :, 0], axis=-1), axis=1, batch_dims=1)),
        "gather-vectors": ("rewritten", lambda: tf.gather(dense(rows()), tf.argmax(dense(rows()), -1)[:, None], axis=1, batch_dims=1)),
        "gather-deep": ("rewritten", lambda: tf.gather(picture(), tf.argsort(picture()[..., 0])[..., :1], axis=2, batch_dims=2)),
        "cumulated": ("rewritten", lambda: dense(tf.cumsum(tf.math.cumprod(rows(), -1), -2, exclusive=True))),
        "pool-volume": ("rewritten", lambda: tf.nn.max_pool3d(volume() - 9.0, [2, 2, 3], [2, 1, 2], "SAME")),
        "mul-no-nan": ("rewritten", lambda: dense(tf.math.multiply_no_nan(rows() / 0.0, tf.nn.relu(rows_of(tf, -0.5))))),
        "diag": ("rewritten", lambda: tf.linalg.diag(dense(rows()))),
        "diag-padded": ("rewritten", lambda: tf.linalg.diag(dense(rows()), padding_value=-2.0)),
        "rows-chosen": ("rewritten", lambda: v1.where(fixed()[:, 0] > 0, fixed()[:, :3], -fixed()[:, 1:])),
        "rows-chosen-deep": ("rewritten", lambda: v1.where(tf.reduce_sum(picture(), [1, 2, 3]) > 54.0, picture(), picture() * 2.0)),
        "pool-bordered": ("rewritten", lambda: tf.nn.max_pool2d(picture() - 9.0, [3, 2], [2, 2], [[0, 0], [1, 1], [0, 1], [0, 0]])),
        "mean-whole": ("rewritten", lambda: tf.reduce_mean(whole_numbers(), 1) * 100 + tf.reduce_mean(whole_numbers())),
        "mean-long": ("rewritten", lambda: tf.reduce_mean(tf.cast(whole_numbers(), tf.int64), 0, keepdims=True)),
        "band-lower": ("rewritten", lambda: tf.linalg.band_part(picture()[..., 0] + 2.0, -1, 0)),
        "band-upper": ("rewritten", lambda: tf.linalg.band_part(picture()[:, :4, :, 0] / 0.0, 0, -1)),
        "band-both": ("rewritten", lambda: tf.linalg.band_part(dense(rows()), tf.constant(2, tf.int64), tf.constant(1, tf.int64))),
        "band-all": ("rewritten", lambda: tf.linalg.band_part(dense(rows()), -1, -3)),
        "band-whole-numbers": ("rewritten", lambda: tf.linalg.band_part(whole_numbers(), 1, 0)),
        "band-mask": ("rewritten", lambda: tf.cast(tf.linalg.band_part(rows() > -9.0, -1, 0), tf.float32)),
        "band-masks": ("rewritten", lambda: tf.cast(tf.linalg.band_part(picture()[..., 0] > 0.3, 1, 2), tf.float32)),
        "band-of-input": ("rewritten", lambda: tf.linalg.band_part(dense(rows()), tf.shape(rows())[0] - 6, tf.shape(rows())[0] - 3)),
        "band-any": ("rewritten", lambda: tf.linalg.band_part(tf.reshape(dense(rows()), tf.shape(picture()[0, :4, :3, 0])), -1, 1)),
        "diag-above": ("MatrixDiagV3", lambda: tf.linalg.diag(dense(rows()), k=1)),
        "diag-1": ("rewritten", lambda: raw.MatrixDiag(diagonal=dense(rows()))),
        "diag-part": ("rewritten", lambda: tf.linalg.diag_part(picture()[:, :, :, 0])),
        "diag-part-high": ("rewritten", lambda: tf.linalg.diag_part(picture()[:, :, 0])),
        "diag-part-wide": ("rewritten", lambda: raw.MatrixDiagPart(input=fixed())),
        "set-diag": ("rewritten", lambda: with_diagonal(picture()[:, :, 0])),
        "set-diag-wide": ("rewritten", lambda: tf.linalg.set_diag(fixed(), fixed()[:, 0] * 2.0)),
        "mean-segments": ("rewritten", lambda: dense(tf.math.segment_mean(fixed(), segments))),
        "max-segments": ("rewritten", lambda: dense(tf.math.segment_max(fixed(), segments))),
        "min-segments": ("rewritten", lambda: dense(tf.math.segment_min(fixed() - 9.0, segments))),
        "product-segments": ("rewritten", lambda: dense(tf.math.segment_prod(fixed(), segments))),
        "unsorted-max": ("rewritten", lambda: dense(1e-30 * tf.math.unsorted_segment_max(fixed(), tf.constant([3, -1, 0]), 4))),
        "unsorted-min": ("rewritten", lambda: tf.math.unsorted_segment_min(tf.cast(fixed() * 9, tf.int32), tf.constant([1, 0, 1]), 2)),
        "unsorted-product": ("rewritten", lambda: dense(tf.math.unsorted_segment_prod(fixed(), tf.constant([1, 1, 0]), 2))),
        "unsorted-mean": ("rewritten", lambda: dense(tf.math.unsorted_segment_mean(fixed(), tf.constant([1, 1, 0]), 3))),
        "segment-vector": ("rewritten", lambda: tf.math.unsorted_segment_sum(fixed()[:, 0], tf.constant([1, 1, 0]), 3)),
        "graph-network": ("rewritten", lambda: tf.math.unsorted_segment_max(dense(rows()), v1.placeholder(tf.int64, [None], name="ids") % 4, tf.shape(rows(3))[0])),
        "patches": ("rewritten", lambda: tf.image.extract_patches(picture(), [1, 3, 2, 1], [1, 3, 2, 1], [1, 1, 1, 1], "VALID")),
        "patches-cropped": ("rewritten", lambda: tf.image.extract_patches(picture(), [1, 4, 4, 1], [1, 4, 4, 1], [1, 1, 1, 1], "VALID")),
        "patches-same": ("rewritten", lambda: tf.image.extract_patches(picture(), [1, 4, 4, 1], [1, 4, 4, 1], [1, 1, 1, 1], "SAME")),
        "patches-overlapping": ("rewritten", lambda: tf.image.extract_patches(picture(), [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 2, 1], "SAME")),
        "bicubic-legacy": ("rewritten", lambda: raw.ResizeBicubic(images=picture(), size=[9, 4])),
        "bicubic-aligned": ("rewritten", lambda: raw.ResizeBicubic(images=picture(), size=[9, 4], align_corners=True)),
        "bicubic-smooth": ("rewritten", lambda: tf.image.resize(picture(), [4, 9], "bicubic", antialias=True)),
        "area-inside": ("rewritten", lambda: tf.image.resize(tf.nn.relu(picture()), [4, 9], "area")),
        "lanczos": ("rewritten", lambda: tf.image.resize(picture(), [11, 3], "lanczos3")),
        "lanczos-smooth": ("rewritten", lambda: tf.image.resize(picture(), [11, 3], "lanczos5", antialias=True)),
        "gaussian": ("rewritten", lambda: tf.image.resize(picture(), [3, 13], "gaussian", antialias=True)),
        "mitchell": ("rewritten", lambda: tf.image.resize(picture(), [3, 13], "mitchellcubic")),
        "translated": ("rewritten", lambda: raw.ScaleAndTranslate(images=picture(), size=[5, 7], scale=[0.7, 1.5], translation=[0.4, -1.5], kernel_type="triangle", antialias=False)),
        "permutation": ("rewritten", lambda: tf.gather(dense(rows()), tf.math.invert_permutation(tf.argsort(rows()[0])), axis=0)),
        "unravelled": ("rewritten", lambda: tf.unravel_index(tf.argmax(tf.reshape(picture(), [-1, 108]), 1), tf.constant([6, 6, 3], tf.int64))),
        "scattered": ("rewritten", lambda: tf.tensor_scatter_nd_add(dense(rows()), [[0], [2], [0]], matrix[:3])),
        "scattered-away": ("rewritten", lambda: tf.tensor_scatter_nd_sub(dense(rows()), [[0, 1], [2, 0]], [3.0, 4.0])),
        "truncated": ("rewritten", lambda: tf.truncatediv(whole_numbers(), [[3, -2, 7, 1]]) + 10 * tf.truncatemod(whole_numbers(), [[3, -2, 7, 5]])),
        "old-norm": ("rewritten", lambda: normed(picture())),
        "norm-by-batch": ("rewritten", lambda: normed_by_batch(picture(), b"NHWC", matrix[0])),
        "norm-by-batch-first": ("rewritten", lambda: normed_by_batch(tf.transpose(picture(), [0, 3, 1, 2]), b"NCHW", matrix[0])),
        "norm-by-batch-volume": ("rewritten", lambda: normed_by_batch(volume(), b"NDHWC", matrix[0])),
        "old-norm-plain": ("rewritten", lambda: normed(picture())),
        "old-bias": ("rewritten", lambda: raw.BiasAddV1(value=dense(rows()), bias=matrix[0])),
        "old-sum": ("rewritten", lambda: raw.AccumulateNV2(inputs=[fixed(), matrix.T], shape=[3, 4])),
        "old-guarantee": ("rewritten", lambda: dense(raw.GuaranteeConst(input=rows()))),
        "old-blocks": ("rewritten", lambda: raw.BatchToSpace(input=tf.nn.relu(raw.SpaceToBatch(input=picture(), paddings=[[0, 0], [2, 0]], block_size=2)), crops=[[0, 0], [2, 0]], block_size=2)),
        "old-boxes": ("rewritten", lambda: raw.NonMaxSuppression(boxes=tf.nn.relu(rows()), scores=rows()[:, 0], max_output_size=3, iou_threshold=0.3)),
        "volume": ("rewritten", lambda: tf.nn.conv3d_transpose(volume(), np.linspace(-1, 1, 3 * 2 * 4 * 2 * 3, dtype=np.float32).reshape(3, 2, 4, 2, 3), [2, 8, 4, 9, 2], [2, 2, 3], "SAME")),
        "volume-valid": ("rewritten", lambda: tf.nn.conv3d_transpose(volume(), np.linspace(-1, 1, 3 * 2 * 4 * 2 * 3, dtype=np.float32).reshape(3, 2, 4, 2, 3), [2, 9, 4, 10, 2], [2, 2, 3], "VALID")),
        "roll-to-jpeg": ("cut rewritten", lambda: encoded(tf.roll(picture(), 2, 1) * 255.0)),
        "bicubic-computed": ("rewritten", lambda: twice_as_large("bicubic")),
        "area-computed": ("rewritten", lambda: twice_as_large("area")),
        "lanczos-computed": ("rewritten", lambda: twice_as_large("lanczos3")),
        "fixed-branch": ("plain", lambda: lowered(either, True)),
        "fixed-branch-second": ("plain", lambda: lowered(either, False)),
        "loop-in-loop": ("plain", lambda: lowered(loop_in_loop)),
        "boxes-padded": ("plain", lambda: lowered(picked_boxes)),
        # leftovers that disappear
        "training": ("plain", lambda: in_training(is_known=True)),
        "training-lowered": ("plain", switched),
        "training-fed": ("RandomShuffle", lambda: in_training(is_known=False)),
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
        "resized-anything": ("ResizeBicubic", lambda: tf.image.resize(network(v1.placeholder(tf.float32, [None, None, 3], name="x")), [9, 9], "bicubic")),
        "resized-numbers": ("rewritten", lambda: network(tf.image.resize(picture(), [9, 9], "bicubic")[0])),
        "hsv": ("rewritten", lambda: tf.image.rgb_to_hsv(tf.nn.sigmoid(tf.nn.conv2d(picture(), kernel[..., :3], 1, "SAME")))),
        "rgb": ("rewritten", lambda: tf.nn.conv2d(raw.HSVToRGB(images=tf.nn.sigmoid(picture())), kernel, 1, "SAME")),
        "saturation": ("rewritten", lambda: tf.image.adjust_saturation(tf.nn.sigmoid(tf.nn.conv2d(picture(), kernel[..., :3], 1, "SAME")), 1.7)),
        "saturation-to-jpeg": ("cut", lambda: encoded(255.0 * tf.image.adjust_saturation(tf.nn.relu(network(tf.io.decode_png(text(), 3))[..., :3]), 0.4), tf.io.encode_png)),
        "crossed": ("Cross", lambda: tf.linalg.cross(dense(rows()), tf.ones([3]) + 0.0 * dense(rows()))),
        "segments-of-input": (
            "rewritten",
            lambda: tf.math.segment_sum(rows(), tf.cumsum(v1.placeholder(tf.int32, [None], name="ids") % 2)),
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


def make_old(definition: Any, *, is_scaled: bool) -> None:
    """Turn batch normalisation into that of graphs from before 2016, which TensorFlow reads but no longer makes."""
    definition.versions.producer = 8
    for node in definition.node:
        if node.op == "FusedBatchNorm":
            x, scale, offset, mean, variance = node.input
            node.op = "BatchNormWithGlobalNormalization"
            node.input[:] = [x, mean, variance, offset, scale]
            for key in [key for key in node.attr if key != "T"]:
                del node.attr[key]
            node.attr["variance_epsilon"].f = 0.01
            node.attr["scale_after_normalization"].b = is_scaled


def main(folder: Path, wanted: list[str]) -> None:
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
        if wanted and name not in wanted:
            continue
        with tf.Graph().as_default() as graph:
            tf.identity(build(), name="y")
            definition = graph.as_graph_def()
        if name.startswith("old-norm"):
            make_old(definition, is_scaled=name == "old-norm")
        (folder / f"{name}.pb").write_bytes(definition.SerializeToString())
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
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(Path(sys.argv[1]), sys.argv[2:])
