"""Layers models under ``small`` and ``auto``: measured in Keras, refined in Node and in Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.cli.main import main
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve
from tests.loader.test_loader_browser import page_text, runtime
from tests.precision.test_precision_stages import head_of

use = """async ([rows, backend]) => {
  await window.ready;
  const { models } = await import("./loader.js");
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const handle = models.face.load();
  const model = await handle.ready;
  const answer = () => tf.tidy(() => Array.from(model.predict(tf.tensor2d(rows)).dataSync()));
  const base = answer();
  const same = (await handle.full) === model;
  const full = answer();
  handle.dispose();
  return { base, full, same, left: tf.memory().numTensors - before };
}"""


def build(folder: Path, precision: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    generator = np.random.Generator(np.random.PCG64(2))
    tensors = tiny.weights()
    tiny.layers_model(folder / "model", tensors)
    (folder / "inputs").mkdir()
    for number in range(8):
        rows = generator.normal(1.0, 1.0, size=(8, tiny.features)).astype(np.float32)
        np.savez(folder / "inputs" / f"{number}.npz", image=rows)
    (folder / "build.toml").write_text(
        f'[models.face]\nsource = "model/model.json"\nprecision = "{precision}"\n'
        '[models.face.verify]\ninputs = "inputs/*.npz"\nmin_agreement = 0.9\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(folder)
    assert main(["-q"]) == 0
    return json.loads((folder / "dist" / "report.json").read_bytes())["models"]["face"]


@pytest.mark.slow
def test_a_layers_model_is_measured_and_refined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = build(tmp_path, "small", monkeypatch)
    (layer,) = report["precision"]["weights"]
    assert layer["weight"] == "scores/kernel"
    assert 0 < layer["error"] < 0.1
    base, full = report["verification"]["stages"]
    assert 0 < 3 * full["max_error"] < base["max_error"] < 0.3
    codecs = {weight["name"]: weight.get("codec", "raw") for weight in head_of(tmp_path)["weights"]}
    assert codecs == {"scores/kernel": "steps", "scores/bias": "staged"}
    rows = np.random.Generator(np.random.PCG64(5)).normal(1.0, 1.0, (16, tiny.features)).astype(np.float32)
    cdn = tmp_path / "dist" / "cdn"
    (cdn / "tf.min.js").write_bytes(runtime.read_bytes())
    (cdn / "index.html").write_text(page_text.replace("SNIPPET", ""))
    expected = tiny.softmax(rows)
    with serve(cdn) as site, chromium() as browser:
        page = browser.new_page()
        page.goto(site.url + "index.html")
        results = [page.evaluate(use, [rows.tolist(), backend]) for backend in ("cpu", "webgl")]
    for result in results:
        errors = [
            np.abs(np.array(result[stage]).reshape(expected.shape) - expected).max() for stage in ("base", "full")
        ]
        assert 0 < 3 * errors[1] < errors[0] < 0.3
        assert result["same"]
        assert result["left"] == 0
