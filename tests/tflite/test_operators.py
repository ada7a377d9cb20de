"""Every operator that is lowered, against TensorFlow Lite's own interpreter, on wasm and cpu under Node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.model import Model
from builder.sources.tfjs import read_model
from builder.tflite.reference import runner
from builder.tflite.registry import table
from builder.tflite.tasks import convert_tflite
from builder.transforms.canonical import canonicalise
from builder.verify.compare import Gate
from builder.verify.run import Check, find_node_modules, verify_all
from tests.helpers import tiny
from tests.helpers.lite_cases import cases

pytestmark = pytest.mark.slow


def convert(name: str, folder: Path) -> tuple[Model, dict[str, Any], dict[str, Any]]:
    """Write and convert a case; give it with inputs and the interpreter's outputs."""
    path = folder / f"{name}.tflite"
    path.write_bytes(cases[name]().file())
    source = SourceOptions(path, "tflite")
    model = rewrite_for_wasm(canonicalise(read_model(convert_tflite(ConvertRequest(source, folder / name)).model_json)))
    random = np.random.default_rng(7)
    inputs = {}
    for spec in model.inputs:
        shape = [2 if n is None else n for n in spec.shape or ()]
        inputs[spec.name] = {
            "float32": random.normal(size=shape).astype(np.float32),
            "int32": random.integers(10, 100, shape).astype(np.int32),
            "bool": random.integers(0, 2, shape).astype(bool),
        }[spec.dtype]
    return model, inputs, runner(source)(inputs)


def test_every_case_answers_as_the_interpreter_does(tmp_path: Path) -> None:
    ready = {name: convert(name, tmp_path) for name in cases}
    bundle = tiny.bundle(tmp_path / "bundle", {name: model for name, (model, _, _) in ready.items()}, compresses=False)
    checks = [
        Check(name, bundle.loader, [inputs], Gate(1e-5, metric="relative"), references=[outputs])
        for name, (_, inputs, outputs) in ready.items()
    ]
    found = verify_all(checks, work=tmp_path / "work", node_modules=find_node_modules())
    wrong = {
        name: (answer.problem, answer.wrong)
        for name, answer in zip(ready, found, strict=True)
        if not answer.passed or answer.wrong
    }
    assert not wrong


def test_what_is_no_case_is_named() -> None:
    used = {code for build in cases.values() for code in (operator_name(item) for item in build().model.operatorCodes)}
    left = set(table) - used
    assert left == untested


def operator_name(code: Any) -> str:
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    name = names[code.builtinCode]
    return f"custom {code.customCode.decode()}" if name == "CUSTOM" else name


untested = {
    *("VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", "CALL_ONCE"),  # refused, see test_reader
    *("custom MaxPoolingWithArgmax2D", "custom MaxUnpooling2D"),  # the interpreter has none, see test_mediapipe
    *("DENSIFY", "QUANTIZE", "FAKE_QUANT"),  # see test_quantized
}
