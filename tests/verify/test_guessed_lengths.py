"""Lengths that were guessed: others are tried where TensorFlow.js cannot run them, not where it answers wrongly."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from builder.convert.side_files import write_step
from builder.model import TensorSpec
from builder.pipeline import verify_models
from builder.pipeline.verify_models import _grown, _Job, _way_out
from builder.verify.types import Check, Comparison, Gate, Verification

first = 16  # what an open length of a sequence is guessed as
cannot = Verification("tfjs wasm", passed=False, problem="Size(7) must match the product of shape 0,8")
wrong = Verification("tfjs wasm", passed=False, problem="differs", stages=(Comparison("full", 0.5, 0.0, "y"),))


def built(kind: str, shape: tuple[int | None, ...] = (1, None), inputs: str | None = None) -> Any:
    return SimpleNamespace(
        bundle=SimpleNamespace(name="lines", inputs=(TensorSpec("x", "float32", shape),)),
        assembly=SimpleNamespace(ids_below={}),
        settings=SimpleNamespace(verify=SimpleNamespace(inputs=inputs)),
        source=SimpleNamespace(kind=kind),
        needs_tensorflow=kind != "tfjs",
        artefact=Path("model.json"),
    )


def grown(
    monkeypatch: pytest.MonkeyPatch, folder: Path, answer: Verification, model: Any, source_takes: int, tfjs_takes: int
) -> tuple[Verification, list[int]]:
    """Let a source and TensorFlow.js take sequences from a length on; give the verdict and what TensorFlow.js ran."""
    ran: list[int] = []

    def reference_to(_session: Any, _built: Any, case: Any, _folder: Path) -> Any:
        return [{"y": case["x"]}] if case["x"].shape[1] >= source_takes else None

    def verify_all(checks: Any, **_: Any) -> list[Verification]:
        (check,) = checks
        assert (check.references is not None) is model.needs_tensorflow
        ran.append(check.cases[0]["x"].shape[1])
        return [Verification("tfjs wasm", passed=True) if ran[-1] >= tfjs_takes else cannot]

    monkeypatch.setattr(verify_models, "reference_to", reference_to)
    monkeypatch.setattr(verify_models, "verify_all", verify_all)
    check = Check("lines", folder / "loader.js", [{"x": np.zeros((1, first), np.float32)}], Gate(max_error=1e-3))
    session: Any = None
    return _grown(session, _Job(model, "key", check), answer, folder, None), ran


@pytest.mark.parametrize("kind", ["onnx", "tflite", "saved-model"])
def test_sizes_that_both_take_are_looked_for_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    found, ran = grown(monkeypatch, tmp_path, cannot, built(kind), 100, 500)
    assert found.passed
    assert ran
    assert min(ran) >= 100
    assert max(ran) >= 500
    (doubt,) = found.doubts
    assert "x [1, 16]" in doubt
    assert ("[models.lines.inputs], as x = { shape" in doubt) is (kind != "saved-model")
    assert "[models.lines.verify] inputs" in doubt


def test_another_size_does_not_excuse_wrong_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert grown(monkeypatch, tmp_path, wrong, built("onnx"), 0, 0) == (wrong, [])


@pytest.mark.parametrize("model", [built("onnx", (1, 16)), built("onnx", inputs="*.npz")])
def test_only_guesses_are_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Any) -> None:
    assert grown(monkeypatch, tmp_path, cannot, model, 0, 0) == (cannot, [])
    assert "convert the model again" in _way_out(model, cannot)


def test_models_that_tensorflow_js_runs_itself_are_told_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, ran = grown(monkeypatch, tmp_path, wrong, built("tfjs"), 0, 100)
    assert found.passed
    assert ran
    assert not found.doubts


def test_what_no_size_helps_ends_with_what_to_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = built("onnx")
    found, ran = grown(monkeypatch, tmp_path, cannot, model, 0, 1 << 30)
    assert found is cannot
    assert len(ran) > 1
    assert "[models.lines.inputs], as x = { shape = […] }" in _way_out(model, cannot)


def test_a_model_of_whole_numbers_is_told_what_would_fit(tmp_path: Path) -> None:
    model = built("tflite", (1, 16))
    model.artefact = tmp_path / "model.json"
    write_step(model.artefact, 0.03)
    off = Verification("tfjs wasm", passed=False, problem="differs", stages=(Comparison("full", 0.00035, 0.0, "y"),))
    assert "[models.lines.verify] max_error = 0.0007 fits" in _way_out(model, off)
    write_step(model.artefact, 0.0, is_hybrid=True)
    assert "256 steps, and pages do not: give verify.inputs" in _way_out(model, off)
    assert "convert the model again" in _way_out(model, cannot)
