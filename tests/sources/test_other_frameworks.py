"""What is said of PyTorch's and Hugging Face's files: the lines that make an ONNX file of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from builder.cli.init import find_models, find_unreadable
from builder.errors import SourceError
from builder.sources.detect import detect
from builder.sources.other_frameworks import export_hint
from tests.onnx.networks import classifier, write


def archive(path: Path, names: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in names.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"best/data.pkl": b"\x80\x02cultralytics.nn.tasks\nDetectionModel\n"}, r"YOLO\('.*net\.pt'\)\.export"),
        ({"net/data.pkl": b"", "net/constants.pkl": b""}, r"torch\.jit\.load\('.*net\.pt'\)"),
        ({"net/data.pkl": b"\x80\x02}"}, r"load_state_dict\(torch\.load\('.*net\.pt'\)\)"),
    ],
)
def test_a_pytorch_file_tells_how_it_is_exported(tmp_path: Path, names: dict[str, bytes], words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        detect(archive(tmp_path / "net.pt", names))
    assert caught.value.code == "SP-305"


def test_a_hugging_face_folder_names_its_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertModel"]}))
    (tmp_path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    for place in (tmp_path, tmp_path / "model.safetensors"):
        with pytest.raises(SourceError, match=r"transformers\.BertModel\.from_pretrained.*torch\.onnx\.export"):
            detect(place)


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b'{"architectures": 3}', b'{"architectures": ["a; rm -rf"]}'])
def test_a_strange_configuration_is_not_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    (tmp_path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert "YourModel" in export_hint(tmp_path / "model.safetensors")


def test_init_proposes_onnx_files_and_names_the_others(tmp_path: Path) -> None:
    write(classifier(), tmp_path / "net.onnx", external=True)
    archive(tmp_path / "old.pth", {"old/data.pkl": b""})
    (found,) = find_models(tmp_path, (tmp_path,))
    assert (found.name, found.path, found.kind) == ("net", "net.onnx", "onnx")
    whole = sum(path.stat().st_size for path in (tmp_path / "net.onnx", tmp_path / "net.onnx.data"))
    assert found.nbytes == whole
    ((path, hint),) = find_unreadable((tmp_path,))
    assert path.name == "old.pth"
    assert "torch.onnx.export" in hint
