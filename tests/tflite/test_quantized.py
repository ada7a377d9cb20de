"""Quantised models: their codes go over the wire, and they compute in real numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import pytest

from builder.codecs.multiples import multiples
from builder.convert.requests import ConvertRequest, SourceOptions
from builder.convert.side_files import read_step
from builder.model import Grid
from builder.packing.segments import choose_codecs, plan_stages
from builder.packing.shards import pack, read
from builder.sources.tfjs import read_model
from builder.tflite.interface import interface_of
from builder.tflite.lower import lower_file
from builder.tflite.read import parse_tflite
from builder.tflite.reference import runner
from builder.tflite.sparse import Level, densify
from builder.tflite.tasks import convert_tflite
from tests.helpers.lite import Lite

random = np.random.default_rng(9)


def convert(lite: Lite, folder: Path) -> dict[str, Any]:
    (folder / "m.tflite").write_bytes(lite.file())
    made = convert_tflite(ConvertRequest(SourceOptions(folder / "m.tflite", "tflite"), folder / "out"))
    found: dict[str, Any] = json.loads(made.model_json.read_text())
    return found


def weights(model: dict[str, Any]) -> dict[str, Any]:
    return {spec["name"]: spec for spec in model["weightsManifest"][0]["weights"]}


def dense(kernel: Any, scales: tuple[Any, Any, int] | None) -> Lite:
    lite = Lite()
    x = lite.input((2, kernel.shape[1]))
    number = lite.constant(kernel, kernel.dtype.name, name="kernel", scales=scales)
    return lite.gives(lite.op("FULLY_CONNECTED", [x, number, -1], options="FullyConnectedOptions"))


def test_uint8_with_one_scale_is_what_tensorflow_js_decodes(tmp_path: Path) -> None:
    kernel = random.integers(0, 255, (16, 32)).astype(np.uint8)
    model = convert(dense(kernel, (0.25, 100, 0)), tmp_path)
    spec = weights(model)["kernel"]
    assert spec["shape"] == [32, 16]
    assert spec["quantization"] == {"dtype": "uint8", "scale": 0.25, "min": -25.0, "original_dtype": "float32"}
    stored = (tmp_path / "out" / "group1-shard1of1.bin").read_bytes()
    assert stored[: kernel.size] == kernel.T.tobytes()


def test_int8_with_a_scale_a_channel_keeps_its_codes(tmp_path: Path) -> None:
    kernel = random.integers(-127, 127, (16, 32)).astype(np.int8)
    scales = random.uniform(0.01, 0.02, 16)
    model = convert(dense(kernel, (scales, np.zeros(16), 0)), tmp_path)
    assert list(weights(model)) == ["kernel"]
    (weight,) = read_model(tmp_path / "out" / "model.json").weights
    assert weight.grid == Grid(tuple(scales.astype(np.float32).tolist()), 1)
    codec = multiples(weight)
    assert codec is not None
    planes = [plane.read(0, plane.nbytes) for plane in codec.planes(weight)]
    assert planes == [kernel.T.tobytes(), scales.astype("<f4").tobytes()]


def test_float16_stays_float16(tmp_path: Path) -> None:
    lite = Lite()
    x = lite.input((2, 8))
    half = lite.constant(random.normal(size=(5, 8)), "float16", name="kernel")
    kernel = lite.op("DEQUANTIZE", [half])
    model = convert(lite.gives(lite.op("FULLY_CONNECTED", [x, kernel, -1], options="FullyConnectedOptions")), tmp_path)
    spec = weights(model)["kernel"]
    assert (spec["dtype"], spec["quantization"]["dtype"]) == ("float32", "float16")


@pytest.mark.slow
def test_a_whole_number_model_is_no_longer_than_its_files_brotli(tmp_path: Path) -> None:
    """Weights as trained ones are: small numbers more often than large ones."""
    codes = np.clip(np.rint(random.normal(scale=25, size=(512, 512))), -127, 127).astype(np.int8)
    scales = random.uniform(0.01, 0.02, 512)
    convert(dense(codes, (scales, np.zeros(512), 0)), tmp_path)
    source = len(brotli.compress((tmp_path / "m.tflite").read_bytes()))
    model = read_model(tmp_path / "out" / "model.json")
    codecs = choose_codecs(model)
    (stage,) = plan_stages(model.weights, codecs, (None,) * len(codecs))
    made = sum(len(brotli.compress(read(shard))) for shard in pack(stage, 1 << 18))
    made += len(brotli.compress(json.dumps(model.artifacts).encode()))
    assert made <= source * 1.001  # the graph, as text, takes some bytes more than in the file


def whole_number_model() -> Lite:
    """Pixels in, codes between, a ReLU that is only in the least code: as quantised files have it."""
    lite = Lite()
    x = lite.input((1, 6, 6, 3), "uint8", name="pixels", scales=(1 / 255, 0, 0))
    kernel = random.integers(-127, 127, (4, 3, 3, 3))
    number = lite.constant(kernel, "int8", scales=(np.full(4, 0.005), np.zeros(4), 0))
    bias = lite.constant(random.integers(-900, 900, 4), "int32", scales=(np.full(4, 0.005 / 255), np.zeros(4), 0))
    codes = lite.tensor((1, 6, 6, 3), "int8", scales=(1 / 255, -128, 0))
    lite.op("QUANTIZE", [x], [codes], "QuantizeOptions")
    found = lite.tensor((1, 4, 4, 4), "int8", scales=(0.02, -128, 0))
    options = {"padding": 1, "strideH": 1, "strideW": 1}
    return lite.gives(lite.op("CONV_2D", [codes, number, bias], [found], "Conv2DOptions", version=3, **options))


def test_a_relu_that_only_the_least_code_tells_is_kept(tmp_path: Path) -> None:
    model = convert(whole_number_model(), tmp_path)
    ops = {node["op"] for node in model["modelTopology"]["node"]}
    assert "_FusedConv2D" in ops or "Relu" in ops
    assert "Relu" in json.dumps(model) or "UmVsdQ==" in json.dumps(model)  # as base64
    assert model["signature"]["inputs"]["pixels"]["dtype"] == "DT_INT32"


def test_the_reference_takes_codes_and_gives_real_numbers(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(whole_number_model().file())
    run = runner(SourceOptions(tmp_path / "m.tflite", "tflite"))
    (found,) = run({"pixels": random.integers(0, 255, (1, 6, 6, 3)).astype(np.int32)}).values()
    assert found.dtype == np.float32
    assert found.min() == 0
    assert np.allclose(found / 0.02, np.rint(found / 0.02), atol=1e-3)


def test_numbers_that_come_in_saturate_at_the_outermost_codes() -> None:
    lite = Lite()
    x = lite.input((4,))
    codes = lite.tensor((4,), "int8", scales=(0.1, -128, 0))
    lite.gives(lite.op("QUANTIZE", [x], [codes], "QuantizeOptions"))
    file = parse_tflite(lite.file(), "m")
    graph, _ = lower_file(file, interface_of(file, "serving_default", "m"), "m")
    bounds = sorted(float(graph.weights[name]) for name in graph.weights)
    assert bounds == pytest.approx([0, 25.5])


def test_sparse_constants_are_spread_out() -> None:
    """[[5, 0, 0, 7], [0, 0, 0, 0], [0, 9, 0, 0]]: rows all, columns those that are listed."""
    levels = [Level(3), Level(-1, np.array([0, 2, 2, 3]), np.array([0, 3, 1]))]
    found = densify(np.array([5, 7, 9]), (3, 4), (0, 1), (), levels)
    assert found.tolist() == [[5, 0, 0, 7], [0, 0, 0, 0], [0, 9, 0, 0]]


def test_sparse_blocks_are_spread_out() -> None:
    """Blocks of 1 x 2: of the first row the second block, of the second row the first."""
    levels = [Level(2), Level(-1, np.array([0, 1, 2]), np.array([1, 0])), Level(2)]
    found = densify(np.array([1, 2, 3, 4]), (2, 4), (0, 1, 2), (1,), levels)
    assert found.tolist() == [[0, 0, 1, 2], [3, 4, 0, 0]]


@pytest.mark.parametrize(
    "levels",
    [
        [Level(3), Level(-1, np.array([0, 2, 2, 9]), np.array([0, 3, 1]))],
        [Level(3), Level(-1, np.array([0, 2, 1, 3]), np.array([0, 3, 1]))],
        [Level(3), Level(-1, np.array([0, 2]), np.array([0, 3, 1]))],
        [Level(3), Level(-1, np.array([0, 2, 2, 3]), np.array([0, 4, 1]))],
        [Level(3), Level(-1, np.array([0, 2, 2, 3]), np.array([0, -1, 1]))],
        [Level(1 << 40), Level(1 << 40)],
        [Level(3)],
    ],
)
def test_sparse_constants_that_lie_are_refused(levels: list[Level]) -> None:
    with pytest.raises((ValueError, IndexError)):
        densify(np.array([5, 7, 9]), (3, 4), (0, 1), (), levels)


def test_the_longest_step_of_what_is_computed_is_kept_for_advice(tmp_path: Path) -> None:
    lite = Lite()
    x = lite.input((1, 4), "int8", scales=(0.5, 0, 0))
    middle = lite.tensor((1, 4), "int8", scales=(0.03, 0, 0))
    y = lite.tensor((1, 4), "int8", scales=(0.02, 0, 0))
    weights_ = lite.constant(np.array([[1, 2, 3, 4]], np.int8), scales=(9.0, 0, 0))
    lite.op("MUL", [x, weights_], [middle], options="MulOptions")
    lite.op("ADD", [middle, middle], [y], options="AddOptions")
    (tmp_path / "m.tflite").write_bytes(lite.gives(y).file())
    made = convert_tflite(ConvertRequest(SourceOptions(tmp_path / "m.tflite", "tflite"), tmp_path / "out"))
    assert read_step(made.model_json) == pytest.approx(0.03)
