"""Every operator that is lowered, against TensorFlow Lite's own interpreter, on wasm and cpu under Node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import SourceOptions
from builder.tflite.reference import runner
from builder.tflite.registry import table
from tests.helpers.lite_cases import cases
from tests.helpers.lite_run import Trial, lowered, wrong

pytestmark = pytest.mark.slow


def trial(name: str, folder: Path) -> Trial:
    """Write and lower a case; give it with inputs and the interpreter's outputs."""
    path = folder / f"{name}.tflite"
    path.write_bytes(cases[name]().file())
    model = lowered(path, folder / name)
    random = np.random.default_rng(7)
    inputs: dict[str, Any] = {}
    for spec in model.inputs:
        shape = [2 if n is None else n for n in spec.shape or ()]
        inputs[spec.name] = {
            "float32": random.normal(size=shape).astype(np.float32),
            "int32": random.integers(10, 100, shape).astype(np.int32),
            "bool": random.integers(0, 2, shape).astype(bool),
        }[spec.dtype]
    return Trial(model, inputs, runner(SourceOptions(path, "tflite"))(inputs))


def test_every_case_answers_as_the_interpreter_does(tmp_path: Path) -> None:
    assert not wrong({name: trial(name, tmp_path) for name in cases}, tmp_path)


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
    "custom TFLite_Detection_PostProcess",  # see test_detection
    *("RFFT2D", "COMPLEX_ABS", "REAL", "IMAG"),  # see test_spectra
    "UNIDIRECTIONAL_SEQUENCE_LSTM",  # see test_keras
}
