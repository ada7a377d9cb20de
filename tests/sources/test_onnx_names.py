"""The names of an ONNX model's ends are read without onnx, also where the model cannot be lowered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from builder.sources.onnx_files import value_names

root = Path(__file__).resolve().parents[2]


def model() -> bytes:
    """Give a model with a weight that is listed among its inputs, as older files have it."""
    x, w, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "w", "ŷ"))
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["ŷ"])]
    made: bytes = helper.make_model(helper.make_graph(nodes, "g", [x, w], [y], [weight])).SerializeToString()
    return made


def test_names_are_those_that_onnx_reads(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model())
    assert [one.name for one in onnx.load(path).graph.input] == ["x", "w"]
    assert value_names(path) == (("x",), ("ŷ",))


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, model()[:-9], model().replace("ŷ".encode(), b"\xff\xff")])
def test_damaged_files_have_no_names(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert value_names(path) == ((), ())
    assert value_names(tmp_path / "none.onnx") == ((), ())


@pytest.mark.slow
def test_a_model_that_needs_lengths_is_proposed_with_them(tmp_path: Path) -> None:
    source = root / "assets" / "models" / "speech" / "silero_vad_16k_op15.onnx"
    (tmp_path / "build.toml").write_text(f'[models.voice]\nsource = "{source}"\n')
    command = [sys.executable, str(root / "build.py"), "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert "fix them with [models.NAME.inputs]" in done.stdout
    assert 'audio = { samples = 576, hop = 512, lead = 64, state = { state = "stateN" } }' in done.stdout
    fixed = next(line for line in done.stdout.splitlines() if line.strip().startswith("inputs = "))
    (tmp_path / "build.toml").write_text(f'[models.voice]\nsource = "{source}"\n{fixed.strip()}\n')
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout
    assert "Silero's speech detector" in done.stdout
