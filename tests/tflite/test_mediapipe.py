"""MediaPipe's pools that remember places, which TensorFlow Lite's interpreter lacks: against their definition."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.tflite.tasks import convert_tflite
from tests.helpers.lite import Lite
from tests.helpers.lite_run import Trial, lowered, wrong

height, width = 2, 3
pool = struct.pack("<6i", 2, width, height, width, height, 0)  # TfLitePoolParams: valid, strides, window


def pools(options: bytes = pool) -> Lite:
    """Pool a picture, halve the numbers, and put them back."""
    lite = Lite()
    x = lite.input((2, 4, 6, 3))
    largest, places = lite.op("custom MaxPoolingWithArgmax2D", [x], ["float32", "float32"], custom=options)
    half = lite.op("MUL", [largest, lite.constant(np.float32(0.5))], options="MulOptions")
    return lite.gives(places, lite.op("custom MaxUnpooling2D", [half, places], custom=options))


def definition(x: Any) -> tuple[Any, Any]:
    """Return places and picture, window by window."""
    n, rows, columns, channels = x.shape
    places = np.zeros((n, rows // height, columns // width, channels), np.float32)
    picture = np.zeros_like(x)
    for i, y, z, c in np.ndindex(places.shape):
        window = x[i, y * height : (y + 1) * height, z * width : (z + 1) * width, c]
        place = int(window.argmax())
        places[i, y, z, c] = place + 0.1
        picture[i, y * height + place // width, z * width + place % width, c] = window.max() / 2
    return places, picture


@pytest.mark.slow
def test_pools_that_remember_places_and_put_numbers_back(tmp_path: Path) -> None:
    lite = pools()
    (tmp_path / "m.tflite").write_bytes(lite.file())
    model = lowered(tmp_path / "m.tflite", tmp_path / "out")
    x = np.random.default_rng(4).normal(size=(2, 4, 6, 3)).astype(np.float32)
    expected = dict(zip((spec.name for spec in model.outputs), definition(x), strict=True))
    assert not wrong({"m": Trial(model, {"in0": x}, expected)}, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (struct.pack("<6i", 2, 1, 1, width, height, 0), "windows that overlap"),
        (struct.pack("<6i", 1, 4, 4, 4, 4, 0), "windows that reach beyond the picture"),
        (pool[:12], "options that are too short"),
    ],
)
def test_pools_of_other_forms_are_refused(tmp_path: Path, options: bytes, words: str) -> None:
    (tmp_path / "m.tflite").write_bytes(pools(options).file())
    with pytest.raises(UnsupportedOpsError, match=words):
        convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))
