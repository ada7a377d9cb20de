"""How often lowered networks move their numbers: no more often than the source, and once for each picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx
from tests.helpers import onnx_networks
from tests.helpers.onnx_cases import check_file
from tests.helpers.onnx_networks import networks


def convert(model: Any, folder: Path) -> dict[str, Any]:
    """Return the model.json of an ONNX model."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    result = convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), folder / "out"))
    content: dict[str, Any] = json.loads(result.model_json.read_text(encoding="utf-8"))
    return content


def count(content: dict[str, Any], op: str) -> int:
    """Return how many nodes of an op there are."""
    return sum(node["op"] == op for node in content["modelTopology"]["node"])


def pictures(content: dict[str, Any]) -> int:
    """Return how many inputs and outputs are pictures."""
    infos = [info for part in ("inputs", "outputs") for info in content["signature"][part].values()]
    return sum(len(info["tensorShape"]["dim"]) == 4 for info in infos)


@pytest.mark.parametrize("network", networks, ids=lambda network: network.__name__)
def test_no_more_transposes_than_the_source_and_one_for_each_picture(
    network: Callable[[], Any], tmp_path: Path
) -> None:
    model = network()
    content = convert(model, tmp_path)
    own = sum(node.op_type == "Transpose" for node in model.graph.node)
    assert count(content, "Transpose") <= own + pictures(content)


@pytest.mark.parametrize("network", networks, ids=lambda network: network.__name__)
def test_what_is_not_moved_gives_the_same_numbers(network: Callable[[], Any], tmp_path: Path) -> None:
    model = network()
    lengths = {"n": 2, "h": 8, "w": 12}
    shapes = {
        info.name: [dim.dim_value or lengths[dim.dim_param] for dim in info.type.tensor_type.shape.dim]
        for info in model.graph.input
    }
    random = np.random.default_rng(0)
    check_file(tmp_path, model, {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.mark.parametrize("network", [onnx_networks.classifier, onnx_networks.residual, onnx_networks.mobile_net])
def test_a_classifier_moves_its_picture_only(network: Callable[[], Any], tmp_path: Path) -> None:
    assert count(convert(network(), tmp_path), "Transpose") == 1


def test_turns_between_convolutions_and_products_over_channels_vanish(tmp_path: Path) -> None:
    content = convert(onnx_networks.convnext(), tmp_path)
    assert count(content, "Transpose") == 2  # of four in the source, only those of the input and the output


def test_flattened_pictures_turn_the_rows_of_the_matrix(tmp_path: Path) -> None:
    content = convert(onnx_networks.reshaped_classifier(), tmp_path)
    ops = [node["op"] for node in content["modelTopology"]["node"]]
    assert ops.index("Transpose") < ops.index("_FusedConv2D")  # that of the input
    assert ops.count("Transpose") == 1


def test_open_pictures_are_flattened_as_they_are_stored(tmp_path: Path) -> None:
    # The names of lengths tell that [n, 8, h, w] becomes [n, 8, h w], and a turn to [n, h w, 8] needs no move at all.
    assert count(convert(onnx_networks.open_head(), tmp_path), "Transpose") == 1


def test_computed_lengths_that_are_the_pictures_own_move_nothing(tmp_path: Path) -> None:
    """Where inference does not follow the lengths, what they were computed of tells."""
    assert count(convert(onnx_networks.recogniser(), tmp_path), "Transpose") == 1  # that of the input


def test_what_an_output_is_moved_for_is_taken_as_it_is_given(tmp_path: Path) -> None:
    """Both directions take the same turned input, and what averages an output takes that."""
    assert count(convert(onnx_networks.both_ways(), tmp_path), "Transpose") == 4
