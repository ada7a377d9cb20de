"""Weights in a file of their own go the way of a build: into the process that converts, and are read there."""

from __future__ import annotations

from pathlib import Path

from builder.convert.handover import stage_request
from builder.convert.requests import ConvertRequest, SourceOptions
from builder.onnx.tasks import convert_onnx

from .networks import classifier, write


def test_weights_beside_a_model_are_read_where_they_were_handed_over(tmp_path: Path) -> None:
    path = write(classifier(), tmp_path / "model.onnx", external=True)
    request = ConvertRequest(SourceOptions(path, "onnx"), tmp_path / "out")
    handover = stage_request(request, tmp_path / "in", tmp_path / "made")
    staged = handover.request
    assert isinstance(staged, ConvertRequest)
    assert staged.source.path != path
    assert convert_onnx(staged).model_json.is_file()
