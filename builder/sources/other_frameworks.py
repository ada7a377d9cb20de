"""What to type for a model of PyTorch or Hugging Face to become an ONNX file, as far as its files tell."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

suffixes = frozenset({".pt", ".pth", ".safetensors"})
weights_names = (
    "model.safetensors",
    "pytorch_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
)
class_name = re.compile(r"[A-Z]\w{1,100}")
most_looked_at = 1 << 20


def export_hint(path: Path) -> str:
    """Return two lines of Python that export what lies at ``path`` as ONNX.

    Args:
        path: a ``.pt``, ``.pth`` or ``.safetensors`` file, or a folder of Hugging Face's.
    """
    folder = path if path.is_dir() else path.parent
    if found := _architecture(folder):
        return _lines(f"m = transformers.{found}.from_pretrained({str(folder)!r})", "(INPUTS,)")
    name = str(path)
    if path.suffix.lower() == ".safetensors":
        load = f"m = YourModel(); m.load_state_dict(safetensors.torch.load_file({name!r}))"
        return _lines(load, "(EXAMPLE,)")
    kind = _kind_of_archive(path)
    if kind == "ultralytics":
        return f"Export it to ONNX in Python: from ultralytics import YOLO; YOLO({name!r}).export(format='onnx')"
    if kind == "torchscript":
        return _lines(f"m = torch.jit.load({name!r})", "(EXAMPLE,)")
    return _lines(f"m = YourModel(); m.load_state_dict(torch.load({name!r}))", "(EXAMPLE,)")


def is_hugging_face(folder: Path) -> bool:
    """Whether a folder holds a model as Hugging Face's transformers save it for PyTorch."""
    return bool(_architecture(folder)) and any((folder / name).is_file() for name in weights_names)


def _lines(load: str, example: str) -> str:
    export = f'torch.onnx.export(m.eval(), {example}, "model.onnx", dynamo=True)'
    return f"Export it to ONNX in Python and name that file: {load}; {export}"


def _architecture(folder: Path) -> str:
    """Return the class that Hugging Face's ``config.json`` names, or nothing."""
    config = folder / "config.json"
    try:
        if config.stat().st_size > most_looked_at:
            return ""
        content = json.loads(config.read_bytes())
        named = content.get("architectures") or [""]
        return named[0] if class_name.fullmatch(named[0]) else ""
    except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return ""


def _kind_of_archive(path: Path) -> str:
    """Tell what a PyTorch file holds: only names in the archive are looked at, and the start of its pickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:10_000]
            if any(name.endswith("constants.pkl") for name in names):
                return "torchscript"
            pickled = next((name for name in names if name.endswith("data.pkl")), None)
            if pickled is None:
                return ""
            with archive.open(pickled) as file:
                return "ultralytics" if b"ultralytics" in file.read(1 << 16) else ""
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        return ""
