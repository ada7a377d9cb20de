"""Folders that tools write around one model: Teachable Machine's, and those of Keras models on Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builder.errors import SourceError

keras_suffixes = (".keras", ".h5", ".hdf5")
most_metadata = 4 << 20


def locate(path: Path) -> Path:
    """Give the model inside a folder of Teachable Machine or Hugging Face; any other path as it is.

    Raises:
        SourceError: the folder holds several models, so that one has to be named.
    """
    if not path.is_dir() or (path / "saved_model.pb").is_file():
        return path
    if (path / "metadata.json").is_file() and (path / "model.json").is_file():
        return path / "model.json"
    models = sorted(item for item in path.iterdir() if item.suffix in keras_suffixes and item.is_file())
    whole = [item for item in models if not item.name.endswith(".weights.h5")]
    if len(whole) > 1:
        names = ", ".join(item.name for item in whole[:5])
        raise SourceError("holds several models", where=str(path), hint=f"Name one of them: {names}")
    return whole[0] if whole else path


def teachable_labels(model: Path) -> tuple[str, ...] | None:
    """Give the labels that Teachable Machine wrote beside its ``model.json``; None where there are none."""
    content = teachable(model)
    labels = content.get("labels", content.get("wordLabels"))
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        return None
    return tuple(label.replace("\n", " ") for label in labels)


def teachable_note(model: Path) -> str:
    """Say what pictures a Teachable Machine model takes, or ``""``: nothing else holds that."""
    content = teachable(model)
    size = content.get("imageSize")
    package = str(content.get("packageName", ""))
    if package.startswith("@teachablemachine/image") and type(size) is int:
        grey = " in grey" if content.get("grayscale") is True else ""
        square = f"{size} x {size}{grey}, cropped to a square"
        return f"made by Teachable Machine for pictures of {square}, from -1 to 1 (x / 127.5 - 1)"
    if package.startswith("@teachablemachine/pose"):
        return "made by Teachable Machine for poses: its input is what PoseNet's estimatePose gives, not a picture"
    if "wordLabels" in content:
        return "made by Teachable Machine for sound: its input is the spectrogram of @tensorflow-models/speech-commands"
    return ""


def teachable(model: Path) -> dict[str, Any]:
    """Read ``metadata.json`` beside a model if Teachable Machine wrote it; {} if it did not."""
    path = model.with_name("metadata.json")
    try:
        if model.name != "model.json" or path.stat().st_size > most_metadata:
            return {}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(content, dict) and ("tfjsVersion" in content or "wordLabels" in content)
    return content if known else {}
