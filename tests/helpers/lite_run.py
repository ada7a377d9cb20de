"""Takes TensorFlow Lite files the whole way: lowered, bundled with a generated loader, run under Node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.model import Model
from builder.sources.tfjs import read_model
from builder.tflite.tasks import convert_tflite
from builder.transforms.canonical import canonicalise
from builder.verify.compare import Gate
from builder.verify.run import Check, find_node_modules, verify_all
from tests.helpers import tiny

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """A model with inputs, the outputs that are right, and how far off others may be."""

    model: Model
    inputs: Arrays
    outputs: Arrays
    most: float = 1e-5


def lowered(path: Path, folder: Path) -> Model:
    """Lower a file, as a build does, and rewrite what wasm does wrongly."""
    made = convert_tflite(ConvertRequest(SourceOptions(path, "tflite"), folder))
    return rewrite_for_wasm(canonicalise(read_model(made.model_json)))


def wrong(trials: Mapping[str, Trial], work: Path) -> dict[str, object]:
    """Run models on wasm and cpu; give what is wrong by name."""
    models: dict[str, Path | Model] = {name: trial.model for name, trial in trials.items()}
    bundle = tiny.bundle(work / "bundle", models, compresses=False)
    checks = [
        Check(name, bundle.loader, [trial.inputs], Gate(trial.most, metric="relative"), references=[trial.outputs])
        for name, trial in trials.items()
    ]
    answers = verify_all(checks, work=work / "work", node_modules=find_node_modules())
    return {
        name: (answer.problem, answer.wrong)
        for name, answer in zip(trials, answers, strict=True)
        if not answer.passed or answer.wrong
    }
