"""Boxes, sequences and spectra, against ONNX Runtime."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import UnsupportedOpsError
from builder.onnx.tasks import convert_onnx
from tests.helpers.onnx_cases import check_file, model_of


def numbers(seed: int, *shape: int) -> Any:
    """Return random numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_sequences_are_turned_round_up_to_their_lengths(
    axes: tuple[int, int], shape: tuple[int, ...], tmp_path: Path
) -> None:
    batch, time = axes
    lengths = np.arange(shape[batch]) % shape[time] + 1
    feeds = {"x": numbers(0, *shape), "lengths": lengths}
    node = helper.make_node("ReverseSequence", ["x", "lengths"], ["y"], batch_axis=batch, time_axis=time)
    check_file(tmp_path, model_of([node], feeds, {}, opset=10), feeds)


@pytest.mark.parametrize("seed", range(16))
def test_fourier_transforms(seed: int, tmp_path: Path) -> None:
    pick = random.Random(seed)
    inverse = seed % 2
    onesided = 0 if inverse else pick.choice([0, 1])
    x = numbers(seed, 2, pick.randint(2, 9), 1 if onesided else pick.choice([1, 2]))
    constants = {"length": np.array(pick.randint(2, 10))} if pick.random() < 0.5 else {}
    node = helper.make_node("DFT", ["x", *constants], ["y"], axis=1, inverse=inverse, onesided=onesided)
    check_file(tmp_path, model_of([node], {"x": x}, constants, opset=17, opened=pick.choice([(), (0,)])), {"x": x})


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("opened", [(), (0,), (1,)])
def test_short_transforms(onesided: int, opened: tuple[int, ...], tmp_path: Path) -> None:
    x = numbers(0, 2, 16, 1)
    constants = {"step": np.array(3), "window": abs(numbers(1, 5)), "length": np.array(5)}
    node = helper.make_node("STFT", ["x", *constants], ["y"], onesided=onesided)
    check_file(tmp_path, model_of([node], {"x": x}, constants, opset=17, opened=opened), {"x": x})


def suppression(folder: Path, **given: Any) -> dict[str, Any]:
    """Return the model.json of NonMaxSuppression of two pictures, three classes and six boxes."""
    feeds = {"boxes": abs(numbers(0, 2, 6, 4)), "scores": abs(numbers(1, 2, 3, 6))}
    inputs = [*feeds, *(name if name in given else "" for name in ("most", "overlap", "least"))]
    node = helper.make_node("NonMaxSuppression", inputs, ["y"])
    path = folder / "model.onnx"
    onnx.save(model_of([node], feeds, given, opset=11), path)
    result = convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), folder / "out"))
    found: dict[str, Any] = json.loads(result.model_json.read_text(encoding="utf-8"))
    return found


def test_boxes_are_chosen_class_by_class(tmp_path: Path) -> None:
    content = suppression(tmp_path, most=np.array([5]), overlap=np.array([0.5], np.float32))
    ops = [node["op"] for node in content["modelTopology"]["node"]]
    assert ops.count("NonMaxSuppressionV3") == 6


def test_boxes_that_overlap_as_much_as_the_threshold_are_kept(tmp_path: Path) -> None:
    content = suppression(tmp_path, most=np.array([5]), overlap=np.array([0.5], np.float32))
    chosen = next(node for node in content["modelTopology"]["node"] if node["op"] == "NonMaxSuppressionV3")
    weights, at = {}, 0
    raw = (tmp_path / "out" / "group1-shard1of1.bin").read_bytes()
    for spec in content["weightsManifest"][0]["weights"]:
        count = int(np.prod(spec["shape"]))
        weights[spec["name"]] = np.frombuffer(raw, spec["dtype"], count, at)
        at += 4 * count
    # TensorFlow.js suppresses at the threshold, ONNX above it.
    assert weights[chosen["input"][3]][0] == np.nextafter(np.float32(0.5), np.float32(1))


def test_a_threshold_that_tensorflow_js_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpsError, match="iou_threshold of 1 or more"):
        suppression(tmp_path, most=np.array([5]), overlap=np.array([1], np.float32))


def test_without_a_number_of_boxes_none_is_chosen(tmp_path: Path) -> None:
    content = suppression(tmp_path)
    assert not any(node["op"] == "NonMaxSuppressionV3" for node in content["modelTopology"]["node"])
