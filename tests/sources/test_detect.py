"""What a path is, told from its first bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from builder.errors import SourceError
from builder.graphs.graphdef import messages
from builder.sources.detect import detect
from tests.helpers.graphs import add_node, saved_model, write_saved_model

hdf5 = b"\x89HDF\r\n\x1a\n" + bytes(100)


def archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("config.json", "{}")
    return target.getvalue()


def holding_hdf5(start: int) -> bytes:
    """A .keras file whose weights, which Keras does not compress, begin at ``start``."""
    target = io.BytesIO()
    names = ("config.json", "model.weights.h5")
    with zipfile.ZipFile(target, "w") as file:
        file.writestr(names[0], "{" + " " * (start - 62 - sum(map(len, names))) + "}")
        file.writestr(names[1], hdf5)
    assert target.getvalue()[start:].startswith(hdf5)
    return target.getvalue()


def graph() -> bytes:
    message = messages().GraphDef()
    add_node(message.node, "x", "Placeholder")
    for number in range(300):
        add_node(message.node, f"relu_{number}", "Relu", "x")
    message.versions.producer = 1882
    content: bytes = message.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("model.json", b'{"format": "graph-model"}', "tfjs"),
        ("model with space.json", b'\xef\xbb\xbf\n {"modelTopology": {}}', "tfjs"),
        ("emotion.hdf5", hdf5, "keras-h5"),
        ("MODEL.H5", hdf5, "keras-h5"),
        ("user-block.h5", bytes(512) + hdf5, "keras-h5"),
        ("model.keras", archive(), "keras-zip"),  # which holds the time it was made
        *((f"hdf5-at-{start}.keras", holding_hdf5(start), "keras-zip") for start in (512, 1024, 2048)),
        ("old.keras", hdf5, "keras-h5"),
        ("frozen.pb", graph(), "frozen-graph"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_kinds(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert detect(tmp_path / name) == kind


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    assert detect(write_saved_model(tmp_path / "a b", saved_model()[0])) == "saved-model"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.h5", None, "does not exist.*path in build.toml"),
        ("empty.h5", b"", "is empty.*again"),
        ("text.h5", b"<html>not found</html>", "not a .h5 file inside"),
        ("pointer.h5", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("model.json", b"[1, 2]", "not an object.*model.json"),
        ("page.json", b"<html>", "not JSON"),
        ("model.onnx", b"<html>", "not an ONNX file inside"),
        ("model.tflite", b"<html>", "not a .tflite file inside"),
        ("weights.index", b"\0\0", "checkpoint"),
        ("graph.pbtxt", b"node {}", "binary form"),
        ("saved_model.pb", b"\x08\x01\x12\x00", "Name its folder"),
        ("half.pb", graph()[:2001], "truncated"),
        ("text.pb", b"hello, world", "not a frozen TensorFlow graph"),
        ("version.pb", b"\x22\x02\x08\x01", "not a frozen TensorFlow graph"),
        ("notes.txt", b"hello", "not a model that Shardpress knows"),
    ],
)
def test_what_is_no_source_says_what_to_do(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        detect(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.hint


def test_a_folder_without_a_model_names_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Name a SavedModel folder"):
        detect(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    write_saved_model(tmp_path / "export", saved_model()[0])
    with pytest.raises(SourceError, match=r"Name the model in it: export, model\.json"):
        detect(tmp_path)


def test_an_unreadable_path_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    with pytest.raises(SourceError):
        detect(tmp_path / "loop.h5")
