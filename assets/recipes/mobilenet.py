"""Make the example that names what is on a picture: ``python assets/recipes/mobilenet.py``.

MobileNetV2 with ImageNet's 1000 classes, from the state dict that torchvision published. It becomes a SavedModel that
takes pictures as they are, [n, 224, 224, 3] in 0..1; the means and deviations of ImageNet and the batch normalisation
are folded in. The node ``features`` has what its last layer sees, 1280 numbers a picture. Beside it come the names of
the classes, and cuttings of the sample pictures as inputs to measure and verify the model with. Needs what
``python assets/fetch.py`` brings and TensorFlow (docs/install.md).
"""

from __future__ import annotations

import ast
import importlib
import io
import os
import pickle
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from small_savedmodel import assets, hushed

origin = assets / "models" / "mobilenet"
destination = assets / "models" / "classify"
labels = origin / "labels.txt"
cuttings = assets / "samples" / "classify"
pictures = ("astronaut", "camera", "chelsea", "coffee", "motorcycle_left", "retina", "rocket")
cuttings_each = 3
edge, classes = 224, 1000
means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Of each group of blocks: expansion, channels, blocks, stride of the first.
blocks = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Entries(dict[str, Any]):
    """A dict that takes attributes, as torch sets them."""


class TorchReader(pickle.Unpickler):
    """Reads a state dict of torch's old format; of all classes only what such a dict needs, and none of them real."""

    def find_class(self, module: str, name: str) -> Any:
        """Give stand-ins."""
        known = {
            ("collections", "OrderedDict"): Entries,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, *_: (storage, offset, size),
            ("torch", "FloatStorage"): "<f4",
            ("torch", "LongStorage"): "<i8",
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return known[module, name]

    def persistent_load(self, saved: Any) -> Any:
        """Give the key and type of a storage."""
        return saved[2], saved[1]


def read_torch(content: bytes) -> dict[str, Any]:
    """Give a state dict as arrays."""
    file = io.BytesIO(content)
    for _ in range(3):
        TorchReader(file).load()  # magic, version, system
    tensors = TorchReader(file).load()
    types = {storage[0]: storage[1] for storage, _, _ in tensors.values()}
    storages = {}
    for key in TorchReader(file).load():
        count = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(count * np.dtype(types[key]).itemsize), types[key])
    return {
        name: storages[storage[0]][offset : offset + int(np.prod(size))].reshape(size)
        for name, (storage, offset, size) in tensors.items()
    }


def export(tf: Any, state: dict[str, Any], folder: Path) -> None:
    """Write the SavedModel: ``image`` [n, 224, 224, 3] in 0..1 to ``probs`` [n, 1000]."""

    def convolve(x: Any, key: str, norm: str, stride: int = 1, *, depthwise: bool = False, act: bool = True) -> Any:
        gain = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        bias = (state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain).astype(np.float32)
        kernel = (state[f"{key}.weight"].transpose(2, 3, 1, 0) * gain).astype(np.float32)
        if stride == 2:  # torch pads both sides, SAME only the far one
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        padding = "VALID" if stride == 2 else "SAME"
        if depthwise:
            x = tf.nn.depthwise_conv2d(x, kernel.transpose(0, 1, 3, 2), [1, stride, stride, 1], padding)
        else:
            x = tf.nn.conv2d(x, kernel, stride, padding)
        x = tf.nn.bias_add(x, bias)
        return tf.nn.relu6(x) if act else x

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, edge, edge, 3], tf.float32, "image")], autograph=False
    )
    def serve(image: Any) -> dict[str, Any]:
        x = (image - np.float32(means)) / np.float32(deviations)
        x = convolve(x, "features.0.0", "features.0.1", 2)
        number = 1
        for expansion, width, repeats, first in blocks:
            for repeat in range(repeats):
                key, before = f"features.{number}.conv", x
                stride = first if repeat == 0 else 1
                step = 0
                if expansion > 1:
                    x = convolve(x, f"{key}.0.0", f"{key}.0.1")
                    step = 1
                x = convolve(x, f"{key}.{step}.0", f"{key}.{step}.1", stride, depthwise=True)
                x = convolve(x, f"{key}.{step + 1}", f"{key}.{step + 2}", act=False)
                x = before + x if stride == 1 and before.shape[-1] == width else x
                number += 1
        x = tf.reduce_mean(convolve(x, "features.18.0", "features.18.1"), [1, 2], name="features")
        return {"probs": tf.nn.softmax(x @ state["classifier.1.weight"].T + state["classifier.1.bias"])}

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def write_model(tf: Any, folder: Path) -> None:
    """Make the SavedModel ``folder`` from the fetched weights."""
    state = read_torch((origin / "mobilenet_v2-b0353104.pth").read_bytes())
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mobilenet-", dir=folder.parent) as scratch:
        export(tf, state, Path(scratch) / "model")
        shutil.rmtree(folder, ignore_errors=True)
        (Path(scratch) / "model").rename(folder)


def write_labels() -> None:
    """Write the names of the classes, a line each, out of the JavaScript table."""
    table = re.sub(r"(['\"]) \+\s+\1", "", (origin / "imagenet_classes.js").read_text())
    entries = re.findall(r"^\s*(\d+): (['\"].*['\"]),?$", table, re.MULTILINE)
    names = {int(number): ast.literal_eval(text) for number, text in entries}
    if sorted(names) != list(range(classes)):
        raise SystemExit(f"error: {len(names)} names instead of {classes}. The recipe is broken; mend it.")
    labels.write_text("".join(f"{names[number]}\n" for number in range(classes)))


def write_cuttings(tf: Any) -> int:
    """Write squares of the sample pictures, the whole one among them, and give their number."""
    shutil.rmtree(cuttings, ignore_errors=True)
    cuttings.mkdir(parents=True)
    generator = np.random.default_rng(3)
    for name in pictures:
        (path,) = (assets / "samples").glob(f"{name}.*")
        picture = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        height, width, _ = picture.shape
        for number in range(cuttings_each):
            side = int(min(height, width) * (1.0 if number == 0 else generator.uniform(0.5, 0.95)))
            top, left = (int(generator.integers(0, length - side + 1)) for length in (height, width))
            square = tf.image.resize(picture[top : top + side, left : left + side], [edge, edge], antialias=True)
            pixels = tf.cast(tf.round(tf.clip_by_value(square, 0.0, 255.0)), tf.uint8)
            (cuttings / f"{name}-{number}.png").write_bytes(tf.io.encode_png(pixels).numpy())
    return len(pictures) * cuttings_each


def main() -> int:
    """Make all of it unless it is there; give the exit status."""
    there = (destination / "saved_model.pb").is_file() and labels.is_file()
    there = there and len(list(cuttings.glob("*.png"))) == len(pictures) * cuttings_each
    if there and "--force" not in sys.argv[1:]:
        print("classify: already here")
        return 0
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with hushed():
        tf = importlib.import_module("tensorflow")
    write_model(tf, destination)
    write_labels()
    print(f"classify: MobileNetV2, {classes} classes, and {write_cuttings(tf)} cuttings to verify it with")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
