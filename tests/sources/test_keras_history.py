"""Files of old versions of Keras mean what they meant then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, ReferenceRequest, SourceOptions
from builder.errors import SourceError
from builder.sources.keras_history import modernise
from builder.sources.tfjs import read_model
from builder.work.pool import ConversionPool


def layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": "it", **config}}


@pytest.mark.parametrize("version", ["1.2.2", "2.0.8", "2.1.6"])
def test_a_gru_that_says_nothing_resets_before(version: str) -> None:
    inner = layer("Bidirectional", layer=layer("GRU", units=3), merge_mode="sum")
    whole = {"class_name": "Sequential", "config": [layer("Dense", units=2), layer("TimeDistributed", layer=inner)]}
    found = modernise(whole, version, "a.h5")
    assert found["config"][1]["config"]["layer"]["config"]["layer"]["config"]["reset_after"] is False
    assert "reset_after" not in inner["config"]["layer"]["config"]


def test_what_is_said_stays_and_what_is_new_is_as_it_was() -> None:
    whole = {
        "class_name": "Model",
        "config": {"layers": [layer("GRU", units=3, reset_after=True), layer("LSTM", units=2)]},
    }
    assert modernise(whole, "2.2.4", "a.h5") == whole


@pytest.mark.parametrize(
    ("mode", "kind", "more"),
    [
        ("sum", "Add", {}),
        ("mul", "Multiply", {}),
        ("ave", "Average", {}),
        ("max", "Maximum", {}),
        ("concat", "Concatenate", {"axis": 1}),
        ("dot", "Dot", {"axes": [2, 1], "normalize": False}),
        ("cos", "Dot", {"axes": [2, 1], "normalize": True}),
    ],
)
def test_merges_become_layers(mode: str, kind: str, more: dict[str, Any]) -> None:
    merge = layer("Merge", mode=mode, concat_axis=1, dot_axes=[[2], [1]], output_shape=None, mode_type="raw")
    assert modernise(merge, "1.1.0", "a.h5") == layer(kind, **more)


@pytest.mark.parametrize("broken", [layer("Merge", mode="lambda"), layer("BatchNormalization", mode=2)])
def test_what_no_later_keras_has_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"'it'.*no later Keras has") as caught:
        modernise(broken, "1.0.6", "a.h5")
    assert caught.value.hint


def test_channels_first_stays_so() -> None:
    found = modernise(layer("MaxPooling2D", dim_ordering="th", border_mode="same"), "1.0", "a.h5")
    assert found == layer("MaxPooling2D", data_format="channels_first", padding="same")


@pytest.mark.slow
def test_old_files_give_the_answers_of_old_versions(tmp_path: Path) -> None:
    program = Path(__file__).resolve().parents[1] / "helpers" / "old_keras.py"
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    files = sorted(tmp_path.glob("*.h5"))
    assert len(files) == 4
    with ConversionPool(1) as pool:
        for file in files:
            source = SourceOptions(file, "keras-h5")
            made = pool.submit("convert", ConvertRequest(source, tmp_path / file.stem)).result()
            (spec,) = read_model(made.model_json).inputs
            with np.load(file.with_suffix(".npz")) as arrays:
                fed, expected = arrays["inputs"], arrays["outputs"]
            np.savez(tmp_path / "fed.npz", **{spec.name: fed})
            request = ReferenceRequest(source, tmp_path / "fed.npz", tmp_path / f"found-{file.stem}.npz")
            pool.submit("reference", request).result()
            with np.load(request.outputs) as arrays:
                (found,) = arrays.values()
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=file.name)
