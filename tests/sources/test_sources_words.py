"""What strangers bring, without TensorFlow: errors in words, Keras files that check refuses, folders of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from builder.convert.reasons import explain, explain_keras, first_sentence
from builder.convert.serve import answer
from builder.errors import ShardpressError, SourceError, UnsafeModelError
from builder.graphs.analysis import Finding, _way
from builder.graphs.float_types import check_types
from builder.graphs.graphdef import messages
from builder.sources.keras_h5 import read_keras_h5
from builder.sources.keras_safety import check_keras_config
from builder.sources.model_folders import locate, teachable_labels, teachable_note
from tests.helpers import tiny


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Op type not registered 'QuantumMatMul' in binary running on vm.", "holds the op QuantumMatMul"),
        ("Op type not registered 'SimpleMLInferenceOpWithHandle' in binary", "is a decision forest"),
        ("Read less bytes than requested", "truncated or damaged weights"),
        (
            (
                "Input 0 of node functional_2_1/memory_1/AssignVariableOp was passed float from a:0 incompatible with "
                "expected resource."
            ),
            "keeps state from call to call (layer functional_2_1/memory_1). Save it with stateful=False",
        ),
        ("Input 0 of node f/hidden_1/MatMul/B_5 was passed int8 from f/Cast:0 incompatible with int32", "quantized"),
        (
            (
                "A total of 1 objects could not be loaded. Example error message for object <Dense name=hidden, "
                "built=True>:\n\nLayer 'hidden' expected 2 variables, but received 0"
            ),
            "no weights that fit 1 of its layers, the first hidden (Dense): Layer 'hidden' expected 2 variables",
        ),
        ("\"Unable to synchronously open object (object 'model_weights' doesn't exist)\"", "lacks model_weights"),
        (
            "Could not deserialize 'keras.layers.Danse' because it is not a KerasSaveable subclass",
            "has the layer class Danse",
        ),
        (
            (
                "<class 'F'> could not be deserialized properly. Exception: Unrecognized keyword arguments "
                "passed to Dense: {'quantum_field': 3}"
            ),
            "options of Dense that this Keras does not know: {'quantum_field': 3}. A newer Keras",
        ),
        (
            (
                "Exception encountered when calling UpSampling2D.call().\n\n\x1b[1mUsing a symbolic `tf.Tensor` as a "
                "Python `bool` is not allowed.\x1b[0m\n\nArguments received by …"
            ),
            "has no fixed size, which its layer UpSampling2D needs",
        ),
        (
            "Exception encountered when calling Reshape.call().\n\n\x1b[1mcannot reshape\x1b[0m",
            "layer Reshape says: cannot reshape",
        ),
    ],
)
def test_an_error_names_cause_place_and_next_step(text: str, words: str) -> None:
    said = explain(ValueError(text), "m")
    assert words in str(said)
    assert said.hint
    assert isinstance(said, SourceError)


def test_first_sentences_are_never_empty() -> None:
    assert first_sentence(ValueError("Graph execution error:\n\nIn[0] and In[1] differ\n\t [[x]]")).startswith("In[0]")
    assert first_sentence(KeyError(1482)) == "KeyError 1482"
    assert first_sentence(ValueError("")) == "ValueError"
    reply = answer(lambda _: {}["tables"], None)
    assert "KeyError 'tables'" in str(reply.failure)


def test_custom_classes_and_other_kerases_are_told_apart() -> None:
    assert "'mine>Gated'" in str(explain_keras(ValueError("Unknown layer: 'mine>Gated'"), "m"))
    assert "version of Keras" in str(explain_keras(TypeError("Could not locate class 'Functional'"), "m"))


def test_a_way_takes_two_lines_at_most() -> None:
    long = tuple(f"StatefulPartitionedCall/functional_1/text_vectorization_1/{part}" for part in "abcdefgh")
    assert _way(Finding("X", (long[3],), "refused", ("text", *long, "Identity"))) == "text → … → d → … → Identity"
    assert _way(Finding("X", ("b",), "refused", ("a", "b", "c"))) == "a → b → c"


def h5(path: Path, **attributes: str) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


def test_keras_files_are_refused_before_keras_sees_them(tmp_path: Path) -> None:
    custom = {"class_name": "Functional", "config": {"layers": [{"class_name": "mine>Gated", "config": {}}]}}
    code = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}}
    cases: list[tuple[Path, type[ShardpressError], str]] = [
        (h5(tmp_path / "weights.h5"), SourceError, "holds weights only"),
        (
            h5(tmp_path / "custom.h5", model_config=json.dumps(custom)),
            SourceError,
            "custom class or function 'mine>Gated'",
        ),
        (h5(tmp_path / "lambda.h5", model_config=json.dumps(code)), UnsafeModelError, "holds Python code"),
        (h5(tmp_path / "odd.h5", model_config="{"), SourceError, "is not JSON"),
    ]
    for path, kind, words in cases:
        with pytest.raises(kind, match=words):
            check_keras_config(read_keras_h5(path).config)
    plain = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}}
    found = read_keras_h5(h5(tmp_path / "fine.h5", model_config=json.dumps(plain)))
    check_keras_config(found.config)
    assert found.is_keras2
    assert not found.has_optimizer


def located(path: Path) -> Path:
    return locate(path, pytest.fail)


def teachable(folder: Path, **metadata: object) -> Path:
    tiny.layers_model(folder)
    content = {"tfjsVersion": "1.3.1", "packageName": "@teachablemachine/image", **metadata}
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder


def test_teachable_machine_folders_are_read(tmp_path: Path) -> None:
    folder = teachable(tmp_path / "tm", labels=["Cat", "Dog"], imageSize=224)
    assert located(folder) == folder / "model.json"
    assert teachable_labels(folder / "model.json") == ("Cat", "Dog")
    assert "224 x 224, cropped to a square, from -1 to 1" in teachable_note(folder / "model.json")
    pose = teachable(tmp_path / "pose", packageName="@teachablemachine/pose", labels=["up"])
    assert "PoseNet" in teachable_note(pose / "model.json")
    broken = teachable(tmp_path / "broken", labels=[1, {}])
    assert teachable_labels(broken / "model.json") is None
    (broken / "metadata.json").write_text("{")
    assert teachable_labels(broken / "model.json") is None


def test_hugging_face_folders_hold_one_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "metadata.json").write_text("{}")
    assert located(tmp_path) == tmp_path
    (tmp_path / "model.weights.h5").write_bytes(b"")
    (tmp_path / "model.keras").write_bytes(b"")
    assert located(tmp_path) == tmp_path / "model.keras"
    (tmp_path / "other.h5").write_bytes(b"")
    with pytest.raises(SourceError, match="holds several models"):
        located(tmp_path)


def test_graphs_that_compute_in_bfloat16_are_refused() -> None:
    graph = messages().GraphDef()
    node = graph.node.add(name="layer/Cast", op="Cast")
    node.attr["DstT"].type = 1
    check_types(graph, "m")
    node.attr["DstT"].type = 14
    with pytest.raises(SourceError, match=r"bfloat16.*layer/Cast.*save it in float32"):
        check_types(graph, "m")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("onnx.tasks.reference_onnx", "ONNX Runtime cannot run it: no kernel"),
        ("tflite.tasks.reference_tflite", "LiteRT cannot run it: no kernel"),
        ("onnx.tasks.convert_onnx", "It cannot be lowered: no kernel"),
    ],
)
def test_an_error_names_the_runtime_that_it_comes_from(task: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(request: object) -> None:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(f"builder.{task}", fail)
    failure = answer(task.rpartition(".")[2], None).failure
    assert words in str(failure)
    assert "TensorFlow" not in str(failure)
