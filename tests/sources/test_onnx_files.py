"""Which files an ONNX model is made of, and that it reads no others."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.convert.handover import files_of
from builder.errors import SourceError
from builder.sources.onnx_files import external_files
from builder.sources.source_files import source_files
from tests.onnx.networks import classifier, write


def pointed(folder: Path, location: str) -> Path:
    """Write a model whose weights are said to be elsewhere."""
    path = write(classifier(), folder / "model.onnx", external=True)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


def test_a_whole_file_needs_no_other(tmp_path: Path) -> None:
    path = write(classifier(), tmp_path / "model.onnx")
    assert external_files(path) == ()
    assert source_files(path, "onnx") == (("model.onnx", path),)


def test_weights_beside_it_belong_to_it(tmp_path: Path) -> None:
    path = write(classifier(), tmp_path / "model.onnx", external=True)
    data = tmp_path / "model.onnx.data"
    assert source_files(path, "onnx") == (("model.onnx", path), ("model.onnx.data", data))
    assert files_of(path) == (("", path), ("../model.onnx.data", data))


def test_constants_within_branches_are_found(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="c", data_type=1, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value="inner.bin")
    (tmp_path / "inner.bin").write_bytes(bytes(16))
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [onnx.ValueInfoProto(name="c")]
    )
    branch = onnx.helper.make_node("If", ["which"], ["out"], then_branch=inner, else_branch=inner)
    model = onnx.helper.make_model(onnx.helper.make_graph([branch], "outer", [], []))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert external_files(tmp_path / "model.onnx") == (tmp_path / "inner.bin",)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "", "a\\b", "link.bin"])
def test_no_file_outside_its_folder_is_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 16))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = pointed(tmp_path / "model", location)
    with pytest.raises(SourceError, match="outside its folder"):
        external_files(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = pointed(tmp_path, "gone.bin")
    with pytest.raises(SourceError, match=r"needs 'gone\.bin' beside it"):
        external_files(path)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(classifier(), tmp_path_factory.mktemp("whole") / "model.onnx", external=True).read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_end_in_words(tmp_path: Path, content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.onnx"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(content)))])
    try:
        external_files(path)
    except SourceError as error:
        assert error.hint  # noqa: PT017  (what else it raises fails the test)
