"""Models are recognised by their interface and their own words; what is not certain is not proposed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from builder.answers.clues import Clues
from builder.answers.complete import complete
from builder.answers.hearing import audio_of
from builder.answers.kinds import propose
from builder.config.answers import AnswerTable
from builder.config.audio import AudioConfig
from builder.model import TensorSpec


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def picture(*shape: int | None, name: str = "input") -> tuple[TensorSpec, ...]:
    return (spec(name, *shape),)


coco = "{0: 'person', 1: 'bicycle'}"
known: list[tuple[str, Clues, dict[str, Any], dict[str, Any]]] = [
    (
        "Teachable Machine",
        Clues(
            picture(None, 224, 224, 3),
            (spec("dense", None, 2),),
            "tfjs",
            notes={"packageName": "@teachablemachine/image", "labels": ["yes", "no"]},
        ),
        {"kind": "classes"},
        {"fit": "cover", "range": [-1.0, 255 / 127 - 1]},
    ),
    (
        "Ultralytics exported it for the task 'detect', with 2 classes",
        Clues(picture(1, 3, 640, 640), (spec("output0", 1, 6, 8400),), "onnx", notes={"task": "detect", "names": coco}),
        {"kind": "boxes", "format": "yolo"},
        {"fit": "letterbox", "colour": [114, 114, 114]},
    ),
    (
        "the task 'pose'",
        Clues(
            picture(1, 3, 640, 640),
            (spec("output0", 1, 56, 8400),),
            "onnx",
            notes={"task": "pose", "names": "{0: 'person'}", "kpt_shape": "[17, 3]"},
        ),
        {"format": "yolo", "points": {"count": 17, "values": 3, "start": 5}},
        {"fit": "letterbox"},
    ),
    (
        "896 anchors on 128 x 128 pixels",
        Clues(picture(1, 128, 128, 3), (spec("regressors", 1, 896, 16), spec("classificators", 1, 896, 1)), "tflite"),
        {"kind": "boxes", "format": "blazeface"},
        {"fit": "letterbox", "range": [-1.0, 1.0]},
    ),
    (
        "2016 anchors on 192 x 192 pixels",
        Clues(picture(1, 192, 192, 3), (spec("Identity", 1, 2016, 18), spec("Identity_1", 1, 2016, 1)), "tflite"),
        {"kind": "boxes", "format": "blazeface"},
        {"range": [0.0, 1.0]},
    ),
    (
        "MoveNet",
        Clues(picture(1, 192, 192, 3), (spec("output_0", 1, 1, 17, 3),), "tfjs"),
        {"kind": "points", "order": "yxs", "unit": "normalised"},
        {"range": [0.0, 255.0]},
    ),
    (
        "points of a face",
        Clues(picture(1, 192, 192, 3), (spec("conv2d_21", 1, 1, 1, 1404), spec("conv2d_31", 1, 1, 1, 1)), "tflite"),
        {"kind": "points", "order": "xyz", "output": "conv2d_21"},
        {"fit": "letterbox"},
    ),
    (
        "people from their background",
        Clues(picture(1, 256, 256, 3), (spec("activation_10", 1, 256, 256, 1),), "tflite"),
        {"kind": "mask"},
        {"fit": "stretch"},
    ),
    (
        "TensorFlow's detectors",
        Clues(
            picture(1, 300, 300, 3),
            (spec("detection_boxes", 1, 10, 4), spec("detection_classes", 1, 10), spec("detection_scores", 1, 10)),
            "saved-model",
        ),
        {"kind": "boxes", "format": "ssd"},
        {"fit": "stretch"},
    ),
    (
        "DETR",
        Clues(picture(1, 3, 800, 800), (spec("logits", 1, 100, 92), spec("pred_boxes", 1, 100, 4)), "onnx"),
        {"kind": "boxes", "format": "detr"},
        {"mean": [0.485, 0.456, 0.406]},
    ),
    (
        "YOLOv8 or later",
        Clues(picture(1, 3, 640, 640, name="images"), (spec("output0", 1, 84, 8400),), "onnx"),
        {"kind": "boxes", "format": "yolo", "family": "v8"},
        {"fit": "letterbox"},
    ),
    (
        "YOLOX",
        Clues(picture(1, 3, 416, 416, name="images"), (spec("output", 1, 3549, 85),), "onnx", labels=80),
        {"kind": "boxes", "format": "yolo", "family": "x"},
        {"channels": "bgr", "range": [0.0, 255.0]},
    ),
    (
        "as ImageNet has classes",
        Clues(picture(1, 224, 224, 3), (spec("Predictions", 1, 1000),), ends={"Predictions": "MatMul"}),
        {"kind": "classes", "activation": "softmax"},
        {},
    ),
    (
        "as there are labels (7)",
        Clues(picture(None, 64, 64, 1), (spec("predictions", None, 7),), "keras-h5", labels=7),
        {"kind": "classes"},
        {},
    ),
]


@pytest.mark.parametrize(("reason", "clues", "answer", "pixels"), known, ids=[item[0] for item in known])
def test_known_models_are_recognised_and_their_settings_fit(
    reason: str, clues: Clues, answer: dict[str, Any], pixels: dict[str, Any]
) -> None:
    found = propose(clues)
    assert found is not None
    assert reason in found.reason
    assert found.answer | answer == found.answer
    assert found.picture | pixels == found.picture
    table = msgspec.convert(found.answer, AnswerTable)
    assert complete(table, clues.seen)  # what is proposed is right as it stands


unknown = [
    Clues(picture(1, 10), (spec("a", 1, 2),)),
    Clues(picture(1, 64, 64, 3), (spec("a", 1, 64, 64, 3),)),
    Clues((*picture(1, 64, 64, 3), *picture(1, 64, 64, 3, name="b")), (spec("a", 1, 1000),)),
    Clues(picture(1, 224, 224, 3), (spec("a", 1, 7),)),
    Clues(picture(1, 224, 224, 3), (spec("a", 1, 7),), labels=8),
    Clues(picture(1, 3, 640, 640), (spec("a", 1, 84, 8400),)),
    Clues(picture(1, 3, 640, 640), (spec("a", None, None, None),), notes={"task": "detect", "names": "{" * 5000}),
    Clues(picture(1, 3, 640, 640), (spec("a", 1, 9, 9),), notes={"task": "detect", "names": "{1: 'one'}"}),
    Clues(picture(1, 3, 640, 640), (spec("a", 1, 9, 9),), notes={"task": "obb", "names": coco}),
    Clues((TensorSpec("x", "float32", None),), (TensorSpec("y", "float32", None),)),
    Clues((), ()),
]


@pytest.mark.parametrize("clues", unknown)
def test_what_is_not_certain_is_not_proposed(clues: Clues) -> None:
    assert propose(clues) is None


def test_labels_come_with_the_model() -> None:
    clues = Clues(picture(1, 3, 64, 64), (spec("o", 1, 6, 84),), "onnx", notes={"task": "detect", "names": coco})
    found = propose(clues)
    assert found is not None
    assert found.labels == ("person", "bicycle")


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({"mean": [127.5], "std": [127.5]}, {"range": [-1.0, 1.0]}),
        ({"mean": [0.0] * 3, "std": [255.0] * 3}, {"range": [0.0, 1.0]}),
        (
            {"mean": [1.0, 2.0, 3.0], "std": [4.0] * 3},
            {"range": [0.0, 255.0], "mean": [1.0, 2.0, 3.0], "std": [4.0] * 3},
        ),
        ({"mean": [1.0], "std": [0.0]}, {}),
        ({"mean": [1.0, 2.0], "std": [1.0, 2.0]}, {}),
        ({"mean": "1", "std": "2"}, {}),
    ],
)
def test_what_a_file_says_of_its_pixels_counts(notes: dict[str, Any], expected: dict[str, Any]) -> None:
    found = propose(Clues(picture(1, 64, 64, 3), (spec("a", 1, 7),), "tflite", labels=7, notes=notes))
    assert found is not None
    assert found.picture == expected
    assert ("what range" in found.reason) is not bool(expected)


sounds: list[tuple[str, Clues, dict[str, Any]]] = [
    (
        "Silero's speech detector",
        Clues(
            (spec("input", None, None), spec("state", 2, None, 128)),
            (spec("output", None, 1), spec("stateN", None, None, None)),
            "onnx",
        ),
        {"samples": 576, "hop": 512, "lead": 64, "state": {"state": "stateN"}},
    ),
    ("YAMNet's", Clues((spec("waveform", 15600),), (spec("scores", 1, 521),), "tflite"), {"samples": 15600}),
    (
        "YAMNet's",
        Clues((spec("waveform", None),), (spec("output_0", None, 521), spec("output_1", None, 1024))),
        {"samples": 15600, "hop": 7680},
    ),
    (
        "@tensorflow-models/speech-commands",
        Clues((spec("x", None, 43, 232, 1),), (spec("y", None, 2),), "tfjs", notes={"wordLabels": ["noise", "yes"]}),
        {"rate": 44100, "hop": 22016},
    ),
]


@pytest.mark.parametrize(("reason", "clues", "wanted"), sounds)
def test_models_of_sound_are_recognised_and_what_is_proposed_fits(
    reason: str, clues: Clues, wanted: dict[str, Any]
) -> None:
    found = propose(clues)
    assert found is not None
    assert reason in found.reason
    assert found.audio | wanted == found.audio
    fixed = {name: one["shape"] for name, one in found.inputs.items() if "shape" in one}
    inputs = [TensorSpec(one.name, one.dtype, tuple(fixed.get(one.name, one.shape))) for one in clues.inputs]
    audio = audio_of("m", msgspec.convert(found.audio, AudioConfig), inputs, clues.outputs)
    assert audio is not None
    assert audio["samples"] in {576, 15600, 43 * 1024}


@pytest.mark.parametrize(
    "clues",
    [
        Clues((spec("input", 1, 512), spec("state", 2, 1, 64)), (spec("output", 1, 1), spec("stateN", 2, 1, 64))),
        Clues((spec("waveform", 16000),), (spec("scores", 1, 521),)),
        Clues((spec("waveform", None),), (spec("scores", 1, 520),)),
        Clues((spec("x", None, 232),), (spec("y", None, 2),), notes={"wordLabels": ["noise", "yes"]}),
    ],
)
def test_what_is_like_a_model_of_sound_is_not_proposed(clues: Clues) -> None:
    assert propose(clues) is None
