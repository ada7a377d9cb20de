"""Tells what kind of source a path is, by a look at its first bytes and its structure; nothing is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

from ..errors import SourceError
from .other_frameworks import export_hint, is_hugging_face
from .other_frameworks import suffixes as torch_suffixes
from .word_vectors import fasttext_signature, vector_format

sources_known = (
    "a SavedModel folder, a .keras, .h5, .pb, .onnx or .tflite file, a model.json, or word vectors (.bin, .vec, .npy)"
)
hdf5_signature = b"\x89HDF\r\n\x1a\n"
lite_identifier = b"TFL3"  # of the flatbuffer, at byte 4
zip_signature = b"PK\x03\x04"
foreign = {
    ".index": "it is a checkpoint, weights only: rebuild the model, load it and save a SavedModel",
    ".ckpt": "it is a checkpoint, weights only: rebuild the model, load it and save a SavedModel",
    ".meta": "it is a checkpoint's graph: restore it and save a SavedModel",
    ".pbtxt": "text protobufs are not supported: save the model in binary form",
}


def detect(path: Path) -> str:
    """Return the kind of source at ``path``.

    ``tfjs`` is a ``model.json``, ``saved-model`` a directory, ``keras-h5`` an HDF5 file (which Keras made it, only the
    conversion worker sees), ``keras-zip`` a ``.keras`` file, ``frozen-graph`` a ``.pb`` file with a GraphDef,
    ``onnx`` an ``.onnx`` file, ``tflite`` a TensorFlow Lite file, ``word-vectors`` what ``sources.vectors`` reads.

    Raises:
        SourceError: missing, empty, truncated, or none of these.
    """
    if path.is_dir():
        return _detect_folder(path)
    try:
        with path.open("rb") as file:
            return _detect_file(path, file)
    except OSError as error:
        if not path.exists():
            raise SourceError(
                "does not exist", code="SP-301", where=str(path), hint="Correct the path in build.toml"
            ) from error
        what = f"cannot be read ({error.strerror})"
        raise SourceError(what, code="SP-302", where=str(path), hint="Check its permissions") from error


def _detect_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "saved-model"
    models = sorted(
        item.name
        for item in path.iterdir()
        if item.suffix in {".json", ".keras", ".h5", ".hdf5", ".pb", ".onnx", ".tflite"}
        or (item / "saved_model.pb").is_file()
    )
    if is_hugging_face(path):
        raise SourceError("is a PyTorch model of Hugging Face", code="SP-305", where=str(path), hint=export_hint(path))
    if (path / "saved_model.pbtxt").is_file():
        hint = "text protobufs are not supported: save the model in binary form"
    elif models:
        hint = f"Name the model in it: {', '.join(models[:5])}"
    else:
        hint = "Name a SavedModel folder, a .keras, .h5, .pb, .onnx or .tflite file, or a model.json"
    raise SourceError("is a folder without saved_model.pb", code="SP-307", where=str(path), hint=hint)


def _detect_file(path: Path, file: BinaryIO) -> str:
    start = file.read(4096)
    suffix = path.suffix.lower()
    if not start:
        raise SourceError("is empty", code="SP-303", where=str(path), hint="Download or export the model again")
    if suffix in foreign or suffix in torch_suffixes:
        hint = foreign.get(suffix) or export_hint(path)
        raise SourceError(f"is a {suffix} file", code="SP-305", where=str(path), hint=hint[0].upper() + hint[1:])
    if start.startswith(b"version https://git-lfs"):
        raise SourceError("is only a Git LFS pointer", code="SP-304", where=str(path), hint="Run git lfs pull")
    if suffix in {".tflite", ".onnx"} or start[4:8] == lite_identifier:
        return _detect_onnx(path, start) if suffix == ".onnx" else _detect_tflite(path, start)
    if start.startswith(zip_signature):
        return "keras-zip"  # before HDF5, which may lie in it at one of the places that HDF5 allows
    if _is_hdf5(start):
        return "keras-h5"
    if vector_format(suffix, start):
        return "word-vectors"
    if suffix == ".bin" and start.startswith(fasttext_signature):
        raise SourceError(
            "is fastText's own model", code="SP-305", where=str(path), hint="Name the .vec file beside it"
        )
    if suffix == ".json" or start.lstrip()[:1] == b"{":
        return _detect_json(path, start)
    if suffix == ".pb":
        return _detect_graph(path, file)
    if suffix in {".h5", ".hdf5", ".keras"}:
        raise SourceError(
            f"is not a {suffix} file inside", code="SP-306", where=str(path), hint="Download or save the model again"
        )
    raise SourceError(
        "is not a model that Shardpress knows",
        code="SP-305",
        where=str(path),
        hint=f"Name {sources_known}",
    )


def _is_hdf5(start: bytes) -> bool:
    """Look where HDF5 allows its signature: at 0, 512, 1024, 2048 and so on."""
    offsets = (0, 512, 1024, 2048)
    return any(start[offset : offset + len(hdf5_signature)] == hdf5_signature for offset in offsets)


def _detect_onnx(path: Path, start: bytes) -> str:
    """Look for a ModelProto, which begins with its version or with texts and its graph."""
    if start[0] not in {0x08, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72}:
        raise SourceError(
            "is not an ONNX file inside", code="SP-306", where=str(path), hint="Download or export it again"
        )
    return "onnx"


def _detect_tflite(path: Path, start: bytes) -> str:
    if start[4:8] != lite_identifier:
        raise SourceError(
            "is not a .tflite file inside", code="SP-306", where=str(path), hint="Download or convert it again"
        )
    return "tflite"


def _detect_json(path: Path, start: bytes) -> str:
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return "tfjs"
    try:
        json.loads(start)
    except ValueError:
        what = "is not JSON"
    else:
        what = "is JSON, but not an object"
    raise SourceError(
        what, code="SP-306", where=str(path), hint="Name the model.json that the TensorFlow.js converter wrote"
    )


def _detect_graph(path: Path, file: BinaryIO) -> str:
    """Walk over the top fields of a protobuf: a GraphDef begins with nodes, a SavedModel with a version number."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(1) == b"\x08":
        hint = (
            "Name its folder" if path.name == "saved_model.pb" else "Name the folder, the file in it as saved_model.pb"
        )
        raise SourceError(
            "is the graph of a SavedModel, without its variables", code="SP-307", where=str(path), hint=hint
        )
    file.seek(0)
    nodes = 0
    while (tag := _varint(file)) is not None:
        field, wire_type = tag >> 3, tag & 7
        length = _varint(file) if wire_type in {0, 2} else {1: 8, 5: 4}.get(wire_type)
        if length is None or field not in range(1, 16):
            nodes = 0
            break
        if wire_type != 0:
            file.seek(length, 1)
        nodes += field == 1
        if file.tell() > size:
            raise SourceError(
                "is truncated", code="SP-308", where=str(path), hint="Download or export the frozen graph again"
            )
    if not nodes:
        raise SourceError(
            "is not a frozen TensorFlow graph (GraphDef)",
            code="SP-306",
            where=str(path),
            hint="Name a frozen graph or a SavedModel folder",
        )
    return "frozen-graph"


def _varint(file: BinaryIO) -> int | None:
    """Read a protobuf varint; None at the end of the file, or where there is none."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
