"""Which files a source is made of, for the cache's key."""

from __future__ import annotations

from pathlib import Path

from .folders import check_folder, own_files
from .model_folders import teachable
from .onnx_files import external_files
from .tfjs import weight_files

random_file = "fingerprint.pb"  # TensorFlow puts a new random number into it each time it saves the same model


def source_files(path: Path, kind: str) -> tuple[tuple[str, Path], ...]:
    """Return name (relative to the source) and path of every file that a build of this source reads.

    Raises:
        SourceError: a ``model.json`` is damaged or names files that it must not.
        UnsafeModelError: a folder has links that lead outside it.
    """
    if kind == "tfjs":
        folder = path.parent
        metadata = (("metadata.json", path.with_name("metadata.json")),) if teachable(path) else ()
        return (
            (path.name, path),
            *metadata,
            *((file.relative_to(folder).as_posix(), file) for file in weight_files(path)),
        )
    if kind == "onnx":
        folder = path.parent
        beside = external_files(path)
        return ((path.name, path), *((file.relative_to(folder).as_posix(), file) for file in beside))
    if path.is_dir():
        check_folder(path)
        found = [file for file in own_files(path) if file.name != random_file]
        return tuple((file.relative_to(path).as_posix(), file) for file in found)
    return ((path.name, path),)
