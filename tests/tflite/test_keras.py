"""Keras networks as TensorFlow's converter writes them, float and quantised, against the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import SourceOptions
from builder.tflite.reference import runner
from tests.helpers import lite_corpus
from tests.helpers.lite_run import Trial, lowered, wrong

pytestmark = pytest.mark.slow
# The share of the largest output by which real numbers may differ from what the interpreter computes with codes.
most = {"float": 1e-5, "float16": 1e-5, "hybrid": 2e-3, "int8": 0.05, "pixels": 0.05}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corpus")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, lite_corpus.__file__, str(folder)], check=True, env=environment, timeout=500)
    return sorted(folder.iterdir())


def inputs(trial_model: Any, kind: str) -> dict[str, Any]:
    """Give inputs such as the quantised networks were made with."""
    random = np.random.default_rng(11)
    found = {}
    for spec in trial_model.inputs:
        shape = [2 if n is None else n for n in spec.shape]
        whole = (0, 256) if kind == "pixels" else (0, 100)
        floats = spec.dtype == "float32"
        found[spec.name] = (
            random.uniform(0, 1, shape).astype(np.float32) if floats else random.integers(*whole, shape).astype("i4")
        )
    return found


def test_networks_answer_as_the_interpreter_does(files: list[Path], tmp_path: Path) -> None:
    trials = {}
    for path in files:
        kind = path.stem.rpartition("-")[2]
        model = lowered(path, tmp_path / path.stem)
        given = inputs(model, kind)
        trials[path.stem] = Trial(model, given, runner(SourceOptions(path, "tflite"))(given), most[kind])
    assert len(trials) == 11
    assert not wrong(trials, tmp_path)
    for name in ("mobile-float", "decoder-int8", "loop-float"):
        ops = [node["op"] for node in trials[name].model.artifacts["modelTopology"]["node"]]
        assert "Transpose" not in ops
