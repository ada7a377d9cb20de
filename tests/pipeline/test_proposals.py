"""``check`` says what ``run`` could be told of a model, and what of what it is told does not fit."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

from builder.answers.kinds import Clues, propose
from builder.cli.init import Found, write_config
from builder.cli.main import main
from builder.config.answers import ClassesTable
from builder.config.tables import load_config
from builder.model import TensorSpec
from builder.tflite.own_words import own_words
from tests.helpers.lite import Lite
from tests.helpers.onnx_cases import model as onnx_model


def classifier(path: Path, words: dict[str, str]) -> None:
    """Write an ONNX model of pictures of 3 x 8 x 8 that ends with 2 scores, and says ``words`` of itself."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Flatten", ["means"], ["row"]),
    ]
    made = onnx_model(
        [*nodes, helper.make_node("MatMul", ["row", "w"], ["scores"])],
        {"image": (np.float32, (1, 3, 8, 8))},
        ["scores"],
        {"w": np.ones((3, 2), np.float32)},
    )
    helper.set_model_props(made, words)
    path.write_bytes(made.SerializeToString())


def checked(folder: Path, table: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Run ``check`` on one model with further keys; give the exit status and what it says of the model."""
    (folder / "build.toml").write_text(f'[models.small]\nsource = "small.onnx"\n{table}')
    status = main(["check", "--config", str(folder / "build.toml"), "--json"])
    return status, json.loads(capsys.readouterr().out)["models"][0]


@pytest.mark.slow
def test_what_a_file_says_of_itself_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(tmp_path / "small.onnx", {"task": "classify", "names": "{0: 'cat', 1: 'dog'}", "author": "somebody"})
    status, found = checked(tmp_path, "", capsys)
    assert (status, found["problem"]) == (0, "")
    assert found["proposal"]["answer"] == {"kind": "classes"}
    assert found["proposal"]["labels"] == ["cat", "dog"]
    assert main(["check", "--config", str(tmp_path / "build.toml")]) == 0
    shown = capsys.readouterr().out
    assert "for run(): its metadata says that Ultralytics exported it for the task 'classify', with 2 classes" in shown
    assert 'answer = { kind = "classes" }' in shown


@pytest.mark.slow
def test_what_is_set_and_does_not_fit_is_told_by_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(tmp_path / "small.onnx", {})
    status, found = checked(tmp_path, "", capsys)
    assert (status, found["proposal"]) == (0, None)
    status, found = checked(tmp_path, 'picture = {}\nanswer = "boxes"\n', capsys)
    assert status == 1
    assert "it is not clear which outputs hold boxes and scores" in found["problem"]
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    status, found = checked(tmp_path, 'picture = {}\nanswer = "classes"\nlabels = "labels.txt"\n', capsys)
    assert status == 1
    assert "3 labels for 2 classes" in found["problem"]
    status, found = checked(tmp_path, 'picture = {}\nanswer = { kind = "classes", activation = "softmax" }\n', capsys)
    assert (status, found["problem"], found["proposal"]) == (0, "", None)


@pytest.mark.slow
def test_init_writes_what_is_proposed_and_the_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(tmp_path / "small.onnx", {"task": "classify", "names": "{0: 'cat', 1: 'dog'}"})
    config = tmp_path / "build.toml"
    assert main(["init", str(tmp_path), "--config", str(config)]) == 0
    assert "for run(): its metadata says" in capsys.readouterr().out
    assert (tmp_path / "small.labels.txt").read_text() == "cat\ndog\n"
    model = load_config(config).models["small"]
    assert (model.labels, model.answer) == ("small.labels.txt", ClassesTable())
    assert model.picture is not None
    assert model.picture.fit == "cover"
    assert main(["check", "--config", str(config)]) == 0


def test_what_is_a_guess_is_written_as_a_comment(tmp_path: Path) -> None:
    clues = Clues(
        (TensorSpec("image", "float32", (1, 8, 8, 3)),), (TensorSpec("row", "float32", (1, 2)),), "tflite", labels=2
    )
    guess = propose(clues)
    sure = propose(replace(clues, notes={"mean": [0.0], "std": [255.0]}))
    assert guess is not None
    assert sure is not None
    found = (Found("a", "a.tflite", "tflite", 9), Found("b", "b.tflite", "tflite", 9))
    text = write_config(found, {}, None, {"a": guess, "b": sure})
    (tmp_path / "build.toml").write_text(text)
    models = load_config(tmp_path / "build.toml").models
    assert (models["a"].answer, models["b"].answer) == (None, ClassesTable())
    assert '# answer = { kind = "classes" }' in text


def metadata(mean: list[float], std: list[float]) -> bytes:
    """Write the metadata of a TensorFlow Lite model: one subgraph with one input, which is normalised."""
    builder = flatbuffers.Builder()

    def floats(values: list[float]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependFloat32(value)
        return int(builder.EndVector())

    def table(fields: dict[int, int], count: int, kind: int = 0) -> int:
        builder.StartObject(count)
        if kind:
            builder.PrependUint8Slot(0, kind, 0)
        for number, offset in fields.items():
            builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        return int(builder.EndObject())

    def tables(*offsets: int) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    options = table({0: floats(mean), 1: floats(std)}, 2)
    tensor = table({4: tables(table({1: options}, 2, kind=1))}, 7)
    subgraph = table({2: tables(tensor)}, 7)
    builder.Finish(table({3: tables(subgraph)}, 8))
    return bytes(builder.Output())


def lite_file(path: Path, words: bytes, labels: dict[str, str]) -> Path:
    """Write a TensorFlow Lite file with metadata, and label files in a zip at its end."""
    lite = Lite()
    lite.gives(lite.op("RELU", [lite.input((1, 4))]))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(words, np.uint8)
    lite.model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(lite.model.buffers) - 1
    lite.model.metadata = [entry]
    path.write_bytes(lite.file())
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in labels.items():
            archive.writestr(name, text)
    return path


def test_the_metadata_of_tensorflow_lite_is_read(tmp_path: Path) -> None:
    path = lite_file(tmp_path / "a.tflite", metadata([127.5], [128.0]), {"labels.txt": "cat\ndog\n\n"})
    assert own_words(path) == {"mean": [127.5], "std": [128.0], "labels": ["cat", "dog"]}
    path = lite_file(tmp_path / "b.tflite", metadata([1, 2, 3], [4, 5, 6]), {"a.txt": "cat", "b.txt": "Katze"})
    assert own_words(path) == {"mean": [1, 2, 3], "std": [4, 5, 6]}


@pytest.mark.parametrize("seed", range(40))
def test_metadata_that_is_damaged_says_nothing_and_harms_nothing(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    words = bytearray(metadata([127.5], [128.0]))
    for place in generator.integers(0, len(words), 6):
        words[place] = int(generator.integers(256))
    path = lite_file(tmp_path / "a.tflite", bytes(words[: int(generator.integers(0, len(words)))]), {"a.txt": "cat"})
    assert set(own_words(path)) <= {"mean", "std", "labels"}
    assert own_words(path)["labels"] == ["cat"]


def test_files_without_metadata_say_nothing(tmp_path: Path) -> None:
    lite = Lite()
    lite.gives(lite.op("RELU", [lite.input((1, 4))]))
    (tmp_path / "a.tflite").write_bytes(lite.file())
    assert own_words(tmp_path / "a.tflite") == {}
    (tmp_path / "b.tflite").write_bytes(b"")
    assert own_words(tmp_path / "b.tflite") == {}
