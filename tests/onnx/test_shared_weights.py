"""A weight that many nodes take is stored once, however each of them takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx

from .networks import network


def test_a_transposed_weight_of_many_steps_is_stored_once(tmp_path: Path) -> None:
    # As PyTorch unrolls an LSTM: each step multiplies by the same transposed matrix.
    steps, size = 5, 64
    nodes = [
        helper.make_node("Gemm", [f"x{step}", "matrix"], [f"x{step + 1}"], transB=1, name=f"step{step}")
        for step in range(steps)
    ]
    matrix = np.random.default_rng(5).normal(size=(size, size)).astype(np.float32)
    onnx.save(network(nodes, {"x0": ["n", size]}, [f"x{steps}"], {"matrix": matrix}), tmp_path / "model.onnx")
    made = convert_onnx(ConvertRequest(SourceOptions(tmp_path / "model.onnx", "onnx"), tmp_path / "out"))
    stored = sum(file.stat().st_size for file in made.model_json.parent.glob("*.bin"))
    assert matrix.nbytes <= stored < 1.1 * matrix.nbytes
