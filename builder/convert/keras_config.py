"""Reads what a Keras file says of its model before Keras does: builds and ``check`` refuse by the same words.

Needs h5py, which comes with ``[convert]``, and no TensorFlow.
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.convert.reasons import export_hint
from builder.errors import ConversionError, SourceError, UnsafeModelError
from builder.sources.keras_zip import read_keras_zip
from builder.sources.safety import check_keras_config


@dataclass(frozen=True, slots=True)
class KerasFile:
    """What a Keras file says.

    Attributes:
        config: the model's configuration.
        is_keras2: Keras before 3 wrote it.
        has_optimizer: it holds the optimiser's state too.
    """

    config: Any
    is_keras2: bool
    has_optimizer: bool


def read_keras(path: Path, kind: str, *, trust: bool) -> KerasFile:
    """Read and check a Keras file as far as that goes without Keras.

    Args:
        path: the file.
        kind: ``keras-h5`` or ``keras-zip``.
        trust: the user vouches for code inside the model.

    Raises:
        SourceError: it is damaged, holds no model, or needs code that is not in it.
        UnsafeModelError: it holds code and is not trusted, or reads other files.
        ConversionError: h5py is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise ConversionError("h5py cannot be imported: not installed", hint='Run pip install "shardpress[convert]"')
    found = _read_h5(path) if kind == "keras-h5" else _read_zip(path)
    check_keras_config(found.config, trust=trust, where=str(path))
    if name := _custom(found.config):
        raise SourceError(
            f"needs the custom class or function {name!r}, whose code is not in the file",
            where=str(path),
            hint=export_hint,
        )
    return found


def _read_h5(path: Path) -> KerasFile:
    import h5py

    where = str(path)
    try:
        with h5py.File(path, "r") as file:
            check_hdf5(file, where)
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "1")
            has_optimizer = "optimizer_weights" in file
    except OSError as error:
        raise SourceError(
            f"is a damaged or truncated HDF5 file ({error})", where=where, hint="Download or save the model again"
        ) from error
    if text is None:
        raise SourceError(
            "holds weights only, no model",
            where=where,
            hint="Rebuild the model in Python, load these weights, and save all of it with model.save",
        )
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise SourceError("its model_config is not JSON", where=where, hint="Save the model again") from error
    if config is None:
        raise SourceError("holds no model: its model_config is null", where=where, hint="Save the whole model")
    version = version.decode() if isinstance(version, bytes) else str(version)
    return KerasFile(config, version.split(".")[0] in {"1", "2"}, has_optimizer)


def _read_zip(path: Path) -> KerasFile:
    archive = read_keras_zip(path)
    with zipfile.ZipFile(path) as file, file.open("model.weights.h5") as weights:
        return KerasFile(archive.config, archive.is_keras2, _has_optimizer(weights, str(path)))


def _has_optimizer(weights: Any, where: str) -> bool:
    import h5py

    try:
        with h5py.File(weights, "r") as content:
            check_hdf5(content, where)
            return bool(content.get("optimizer") or content.get("_optimizer"))
    except OSError as error:
        raise SourceError(
            f"has damaged weights ({error})", where=where, hint="Download or save the model again"
        ) from error


def check_hdf5(file: Any, where: str) -> None:
    """Refuse data that lie in other files: a model must not read them."""
    import h5py

    def visit(name: str, link: Any) -> str | None:
        if isinstance(link, h5py.ExternalLink):
            return name
        item = file[name] if isinstance(link, h5py.HardLink) else None
        return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

    if name := file.visititems_links(visit):
        raise UnsafeModelError(f"keeps {name!r} in another file", where=where, hint="Save the model again, as one file")


def _custom(config: Any) -> str:
    """Give the registered name of a class or function that its author wrote, or ``""``."""
    queue = [config]
    for item in queue:  # grows
        if isinstance(item, dict):
            for key in ("registered_name", "class_name"):
                name = item.get(key)
                if isinstance(name, str) and ">" in name and not name.startswith("keras>"):
                    return name
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
    return ""
