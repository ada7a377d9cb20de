"""``TFLite_Detection_PostProcess`` against the interpreter's own, classes together and apart; hostile options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.tflite.reference import runner
from builder.tflite.tasks import convert_tflite
from tests.helpers.lite import Lite
from tests.helpers.lite_run import Trial, lowered, wrong

plain = {
    "max_detections": 10, "max_classes_per_detection": 1, "num_classes": 3, "nms_score_threshold": 1e-8,
    "nms_iou_threshold": 0.6, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
}  # fmt: skip
boxes = 40


def detector(options: Any, background: int = 1, codes: int = 4) -> Lite:
    """Take offsets and scores as they are, beside anchors in rows."""
    lite = Lite()
    centres = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 8)), -1).reshape(-1, 2)
    anchors = np.concatenate([centres, np.full((boxes, 2), 0.3)], 1).astype(np.float32)
    offsets = lite.input((1, boxes, codes))
    logits = lite.input((1, boxes, 3 + background))
    scores = lite.op("LOGISTIC", [logits])
    content = options if isinstance(options, bytes) else bytes(flexbuffers.Dumps(options))
    return lite.gives(
        *lite.op(
            "custom TFLite_Detection_PostProcess",
            [offsets, scores, lite.constant(anchors)],
            ["float32"] * 4,
            custom=content,
        )
    )


cases = {
    "plain": ({}, 1, 4),
    "no-background": ({}, 0, 4),
    "more-codes": ({}, 1, 6),
    "few": ({"nms_score_threshold": 0.95}, 1, 4),
    "none": ({"nms_score_threshold": 0.9999}, 1, 4),
    "any-score": ({"nms_score_threshold": 0.0}, 1, 4),
    "more-than-anchors": ({"max_detections": 60, "nms_iou_threshold": 0.9}, 1, 4),
    "all-overlaps": ({"nms_iou_threshold": 1.0, "max_detections": 40}, 1, 4),
    "two-classes": ({"max_classes_per_detection": 2}, 1, 4),
    "two-classes-few": ({"max_classes_per_detection": 2, "nms_score_threshold": 0.95}, 1, 4),
    "apart": ({"use_regular_nms": True, "detections_per_class": 5}, 1, 4),
    "apart-few": ({"use_regular_nms": True, "nms_score_threshold": 0.95}, 1, 4),
    "apart-more": ({"use_regular_nms": True, "detections_per_class": 2, "max_detections": 20}, 0, 4),
}


def trial(name: str, folder: Path) -> Trial:
    options, background, codes = cases[name]
    path = folder / f"{name}.tflite"
    path.write_bytes(detector(plain | options, background, codes).file())
    model = lowered(path, folder / name)
    random = np.random.default_rng(11)
    inputs = {
        "in0": random.normal(size=(1, boxes, codes)).astype(np.float32) * 2,
        "in1": random.normal(size=(1, boxes, 3 + background)).astype(np.float32) * 2,
    }
    return Trial(model, inputs, runner(SourceOptions(path, "tflite"))(inputs))


@pytest.mark.slow
def test_boxes_are_those_of_the_interpreter(tmp_path: Path) -> None:
    trials = {name: trial(name, tmp_path) for name in cases}
    counts = {name: int(next(a for a in t.outputs.values() if a.shape == (1,))[0]) for name, t in trials.items()}
    assert counts["none"] == 0 < counts["few"] < counts["plain"] == 10 < counts["more-than-anchors"]
    assert not wrong(trials, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (b"", "options that cannot be read"),
        (b"\xff" * 40, "options that cannot be read"),
        (flexbuffers.Dumps([1, 2]), "options that cannot be read"),
        ({**plain, "num_classes": "many"}, "num_classes is no number"),
        ({key: value for key, value in plain.items() if key != "y_scale"}, "y_scale is missing"),
        ({**plain, "num_classes": 9}, "9 classes, of which a box gets 1, and 4 scores"),
        ({**plain, "max_detections": 10**9}, "at most 1000000000 boxes"),
        ({**plain, "w_scale": 0.0}, "the scales"),
        ({**plain, "nms_iou_threshold": float("nan")}, "overlap of nan"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: Any, words: str) -> None:
    (tmp_path / "m.tflite").write_bytes(detector(bytes(options) if isinstance(options, bytearray) else options).file())
    with pytest.raises(UnsupportedOpsError, match=words):
        convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))


def test_random_bytes_as_options_end_in_words(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    good = bytes(flexbuffers.Dumps(plain))
    for _ in range(60):
        spoilt = bytearray(good)
        for place in random.integers(0, len(good), 3):
            spoilt[place] = random.integers(0, 256)
        (tmp_path / "m.tflite").write_bytes(detector(bytes(spoilt)).file())
        try:
            convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))
        except UnsupportedOpsError as error:
            assert "TFLite_Detection_PostProcess" in str(error)  # noqa: PT017
