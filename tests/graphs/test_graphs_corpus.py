"""Sixty graphs with ops that TensorFlow.js lacks: each is cut, rewritten or refused, and what is built really runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.graphs.ops import supported_ops
from builder.sources.tfjs import read_model
from builder.verify.run import find_node_modules, verify_all
from builder.verify.types import Check, Gate
from tests.helpers import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    program = Path(__file__).resolve().parents[1] / "helpers" / "graph_corpus.py"
    done = subprocess.run([sys.executable, str(program), str(folder)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def outcomes(corpus: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((corpus / "outcomes.json").read_bytes())
    assert len(found) >= 40
    return found


def test_every_outcome_is_the_documented_one(outcomes: dict[str, Any]) -> None:
    for name, outcome in outcomes.items():
        expected = outcome["expected"]
        if expected[0].isupper():
            assert outcome["type"] == "UnsupportedOpsError", name
            assert expected in outcome["error"], name
        else:
            assert "error" not in outcome, (name, outcome["error"])
            assert set(outcome["ops"]) <= supported_ops(), name


def test_refusals_name_the_node_the_way_and_where_to_cut(outcomes: dict[str, Any]) -> None:
    said = outcomes["betainc"]["error"]
    assert "Betainc at 'Betainc' (on the way x → Sigmoid → Betainc → MatMul → y)" in said
    assert 'cut = { inputs = ["Betainc"] }' in said
    assert 'cut = { outputs = ["Sigmoid"] }' in said
    assert "make the random tensor an input" in outcomes["shuffle"]["error"]


def test_ends_are_named_after_the_signature(outcomes: dict[str, Any]) -> None:
    assert outcomes["jpeg-in-list"]["inputs"] == ["text"]
    assert outcomes["example"]["inputs"] == ["a", "b"]
    glued = {name for name, outcome in outcomes.items() if outcome.get("glue")}
    assert glued >= {
        "jpeg",
        "png",
        "bmp",
        "gif",
        "image",
        "base64",
        "bicubic",
        "area",
        "jpeg-to-jpeg",
        "to-png",
        "hue",
        "saturation-to-jpeg",
    }
    assert not glued & {"raw", "csv", "example", "lower", "roll", "assert"}


def test_what_is_built_answers_in_tensorflow_js_as_in_tensorflow(
    corpus: Path, outcomes: dict[str, Any], tmp_path: Path
) -> None:
    names = [name for name, outcome in outcomes.items() if "error" not in outcome]
    checks = []
    for name in names:
        with np.load(corpus / name / "inputs.npz") as inputs, np.load(corpus / name / "outputs.npz") as outputs:
            fed, expected = dict(inputs), dict(outputs)
        bundle = tiny.bundle(tmp_path / name, {"model": read_model(corpus / name / "model.json")})
        # Pictures are whole numbers: one step up or down where a fraction is cut off.
        gate = Gate(0.004 if "to-" in name else 1e-4)
        checks.append(Check("model", bundle.loader, [fed], gate, references=[expected]))
    found = verify_all(checks, work=tmp_path, node_modules=find_node_modules())
    assert {name: result.problem for name, result in zip(names, found, strict=True)} == dict.fromkeys(names, "")
