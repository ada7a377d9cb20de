"""Magnitudes of spectra, as sounds' models make them, against the interpreter; what more is asked of one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.tflite.reference import runner
from builder.tflite.tasks import convert_tflite
from tests.helpers.lite import Lite
from tests.helpers.lite_run import Trial, lowered, wrong


def spectrum(samples: int, length: int, end: str = "COMPLEX_ABS", rows: int = 3) -> Lite:
    """Take rows of samples; give magnitudes by way of another shape, as YAMNet does."""
    lite = Lite()
    x = lite.input((rows, 1, samples))
    size = lite.constant(np.array([1, length], np.int32))
    found = lite.op("RFFT2D", [x, size], ["COMPLEX64"], options="Rfft2dOptions")
    shape = lite.constant(np.array([rows, length // 2 + 1], np.int32))
    flat = lite.op("RESHAPE", [found, shape], ["COMPLEX64"], options="ReshapeOptions")
    return lite.gives(lite.op(end, [flat], ["float32"]))


def both() -> Lite:
    """Take both parts of a spectrum."""
    lite = Lite()
    x = lite.input((3, 1, 8))
    found = lite.op("RFFT2D", [x, lite.constant(np.array([1, 8], np.int32))], ["COMPLEX64"], options="Rfft2dOptions")
    return lite.gives(lite.op("REAL", [found]), lite.op("IMAG", [found]))


@pytest.mark.slow
def test_magnitudes_are_those_of_the_interpreter(tmp_path: Path) -> None:
    trials = {}
    for samples, length, end in (
        (512, 512, "COMPLEX_ABS"),
        (400, 512, "COMPLEX_ABS"),
        (16, 8, "COMPLEX_ABS"),
        (64, 64, "REAL"),
        (64, 64, "IMAG"),
    ):
        name = f"m{samples}-{length}-{end.lower().replace('_', '-')}"
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(spectrum(samples, length, end).file())
        model = lowered(path, tmp_path / name)
        (spec,) = model.inputs
        x = np.random.default_rng(3).normal(size=spec.shape).astype(np.float32)
        # The interpreter itself wants rows that are as long as the transform.
        part = {"COMPLEX_ABS": np.abs, "REAL": np.real, "IMAG": np.imag}[end]
        expected = part(np.fft.rfft(x.astype(np.float64)[:, 0], length)).astype(np.float32)
        if x.shape[-1] == length:
            (told,) = runner(SourceOptions(path, "tflite"))({spec.name: x}).values()
            np.testing.assert_allclose(told, expected, atol=1e-4)
        trials[name] = Trial(model, {spec.name: x}, {model.outputs[0].name: expected})
        # Cosines and sines are made in the page.
        assert sum(weight.data.nbytes for weight in model.weights) < 10_000
    assert not wrong(trials, tmp_path)


def test_more_of_a_spectrum_than_its_magnitudes_is_refused(tmp_path: Path) -> None:
    for lite, words in (
        (both(), "more than magnitudes, or than one part"),
        (spectrum(8, 1 << 20), "a transform of 1048576 elements"),
    ):
        (tmp_path / "m.tflite").write_bytes(lite.file())
        with pytest.raises(UnsupportedOpsError, match=words):
            convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))
