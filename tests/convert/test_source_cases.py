"""What becomes of the models that people bring: built and equal on wasm and cpu, or refused with a way out."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.config.tables import load_config
from builder.pipeline.check import check_models

pytestmark = pytest.mark.slow
program = Path(__file__).resolve().parents[1] / "helpers" / "source_cases.py"
built = {
    "plain": "plain.keras",
    "picture": "picture.h5",
    "without-input": "without-input.keras",
    "nested": "nested.keras",
    "named-outputs": "named-outputs.keras",
    "long-crop": "long-crop.keras",
    "masked-gru": "masked-gru.keras",
    "causal": "causal.keras",
    "gelu": "gelu",
    "one-hot": "one-hot",
    "int64-scalar": "int64-scalar",
    "quantised": "quantised",
    "pets": "pets",
    "lstm": "lstm2.h5",
    "lstm-saved": "lstm2",
}
refused = {
    "bfloat16": ("bfloat16.keras", r'computes in bfloat16 \(first at .*set_global_policy\("float32"'),
    "stateful": ("stateful.keras", r"keeps state from call to call \(layer lstm.*stateful=False"),
    "forest": ("forest", r"SimpleMLLoadModelFromPathWithHandle, which reads files. .*ydf-inference"),
    "sparse": (
        "sparse",
        r"lacks ops .*SparseTensorDenseMatMul .*export with dense tensors \(tf.sparse.to_dense",
    ),
}
lstm_numbers = 4 * 24 * (12 + 24 + 1) + (24 + 1) * 3


def write_settings(path: Path, sources: dict[str, str], more: str = "") -> list[str]:
    tables = (f'[models.{name}]\nsource = "{source}"\n{more}' for name, source in sources.items())
    path.write_text("\n".join(tables))
    return ["--config", str(path)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    done = subprocess.run([sys.executable, str(program), str(folder)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def report(project: Path) -> dict[str, Any]:
    """Build all that is not refused; the report."""
    assert main([*write_settings(project / "build.toml", built), "--compare"]) == 0
    found: dict[str, Any] = json.loads((project / "dist" / "report.json").read_bytes())
    return found


def test_all_are_built_and_equal_on_both_backends(report: dict[str, Any]) -> None:
    assert set(report["models"]) == set(built)
    for name, model in report["models"].items():
        checked = model["verification"]
        assert checked["passed"], name
        assert checked["runtime"] == "tfjs 4.22.0 wasm, cpu", name
        assert (checked["wrong"], checked["doubts"]) == ({}, []), name
        assert checked["stages"][-1]["max_error"] < 1e-5, name


def test_the_authors_names_of_outputs_are_kept(project: Path, report: dict[str, Any]) -> None:
    assert report["models"]["named-outputs"]
    manifest = json.loads((project / "dist" / "manifest.json").read_bytes())
    head = project / "dist" / "cdn" / manifest["models"]["named-outputs"]["head"]["url"]
    signature = json.loads(head.read_bytes())["artifacts"]["signature"]
    assert sorted(signature["outputs"]) == ["left", "right", "same"]
    assert sorted(signature["inputs"]) == ["one", "two"]


def test_sizes_are_compared_with_the_smallest_stock_form(project: Path, report: dict[str, Any]) -> None:
    stock = {name: model["stock"] for name, model in report["models"].items()}
    assert stock["lstm"]["form"] == "layers-model"
    assert stock["lstm-saved"]["form"] == "graph-model"
    assert 4 * lstm_numbers < stock["lstm"]["bytes"] < 5 * lstm_numbers
    assert stock["lstm"]["wire_bytes"] < stock["lstm-saved"]["wire_bytes"]
    manifest = json.loads((project / "dist" / "manifest.json").read_bytes())
    for name in ("lstm", "lstm-saved"):  # no weight travels twice
        weights = manifest["models"][name]["weights"]
        numbers = sum(math.prod(weight["shape"]) for weight in weights if weight["dtype"] == "float32")
        assert numbers <= lstm_numbers + 50, name


def test_what_is_refused_says_what_to_do(project: Path) -> None:
    """``check`` says all but what Keras finds when it runs; builds say the same."""
    write_settings(project / "refused.toml", {name: source for name, (source, _) in refused.items()})
    found = {item.name: item for item in check_models(load_config(project / "refused.toml"))}
    for name, (_, pattern) in refused.items():
        assert re.search(pattern, found[name].problem), (name, found[name].problem)


def test_a_quantisation_aware_model_is_told_which_error_fits(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, out = project / "quantised.toml", ["--out", str(project / "quantised-dist")]
    source, verify = {"quantised": built["quantised"]}, "[models.quantised.verify]\n"
    assert main([*write_settings(place, source, f'precision = "float16"\n{verify}max_error = 1e-3\n'), *out]) == 1
    said = capsys.readouterr().err
    error = re.search(r"differs from the source model's by ([\d.e-]+), allowed is 0.001", said)
    fitting = re.search(r"quantisation in steps of up to 0\.024, .* max_error = ([\d.]+) fits", said)
    assert error, said
    assert fitting, said
    assert float(error[1]) <= float(fitting[1]) <= 4 * 0.024
