"""Folders and archives that tools write around one model: Teachable Machine's, and those of Keras on Hugging Face.

Keras 3 uploads a ``.keras`` file there as a folder of what is in it, and writes one with ``zipped=False``.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import SourceError
from .folders import check_folder
from .keras_zip import check_entries
from .members import chosen_member, unpack_member

lite_name = "model.tflite"
keras_parts = ("config.json", "metadata.json", "model.weights.h5")
keras_suffixes = (".keras", ".h5", ".hdf5")
most_metadata = 4 << 20
most_unpacked = 1 << 30  # Teachable Machine's own are of 2 to 20 MB


def locate(path: Path, unpacked: Callable[[Path], Path], member: str = "") -> Path:
    """Return the model inside a folder or archive; other paths unchanged.

    These are zips and folders of Teachable Machine, folders of Hugging Face, and archives of TensorFlow Lite models.

    Args:
        path: of the source.
        unpacked: gives the folder in which ``unpack`` has put what is in a zip, or what a folder's parts are together.
        member: which TensorFlow Lite model of an archive is meant.

    Raises:
        SourceError: the folder or archive holds several models, so that one has to be named; the zip is damaged.
        UnsafeModelError: see ``unpack``.
    """
    if _lite_member(path, member):
        return unpacked(path) / lite_name
    if packed_model(path):
        return unpacked(path) / "model.json"
    if not path.is_dir() or (path / "saved_model.pb").is_file():
        return path
    if (path / "metadata.json").is_file() and (path / "model.json").is_file():
        return path / "model.json"
    models = sorted(item for item in path.iterdir() if item.suffix in keras_suffixes and item.is_file())
    whole = [item for item in models if not item.name.endswith(".weights.h5")]
    if len(whole) > 1:
        names = ", ".join(item.name for item in whole[:5])
        raise SourceError("holds several models", code="SP-311", where=str(path), hint=f"Name one of them: {names}")
    if not whole and is_keras_folder(path):
        return unpacked(path) / "model.keras"
    return whole[0] if whole else path


def is_keras_folder(path: Path) -> bool:
    """Return whether a folder holds the parts of a ``.keras`` file."""
    if not all((path / name).is_file() for name in keras_parts):
        return False
    metadata = path / "metadata.json"
    try:
        content = json.loads(metadata.read_bytes()) if metadata.stat().st_size <= most_metadata else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "keras_version" in content


def packed_files(path: Path) -> tuple[Path, ...]:
    """Return the files that ``unpack`` reads of a zip or of a folder of parts.

    Raises:
        UnsafeModelError: a part is a link that leads out of the folder.
    """
    if not path.is_dir():
        return (path,)
    check_folder(path)
    return tuple(path / name for name in keras_parts)


def packed_model(path: Path) -> str:
    """Return the name of the one ``model.json`` in a zip file; ``""`` where there is none, or no zip file."""
    if path.suffix.lower() != ".zip" or not path.is_file():
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if PurePosixPath(name).name == "model.json"]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError):
        return ""
    return names[0] if len(names) == 1 and len(PurePosixPath(names[0]).parts) <= 2 else ""


def unpack(path: Path, folder: Path, member: str = "") -> None:
    """Unpack a zip of Teachable Machine: the files beside its ``model.json``, and nothing else; pack a folder of parts.

    Args:
        path: the zip; ``packed_model`` found a model in it. Or a folder, see ``is_keras_folder``. Or an archive of
            TensorFlow Lite models, of which one is unpacked.
        folder: an existing, empty folder.
        member: see ``locate``.

    Raises:
        UnsafeModelError: entries that point outside, come twice, or would unpack to absurd sizes.
        SourceError: damaged, or too large.
    """
    if path.is_dir():
        _pack(path, folder / "model.keras")
        return
    if chosen := _lite_member(path, member):
        unpack_member(path, chosen, folder / lite_name)
        return
    where, home = str(path), PurePosixPath(packed_model(path)).parent
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive, where)
            entries = [entry for entry in archive.infolist() if PurePosixPath(entry.filename).parent == home]
            if sum(entry.file_size for entry in entries) > most_unpacked:
                raise SourceError(
                    "unpacks to more than 1 GiB", code="SP-312", where=where, hint="Unpack it, and name its model.json"
                )
            for entry in entries:
                if not entry.is_dir():
                    # zipfile reads no more than the length that was checked; links come out as files.
                    (folder / PurePosixPath(entry.filename).name).write_bytes(archive.read(entry))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(
            f"is a damaged or truncated archive ({error})",
            code="SP-308",
            where=where,
            hint="Download or save the model again",
        ) from error


def _lite_member(path: Path, member: str) -> str:
    return "" if not member and packed_model(path) else chosen_member(path, member)


def _pack(path: Path, target: Path) -> None:
    """Put a folder's parts into a ``.keras`` file, the same bytes each time."""
    files = packed_files(path)
    with zipfile.ZipFile(target, "w") as archive:
        for part in files:
            entry = zipfile.ZipInfo(part.name)  # of 1980
            with part.open("rb") as content, archive.open(entry, "w", force_zip64=True) as written:
                shutil.copyfileobj(content, written)


def teachable_labels(model: Path) -> tuple[str, ...] | None:
    """Return the labels that Teachable Machine wrote beside its ``model.json``; None where there are none."""
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
    if model.name != "model.json":
        return {}
    path = model.with_name("metadata.json")
    try:
        inside = path.resolve().is_relative_to(model.parent.resolve())
        if not inside or path.stat().st_size > most_metadata:
            return {}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(content, dict) and ("tfjsVersion" in content or "wordLabels" in content)
    return content if known else {}
