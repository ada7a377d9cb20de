"""Reads what is needed of ``.keras`` archives without unpacking them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import SourceError, UnsafeModelError

largest_json = 64 << 20
largest_archive = 32 << 30
highest_ratio = 1000
free_of_ratio = 16 << 20


@dataclass(frozen=True, slots=True)
class KerasArchive:
    """The descriptions in a ``.keras`` file.

    Attributes:
        config: the model's configuration.
        version: of the Keras that wrote it.
    """

    config: dict[str, object]
    version: str

    @property
    def is_keras2(self) -> bool:
        """Keras before 3 wrote it."""
        return self.version.split(".")[0] in {"1", "2"}


def read_keras_zip(path: Path) -> KerasArchive:
    """Read configuration and version; every entry's name and size is checked first.

    Raises:
        SourceError: damaged, or no Keras model.
        UnsafeModelError: entries that point outside, come twice, or would unpack to absurd sizes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive, str(path))
            names = archive.namelist()
            if "config.json" not in names or "model.weights.h5" not in names:
                raise SourceError(
                    "is an archive, but not of a Keras model (no config.json and model.weights.h5)",
                    code="SP-306",
                    where=str(path),
                    hint='Save the whole model with model.save("NAME.keras")',
                )
            config = _read_json(archive, "config.json", path)
            metadata = _read_json(archive, "metadata.json", path) if "metadata.json" in names else {}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(
            f"is a damaged or truncated archive ({error})",
            code="SP-308",
            where=str(path),
            hint="Download or save the model again",
        ) from error
    return KerasArchive(config, str(metadata.get("keras_version", "3")))


def check_entries(archive: zipfile.ZipFile, where: str) -> None:
    """Check names and sizes of all entries.

    Raises:
        UnsafeModelError: entries that point outside, come twice, or would unpack to absurd sizes.
    """
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    total = sum(entry.file_size for entry in entries)
    problem = ""
    if len(set(names)) != len(names):
        problem = "holds two entries of one name"
    if total > largest_archive:
        problem = f"would unpack to {total} bytes"
    for entry in entries:
        name = entry.filename
        if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
            problem = f"holds an entry outside its folder ({name!r})"
        if entry.file_size > max(free_of_ratio, highest_ratio * entry.compress_size):
            problem = f"holds an entry that unpacks to {entry.file_size} bytes from {entry.compress_size} ({name!r})"
    if problem:
        raise UnsafeModelError(
            problem, code="SP-365", where=where, hint="Do not use this file unless you know its author"
        )


def _read_json(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, object]:
    with archive.open(name) as file:
        content = file.read(largest_json + 1)
    if len(content) > largest_json:
        raise UnsafeModelError(
            f"{name} is larger than 64 MiB", code="SP-365", where=str(path), hint="Save the model again"
        )
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{name} in it is not JSON", code="SP-309", where=str(path), hint="Save the model again"
        ) from error
    if not isinstance(value, dict):
        raise SourceError(f"{name} in it is not an object", code="SP-309", where=str(path), hint="Save the model again")
    return value
