"""Bytes and fidelity of every precision: ``python bench/precision.py [--work FOLDER] [MODEL…]``.

Models, and the pictures that calibrate and judge them, are those of ``bench/precision_models.py``; those of
``assets/models`` are there after ``make examples``. Sizes are with brotli 11, in shares of the stock converter's
float32 files with brotli 11. Agreement is by the metric of the model, on other photographs than those of the
calibration, with its 95 % interval. Needs ``shardpress[convert]``, Pillow and, the first time, pip's and npm's index
and apt's lists.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

from precision_models import Cases, Subject, subjects  # noqa: E402

from builder.cache.local import Cache  # noqa: E402
from builder.codecs.quantized import widen  # noqa: E402
from builder.config.models import ModelConfig  # noqa: E402
from builder.config.verify import VerifyConfig  # noqa: E402
from builder.convert import worker  # noqa: E402
from builder.convert.graph_runner import GraphRunner  # noqa: E402
from builder.convert.layers_model import layers_as_graph  # noqa: E402
from builder.files.npz import write_npz  # noqa: E402
from builder.model import Model, Weight  # noqa: E402
from builder.packing.compress import Compressor  # noqa: E402
from builder.packing.segments import choose_codecs, quantize_weights  # noqa: E402
from builder.pipeline.assemble import assemble  # noqa: E402
from builder.pipeline.stock_copy import measure_stock  # noqa: E402
from builder.precision.calibrate import Measured, measure_precision  # noqa: E402
from builder.precision.distance import interval  # noqa: E402
from builder.precision.network import plain_nodes, tensor_names  # noqa: E402
from builder.precision.yardstick import Yardstick, yardstick_of  # noqa: E402
from builder.sources.tfjs import read_model  # noqa: E402
from builder.transforms.order import order_weights  # noqa: E402
from builder.verify.compare import compare, max_error  # noqa: E402
from builder.verify.gates import gate_of  # noqa: E402
from builder.verify.types import Gate  # noqa: E402


def weights_at(model: Model, precision: str, measured: Measured | None, refined: bool) -> dict[str, np.ndarray]:
    """Give the float weights as a page has them."""
    codecs_of = measured.codecs if measured else {}
    model = quantize_weights(model, precision, measured.halves if measured else (), codecs_of)
    codecs = choose_codecs(model, precision, codecs_of)
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


def judge(subject: Subject, got: list[Any], expected: list[Any], yardstick: Yardstick) -> str:
    """Say how outputs compare."""
    outputs = [key for key in expected[0] if key not in yardstick.tensors]
    error = max(max_error(a[key], b[key]) for a, b in zip(got, expected, strict=True) for key in outputs)
    moved = yardstick.distance(got, expected)
    pairs = [pair for pair in zip(got, expected, strict=True) if sure(subject, pair[1])]
    gate = gate_for(subject)
    answers = [{key: case[key] for key in outputs} for _, case in pairs]
    share = compare("full", [case for case, _ in pairs], answers, gate.metric, gate.boxes).agreement
    low, high = interval(share, len(pairs))
    return f"{share:6.1%} ({low:4.0%}-{high:4.0%}, {len(pairs)}) {moved:9.5f} {error:9.1e}"


def gate_for(subject: Subject) -> Gate:
    """Give what the model's stages are held to."""
    verify = subject.verify
    return gate_of("auto", None, verify["min_agreement"], verify.get("metric", "top1"), verify.get("boxes"))


def named(cases: Cases, model: Model) -> Cases:
    """Give cases under the name that the model has for its only input."""
    (spec,) = model.inputs
    return [{spec.name: next(iter(case.values()))} for case in cases]


def measure(name: str, precision: str, artefact: Path, model: Model, work: Path) -> Measured:
    """Measure a model as a build does."""
    inputs, scratch = work / f"{name}-inputs", work / f"{name}-{precision}"
    for folder in (inputs, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for number, case in enumerate(calibration(subjects[name], model, work)):
        write_npz(inputs / f"{number:03}.npz", case)
    table = {"inputs": str(inputs / "*.npz"), **subjects[name].verify}
    settings = ModelConfig(source="", precision=precision, verify=msgspec.convert(table, VerifyConfig))
    return measure_precision(name, settings, artefact, model, root, scratch, run_here)


def calibration(subject: Subject, model: Model, work: Path) -> Cases:
    """Give the inputs to measure with: those that the source is as sure of as of those that are judged."""
    cases = named(subject.calibration(work), model)
    if not subject.least_sure and not subject.doubt:
        return cases
    answers = runner_of(model, cases, gate_for(subject))[0].outputs(list(range(len(cases))), {})
    return [case for case, answer in zip(cases, answers, strict=True) if sure(subject, answer)]


def runner_of(model: Model, cases: Cases, gate: Gate) -> tuple[GraphRunner, Yardstick]:
    """Give what runs a model in TensorFlow, and what tells how far its answers are from others."""
    graph = model if model.kind == "graph-model" else layers_as_graph(model)
    nodes = plain_nodes(graph.artifacts["modelTopology"])
    outputs = tensor_names(graph.artifacts.get("signature", {}).get("outputs", {}), graph.outputs)
    yardstick = yardstick_of(nodes, outputs, gate)
    return GraphRunner(graph, nodes, cases, yardstick.tensors), yardstick


def sure(subject: Subject, answer: Any) -> bool:
    """Tell whether a source's answer counts."""
    if subject.doubt:
        rules = gate_for(subject).boxes
        margins = answer[rules.scores] - rules.min_score
        return bool((margins > 0).any() and np.abs(margins).min() >= subject.doubt)
    return not subject.least_sure or max(float(array.max()) for array in answer.values()) >= subject.least_sure


def bench(name: str, work: Path, precisions: tuple[str, ...]) -> None:
    """Print one model's table."""
    subject = subjects[name]
    artefact = subject.artefact(work)
    model = order_weights(read_model(artefact))
    cache = Cache(work / "cache")
    compressor = Compressor(cache, 2)
    wide = replace(model, weights=tuple(widen(weight) for weight in model.weights))
    plain, stock = measure_stock(wide, cache, compressor)
    own = measure_stock(model, cache, compressor)[1]
    count = sum(weight.size for weight in model.weights if weight.dtype == "float32")
    cases = named(subject.evaluation(work), model)
    runner, yardstick = runner_of(wide, cases, gate_for(subject))
    every = list(range(len(cases)))
    expected = runner.outputs(every, {})
    print(f"{name}: {count:,} weights, as float32 {plain:,} bytes, {stock:,} with brotli; the source itself {own:,}")
    print(f"  {'precision':10} {'stage':5} {'share':>6} {'bits':>6} {'agreement':>21} {'distance':>9} {'max error':>9}")
    for precision in precisions:
        measured, seconds = None, 0.0
        if precision in {"small", "auto"}:
            began = time.monotonic()
            measured = measure(name, precision, artefact, model, work)
            seconds = time.monotonic() - began
        built = assemble(
            name, model, labels=None, precision=precision, measured=measured, shard_bytes=256 << 10, cache=cache,
            compressor=compressor, begin=ignore, advance=ignore,
        ).bundle  # fmt: skip
        sum_wire = built.head.wire
        for stage in built.stage_sizes():
            sum_wire += stage.wire
            weights = weights_at(model, precision, measured, stage.name == "refine")
            answers = runner.outputs(every, weights)
            bits = 8 * (sum_wire - built.head.wire) / count
            said = judge(subject, answers, expected, yardstick)
            print(f"  {precision:10} {stage.name:6} {sum_wire / stock:5.3f} {bits:6.2f} {said}", flush=True)
        if measured:
            print(f"  {'':10} measured in {seconds:.0f} s; {'; '.join(measured.notes)}", flush=True)


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
    parser.add_argument("models", nargs="*", default=list(subjects))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for chosen in options.models:
        bench(chosen, options.work.resolve(), tuple(options.precisions.split(",")))
