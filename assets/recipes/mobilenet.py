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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Convolution:
    """A convolution with its batch normalisation folded in.

    Attributes:
        kernel: [height, width, inputs, outputs], of a depthwise one [height, width, channels, 1].
        bias: [outputs].
    """

    kernel: Any
    bias: Any


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck: ``expand`` is None where there is nothing to expand."""

    expand: Convolution | None
    depthwise: Convolution
    project: Convolution
    stride: int
    residual: bool


@dataclass(frozen=True)
class Network:
    """MobileNetV2 of any width, from a picture in 0..1; arrays or variables.

    Attributes:
        dense: [features, classes] and [classes].
        edge: to which it reduces pictures before it looks at them.
    """

    stem: Convolution
    blocks: tuple[Block, ...]
    last: Convolution
    dense: Convolution
    edge: int = edge


def teacher(state: dict[str, Any]) -> Network:
    """Give the network of the fetched weights."""

    def folded(key: str, norm: str, *, depthwise: bool = False) -> Convolution:
        gain = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        bias = (state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain).astype(np.float32)
        kernel = (state[f"{key}.weight"].transpose(2, 3, 1, 0) * gain).astype(np.float32)
        return Convolution(kernel.transpose(0, 1, 3, 2) if depthwise else kernel, bias)

    made: list[Block] = []
    for expansion, _, repeats, first in blocks:
        for repeat in range(repeats):
            key = f"features.{len(made) + 1}.conv"
            step = int(expansion > 1)
            made.append(
                Block(
                    folded(f"{key}.0.0", f"{key}.0.1") if step else None,
                    folded(f"{key}.{step}.0", f"{key}.{step}.1", depthwise=True),
                    folded(f"{key}.{step + 1}", f"{key}.{step + 2}"),
                    first if repeat == 0 else 1,
                    repeat > 0,
                )
            )
    dense = Convolution(state["classifier.1.weight"].T, state["classifier.1.bias"])
    return Network(folded("features.0.0", "features.0.1"), tuple(made), folded("features.18.0", "features.18.1"), dense)


def convolve(tf: Any, x: Any, layer: Convolution, stride: int = 1, *, depthwise: bool = False, act: bool = True) -> Any:
    """Run one layer, [n, height, width, channels]."""
    if stride == 2:  # torch pads both sides, SAME only the far one
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    padding = "VALID" if stride == 2 else "SAME"
    if depthwise:
        x = tf.nn.depthwise_conv2d(x, layer.kernel, [1, stride, stride, 1], padding)
    else:
        x = tf.nn.conv2d(x, layer.kernel, stride, padding)
    x = tf.nn.bias_add(x, layer.bias)
    return tf.nn.relu6(x) if act else x


def run(tf: Any, network: Network, image: Any) -> tuple[list[Any], Any, Any]:
    """Give what the blocks give, the features [n, features] and the logits [n, classes] of pictures in 0..1."""
    if network.edge != edge:
        image = tf.image.resize(image, [network.edge, network.edge])
    x = (image - np.float32(means)) / np.float32(deviations)
    x = convolve(tf, x, network.stem, 2)
    given = []
    for block in network.blocks:
        before = x
        if block.expand:
            x = convolve(tf, x, block.expand)
        x = convolve(tf, x, block.depthwise, block.stride, depthwise=True)
        x = convolve(tf, x, block.project, act=False)
        x = before + x if block.residual else x
        given.append(x)
    features = tf.reduce_mean(convolve(tf, x, network.last), [1, 2], name="features")
    return given, features, features @ network.dense.kernel + network.dense.bias


def export(tf: Any, network: Network, folder: Path) -> None:
    """Write the SavedModel: ``image`` [n, 224, 224, 3] in 0..1 to ``probs`` [n, 1000]."""

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, edge, edge, 3], tf.float32, "image")], autograph=False
    )
    def serve(image: Any) -> dict[str, Any]:
        return {"probs": tf.nn.softmax(run(tf, network, image)[2])}

    module = tf.Module()
    module.serve = serve
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as scratch:
        tf.saved_model.save(module, str(Path(scratch) / "model"), signatures={"serving_default": serve})
        shutil.rmtree(folder, ignore_errors=True)
        (Path(scratch) / "model").rename(folder)


def read_teacher() -> Network:
    """Give the network that torchvision published, out of what ``python assets/fetch.py`` brings."""
    return teacher(read_torch((origin / "mobilenet_v2-b0353104.pth").read_bytes()))


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
    export(tf, read_teacher(), destination)
    write_labels()
    print(f"classify: MobileNetV2, {classes} classes, and {write_cuttings(tf)} cuttings to verify it with")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
